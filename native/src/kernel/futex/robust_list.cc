// SPDX-License-Identifier: Apache-2.0
// What an ending thread owes to those that wait for its futexes. Read first: get_robust_list(2), Documentation/locking/robust-futex-ABI.rst
// of Linux. The list is the guest's memory: it may be cut off, endless or nonsense.
#include <linux/futex.h>

#include "kernel/futex/futex.h"
#include "kernel/futex/futex_table.h"
#include "kernel/guest/guest_atomic.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/memory/memory.h"
#include "kernel/process/uproc.h"

namespace junction {
namespace {

constexpr int kLongestList = 2048;  // ROBUST_LIST_LIMIT
constexpr uint64_t kIsPi = 1;       // lowest bit of a list pointer

/// struct robust_list_head.
struct RobustListHead {
  uint64_t next;
  int64_t futex_offset;
  uint64_t pending;
};
static_assert(sizeof(RobustListHead) == sizeof(robust_list_head));

struct DeadFutex {
  uint64_t address;
  bool is_pi;
  bool is_pending;  // the thread was just taking or giving it up
};

// False if the word cannot be used.
bool MarkOwnerDead(const GuestThread& thread, const DeadFutex& futex) {
  if (futex.address % sizeof(uint32_t) != 0) {
    return false;
  }
  while (true) {
    const int64_t value = LoadGuestWord(futex.address);
    if (value < 0) {
      return false;
    }
    const uint32_t word = static_cast<uint32_t>(value);
    const uint32_t owner = word & FUTEX_TID_MASK;
    if (futex.is_pending && !futex.is_pi && owner == 0) {
      WakeFutex(futex.address, 1);  // it may have been unlocked without the wake-up that belongs to it
      return true;
    }
    if (owner != static_cast<uint32_t>(thread.tid)) {
      return true;
    }
    const int64_t found = CompareExchangeGuestWord(futex.address, word, (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED);
    if (found < 0) {
      return false;
    }
    if (found == value) {
      if (!futex.is_pi && (word & FUTEX_WAITERS) != 0) {
        WakeFutex(futex.address, 1);
      }
      return true;
    }
  }
}

// Somebody besides the current thread: another thread, or a process on the other side of a vfork.
bool HasOtherUsers(const UProc& process) { return process.group.uthread_count > 1 || process.memory->references > 1; }

void WalkRobustList(const GuestThread& thread) {
  RobustListHead head;
  if (!CopyFromGuest(&head, thread.robust_list, sizeof(head))) {
    return;
  }
  const auto futex_at = [&](uint64_t entry, bool is_pending) {
    return DeadFutex{(entry & ~kIsPi) + static_cast<uint64_t>(head.futex_offset), (entry & kIsPi) != 0, is_pending};
  };
  const uint64_t pending = head.pending & ~kIsPi;
  uint64_t entry = head.next;
  for (int i = 0; i < kLongestList && (entry & ~kIsPi) != thread.robust_list; ++i) {
    uint64_t next = 0;  // read before the mark: the entry may be gone as soon as somebody is woken
    const bool has_next = CopyFromGuest(&next, entry & ~kIsPi, sizeof(next));
    if ((entry & ~kIsPi) != pending && !MarkOwnerDead(thread, futex_at(entry, false))) {
      return;
    }
    if (!has_next) {
      break;
    }
    entry = next;
  }
  if (pending != 0) {
    MarkOwnerDead(thread, futex_at(head.pending, true));
  }
}

}  // namespace

void ReleaseThreadFutexes(GuestThread& thread) {
  if (thread.robust_list != 0) {
    WalkRobustList(thread);
    thread.robust_list = 0;
  }
  ReleasePiFutexes(thread);
  // As in Linux, the last user of an address space leaves it as it is.
  if (thread.clear_child_tid != 0 && HasOtherUsers(*thread.process) && StoreGuestWord(thread.clear_child_tid, 0) == 0) {
    WakeFutex(thread.clear_child_tid, 1);
  }
  thread.clear_child_tid = 0;
}

}  // namespace junction
