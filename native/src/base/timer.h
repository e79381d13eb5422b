// SPDX-License-Identifier: Apache-2.0
// Timers: a pairing heap per owner (a uProc, a network stack), so that inserting is O(1), and who sleeps knows the nearest deadline.
// A wheel was considered; with tens of timers that are mostly cancelled the heap is smaller and exact to the nanosecond.
#pragma once

#include <cstdint>

#include "base/never.h"

namespace junction {

/// A one-shot timer, a member of what it belongs to. In the Junction kernel: in the arena, under the kernel lock.
struct Timer {
  using Fire = void (*)(Timer& timer);

  uint64_t deadline_ns = kNever;  // CLOCK_MONOTONIC
  Fire fire = nullptr;            // by RunDue; may arm timers again, must not block
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
