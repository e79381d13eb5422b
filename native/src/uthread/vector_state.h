// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "uthread/uthread.h"

namespace junction {

/// Finds out what there is to save. Once per process image; -1 if the machine has no XSAVE or needs more room than a slot has.
int64_t PrepareVectorState();

/// Size and component mask of the image in Uthread::vector_state() (standard XSAVE format).
uint32_t VectorStateSize_bytes();
uint64_t VectorStateMask();

/// Loads an image of that format (64-byte aligned, checked) into the machine, all components.
void LoadVectorImage(const void* image);

/// Puts `uthread`'s FS base and vector registers into the machine; what is there is saved first. On the way to guest code.
void LoadMachineState(Uthread& uthread);

}  // namespace junction
