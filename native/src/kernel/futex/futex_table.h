// SPDX-License-Identifier: Apache-2.0
// Who waits for which futex. Internal to futex*.cc and robust_list.cc. Kernel lock held throughout: since every wake-up goes through the
// kernel and every waiter looks at the word under the lock, no wake-up is lost.
#pragma once

#include <cstdint>

#include "base/list.h"
#include "kernel/process/guest_thread.h"

namespace junction {

struct PiFutex;

/// What makes two futexes the same one.
struct FutexKey {
  uint64_t object_hi;  // private: id of the address space
  uint64_t object_lo;  // private: address
  uint64_t offset;     // private: kPrivateOffset
  bool operator==(const FutexKey&) const = default;
};

/// A thread in a wait, on its kernel stack.
struct FutexWaiter {
  ListNode node;  // in its key's bucket; unlinked once it is woken
  FutexKey key;
  GuestThread* thread;
  uint32_t bitset;
  bool is_woken;
  // priority inheritance (futex_pi.cc)
  PiFutex* pi;                  // waits for the lock itself; null = an ordinary wait
  const FutexKey* requeue_key;  // FUTEX_WAIT_REQUEUE_PI: the lock that it may be moved to
  bool owns;                    // the lock was handed to it
  bool must_fix_word;           // the last owner died: the word is still that one's
};

inline constexpr uint32_t kAnyBitset = ~0U;  // FUTEX_BITSET_MATCH_ANY

/// The key of a word in the current address space: 0, -EINVAL (not aligned) or -EFAULT (not an address of guests).
int64_t FindFutexKey(uint64_t address, bool is_private, FutexKey* out);

/// The list that waiters of `key` are in, among others. Null if there is no memory for the table.
List* FutexBucket(const FutexKey& key);

inline FutexWaiter* WaiterOf(ListNode* node) {
  return node == nullptr ? nullptr : JUNCTION_OWNER(node, FutexWaiter, node);
}

/// First waiter of `key` after `after` (null: of all).
FutexWaiter* NextFutexWaiter(List& bucket, const FutexKey& key, const FutexWaiter* after);

/// Takes it off its list and makes its thread ready.
void WakeFutexWaiter(FutexWaiter& waiter);

/// Parks until the waiter is woken, or the reason why it was not. It is off its list afterwards.
WakeReason ParkFutexWaiter(FutexWaiter& waiter, uint64_t deadline_ns);

}  // namespace junction
