// SPDX-License-Identifier: Apache-2.0
// Waiting for host descriptors (kHostStream) without blocking a kthread: one host epoll descriptor a uProc, edge triggered. An edge sets
// bits in File::ready and wakes File::wait; who gets EAGAIN from the host clears the bit (host_poller.cc tells the rules) and waits.
#pragma once

#include <cstdint>

#include "kernel/files/file.h"

namespace junction {

/// Makes sure that the current process' poller watches `fd`. 0 or -errno; descriptors that epoll refuses (EPERM) are always ready.
/// `is_new` if it did not before: the poller will tell of what holds now as of an edge. Kernel lock held.
int64_t WatchHostFd(File& file, int32_t fd);
int64_t WatchHostFd(File& file, int32_t fd, bool& is_new);
/// The descriptor is about to be closed in this process.
void ForgetHostFd(File& file, int32_t fd);

/// The host has answered EAGAIN: `events` (POLLIN, POLLOUT) do not hold until the next edge. Kernel lock held; if it was released after
/// the host call, the bits belong cleared before that call instead.
inline void ClearHostReady(File& file, PollEvents events) { file.ready &= ~events; }

/// Waits until the host says that one of `events` (POLLIN, POLLOUT) may hold. 0; kRestartSys if interrupted; -EAGAIN after
/// `timeout_ns` (kNever = none). Kernel lock held.
int64_t WaitForHost(File& file, int32_t fd, PollEvents events, uint64_t timeout_ns);

/// What holds right now, asked of the host (poll with no wait). Kernel lock held throughout.
PollEvents PollHostFd(int32_t fd, PollEvents events);

/// The same for all events, and File::ready is what the host said.
PollEvents RefreshHostReady(File& file, int32_t fd);

/// `hint` if it is the file's number in the current process, else another one, -1 if it has none.
int32_t FindHostFd(const File& file, int32_t hint);

/// Takes in the edges that the host has by now, without a wait. Kernel lock held.
void HarvestHostNow();

/// Differs between processes and images of a process, 0 while there is no poller: who remembers that he made the poller watch something
/// compares it.
uint32_t HostPollerId();

/// UthreadHooks. A forked child and a fresh image start without one.
bool PollHost(uint64_t timeout_ns);
bool HasHostWaiters();
/// Whether the NIC's event descriptor ends a wait of this process' poller too. The poller is there. Kernel lock held.
void WatchNetEvent(bool is_watched);
/// In a forked child: forget the parent's epoll descriptor.
void ResetHostPoller();
/// The same where its descriptor is closed already.
void AbandonHostPoller();

}  // namespace junction
