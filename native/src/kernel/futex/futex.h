// SPDX-License-Identifier: Apache-2.0
// Futexes within the instance. Read first: futex(2), get_robust_list(2), and kernel/futex/ of Linux for what the manual leaves open.
#pragma once

#include <cstdint>

#include "kernel/process/guest_thread.h"

namespace junction {

/// FUTEX_WAKE at a guest address of the current address space (private or shared, whatever the mapping is). How many were woken.
int64_t WakeFutex(uint64_t address, uint32_t count);

/// A thread ends: walks its robust list (FUTEX_OWNER_DIED), hands over PI futexes it owns, zeroes clear_child_tid and wakes it.
/// In the thread's own address space, on its own kernel stack. Kernel lock held.
void ReleaseThreadFutexes(GuestThread& thread);

/// A word of the current address space.
struct FutexWord {
  uint64_t address;
  bool is_private;
};

/// Wait with its limits: how it goes on after a signal depends on it.
struct FutexWait {
  FutexWord word;
  uint32_t expected;
  uint32_t bitset;
  uint64_t deadline_ns;  // kNever = no limit
};

struct FutexRequeue {
  FutexWord from;
  FutexWord to;
  int32_t wake_count;
  int32_t requeue_count;
  bool compares;
  uint32_t expected;
};

struct FutexWakeOp {
  FutexWord first;
  FutexWord second;
  int32_t first_count;
  int32_t second_count;
  uint32_t operation;  // as futex(2) encodes it
};

// The operations of futex(2); results and errno as there. Kernel lock held.

int64_t WaitOnFutex(GuestThread& thread, const FutexWait& wait);
int64_t WakeFutexBitset(const FutexWord& word, int32_t count, uint32_t bitset);
int64_t RequeueFutex(const FutexRequeue& requeue);
int64_t WakeFutexOp(const FutexWakeOp& request);

int64_t LockPiFutex(GuestThread& thread, const FutexWord& word, uint64_t deadline_ns, bool only_tries);
int64_t UnlockPiFutex(GuestThread& thread, const FutexWord& word);
int64_t WaitRequeuePiFutex(GuestThread& thread, const FutexWait& wait, uint64_t lock_address);
int64_t RequeuePiFutex(const FutexRequeue& requeue);

/// Hands over the PI futexes that an ending thread owns.
void ReleasePiFutexes(GuestThread& thread);

}  // namespace junction
