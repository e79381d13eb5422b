// SPDX-License-Identifier: Apache-2.0
// Waiting for host descriptors (kHostStream) without blocking a kthread: one host epoll descriptor a uProc, edge triggered. An edge sets
// bits in File::ready and wakes File::wait; who gets EAGAIN from the host clears the bit and waits.
#pragma once

#include <cstdint>

#include "kernel/file.h"

namespace junction {

/// Makes sure that the current process' poller watches `fd`. 0 or -errno; descriptors that epoll refuses (EPERM) are always ready.
int64_t WatchHostFd(File& file, int32_t fd);
/// The descriptor is about to be closed in this process.
void ForgetHostFd(File& file, int32_t fd);

/// Waits until the host says that one of `events` (POLLIN, POLLOUT) may hold. 0; kRestartSys if interrupted; -EAGAIN after
/// `timeout_ns` (kNever = none). Kernel lock held.
int64_t WaitForHost(File& file, int32_t fd, PollEvents events, uint64_t timeout_ns);

/// What holds right now, asked of the host (poll with no wait). Kernel lock held; released meanwhile.
PollEvents PollHostFd(int32_t fd, PollEvents events);

/// UthreadHooks. A forked child and a fresh image start without one.
bool PollHost(uint64_t timeout_ns);
bool HasHostWaiters();
/// In a forked child: forget the parent's epoll descriptor.
void ResetHostPoller();

}  // namespace junction
