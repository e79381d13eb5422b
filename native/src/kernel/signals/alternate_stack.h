// SPDX-License-Identifier: Apache-2.0
// Read first: sigaltstack(2), and include/linux/sched/signal.h of Linux for the corner cases.
#pragma once

#include <cstdint>

#include "kernel/signals/signal_frame.h"

namespace junction {

/// True if `rsp` lies on the thread's alternate stack. Never with SS_AUTODISARM, which is armed only while it is not in use.
bool IsOnAlternateStack(const GuestThread& thread, uint64_t rsp);

/// True if a handler with SA_ONSTACK has to switch to it.
bool CanEnterAlternateStack(const GuestThread& thread, uint64_t rsp);

/// The settings as sigaltstack(2) reports them to a thread with that stack pointer.
SignalStack GetAlternateStack(const GuestThread& thread, uint64_t rsp);

/// 0, or -EPERM (in use), -EINVAL (flags), -ENOMEM (too small).
int64_t SetAlternateStack(GuestThread& thread, const SignalStack& stack, uint64_t rsp);

/// None any more.
void ResetAlternateStack(GuestThread& thread);

}  // namespace junction
