// SPDX-License-Identifier: Apache-2.0
// Parts of making a process by a host fork, for a guest's fork (process_fork.cc) and for requests from outside (uproc_addition.cc). Kernel lock
// held throughout.
#pragma once

#include <cstdint>

#include "kernel/process/uproc.h"

namespace junction {

/// The objects that the child is to find. They are complete before the host fork.
struct NewChild {
  UProc* process = nullptr;
  GuestThread* thread = nullptr;
  Kthread* kthread = nullptr;
};

/// Of a child that no host process was made for: whatever there is of it goes.
void FreeChild(NewChild& child);

/// Host clone with `host_flags`: the child starts with `run(&kthread)` on the kthread's idle stack, all host signals blocked. Its host pid, or
/// -errno.
int64_t ForkHost(Kthread& kthread, uint64_t host_flags, void (*run)(void* kthread));

/// The child's host process is there: enters the child in the tables. Its thread is not ready yet.
void EnterChild(NewChild& child, int32_t pid, UProc* parent);

/// Instead of that, if the id is taken: the host knows nothing of our zombies, so it may give a new process the id of one that nobody has
/// waited for yet. Kills it.
void DiscardChild(NewChild& child, int32_t pid);

}  // namespace junction
