// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/control_block.h"

namespace junction {

/// What every fresh process image (first program, exec) does before it has a kthread: the clock, vector state, dispatch, the uthread
/// layer's hooks. Maps the arena of `arena_fd` and the control block at its place. 0, -errno, or -ENOTSUP on a machine without XSAVE.
int64_t PrepareKernel(int arena_fd, ControlBlock* control, uint64_t vdso);

}  // namespace junction
