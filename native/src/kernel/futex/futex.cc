// SPDX-License-Identifier: Apache-2.0
// Hot path: wait and wake of a private futex without a time limit; no allocation, no host call.
#include "kernel/futex/futex.h"

#include <linux/futex.h>

#include <cerrno>

#include "kernel/futex/futex_table.h"
#include "kernel/guest/guest_atomic.h"
#include "kernel/guest/guest_range.h"
#include "kernel/memory/memory.h"
#include "kernel/process/uproc.h"
#include "uthread/arena.h"

namespace junction {
namespace {

constexpr size_t kBuckets = 4096;
constexpr uint64_t kPrivateOffset = ~0ULL;  // no file is that long

size_t HashOf(const FutexKey& key) {
  const uint64_t mixed = (key.object_lo >> 2) ^ key.object_hi ^ (key.offset >> 2);
  return (mixed * 0x9e3779b97f4a7c15ULL) >> 52;
}
static_assert(kBuckets == 1ULL << (64 - 52));

int64_t ResumeFutexWait(GuestThread& thread) {
  const uint64_t* const arguments = thread.restart.arguments;
  return WaitOnFutex(thread, {{arguments[0], arguments[3] != 0},
                              static_cast<uint32_t>(arguments[1]),
                              static_cast<uint32_t>(arguments[2]),
                              thread.restart.deadline_ns});
}

// What a wait that a signal ended answers, as futex_wait of Linux: with a time limit it must not start over.
int64_t InterruptedWait(GuestThread& thread, const FutexWait& wait) {
  if (wait.deadline_ns == kNever) {
    return kRestartSys;
  }
  thread.restart.resume = ResumeFutexWait;
  thread.restart.deadline_ns = wait.deadline_ns;
  thread.restart.arguments[0] = wait.word.address;
  thread.restart.arguments[1] = wait.expected;
  thread.restart.arguments[2] = wait.bitset;
  thread.restart.arguments[3] = wait.word.is_private ? 1 : 0;
  return kRestartBlock;
}

struct WakeRequest {
  FutexKey key;
  int32_t count;  // as Linux: at least one is woken
  uint32_t bitset;
};

int64_t WakeKey(const WakeRequest& request) {
  List* const bucket = FutexBucket(request.key);
  if (bucket == nullptr) {
    return 0;  // nobody could have waited
  }
  int64_t woken = 0;
  for (FutexWaiter* waiter = NextFutexWaiter(*bucket, request.key, nullptr); waiter != nullptr;) {
    FutexWaiter* const next = NextFutexWaiter(*bucket, request.key, waiter);
    if (waiter->pi != nullptr || waiter->requeue_key != nullptr) {
      return -EINVAL;
    }
    if ((waiter->bitset & request.bitset) != 0) {
      WakeFutexWaiter(*waiter);
      if (++woken >= request.count) {
        break;
      }
    }
    waiter = next;
  }
  return woken;
}

int32_t SignExtend12(uint32_t value) { return static_cast<int32_t>(value << 20) >> 20; }

// The arithmetic of FUTEX_WAKE_OP; -ENOSYS for an unknown one.
int64_t Operate(uint32_t operation, uint32_t old, uint32_t argument) {
  switch (operation & 7) {
    case FUTEX_OP_SET:
      return argument;
    case FUTEX_OP_ADD:
      return old + argument;
    case FUTEX_OP_OR:
      return old | argument;
    case FUTEX_OP_ANDN:
      return old & ~argument;
    case FUTEX_OP_XOR:
      return old ^ argument;
    default:
      return -ENOSYS;
  }
}

// 1 or 0; -ENOSYS for an unknown comparison.
int64_t Compare(uint32_t comparison, int32_t old, int32_t argument) {
  switch (comparison) {
    case FUTEX_OP_CMP_EQ:
      return old == argument;
    case FUTEX_OP_CMP_NE:
      return old != argument;
    case FUTEX_OP_CMP_LT:
      return old < argument;
    case FUTEX_OP_CMP_GE:
      return old >= argument;
    case FUTEX_OP_CMP_LE:
      return old <= argument;
    case FUTEX_OP_CMP_GT:
      return old > argument;
    default:
      return -ENOSYS;
  }
}

// Changes the second word as told and compares what it was: 1, 0 or -errno.
int64_t ChangeAndCompare(uint64_t address, uint32_t encoded) {
  const uint32_t operation = encoded >> 28;
  int32_t argument = SignExtend12(encoded >> 12 & 0xfff);
  if ((operation & FUTEX_OP_OPARG_SHIFT) != 0) {
    argument = static_cast<int32_t>(1U << (static_cast<uint32_t>(argument) & 31));
  }
  while (true) {
    const int64_t old = LoadGuestWord(address);
    if (old < 0) {
      return old;
    }
    const int64_t value = Operate(operation, static_cast<uint32_t>(old), static_cast<uint32_t>(argument));
    if (value < 0) {
      return value;
    }
    const int64_t found = CompareExchangeGuestWord(address, static_cast<uint32_t>(old), static_cast<uint32_t>(value));
    if (found < 0) {
      return found;
    }
    if (found == old) {
      return Compare(encoded >> 24 & 0xf, static_cast<int32_t>(old), SignExtend12(encoded & 0xfff));
    }
  }
}

// Moves one waiter to another futex.
void MoveWaiter(FutexWaiter& waiter, const FutexKey& key, List& bucket) {
  waiter.node.Unlink();
  waiter.key = key;
  bucket.PushBack(waiter.node);
}

}  // namespace

int64_t FindFutexKey(uint64_t address, bool is_private, FutexKey* out) {
  if (address % sizeof(uint32_t) != 0) {
    return -EINVAL;
  }
  if (address >= kGuestAddressesEnd) {
    return -EFAULT;
  }
  AddressSpace& space = *CurrentProcess().memory;
  SharedPlace place;
  if (!is_private && FindSharedPlace(space, address, place)) {
    *out = {place.object_hi, place.object_lo, place.offset};
    return 0;
  }
  *out = {space.id, address, kPrivateOffset};
  return 0;
}

List* FutexBucket(const FutexKey& key) {
  Instance& instance = TheInstance();
  if (instance.futex_table == nullptr) [[unlikely]] {
    instance.futex_table = ArenaAllocate(kBuckets * sizeof(List));
    if (instance.futex_table == nullptr) {
      return nullptr;
    }
  }
  return static_cast<List*>(instance.futex_table) + HashOf(key);
}

FutexWaiter* NextFutexWaiter(List& bucket, const FutexKey& key, const FutexWaiter* after) {
  ListNode* node = after == nullptr ? bucket.first() : bucket.Next(&after->node);
  // A process that the host ended leaves its waiters behind: whoever wakes one must not take it for one that lives.
  while (node != nullptr && (WaiterOf(node)->key != key || WaiterOf(node)->thread->state == UthreadState::kDead)) {
    node = bucket.Next(node);
  }
  return WaiterOf(node);
}

void WakeFutexWaiter(FutexWaiter& waiter) {
  waiter.node.Unlink();
  waiter.is_woken = true;
  MakeReady(*waiter.thread);
}

WakeReason ParkFutexWaiter(FutexWaiter& waiter, uint64_t deadline_ns) {
  WakeReason reason = WakeReason::kWoken;
  while (!waiter.is_woken && reason == WakeReason::kWoken) {
    reason = Park(deadline_ns);
  }
  waiter.node.Unlink();
  return waiter.is_woken ? WakeReason::kWoken : reason;
}

int64_t WaitOnFutex(GuestThread& thread, const FutexWait& wait) {
  if (wait.bitset == 0) {
    return -EINVAL;
  }
  FutexWaiter waiter = {};
  if (const int64_t error = FindFutexKey(wait.word.address, wait.word.is_private, &waiter.key); error != 0) {
    return error;
  }
  const int64_t value = LoadGuestWord(wait.word.address);
  if (value < 0) {
    return value;
  }
  if (static_cast<uint32_t>(value) != wait.expected) {
    return -EAGAIN;
  }
  List* const bucket = FutexBucket(waiter.key);
  if (bucket == nullptr) {
    return -ENOMEM;
  }
  waiter.thread = &thread;
  waiter.bitset = wait.bitset;
  bucket->PushBack(waiter.node);
  switch (ParkFutexWaiter(waiter, wait.deadline_ns)) {
    case WakeReason::kWoken:
      return 0;
    case WakeReason::kTimedOut:
      return -ETIMEDOUT;
    case WakeReason::kInterrupted:
      break;
  }
  return InterruptedWait(thread, wait);
}

int64_t WakeFutexBitset(const FutexWord& word, int32_t count, uint32_t bitset) {
  if (bitset == 0) {
    return -EINVAL;
  }
  WakeRequest request = {{}, count, bitset};
  if (const int64_t error = FindFutexKey(word.address, word.is_private, &request.key); error != 0) {
    return error;
  }
  return WakeKey(request);
}

int64_t WakeFutex(uint64_t address, uint32_t count) {
  return WakeFutexBitset({address, false}, static_cast<int32_t>(count), kAnyBitset);
}

int64_t RequeueFutex(const FutexRequeue& requeue) {
  if (requeue.wake_count < 0 || requeue.requeue_count < 0) {
    return -EINVAL;
  }
  FutexKey from;
  FutexKey to;
  int64_t error = FindFutexKey(requeue.from.address, requeue.from.is_private, &from);
  if (error == 0) {
    error = FindFutexKey(requeue.to.address, requeue.to.is_private, &to);
  }
  if (error != 0) {
    return error;
  }
  if (requeue.compares) {
    const int64_t value = LoadGuestWord(requeue.from.address);
    if (value < 0 || static_cast<uint32_t>(value) != requeue.expected) {
      return value < 0 ? value : -EAGAIN;
    }
  }
  List* const bucket = FutexBucket(from);
  List* const target = FutexBucket(to);
  if (bucket == nullptr || target == nullptr) {
    return 0;
  }
  const int64_t limit = static_cast<int64_t>(requeue.wake_count) + requeue.requeue_count;
  int64_t done = 0;
  for (FutexWaiter* waiter = NextFutexWaiter(*bucket, from, nullptr); waiter != nullptr && done < limit;) {
    FutexWaiter* const next = NextFutexWaiter(*bucket, from, waiter);
    if (waiter->pi != nullptr || waiter->requeue_key != nullptr) {
      return -EINVAL;
    }
    if (++done <= requeue.wake_count) {
      WakeFutexWaiter(*waiter);
    } else if (from != to) {
      MoveWaiter(*waiter, to, *target);
    }
    waiter = next;
  }
  return done;
}

int64_t WakeFutexOp(const FutexWakeOp& request) {
  WakeRequest first = {{}, request.first_count, kAnyBitset};
  WakeRequest second = {{}, request.second_count, kAnyBitset};
  int64_t error = FindFutexKey(request.first.address, request.first.is_private, &first.key);
  if (error == 0) {
    error = FindFutexKey(request.second.address, request.second.is_private, &second.key);
  }
  if (error != 0) {
    return error;
  }
  const int64_t is_true = ChangeAndCompare(request.second.address, request.operation);
  if (is_true < 0) {
    return is_true;
  }
  const int64_t woken = WakeKey(first);
  if (woken < 0 || is_true == 0) {
    return woken;
  }
  const int64_t more = WakeKey(second);
  return more < 0 ? more : woken + more;
}

}  // namespace junction
