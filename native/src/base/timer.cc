// SPDX-License-Identifier: Apache-2.0
// A pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986): the root has the nearest deadline, each node its children in a list.
#include "base/timer.h"

namespace junction {
namespace {

Timer* Meld(Timer* a, Timer* b) {
  if (a == nullptr) {
    return b;
  }
  if (b == nullptr) {
    return a;
  }
  if (b->deadline_ns < a->deadline_ns) {
    Timer* const swap = a;
    a = b;
    b = swap;
  }
  b->previous = a;
  b->next = a->child;
  if (a->child != nullptr) {
    a->child->previous = b;
  }
  a->child = b;
  a->next = a->previous = nullptr;
  return a;
}

// Melds siblings in pairs, then the pairs from the right: what makes the heap's cost logarithmic. A list instead of recursion.
Timer* MeldSiblings(Timer* first) {
  Timer* pairs = nullptr;
  while (first != nullptr) {
    Timer* const a = first;
    Timer* const b = a->next;
    first = b == nullptr ? nullptr : b->next;
    a->next = a->previous = nullptr;
    if (b != nullptr) {
      b->next = b->previous = nullptr;
    }
    Timer* const melded = Meld(a, b);
    melded->next = pairs;
    pairs = melded;
  }
  Timer* root = nullptr;
  while (pairs != nullptr) {
    Timer* const next = pairs->next;
    pairs->next = nullptr;
    root = Meld(root, pairs);
    pairs = next;
  }
  return root;
}

void Detach(Timer& timer) {
  if (timer.previous->child == &timer) {
    timer.previous->child = timer.next;
  } else {
    timer.previous->next = timer.next;
  }
  if (timer.next != nullptr) {
    timer.next->previous = timer.previous;
  }
  timer.next = timer.previous = nullptr;
}

}  // namespace

void TimerQueue::Arm(Timer& timer, uint64_t deadline_ns) {
  timer.deadline_ns = deadline_ns;
  timer.child = timer.next = timer.previous = nullptr;
  timer.is_armed = true;
  root = Meld(root, &timer);
}

void TimerQueue::Cancel(Timer& timer) {
  if (!timer.is_armed) {
    return;
  }
  timer.is_armed = false;
  Timer* const children = MeldSiblings(timer.child);
  timer.child = nullptr;
  if (root == &timer) {
    root = children;
    return;
  }
  Detach(timer);
  root = Meld(root, children);
}

void TimerQueue::RunDue(uint64_t now_ns) {
  while (root != nullptr && root->deadline_ns <= now_ns) {
    Timer& timer = *root;
    Cancel(timer);
    timer.fire(timer);
  }
}

}  // namespace junction
