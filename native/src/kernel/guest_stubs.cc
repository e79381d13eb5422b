// SPDX-License-Identifier: Apache-2.0
// While the kernel is being built: a handler that is not written yet answers ENOSYS. Goes away before this lands.
#include "kernel/guest_handlers.h"

namespace junction {

#define HOST(number, name, arguments, note)
#define HOST_FD(number, name, index, error, arguments, note)
#define FAST(number, name, level, handler, arguments, note) \
  __attribute__((weak)) int64_t Sys##handler(Call&) { return -ENOSYS; }
#define KERNEL(number, name, level, handler, arguments, note) \
  __attribute__((weak)) int64_t Sys##handler(Call&) { return -ENOSYS; }
#define MISSING(number, name, arguments, note)
#define DENIED(number, name, arguments, note)
#include "kernel/guest_syscalls.inc"

}  // namespace junction
