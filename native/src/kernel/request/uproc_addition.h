// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace junction {

struct UProc;

/// A process that was added from outside ends (UProc::is_added): tells the monitor and the instance's log. Its descriptors are still there if
/// it is the current one. Kernel lock held.
void TellOfAdditionsEnd(const UProc& process, bool is_own);

}  // namespace junction
