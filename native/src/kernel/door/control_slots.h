// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/control_block.h"

namespace junction {

/// Takes a ControlThread for the thread: the one that already bears its id (after an exec), a free one, one of a thread that
/// died without giving it back, or else the last one, shared.
ControlThread* ClaimControlThread(ControlBlock* control, int32_t thread_id);

/// Gives the slot back if it still bears the thread's id.
void ReleaseControlThread(ControlThread* slot, int32_t thread_id);

}  // namespace junction
