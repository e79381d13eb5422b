// SPDX-License-Identifier: Apache-2.0
// The --strace printer: one line at the start of each call and one with its result, to the guest's descriptor 2.
#pragma once

#include "kernel/thread_block.h"

namespace junction {

/// `[tid] name(arguments)`.
void TraceCall(const ThreadBlock& thread);

/// `[tid] name = result`. Not printed for a call that a signal handler interrupted or that does not return.
void TraceResult(const ThreadBlock& thread);

}  // namespace junction
