// SPDX-License-Identifier: Apache-2.0
#include "uthread/wait_queue.h"

#include "uthread/uthread.h"

namespace junction {
namespace {

bool Notify(Waiter& waiter, PollEvents events) {
  if (events != 0 && (events & waiter.interest) == 0) {
    return false;
  }
  waiter.was_notified = true;
  if (waiter.notify != nullptr) {
    return waiter.notify(waiter, events);
  }
  // One that was woken and has not run yet must not take the event of another that still sleeps.
  if (waiter.uthread->state != UthreadState::kBlocked) {
    return false;
  }
  MakeReady(*waiter.uthread);
  return true;
}

}  // namespace

Waiter::Waiter(WaitQueue& queue, PollEvents interest_events, bool exclusive)
    : uthread(CurrentUthread()), interest(interest_events), is_exclusive(exclusive) {
  queue.Add(*this);
}

void WaitQueue::Wake(PollEvents events, uint32_t exclusive_count) {
  // A notify function may unlink its own waiter, so the next one is looked up first.
  for (ListNode* node = waiters.first(); node != nullptr;) {
    auto& waiter = *JUNCTION_OWNER(node, Waiter, node);
    node = waiters.Next(node);
    if (waiter.is_exclusive && exclusive_count == 0) {
      continue;
    }
    if (Notify(waiter, events) && waiter.is_exclusive) {
      --exclusive_count;
    }
  }
}

uint32_t WaitQueue::WakeCount(uint32_t count, PollEvents events) {
  uint32_t woken = 0;
  for (ListNode* node = waiters.first(); node != nullptr && woken < count;) {
    auto& waiter = *JUNCTION_OWNER(node, Waiter, node);
    node = waiters.Next(node);
    if (Notify(waiter, events)) {
      ++woken;
    }
  }
  return woken;
}

}  // namespace junction
