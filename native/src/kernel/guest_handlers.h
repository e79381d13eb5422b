// SPDX-License-Identifier: Apache-2.0
// All handlers that rows of guest_syscalls.inc name.
#pragma once

#include "kernel/call.h"

namespace junction {

#define PASS(number, name, arguments, note)
#define CHECKED(number, name, check, handler, arguments, note) int64_t Sys##handler(Call& call);
#define EMULATED(number, name, level, handler, arguments, note) int64_t Sys##handler(Call& call);
#define MISSING(number, name, arguments, note)
#define DENIED(number, name, arguments, note)
#include "kernel/guest_syscalls.inc"
#undef PASS
#undef CHECKED
#undef EMULATED
#undef MISSING
#undef DENIED

}  // namespace junction
