// SPDX-License-Identifier: Apache-2.0
// What a process has used. Its own use is the host's figure of its host process; of its children the kernel keeps the sums.
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>

#include "kernel/door/guest_handlers.h"
#include "kernel/guest/guest_memory.h"

namespace junction {
namespace {

constexpr uint64_t kSecond_us = 1'000'000;
constexpr uint64_t kTick_us = 10'000;  // USER_HZ is 100

timeval ToTimeval(uint64_t microseconds) {
  return {static_cast<time_t>(microseconds / kSecond_us), static_cast<suseconds_t>(microseconds % kSecond_us)};
}

clock_t ToTicks(const timeval& time) {
  return static_cast<clock_t>((static_cast<uint64_t>(time.tv_sec) * kSecond_us + static_cast<uint64_t>(time.tv_usec)) /
                              kTick_us);
}

}  // namespace

int64_t SysGetrusage(Call& call) {
  rusage usage = {};
  if (call.int_arg(0) == RUSAGE_CHILDREN) {
    usage.ru_utime = ToTimeval(call.process().child_user_us);
    usage.ru_stime = ToTimeval(call.process().child_system_us);
  } else if (const int64_t error = HostCall(SYS_getrusage, call.int_arg(0), &usage); error != 0) {
    return error;
  }
  return CopyToGuest(call.arg(1), &usage, sizeof(usage)) ? 0 : -EFAULT;
}

int64_t SysTimes(Call& call) {
  rusage usage = {};
  HostCall(SYS_getrusage, RUSAGE_SELF, &usage);
  struct tms own = {};
  const int64_t now = HostCall(SYS_times, &own);
  if (call.arg(0) != 0) {
    own.tms_utime = ToTicks(usage.ru_utime);
    own.tms_stime = ToTicks(usage.ru_stime);
    own.tms_cutime = static_cast<clock_t>(call.process().child_user_us / kTick_us);
    own.tms_cstime = static_cast<clock_t>(call.process().child_system_us / kTick_us);
    if (!CopyToGuest(call.arg(0), &own, sizeof(own))) {
      return -EFAULT;
    }
  }
  return now;
}

}  // namespace junction
