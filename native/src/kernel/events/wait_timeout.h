// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "uthread/clock.h"

namespace junction {

/// Time-out of ppoll, select and pselect6, which Linux writes back (poll_select_finish of fs/select.c).
struct WaitTimeout {
  bool may_wait = true;
  uint64_t deadline_ns = kNever;
  uint64_t address = 0;  // of the guest's value; 0 = there is none
  bool is_timeval = false;

  /// `guest_address` 0 = no limit. 0, -EFAULT, -EINVAL.
  int64_t ReadTimespec(uint64_t guest_address);
  /// A timeval, whose microseconds may be a second and more.
  int64_t ReadTimeval(uint64_t guest_address);

  /// Writes what is left and turns -EINTR into the code that such calls are interrupted with.
  int64_t Finish(int64_t result) const;

 private:
  void Start(uint64_t duration_ns);
};

}  // namespace junction
