// SPDX-License-Identifier: Apache-2.0
// Warm clones: an idle instance of one uProc is copied by a host fork. Read first: base/clone_protocol.h.
//
//   template, idle, kernel lock held            clone, on a stack of its own (clone_child.cc)
//   connects to who asks, checks itself
//   host fork -------------------------------->  descriptors from the monitor; joins its cgroups
//   waits (nothing of its guest runs) <-------   arena and shared guest memory are in memfds of its own (clone_memory.cc)
//   goes on                                      maps them; control block, kthread, descriptors (clone_files.cc), seed, Landlock
//                                                runs its uthreads
#pragma once

#include <cstdint>

namespace junction {

struct Kthread;

/// A request has come by signal. Signal-safe.
void NoteCloneRequest(uint64_t socket_id);

/// UthreadHooks::at_idle: makes the clones that were asked for, or says why not.
void ServeCloneRequests(Kthread& kthread);

}  // namespace junction
