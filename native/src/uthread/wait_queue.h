// SPDX-License-Identifier: Apache-2.0
// The one way to wait: put a Waiter into each queue that may bring news, look at the condition, Park, look again. All with the kernel
// lock held, so that no wake-up is lost.
//
//   Waiter waiter(pipe.readers);
//   while (pipe.empty()) {
//     const WakeReason reason = Park(kNever);
//     if (reason != WakeReason::kWoken) return -EINTR;
//   }
#pragma once

#include <cstdint>

#include "base/list.h"

namespace junction {

struct Uthread;
struct WaitQueue;

/// What a waiter gets told: POLLIN, POLLOUT … of poll(2), or 0 where nobody asks.
using PollEvents = uint32_t;

struct Waiter {
  /// Called by Wake. Returns true if it took the event (counts for WakeOne). Default: makes the uthread ready.
  using Notify = bool (*)(Waiter& waiter, PollEvents events);

  ListNode node;
  Uthread* uthread = nullptr;
  Notify notify = nullptr;
  void* context = nullptr;
  PollEvents interest = ~0U;  // wakes only by events that share a bit with it, or by 0
  bool is_exclusive = false;  // stops a Wake that asks for one
  bool was_notified = false;  // since whoever waits set it to false

  Waiter() = default;
  /// The current uthread waits in `queue`.
  explicit Waiter(WaitQueue& queue, PollEvents interest_events = ~0U, bool exclusive = false);
  ~Waiter() { node.Unlink(); }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
};

/// Zero memory is an empty queue.
struct WaitQueue {
  List waiters;

  bool empty() const { return waiters.empty(); }
  void Add(Waiter& waiter) { waiters.PushBack(waiter.node); }
  /// Notifies all waiters, but of the exclusive ones only the first `exclusive_count` that take it.
  void Wake(PollEvents events = 0, uint32_t exclusive_count = 1);
  /// Notifies at most `count` waiters, in order; how many took it.
  uint32_t WakeCount(uint32_t count, PollEvents events = 0);
};

}  // namespace junction
