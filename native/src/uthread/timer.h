// SPDX-License-Identifier: Apache-2.0
// Kernel timers: a pairing heap per uProc, so that inserting is O(1), and the kthread that parks knows the nearest deadline.
// A wheel was considered; with tens of timers that are mostly cancelled the heap is smaller and exact to the nanosecond.
#pragma once

#include <cstdint>

#include "uthread/clock.h"

namespace junction {

/// A one-shot timer, a member of what it belongs to. Lies in the arena (or on a kernel stack, which does). Kernel lock held.
struct Timer {
  using Fire = void (*)(Timer& timer);

  uint64_t deadline_ns = kNever;  // CLOCK_MONOTONIC
  Fire fire = nullptr;            // called with the kernel lock held; may arm timers again, must not park
  void* context = nullptr;

  // heap links: child list, siblings; `previous` is the left sibling or the parent
  Timer* child = nullptr;
  Timer* next = nullptr;
  Timer* previous = nullptr;
  bool is_armed = false;
};

struct TimerQueue {
  Timer* root = nullptr;

  uint64_t NextDeadline_ns() const { return root == nullptr ? kNever : root->deadline_ns; }
  /// Arms `timer` (which must not be armed) for `deadline_ns`.
  void Arm(Timer& timer, uint64_t deadline_ns);
  /// No-op if it is not armed.
  void Cancel(Timer& timer);
  /// Fires all that are due at `now_ns`.
  void RunDue(uint64_t now_ns);
};

}  // namespace junction
