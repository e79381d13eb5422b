// SPDX-License-Identifier: Apache-2.0
// Times as guests give them, and the one time base that the kernel waits by: nanoseconds of CLOCK_MONOTONIC.
#pragma once

#include <cstdint>
#include <ctime>

#include "uthread/clock.h"

namespace junction {

inline constexpr uint64_t kSecond_ns = 1'000'000'000;
inline constexpr uint64_t kLongest_ns = INT64_MAX;  // KTIME_MAX of Linux: longer times count as this, some 292 years

/// What Linux accepts (timespec64_valid).
inline bool IsValidTime(const timespec& time) {
  return time.tv_sec >= 0 && time.tv_nsec >= 0 && time.tv_nsec < static_cast<long>(kSecond_ns);
}

/// Of a valid time; at most kLongest_ns.
uint64_t ToNanoseconds(const timespec& time);
timespec ToTimespec(uint64_t duration_ns);

/// `a + b`, at most kLongest_ns.
uint64_t AddTimes(uint64_t a_ns, uint64_t b_ns);

/// When a wait of `duration_ns` that begins now is over.
uint64_t DeadlineAfter(uint64_t duration_ns);

/// Time of any clock that can be read; 0 if it cannot.
uint64_t ClockNow_ns(clockid_t clock);

/// When it will be `time_ns` of `clock`, as CLOCK_MONOTONIC; never early by that clock as it stands. A clock that is set later is not
/// followed.
uint64_t MonotonicDeadline(clockid_t clock, uint64_t time_ns);

/// Reads a timespec of the guest: 0, -EFAULT, -EINVAL.
int64_t ReadTimespec(uint64_t address, timespec& out);

}  // namespace junction
