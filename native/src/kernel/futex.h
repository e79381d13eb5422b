// SPDX-License-Identifier: Apache-2.0
// Futexes within the instance. Read first: futex(2), get_robust_list(2).
#pragma once

#include <cstdint>

#include "kernel/guest_thread.h"

namespace junction {

/// FUTEX_WAKE at a guest address of the current address space (private or shared, whatever the mapping is). How many were woken.
int64_t WakeFutex(uint64_t address, uint32_t count);

/// A thread ends: walks its robust list (FUTEX_OWNER_DIED), hands over PI futexes it owns, zeroes clear_child_tid and wakes it.
/// In the thread's own address space, on its own kernel stack. Kernel lock held.
void ReleaseThreadFutexes(GuestThread& thread);

}  // namespace junction
