// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/timer.h"

namespace junction {

struct UProc;

/// What time a countdown counts.
enum class TimeBase : uint8_t {
  kReal,        // CLOCK_MONOTONIC; other clocks are converted when it is set
  kProcessCpu,  // CPU time of the process
  kUserCpu,     // the part of it that the host calls user time
};

/// A single or periodic timer of a process: behind POSIX timers and setitimer. Lies in the arena. Kernel lock held; of the current process,
/// but for Stop.
struct Countdown {
  /// `count` periods are over, at least 1.
  using Expire = void (*)(Countdown& countdown, uint64_t count);

  Timer timer;
  UProc* process = nullptr;
  Expire expire = nullptr;  // null: only counts, for who looks
  TimeBase base = TimeBase::kReal;
  uint64_t deadline_ns = kNever;  // of `base`; kNever = stopped, or a single one is over
  uint64_t interval_ns = 0;       // 0 = once

  // CPU time is looked at now and then
  uint64_t last_cpu_ns = 0;
  uint32_t idle_looks = 0;

  /// The base's time now.
  uint64_t Now_ns() const;
  void Start(uint64_t first_ns, uint64_t period_ns);
  void Stop();
  /// Until the next expiry, at least 1; 0 if there is none.
  uint64_t Left_ns();
};

/// For a new object: not running.
void InitCountdown(Countdown& countdown, UProc& process, TimeBase base, Countdown::Expire expire);

}  // namespace junction
