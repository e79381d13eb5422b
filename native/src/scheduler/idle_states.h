// SPDX-License-Identifier: Apache-2.0
// Holds the machine's idle states shallow, so that a sleeping core wakes in 6 us rather than 50.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace junction::scheduler {

enum class IdleMechanism {
  kAuto,           // the first of the next two that the machine has, else none
  kCpuDmaLatency,  // /dev/cpu_dma_latency: a wish of 0 us; Linux forgets it when our descriptor is closed, however we end
  kHaltpoll,       // the haltpoll driver's guest_halt_poll_ns, on VMs; outlives us, so it is written down and put back
  kNone,
};

std::optional<IdleMechanism> ParseIdleMechanism(std::string_view name);
std::string_view Name(IdleMechanism mechanism);

/// Where the machine's settings are; tests have their own.
struct IdleStatePaths {
  std::string cpu_dma_latency = "/dev/cpu_dma_latency";
  std::string haltpoll_ns = "/sys/module/haltpoll/parameters/guest_halt_poll_ns";
  std::string restore_file;  // what haltpoll's setting was, while we hold it
};

/// One thread. Lets go when it is destroyed.
class IdleStates {
 public:
  virtual ~IdleStates() = default;

  /// Makes idle states shallow. Twice is once.
  virtual Result<void> Hold() = 0;

  /// Undoes it. A failure leaves the machine's setting as it is, and the restore file.
  virtual Result<void> LetGo() = 0;

  virtual IdleMechanism mechanism() const = 0;
};

struct IdleStateOptions {
  IdleMechanism mechanism = IdleMechanism::kAuto;
  uint64_t haltpoll_ns = 200'000;  // FACTS: 50 to 200 us turn a wake-up of 50 us into one of 6
  IdleStatePaths paths;
};

/// Opens what the options name; fails when it is not there (kAuto never does).
Result<std::unique_ptr<IdleStates>> OpenIdleStates(const IdleStateOptions& options);

/// Puts back what a daemon that was killed left of its hold. True if there was something to put back.
Result<bool> RestoreIdleStates(const IdleStatePaths& paths);

}  // namespace junction::scheduler
