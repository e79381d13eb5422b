// SPDX-License-Identifier: Apache-2.0
// What becomes of a call that was interrupted. Read first: signal(7) "Interruption of system calls", restart_syscall(2).
#pragma once

#include "kernel/process/guest_thread.h"
#include "kernel/signals/signals.h"

namespace junction {

/// Before the first handler's frame: the call's restart code becomes -EINTR or, with SA_RESTART, the call again once the handler has
/// returned. Afterwards the frame is whole (has_full_frame). Current thread.
void SettleCallForHandler(GuestThread& thread, const KernelSigaction& action);

/// No handler runs: a call with a restart code is made again.
void SettleCallWithoutHandler(GuestThread& thread);

}  // namespace junction
