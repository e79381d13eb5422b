// SPDX-License-Identifier: Apache-2.0
// Host descriptors on their way in messages of unix sockets (SCM_RIGHTS). Our own sockets are arena memory, which cannot hold a descriptor of
// the host, and the receiver may be another host process: so a copy of each waits in the queue of one host socket that the processes of
// the instance have in common, a datagram socket connected to itself. Children inherit it, through exec too. A process that was forked
// before there was one makes a new one when it needs it and nothing is on its way; the others then do the same in their turn.
//
// Reason for the host descriptor: it goes when files and inet sockets are virtual.
#pragma once

#include <cstdint>

namespace junction {

/// Makes the transit socket if this process has none; children inherit it. 0 or -errno; -EOPNOTSUPP: others have one that is in use.
/// Kernel lock held here and below, which makes each call one step for all processes.
int64_t PrepareFdTransit();

/// True while some descriptor is on its way.
bool HasDescriptorsInTransit();

/// Puts a copy of the current process' host descriptor in: its ticket, or -errno (-ETOOMANYREFS: too many are on their way).
int64_t SendToFdTransit(int32_t fd);

/// Takes one out: a host descriptor that is in no table yet, or -errno.
int64_t TakeFromFdTransit(int64_t ticket, bool is_close_on_exec);

}  // namespace junction
