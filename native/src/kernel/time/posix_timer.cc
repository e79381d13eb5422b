// SPDX-License-Identifier: Apache-2.0
// Read first: timer_create(2), timer_settime(2), timer_getoverrun(2); kernel/time/posix-timers.c of Linux.
#include "kernel/time/posix_timer.h"

#include <climits>
#include <ctime>

#include "kernel/door/guest_handlers.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/signals/signals.h"
#include "kernel/time/guest_time.h"
#include "kernel/time/interval_timer.h"
#include "uthread/arena.h"

namespace junction {
namespace {

constexpr uint32_t kMostTimers = 4096;  // of a process; Linux limits them by RLIMIT_SIGPENDING
constexpr int32_t kSigevThreadId = 4;   // SIGEV_THREAD_ID

// struct sigevent as Linux has it.
struct KernelSigevent {
  sigval value;
  int32_t signal;
  int32_t notify;
  int32_t thread_id;
  int32_t padding[11];
};
static_assert(sizeof(KernelSigevent) == 64);

int32_t AddOverruns(int32_t overrun, uint64_t count) {
  return count >= static_cast<uint64_t>(INT_MAX - overrun) ? INT_MAX : overrun + static_cast<int32_t>(count);
}

// One signal at a time is on its way; what expires meanwhile is its overrun.
void OnExpiry(Countdown& countdown, uint64_t count) {
  auto& timer = reinterpret_cast<PosixTimer&>(countdown);
  UProc& process = *countdown.process;
  GuestThread* const thread = timer.target_tid != 0 ? FindThread(timer.target_tid) : nullptr;
  if (timer.target_tid != 0 && (thread == nullptr || thread->process != &process)) {
    return;  // the thread is gone
  }
  PendingSignals& pending = thread != nullptr ? thread->pending : process.pending;
  if (siginfo_t* const queued = FindQueuedTimer(pending, timer.signal, timer.id); queued != nullptr) {
    timer.overrun = AddOverruns(timer.overrun, count);
    queued->si_overrun = timer.overrun;
    return;
  }
  timer.overrun = AddOverruns(0, count - 1);
  siginfo_t info = {};
  info.si_signo = timer.signal;
  info.si_code = SI_TIMER;
  info.si_timerid = timer.id;
  info.si_overrun = timer.overrun;
  info.si_value = timer.value;
  if (thread != nullptr) {
    SendToThread(*thread, info);
  } else {
    SendToProcess(process, info);
  }
}

void DeleteTimer(PosixTimers& timers, PosixTimer& timer) {
  timer.countdown.Stop();
  timer.node.Unlink();
  --timers.count;
  ArenaDelete(&timer);
}

PosixTimer* FindTimer(const UProc& process, int32_t id) {
  if (process.timers == nullptr) {
    return nullptr;
  }
  List& all = process.timers->timers;
  for (ListNode* node = all.first(); node != nullptr; node = all.Next(node)) {
    auto* const timer = JUNCTION_OWNER(node, PosixTimer, node);
    if (timer->id == id) {
      return timer;
    }
  }
  return nullptr;
}

int32_t NewId(const UProc& process) {
  PosixTimers& timers = *process.timers;
  do {
    timers.next_id = timers.next_id == INT_MAX ? 0 : timers.next_id + 1;
  } while (FindTimer(process, timers.next_id - 1) != nullptr || timers.next_id == 0);
  return timers.next_id - 1;
}

// 0 and the base, or -errno.
int64_t BaseOf(clockid_t clock, int32_t pid, TimeBase& base) {
  base = TimeBase::kReal;
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
    case CLOCK_TAI:
      return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
      base = TimeBase::kProcessCpu;
      return 0;
    case CLOCK_REALTIME_ALARM:
    case CLOCK_BOOTTIME_ALARM:
      return -EPERM;  // CAP_WAKE_ALARM
    case CLOCK_THREAD_CPUTIME_ID:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_MONOTONIC_COARSE:
      return -EOPNOTSUPP;
    default:
      break;
  }
  // CPU clock of a process by its id: ~pid << 3 | kind (clock_getcpuclockid(3)); kind 2 is all its CPU time
  constexpr uint32_t kProcessSchedClock = 2;
  const auto bits = static_cast<uint32_t>(clock);
  const auto clock_pid = static_cast<int32_t>(~(clock >> 3));
  if (clock < 0 && (bits & 7) == kProcessSchedClock && (clock_pid == 0 || clock_pid == pid)) {
    base = TimeBase::kProcessCpu;
    return 0;
  }
  return -EINVAL;
}

// Checks what the guest wants to be told, and by whom: 0 or -EINVAL.
int64_t CheckEvent(const UProc& process, const KernelSigevent& event) {
  if (event.notify == SIGEV_NONE) {
    return 0;
  }
  if (event.notify == (SIGEV_SIGNAL | kSigevThreadId)) {
    const GuestThread* const thread = FindThread(event.thread_id);
    if (thread == nullptr || thread->process != &process) {
      return -EINVAL;
    }
  } else if (event.notify != SIGEV_SIGNAL && event.notify != SIGEV_THREAD) {
    return -EINVAL;
  }
  return event.signal <= 0 || event.signal > kSignals ? -EINVAL : 0;
}

PosixTimer* NewTimer(UProc& process, clockid_t clock, TimeBase base, const KernelSigevent& event) {
  PosixTimers* const timers = EnsurePosixTimers(process);
  if (timers == nullptr || timers->count >= kMostTimers) {
    return nullptr;
  }
  auto* const timer = ArenaNew<PosixTimer>();
  if (timer == nullptr) {
    return nullptr;
  }
  InitCountdown(timer->countdown, process, base, event.notify == SIGEV_NONE ? nullptr : &OnExpiry);
  timer->id = NewId(process);
  timer->clock = clock;
  timer->signal = event.signal;
  timer->target_tid = (event.notify & kSigevThreadId) != 0 ? event.thread_id : 0;
  timer->value = event.value;
  timers->timers.PushBack(timer->node);
  ++timers->count;
  return timer;
}

itimerspec SettingOf(PosixTimer& timer) {
  itimerspec setting;
  setting.it_value = ToTimespec(timer.countdown.Left_ns());
  setting.it_interval = ToTimespec(timer.countdown.interval_ns);
  return setting;
}

void Set(PosixTimer& timer, bool is_absolute, const itimerspec& setting) {
  Countdown& countdown = timer.countdown;
  const uint64_t value_ns = ToNanoseconds(setting.it_value);
  timer.overrun = 0;
  if (value_ns == 0) {
    countdown.Stop();
    countdown.interval_ns = ToNanoseconds(setting.it_interval);
    return;
  }
  uint64_t deadline_ns = value_ns;
  if (!is_absolute) {
    deadline_ns = AddTimes(countdown.Now_ns(), value_ns);
  } else if (countdown.base == TimeBase::kReal) {
    deadline_ns = MonotonicDeadline(timer.clock, value_ns);
  }
  countdown.Start(deadline_ns, ToNanoseconds(setting.it_interval));
}

}  // namespace

