// SPDX-License-Identifier: Apache-2.0
// The printer behind --strace: one line when a call comes in, one with its result. Lines go to descriptor 2.
#pragma once

#include <cstdint>

namespace junction {

struct GuestThread;

void TraceCall(const GuestThread& thread);
void TraceResult(const GuestThread& thread, int64_t result);

}  // namespace junction
