// SPDX-License-Identifier: Apache-2.0
// Host descriptors on their way in messages of unix sockets (SCM_RIGHTS). Our own sockets are arena memory, which cannot hold a descriptor of
// the host, and the receiver is another host process: so a copy of each waits in the queue of one host socket that all processes of the
// instance have, a datagram socket connected to itself. It is made when the first unix socket pair is, or before.
//
// Reason for the host descriptor: it goes when files and inet sockets are virtual.
#pragma once

#include <cstdint>

namespace junction {

/// Makes the transit socket if the instance has none; children inherit it. 0 or -errno. Kernel lock held here and below, which makes
/// each call one step for all processes.
int64_t PrepareFdTransit();

/// Puts a copy of the current process' host descriptor in: its ticket, or -errno (-ETOOMANYREFS: too many are on their way).
int64_t SendToFdTransit(int32_t fd);

/// Takes one out: a host descriptor that is in no table yet, or -errno.
int64_t TakeFromFdTransit(int64_t ticket, bool is_close_on_exec);

}  // namespace junction
