// SPDX-License-Identifier: Apache-2.0
// Read first: setitimer(2), alarm(2).
#include "kernel/time/interval_timer.h"

#include <sys/time.h>

#include <climits>

#include "kernel/door/guest_handlers.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/signals/signals.h"
#include "kernel/time/guest_time.h"
#include "kernel/time/posix_timer.h"

namespace junction {
namespace {

constexpr long kMicroseconds = 1'000'000;
constexpr uint64_t kMicrosecond_ns = 1000;

void SendAlarm(Countdown& countdown, uint64_t) { SendToProcess(*countdown.process, MakeKernelSiginfo(SIGALRM)); }
void SendVirtualAlarm(Countdown& countdown, uint64_t) {
  SendToProcess(*countdown.process, MakeKernelSiginfo(SIGVTALRM));
}
void SendProfile(Countdown& countdown, uint64_t) { SendToProcess(*countdown.process, MakeKernelSiginfo(SIGPROF)); }

bool IsValid(const timeval& time) { return time.tv_sec >= 0 && time.tv_usec >= 0 && time.tv_usec < kMicroseconds; }

uint64_t FromTimeval(const timeval& time) { return ToNanoseconds({time.tv_sec, time.tv_usec * 1000}); }

// A timer that runs has at least a microsecond left.
timeval ToTimeval(uint64_t duration_ns) {
  if (duration_ns != 0 && duration_ns < kMicrosecond_ns) {
    duration_ns = kMicrosecond_ns;
  }
  const timespec time = ToTimespec(duration_ns);
  return {time.tv_sec, time.tv_nsec / 1000};
}

itimerval SettingOf(const UProc& process, int32_t which) {
  if (process.timers == nullptr) {
    return {};
  }
  Countdown& countdown = process.timers->intervals[which];
  const uint64_t left_ns = countdown.Left_ns();
  return {ToTimeval(countdown.interval_ns), ToTimeval(left_ns)};
}

bool IsTimer(int32_t which) { return which == ITIMER_REAL || which == ITIMER_VIRTUAL || which == ITIMER_PROF; }

void Set(Countdown& countdown, uint64_t value_ns, uint64_t interval_ns) {
  if (value_ns == 0) {
    countdown.Stop();
    countdown.interval_ns = 0;
  } else {
    countdown.Start(AddTimes(countdown.Now_ns(), value_ns), interval_ns);
  }
}

}  // namespace

void InitIntervalTimers(UProc& process) {
  Countdown* const intervals = process.timers->intervals;
  InitCountdown(intervals[ITIMER_REAL], process, TimeBase::kReal, &SendAlarm);
  InitCountdown(intervals[ITIMER_VIRTUAL], process, TimeBase::kUserCpu, &SendVirtualAlarm);
  InitCountdown(intervals[ITIMER_PROF], process, TimeBase::kProcessCpu, &SendProfile);
}

int64_t SysGetitimer(Call& call) {
  if (!IsTimer(call.int_arg(0))) {
    return -EINVAL;
  }
  const itimerval setting = SettingOf(call.process(), call.int_arg(0));
  return CopyToGuest(call.arg(1), &setting, sizeof(setting)) ? 0 : -EFAULT;
}

int64_t SysSetitimer(Call& call) {
  const int32_t which = call.int_arg(0);
  itimerval setting = {};
  if (call.arg(1) != 0) {  // null counts as zero
    if (!CopyFromGuest(&setting, call.arg(1), sizeof(setting))) {
      return -EFAULT;
    }
    if (!IsValid(setting.it_value) || !IsValid(setting.it_interval)) {
      return -EINVAL;
    }
  }
  if (!IsTimer(which)) {
    return -EINVAL;
  }
  PosixTimers* const timers = EnsurePosixTimers(call.process());
  if (timers == nullptr) {
    return -ENOMEM;
  }
  const itimerval old = SettingOf(call.process(), which);
  Set(timers->intervals[which], FromTimeval(setting.it_value), FromTimeval(setting.it_interval));
  return call.arg(2) == 0 || CopyToGuest(call.arg(2), &old, sizeof(old)) ? 0 : -EFAULT;
}

int64_t SysAlarm(Call& call) {
  auto seconds = static_cast<uint32_t>(call.arg(0));
  seconds = seconds > INT_MAX ? INT_MAX : seconds;
  if (seconds == 0 && call.process().timers == nullptr) {
    return 0;
  }
  PosixTimers* const timers = EnsurePosixTimers(call.process());
  if (timers == nullptr) {
    return 0;  // alarm(2) cannot fail
  }
  const itimerval old = SettingOf(call.process(), ITIMER_REAL);
  Set(timers->intervals[ITIMER_REAL], seconds * kSecond_ns, 0);
  // Rounded, but never to 0 while it ran.
  const bool is_rounded_up =
      (old.it_value.tv_sec == 0 && old.it_value.tv_usec != 0) || old.it_value.tv_usec >= kMicroseconds / 2;
  return old.it_value.tv_sec + (is_rounded_up ? 1 : 0);
}

}  // namespace junction
