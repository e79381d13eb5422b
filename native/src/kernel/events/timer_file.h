// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace junction {

struct UProc;

/// The process ends: timerfds that count on its timer queue and live on elsewhere move to another process' queue. Kernel lock held.
void MoveTimerFiles(UProc& process);

}  // namespace junction
