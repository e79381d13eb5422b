// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernel/signals/signals.h"

namespace junction {

/// Puts a signal into the queue; a standard one that waits already is dropped. 0, or -EAGAIN if a queued (real-time) signal would
/// exceed the sender's RLIMIT_SIGPENDING or memory is short. Kernel lock held.
int64_t Enqueue(PendingSignals& pending, const siginfo_t& info);

/// Takes the first signal of `set`: synchronous ones first, then the lowest number. Kernel lock held.
bool TakeFrom(PendingSignals& pending, uint64_t set, siginfo_t* out);

/// Forgets the signals of `set`.
void DropFrom(PendingSignals& pending, uint64_t set);

}  // namespace junction
