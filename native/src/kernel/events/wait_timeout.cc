// SPDX-License-Identifier: Apache-2.0
#include "kernel/events/wait_timeout.h"

#include <sys/time.h>

#include <cerrno>

#include "kernel/guest/guest_memory.h"
#include "kernel/signals/signals.h"
#include "kernel/time/guest_time.h"

namespace junction {

void WaitTimeout::Start(uint64_t duration_ns) {
  may_wait = duration_ns != 0;
  deadline_ns = DeadlineAfter(duration_ns);
}

int64_t WaitTimeout::ReadTimespec(uint64_t guest_address) {
  if (guest_address == 0) {
    return 0;
  }
  timespec duration;
  if (const int64_t error = junction::ReadTimespec(guest_address, duration); error != 0) {
    return error;
  }
  address = guest_address;
  Start(ToNanoseconds(duration));
  return 0;
}

int64_t WaitTimeout::ReadTimeval(uint64_t guest_address) {
  if (guest_address == 0) {
    return 0;
  }
  timeval duration;
  if (!CopyFromGuest(&duration, guest_address, sizeof(duration))) {
    return -EFAULT;
  }
  if (duration.tv_sec < 0 || duration.tv_usec < 0) {
    return -EINVAL;
  }
  constexpr long kMicroseconds = 1'000'000;
  const auto carried = static_cast<uint64_t>(duration.tv_usec / kMicroseconds);
  const uint64_t part_ns = static_cast<uint64_t>(duration.tv_usec % kMicroseconds) * 1000;
  address = guest_address;
  is_timeval = true;
  Start(AddTimes(AddTimes(ToNanoseconds({duration.tv_sec, 0}), ToNanoseconds({static_cast<time_t>(carried), 0})),
                 part_ns));
  return 0;
}

int64_t WaitTimeout::Finish(int64_t result) const {
  bool is_written = true;
  if (address != 0) {
    const uint64_t now_ns = MonotonicNow_ns();
    const uint64_t left_ns = may_wait && now_ns < deadline_ns ? deadline_ns - now_ns : 0;
    const timespec left = ToTimespec(left_ns);
    if (is_timeval) {
      const timeval left_us = {left.tv_sec, left.tv_nsec / 1000};
      is_written = CopyToGuest(address, &left_us, sizeof(left_us));
    } else {
      is_written = CopyToGuest(address, &left, sizeof(left));
    }
  }
  if (result != -EINTR) {
    return result;
  }
  // A call that is made again must find the time that is left.
  return is_written ? kRestartNoHand : -EINTR;
}

}  // namespace junction
