// SPDX-License-Identifier: Apache-2.0
#include "kernel/time/guest_time.h"

#include <cerrno>

#include "kernel/guest/guest_memory.h"

namespace junction {

uint64_t ToNanoseconds(const timespec& time) {
  const auto seconds = static_cast<uint64_t>(time.tv_sec);
  if (seconds >= kLongest_ns / kSecond_ns) {
    return kLongest_ns;
  }
  return seconds * kSecond_ns + static_cast<uint64_t>(time.tv_nsec);
}

timespec ToTimespec(uint64_t duration_ns) {
  return {static_cast<time_t>(duration_ns / kSecond_ns), static_cast<long>(duration_ns % kSecond_ns)};
}

uint64_t AddTimes(uint64_t a_ns, uint64_t b_ns) {
  return a_ns >= kLongest_ns || b_ns >= kLongest_ns - a_ns ? kLongest_ns : a_ns + b_ns;
}

uint64_t DeadlineAfter(uint64_t duration_ns) { return AddTimes(MonotonicNow_ns(), duration_ns); }

uint64_t ClockNow_ns(clockid_t clock) {
  timespec now;
  return ReadClock(clock, &now) == 0 ? ToNanoseconds(now) : 0;
}

uint64_t MonotonicDeadline(clockid_t clock, uint64_t time_ns) {
  if (clock == CLOCK_MONOTONIC) {
    return time_ns;
  }
  // In this order: what passes between the two readings makes the deadline later, not earlier.
  const uint64_t clock_now_ns = ClockNow_ns(clock);
  const uint64_t now_ns = MonotonicNow_ns();
  return time_ns <= clock_now_ns ? now_ns : AddTimes(now_ns, time_ns - clock_now_ns);
}

int64_t ReadTimespec(uint64_t address, timespec& out) {
  if (!CopyFromGuest(&out, address, sizeof(out))) {
    return -EFAULT;
  }
  return IsValidTime(out) ? 0 : -EINVAL;
}

}  // namespace junction
