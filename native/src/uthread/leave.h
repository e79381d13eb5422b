// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "uthread/uthread.h"

namespace junction {

/// Arms the kthread's host timer if uthreads or kernel timers wait and it is not armed early enough. Kernel lock held.
void ArmTick(Kthread& kthread);

}  // namespace junction
