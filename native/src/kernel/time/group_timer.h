// SPDX-License-Identifier: Apache-2.0
// Timers that are armed by one uthread for something else than its own Park.
#pragma once

#include <cstdint>

#include "base/timer.h"
#include "kernel/process/uproc.h"

namespace junction {

/// Arms `timer` in the queue of `process` and sees to it that a kthread there looks at the queue in time, be it parked or in guest code.
/// Kernel lock held; any context.
void ArmInProcess(UProc& process, Timer& timer, uint64_t deadline_ns);

}  // namespace junction
