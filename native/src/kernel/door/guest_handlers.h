// SPDX-License-Identifier: Apache-2.0
// All handlers that rows of guest_syscalls.inc name.
#pragma once

#include "kernel/door/call.h"

namespace junction {

#define HOST(number, name, arguments, note)
#define HOST_FD(number, name, index, error, arguments, note)
#define FAST(number, name, level, handler, arguments, note) int64_t Sys##handler(Call& call);
#define KERNEL(number, name, level, handler, arguments, note) int64_t Sys##handler(Call& call);
#define MISSING(number, name, arguments, note)
#define DENIED(number, name, arguments, note)
#include "kernel/door/guest_syscalls.inc"
#undef HOST
#undef HOST_FD
#undef FAST
#undef KERNEL
#undef MISSING
#undef DENIED

}  // namespace junction
