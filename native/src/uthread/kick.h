// SPDX-License-Identifier: Apache-2.0
// Getting another kthread's attention. Inside of the uthread layer.
#pragma once

#include "uthread/uthread.h"

namespace junction {

/// The host signal by which a kthread is kicked out of guest code or the poller; its host timer sends it too.
inline constexpr int kKickSignal = 34;

/// Wakes `kthread` (parked or in guest code) once the kernel lock is released. Kernel lock held.
void WakeLater(Kthread& kthread);

/// The oldest ready uthread of `group`, or null. Kernel lock held.
Uthread* TakeReady(UthreadGroup& group);

/// Uthreads have waited for a whole tick: gets another kthread to run them, a parked one or, up to the limit, a new one. Kernel lock held.
void SpreadOut(UthreadGroup& group);

/// True if uthreads that wait could run elsewhere. Kernel lock held.
bool CanSpreadOut(const UthreadGroup& group);

/// Makes the wake-ups of wake_list. Kernel lock not held.
void FlushWakes(Kthread& kthread);

}  // namespace junction
