// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace junction {

/// Asks the host to let the calling thread (and what it forks) run for 0.1 ms at a time: Linux 6.12 and later protect whoever runs until the
/// end of its slice (3 ms by default), also from one that wakes up. A thread that polls shared memory must not hold the client that it
/// waits for off for so long. Its share of the CPU stays the same. Older hosts ignore it.
inline void RequestShortSlice() {
  // struct sched_attr, version 0 (sched_setattr(2)); libc has none here.
  struct {
    uint32_t size_bytes;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns;
    uint64_t deadline_ns;
    uint64_t period_ns;
  } attributes{};
  static_assert(sizeof(attributes) == 48);
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) != 0 || attributes.policy != SCHED_OTHER) {
    return;
  }
  attributes.size_bytes = sizeof(attributes);
  attributes.runtime_ns = 100'000;
  (void)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace junction
