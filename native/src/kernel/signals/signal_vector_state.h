// SPDX-License-Identifier: Apache-2.0
// The fpstate part of a signal frame: an XSAVE image in standard format with the software bytes of struct _fpx_sw_bytes.
// Read first: arch/x86/include/uapi/asm/sigcontext.h, arch/x86/kernel/fpu/signal.c; Intel SDM volume 1, chapter 13.
#pragma once

#include <cstdint>

#include "kernel/process/guest_thread.h"

namespace junction {

/// What the image takes in a frame, FP_XSTATE_MAGIC2 included.
uint64_t VectorFrameSize_bytes();

/// Writes the current thread's vector state to the guest's `address` (multiple of 64). False if it cannot be written.
bool CopyVectorStateOut(GuestThread& thread, uint64_t address);

/// Makes the image at `address` the current thread's vector state; 0 = the initial one. An image without our magic numbers counts for
/// x87 and SSE only, as in Linux. False if it cannot be read or the machine would refuse it; then the state is the initial one.
bool CopyVectorStateIn(GuestThread& thread, uint64_t address);

/// After CopyVectorStateOut: what a handler counts on, an empty x87 stack and the usual rounding, masks and precision. The registers
/// themselves stay as they are, since emptying them costs a fifth of a whole delivery and no handler may read them.
void SetHandlerVectorState(GuestThread& thread);

}  // namespace junction
