// SPDX-License-Identifier: Apache-2.0
// Priority-inheritance futexes: the word holds its owner's thread id, and the kernel hands the lock over. Read first: futex(2),
// Documentation/locking/pi-futex.rst of Linux. uthreads have no priorities, so what is left of the inheritance is the hand-over, in
// order of arrival, and the search for deadlocks.
#include <linux/futex.h>

#include <cerrno>

#include "kernel/futex/futex.h"
#include "kernel/futex/futex_table.h"
#include "kernel/guest/guest_atomic.h"
#include "kernel/process/uproc.h"
#include "uthread/arena.h"

namespace junction {

/// A lock that somebody waits for, in the arena. Goes with its last waiter.
struct PiFutex {
  FutexKey key;
  GuestThread* owner;
  ListNode owner_node;  // in owner->pi_owned
  uint32_t waiters;     // threads whose wait is not over, the one that was just given the lock too
};

namespace {

constexpr uint32_t kTidMask = FUTEX_TID_MASK;
constexpr uint32_t kOwnerDied = FUTEX_OWNER_DIED;
constexpr uint32_t kWaiters = FUTEX_WAITERS;
constexpr int kLongestChain = 1024;  // as Linux' max_lock_depth
constexpr int64_t kAgain = 1;        // the word changed meanwhile: look again

uint32_t TidOf(int64_t value) { return static_cast<uint32_t>(value) & kTidMask; }
uint32_t IdOf(const GuestThread& thread) { return static_cast<uint32_t>(thread.tid); }

void SetOwner(PiFutex& pi, GuestThread* owner) {
  pi.owner_node.Unlink();
  pi.owner = owner;
  if (owner != nullptr) {
    owner->pi_owned.PushBack(pi.owner_node);
  }
}

void DropIfUnused(PiFutex& pi) {
  if (pi.waiters == 0) {
    pi.owner_node.Unlink();
    ArenaDelete(&pi);
  }
}

// Changes the word from `value`: 0, kAgain or -EFAULT.
int64_t ChangeWord(uint64_t address, int64_t value, uint32_t desired) {
  const int64_t found = CompareExchangeGuestWord(address, static_cast<uint32_t>(value), desired);
  return found < 0 ? found : (found == value ? 0 : kAgain);
}

// True if `thread` would wait, over others, for itself.
bool WouldDeadlock(const GuestThread& thread, const PiFutex& pi) {
  const PiFutex* waited = &pi;
  for (int depth = 0; waited != nullptr && waited->owner != nullptr && depth < kLongestChain; ++depth) {
    if (waited->owner == &thread) {
      return true;
    }
    waited = static_cast<const PiFutex*>(waited->owner->pi_waits_for);
  }
  return false;
}

// The state of a lock that is held: found at its first waiter or made new. 0, -EINVAL (the word and the waiters disagree), -ESRCH (no
// such owner), -ENOMEM.
int64_t FindState(List& bucket, const FutexKey& key, int64_t value, PiFutex** out) {
  if (const FutexWaiter* const first = NextFutexWaiter(bucket, key, nullptr); first != nullptr) {
    if (first->pi == nullptr ||
        (!first->owns && first->pi->owner != nullptr && TidOf(value) != IdOf(*first->pi->owner))) {
      return -EINVAL;
    }
    *out = first->pi;
    return 0;
  }
  GuestThread* const owner = FindThread(static_cast<int32_t>(TidOf(value)));
  if (owner == nullptr) {
    return -ESRCH;
  }
  auto* const pi = ArenaNew<PiFutex>();
  if (pi == nullptr) {
    return -ENOMEM;
  }
  pi->key = key;
  SetOwner(*pi, owner);
  *out = pi;
  return 0;
}

// What the word and the waiters say to a thread that wants the lock.
struct Attempt {
  uint64_t address;
  const FutexKey* key;
  List* bucket;
  GuestThread* thread;
};

// One try to take the lock for a thread: 0 with *out null = it has it; 0 with *out = it has to wait there; kAgain; or -errno.
int64_t TryOnce(const Attempt& attempt, PiFutex** out) {
  *out = nullptr;
  const int64_t value = LoadGuestWord(attempt.address);
  if (value < 0) {
    return value;
  }
  if (TidOf(value) == IdOf(*attempt.thread)) {
    return -EDEADLK;
  }
  if (TidOf(value) == 0 && NextFutexWaiter(*attempt.bucket, *attempt.key, nullptr) == nullptr) {
    return ChangeWord(attempt.address, value, (static_cast<uint32_t>(value) & kOwnerDied) | IdOf(*attempt.thread));
  }
  if ((value & kWaiters) == 0) {
    if (const int64_t error = ChangeWord(attempt.address, value, static_cast<uint32_t>(value) | kWaiters); error != 0) {
      return error;
    }
  }
  if (const int64_t error = FindState(*attempt.bucket, *attempt.key, value, out); error != 0) {
    return error;
  }
  if (WouldDeadlock(*attempt.thread, **out)) {
    DropIfUnused(**out);
    return -EDEADLK;
  }
  return 0;
}

int64_t Try(const Attempt& attempt, PiFutex** out) {
  while (true) {
    if (const int64_t result = TryOnce(attempt, out); result != kAgain) {
      return result;
    }
  }
}

void JoinState(FutexWaiter& waiter, PiFutex& pi) {
  waiter.pi = &pi;
  ++pi.waiters;
  waiter.thread->pi_waits_for = &pi;
}

// The former owner died and could not write the new one's id: the new one does. 0 or -EFAULT.
int64_t FixWord(uint64_t address, const GuestThread& thread) {
  while (true) {
    const int64_t value = LoadGuestWord(address);
    if (value < 0) {
      return value;
    }
    const int64_t result = ChangeWord(address, value, kOwnerDied | kWaiters | IdOf(thread));
    if (result != kAgain) {
      return result;
    }
  }
}

// The end of a wait for the lock itself: 0 if the thread has it.
int64_t FinishWait(FutexWaiter& waiter, uint64_t lock_address, WakeReason reason, int64_t interrupted) {
  PiFutex& pi = *waiter.pi;
  waiter.thread->pi_waits_for = nullptr;
  const int64_t fixed = waiter.must_fix_word ? FixWord(lock_address, *waiter.thread) : 0;
  --pi.waiters;
  DropIfUnused(pi);
  if (waiter.owns) {
    return fixed;
  }
  return reason == WakeReason::kTimedOut ? -ETIMEDOUT : interrupted;
}

// First waiter of the state that has not been given the lock yet.
FutexWaiter* NextOwner(List& bucket, const FutexKey& key) {
  FutexWaiter* waiter = NextFutexWaiter(bucket, key, nullptr);
  while (waiter != nullptr && waiter->owns) {
    waiter = NextFutexWaiter(bucket, key, waiter);
  }
  return waiter;
}

// FUTEX_CMP_REQUEUE_PI on one waiter: it gets the lock or waits for it from now on. 0 or -errno.
int64_t PassOn(FutexWaiter& waiter, const Attempt& attempt) {
  PiFutex* pi = nullptr;
  if (const int64_t error = Try(attempt, &pi); error != 0) {
    return error;
  }
  if (pi == nullptr) {
    waiter.owns = true;
    WakeFutexWaiter(waiter);
    return 0;
  }
  JoinState(waiter, *pi);
  waiter.node.Unlink();
  waiter.key = *attempt.key;
  attempt.bucket->PushBack(waiter.node);
  return 0;
}

}  // namespace

int64_t LockPiFutex(GuestThread& thread, const FutexWord& word, uint64_t deadline_ns, bool only_tries) {
  FutexWaiter waiter = {};
  if (const int64_t error = FindFutexKey(word.address, word.is_private, &waiter.key); error != 0) {
    return error;
  }
  List* const bucket = FutexBucket(waiter.key);
  if (bucket == nullptr) {
    return -ENOMEM;
  }
  PiFutex* pi = nullptr;
  if (const int64_t error = Try({word.address, &waiter.key, bucket, &thread}, &pi); error != 0 || pi == nullptr) {
    return error;
  }
  if (only_tries) {
    DropIfUnused(*pi);
    return -EAGAIN;
  }
  waiter.thread = &thread;
  waiter.bitset = kAnyBitset;
  JoinState(waiter, *pi);
  bucket->PushBack(waiter.node);
  const WakeReason reason = ParkFutexWaiter(waiter, deadline_ns);
  return FinishWait(waiter, word.address, reason, kRestartNoIntr);
}

int64_t UnlockPiFutex(GuestThread& thread, const FutexWord& word) {
  FutexKey key;
  if (const int64_t error = FindFutexKey(word.address, word.is_private, &key); error != 0) {
    return error;
  }
  List* const bucket = FutexBucket(key);
  if (bucket == nullptr) {
    return -ENOMEM;
  }
  int64_t result = kAgain;
  while (result == kAgain) {
    const int64_t value = LoadGuestWord(word.address);
    if (value < 0 || TidOf(value) != IdOf(thread)) {
      return value < 0 ? value : -EPERM;
    }
    FutexWaiter* const next = NextOwner(*bucket, key);
    if (next == nullptr) {
      result = ChangeWord(word.address, value, 0);
      continue;
    }
    if (next->pi == nullptr || next->pi->owner != &thread) {
      return -EINVAL;
    }
    result = ChangeWord(word.address, value, kWaiters | IdOf(*next->thread));
    if (result == 0) {
      SetOwner(*next->pi, next->thread);
      next->owns = true;
      WakeFutexWaiter(*next);
    }
  }
  return result;
}

int64_t WaitRequeuePiFutex(GuestThread& thread, const FutexWait& wait, uint64_t lock_address) {
  if (wait.word.address == lock_address || wait.bitset == 0) {
    return -EINVAL;
  }
  FutexWaiter waiter = {};
  FutexKey lock_key;
  int64_t error = FindFutexKey(lock_address, wait.word.is_private, &lock_key);
  if (error == 0) {
    error = FindFutexKey(wait.word.address, wait.word.is_private, &waiter.key);
  }
  if (error != 0) {
    return error;
  }
  const int64_t value = LoadGuestWord(wait.word.address);
  if (value < 0 || static_cast<uint32_t>(value) != wait.expected) {
    return value < 0 ? value : -EAGAIN;
  }
  List* const bucket = FutexBucket(waiter.key);
  if (waiter.key == lock_key || bucket == nullptr) {
    return bucket == nullptr ? -ENOMEM : -EINVAL;
  }
  waiter.thread = &thread;
  waiter.bitset = wait.bitset;
  waiter.requeue_key = &lock_key;
  bucket->PushBack(waiter.node);
  const WakeReason reason = ParkFutexWaiter(waiter, wait.deadline_ns);
  if (waiter.pi != nullptr) {
    return FinishWait(waiter, lock_address, reason, -EAGAIN);  // it has been moved: Linux cannot restart that either
  }
  if (waiter.owns) {
    return 0;
  }
  return reason == WakeReason::kTimedOut ? -ETIMEDOUT : kRestartNoIntr;
}

int64_t RequeuePiFutex(const FutexRequeue& requeue) {
  if (requeue.from.address == requeue.to.address || requeue.wake_count != 1 || requeue.requeue_count < 0) {
    return -EINVAL;
  }
  FutexKey from;
  FutexKey to;
  int64_t error = FindFutexKey(requeue.from.address, requeue.from.is_private, &from);
  if (error == 0) {
    error = FindFutexKey(requeue.to.address, requeue.to.is_private, &to);
  }
  if (error != 0 || from == to) {
    return error != 0 ? error : -EINVAL;
  }
  const int64_t value = LoadGuestWord(requeue.from.address);
  if (value < 0 || static_cast<uint32_t>(value) != requeue.expected) {
    return value < 0 ? value : -EAGAIN;
  }
  List* const bucket = FutexBucket(from);
  List* const target = FutexBucket(to);
  if (bucket == nullptr || target == nullptr) {
    return -ENOMEM;
  }
  int64_t done = 0;
  for (FutexWaiter* waiter = NextFutexWaiter(*bucket, from, nullptr);
       waiter != nullptr && done <= requeue.requeue_count; ++done) {
    FutexWaiter* const next = NextFutexWaiter(*bucket, from, waiter);
    if (waiter->requeue_key == nullptr || *waiter->requeue_key != to || waiter->pi != nullptr) {
      return -EINVAL;
    }
    if (const int64_t failed = PassOn(*waiter, {requeue.to.address, &to, target, waiter->thread}); failed != 0) {
      return failed;
    }
    waiter = next;
  }
  return done;
}

void ReleasePiFutexes(GuestThread& thread) {
  while (ListNode* const node = thread.pi_owned.first()) {
    PiFutex& pi = *JUNCTION_OWNER(node, PiFutex, owner_node);
    FutexWaiter* const next = NextOwner(*FutexBucket(pi.key), pi.key);
    SetOwner(pi, next == nullptr ? nullptr : next->thread);
    if (next != nullptr) {
      // Stays on its list until it has written its id, so that nobody who looks meanwhile believes the lock free.
      next->owns = next->must_fix_word = next->is_woken = true;
      MakeReady(*next->thread);
    }
  }
}

}  // namespace junction
