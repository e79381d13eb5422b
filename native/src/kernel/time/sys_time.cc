// SPDX-License-Identifier: Apache-2.0
// Clocks and sleeps. Read first: clock_gettime(2), clock_nanosleep(2).
#include <sys/syscall.h>
#include <sys/time.h>

#include <ctime>

#include "kernel/door/guest_handlers.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/signals/signals.h"
#include "kernel/time/guest_time.h"
#include "uthread/host_call.h"

namespace junction {
namespace {

constexpr uint64_t kCpuClockLook_ns = 1'000'000;

// CPU clock of a thread by its id: ~tid << 3 | 4 | kind (pthread_getcpuclockid(3)). Ids past the first of a process are ours alone; their
// CPU time is that of the kthread that carries them.
clockid_t HostClock(clockid_t clock) {
  constexpr uint32_t kPerThread = 4;
  const auto tid = static_cast<uint32_t>(~(clock >> 3));
  const bool is_ours = clock < 0 && (static_cast<uint32_t>(clock) & kPerThread) != 0 && tid >= kFirstThreadId;
  return is_ours ? CLOCK_THREAD_CPUTIME_ID : clock;
}

// What a sleep waits for.
struct Sleep {
  clockid_t clock;
  uint64_t deadline_ns;   // of CLOCK_MONOTONIC, or of the process' CPU clock
  uint64_t left_address;  // where an interrupted relative sleep leaves what remains; 0 = nowhere
  bool is_absolute;
};

bool IsCpuClock(clockid_t clock) { return clock == CLOCK_PROCESS_CPUTIME_ID; }

uint64_t NowFor(const Sleep& sleep) { return IsCpuClock(sleep.clock) ? ClockNow_ns(sleep.clock) : MonotonicNow_ns(); }

// Parks until the deadline. False if interrupted.
bool ParkUntil(const Sleep& sleep) {
  while (NowFor(sleep) < sleep.deadline_ns) {
    const uint64_t wake_ns = IsCpuClock(sleep.clock) ? DeadlineAfter(kCpuClockLook_ns) : sleep.deadline_ns;
    if (Park(wake_ns) == WakeReason::kInterrupted) {
      return false;
    }
  }
  return true;
}

int64_t DoSleep(GuestThread& thread, const Sleep& sleep);

int64_t ResumeSleep(GuestThread& thread) {
  const RestartBlock block = thread.restart;
  return DoSleep(thread, {static_cast<clockid_t>(block.arguments[0]), block.deadline_ns, block.arguments[1], false});
}

int64_t DoSleep(GuestThread& thread, const Sleep& sleep) {
  if (ParkUntil(sleep)) {
    return 0;
  }
  if (sleep.is_absolute) {
    return kRestartNoHand;
  }
  const uint64_t now_ns = NowFor(sleep);
  if (now_ns >= sleep.deadline_ns) {
    return 0;
  }
  if (sleep.left_address != 0) {
    const timespec left = ToTimespec(sleep.deadline_ns - now_ns);
    if (!CopyToGuest(sleep.left_address, &left, sizeof(left))) {
      return -EFAULT;
    }
  }
  thread.restart.resume = &ResumeSleep;
  thread.restart.deadline_ns = sleep.deadline_ns;
  thread.restart.arguments[0] = static_cast<uint64_t>(sleep.clock);
  thread.restart.arguments[1] = sleep.left_address;
  return kRestartBlock;
}

int64_t SleepFor(GuestThread& thread, clockid_t clock, uint64_t duration_ns, uint64_t left_address) {
  if (duration_ns == 0) {
    Yield();
    return 0;
  }
  Sleep sleep = {clock, 0, left_address, false};
  sleep.deadline_ns = AddTimes(NowFor(sleep), duration_ns);
  return DoSleep(thread, sleep);
}

// The clock may be slept by: 0, -EINVAL, -EOPNOTSUPP.
int64_t CheckSleepClock(clockid_t clock) {
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
    case CLOCK_TAI:
    case CLOCK_PROCESS_CPUTIME_ID:
      return 0;
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_MONOTONIC_COARSE:
      return -EOPNOTSUPP;
    case CLOCK_REALTIME_ALARM:
    case CLOCK_BOOTTIME_ALARM:
      return -EPERM;  // CAP_WAKE_ALARM
    default:
      return -EINVAL;
  }
}

}  // namespace

int64_t SysNanosleep(Call& call) {
  timespec duration;
  if (const int64_t error = ReadTimespec(call.arg(0), duration); error != 0) {
    return error;
  }
  return SleepFor(call.thread(), CLOCK_MONOTONIC, ToNanoseconds(duration), call.arg(1));
}

int64_t SysClockNanosleep(Call& call) {
  const clockid_t clock = call.int_arg(0);
  if (const int64_t error = CheckSleepClock(clock); error != 0) {
    return error;
  }
  timespec time;
  if (const int64_t error = ReadTimespec(call.arg(2), time); error != 0) {
    return error;
  }
  const uint64_t time_ns = ToNanoseconds(time);
  if ((call.int_arg(1) & TIMER_ABSTIME) == 0) {
    return SleepFor(call.thread(), clock, time_ns, call.arg(3));
  }
  const uint64_t deadline_ns = IsCpuClock(clock) ? time_ns : MonotonicDeadline(clock, time_ns);
  return DoSleep(call.thread(), {clock, deadline_ns, 0, true});
}

int64_t SysClockGettime(Call& call) {
  timespec now;
  const int64_t error = ReadClock(HostClock(call.int_arg(0)), &now);
  if (error != 0) {
    return error;
  }
  return CopyToGuest(call.arg(1), &now, sizeof(now)) ? 0 : -EFAULT;
}

int64_t SysClockGetres(Call& call) {
  timespec resolution = {};
  const int64_t error = HostCall(SYS_clock_getres, HostClock(call.int_arg(0)), &resolution);
  if (error != 0) {
    return error;
  }
  return call.arg(1) == 0 || CopyToGuest(call.arg(1), &resolution, sizeof(resolution)) ? 0 : -EFAULT;
}

int64_t SysGettimeofday(Call& call) {
  if (call.arg(0) != 0) {
    timespec now;
    ReadClock(CLOCK_REALTIME, &now);
    const timeval time = {now.tv_sec, now.tv_nsec / 1000};
    if (!CopyToGuest(call.arg(0), &time, sizeof(time))) {
      return -EFAULT;
    }
  }
  if (call.arg(1) != 0) {
    const struct timezone zone = {};
    if (!CopyToGuest(call.arg(1), &zone, sizeof(zone))) {
      return -EFAULT;
    }
  }
  return 0;
}

int64_t SysTime(Call& call) {
  timespec now;
  ReadClock(CLOCK_REALTIME_COARSE, &now);
  if (call.arg(0) != 0 && !CopyToGuest(call.arg(0), &now.tv_sec, sizeof(now.tv_sec))) {
    return -EFAULT;
  }
  return now.tv_sec;
}

}  // namespace junction