PosixTimers* EnsurePosixTimers(UProc& process) {
  if (process.timers == nullptr) {
    process.timers = ArenaNew<PosixTimers>();
    if (process.timers != nullptr) {
      InitIntervalTimers(process);
    }
  }
  return process.timers;
}

void ForgetTimersForExec(UProc& process) {
  while (process.timers != nullptr && !process.timers->timers.empty()) {
    DeleteTimer(*process.timers, *JUNCTION_OWNER(process.timers->timers.first(), PosixTimer, node));
  }
}

void ReleasePosixTimers(UProc& process) {
  if (process.timers == nullptr) {
    return;
  }
  ForgetTimersForExec(process);
  for (Countdown& interval : process.timers->intervals) {
    interval.Stop();
  }
  ArenaDelete(process.timers);
  process.timers = nullptr;
}

int64_t SysTimerCreate(Call& call) {
  const clockid_t clock = call.int_arg(0);
  KernelSigevent event = {};
  const bool is_default = call.arg(1) == 0;
  if (!is_default && !CopyFromGuest(&event, call.arg(1), sizeof(event))) {
    return -EFAULT;
  }
  TimeBase base;
  if (const int64_t error = BaseOf(clock, call.process().pid, base); error != 0) {
    return error;
  }
  if (is_default) {
    event.notify = SIGEV_SIGNAL;
    event.signal = SIGALRM;
  }
  if (const int64_t error = CheckEvent(call.process(), event); error != 0) {
    return error;
  }
  PosixTimer* const timer = NewTimer(call.process(), clock, base, event);
  if (timer == nullptr) {
    return -EAGAIN;
  }
  if (is_default) {
    timer->value.sival_int = timer->id;
  }
  if (!CopyToGuest(call.arg(2), &timer->id, sizeof(timer->id))) {
    DeleteTimer(*call.process().timers, *timer);
    return -EFAULT;
  }
  return 0;
}

int64_t SysTimerSettime(Call& call) {
  itimerspec setting;
  if (call.arg(2) == 0) {
    return -EINVAL;
  }
  if (!CopyFromGuest(&setting, call.arg(2), sizeof(setting))) {
    return -EFAULT;
  }
  if (!IsValidTime(setting.it_value) || !IsValidTime(setting.it_interval)) {
    return -EINVAL;
  }
  PosixTimer* const timer = FindTimer(call.process(), call.int_arg(0));
  if (timer == nullptr) {
    return -EINVAL;
  }
  const itimerspec old = SettingOf(*timer);
  Set(*timer, (call.int_arg(1) & TIMER_ABSTIME) != 0, setting);
  return call.arg(3) == 0 || CopyToGuest(call.arg(3), &old, sizeof(old)) ? 0 : -EFAULT;
}

int64_t SysTimerGettime(Call& call) {
  PosixTimer* const timer = FindTimer(call.process(), call.int_arg(0));
  if (timer == nullptr) {
    return -EINVAL;
  }
  const itimerspec setting = SettingOf(*timer);
  return CopyToGuest(call.arg(1), &setting, sizeof(setting)) ? 0 : -EFAULT;
}

int64_t SysTimerGetoverrun(Call& call) {
  const PosixTimer* const timer = FindTimer(call.process(), call.int_arg(0));
  return timer == nullptr ? -EINVAL : timer->overrun;
}

int64_t SysTimerDelete(Call& call) {
  PosixTimer* const timer = FindTimer(call.process(), call.int_arg(0));
  if (timer == nullptr) {
    return -EINVAL;
  }
  DeleteTimer(*call.process().timers, *timer);
  return 0;
}

}  // namespace junction
