// SPDX-License-Identifier: Apache-2.0
// Getting another kthread's attention. Inside of the uthread layer.
#pragma once

#include "uthread/uthread.h"

namespace junction {

/// The host signal by which a kthread is kicked out of guest code or the poller; its host timer sends it too.
inline constexpr int kKickSignal = 34;

/// Wakes `kthread` (parked or in guest code) once the kernel lock is released. Kernel lock held.
void WakeLater(Kthread& kthread);

/// Makes the wake-ups of wake_list. Kernel lock not held.
void FlushWakes(Kthread& kthread);

}  // namespace junction
