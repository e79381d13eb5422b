// SPDX-License-Identifier: Apache-2.0
// CPU-time countdowns need the process' CPU time, which only the host knows, and its own timers would send a signal of the host's into
// guest code. So the CPU time is read when it can be reached at the earliest, at least 1 ms apart (Linux checks at its ticks, 1 to 10 ms),
// and less and less often while the process is idle.
#include "kernel/time/countdown.h"

#include <sys/resource.h>
#include <sys/syscall.h>

#include <ctime>

#include "kernel/process/uproc.h"
#include "kernel/time/group_timer.h"
#include "kernel/time/guest_time.h"
#include "uthread/host_call.h"

namespace junction {
namespace {

constexpr uint64_t kShortestLook_ns = 1'000'000;
constexpr uint64_t kLongestIdleLook_ns = 40'000'000;
constexpr uint32_t kIdleShare = 8;  // less than this part of the time on a CPU counts as idle

uint64_t UserCpu_ns() {
  rusage usage = {};
  HostCall(SYS_getrusage, RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_utime.tv_sec) * kSecond_ns +
         static_cast<uint64_t>(usage.ru_utime.tv_usec) * 1000;
}

// How long to leave a CPU-time countdown alone.
uint64_t LookAfter_ns(Countdown& countdown, uint64_t now_ns) {
  const uint64_t left_ns = countdown.deadline_ns > now_ns ? countdown.deadline_ns - now_ns : 0;
  uint64_t look_ns = left_ns / countdown.process->group.kthread_count;
  look_ns = look_ns < kShortestLook_ns ? kShortestLook_ns : look_ns;
  if (countdown.idle_looks == 0 || look_ns >= kLongestIdleLook_ns) {
    return look_ns;
  }
  look_ns <<= countdown.idle_looks < 6 ? countdown.idle_looks : 6;
  return look_ns < kLongestIdleLook_ns ? look_ns : kLongestIdleLook_ns;
}

void Arm(Countdown& countdown, uint64_t now_ns) {
  if (countdown.deadline_ns == kNever || countdown.expire == nullptr) {
    return;
  }
  if (countdown.base == TimeBase::kReal) {
    ArmInProcess(*countdown.process, countdown.timer, countdown.deadline_ns);
    return;
  }
  const uint64_t look_ns = LookAfter_ns(countdown, now_ns);
  const bool is_idle = now_ns - countdown.last_cpu_ns < look_ns / kIdleShare;
  countdown.idle_looks = is_idle ? countdown.idle_looks + 1 : 0;
  countdown.last_cpu_ns = now_ns;
  ArmInProcess(*countdown.process, countdown.timer, DeadlineAfter(look_ns));
}

// Periods that are over; moves the deadline on.
uint64_t Advance(Countdown& countdown, uint64_t now_ns) {
  if (countdown.deadline_ns == kNever || now_ns < countdown.deadline_ns) {
    return 0;
  }
  if (countdown.interval_ns == 0) {
    countdown.deadline_ns = kNever;
    return 1;
  }
  const uint64_t count = (now_ns - countdown.deadline_ns) / countdown.interval_ns + 1;
  countdown.deadline_ns = AddTimes(countdown.deadline_ns, count * countdown.interval_ns);
  return count;
}

void OnTimer(Timer& timer) {
  auto& countdown = *static_cast<Countdown*>(timer.context);
  const uint64_t now_ns = countdown.Now_ns();
  const uint64_t count = Advance(countdown, now_ns);
  Arm(countdown, now_ns);
  if (count != 0) {
    countdown.expire(countdown, count);
  }
}

}  // namespace

void InitCountdown(Countdown& countdown, UProc& process, TimeBase base, Countdown::Expire expire) {
  countdown.timer.fire = &OnTimer;
  countdown.timer.context = &countdown;
  countdown.process = &process;
  countdown.base = base;
  countdown.expire = expire;
}

uint64_t Countdown::Now_ns() const {
  switch (base) {
    case TimeBase::kProcessCpu:
      return ClockNow_ns(CLOCK_PROCESS_CPUTIME_ID);
    case TimeBase::kUserCpu:
      return UserCpu_ns();
    case TimeBase::kReal:
      break;
  }
  return MonotonicNow_ns();
}

void Countdown::Start(uint64_t first_ns, uint64_t period_ns) {
  Stop();
  deadline_ns = first_ns;
  interval_ns = period_ns;
  const uint64_t now_ns = base == TimeBase::kReal ? 0 : Now_ns();
  last_cpu_ns = 0;
  idle_looks = 0;
  Arm(*this, now_ns);
}

void Countdown::Stop() {
  if (process != nullptr) {
    process->group.timers.Cancel(timer);
  }
  deadline_ns = kNever;
}

uint64_t Countdown::Left_ns() {
  const uint64_t now_ns = Now_ns();
  if (expire == nullptr) {
    Advance(*this, now_ns);
  }
  if (deadline_ns == kNever) {
    return 0;
  }
  return now_ns < deadline_ns ? deadline_ns - now_ns : 1;
}

}  // namespace junction
