// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace junction {

struct UProc;

/// Prepares PosixTimers::intervals of a process: none runs.
void InitIntervalTimers(UProc& process);

}  // namespace junction
