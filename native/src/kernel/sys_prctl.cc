// SPDX-License-Identifier: Apache-2.0
#include <asm/prctl.h>
#include <sys/prctl.h>

#include "kernel/guest_handlers.h"

namespace junction {

int64_t SysPrctl(Call& call) {
  constexpr int kSetSyscallUserDispatch = 59;
  switch (call.fd(0)) {
    case PR_SET_SECCOMP:           // a filter of the guest's would have to admit the kernel's own calls
    case kSetSyscallUserDispatch:  // would take the net away
      return -EINVAL;
    case PR_SET_MM:
      return -EPERM;
    default:
      return call.Pass();
  }
}

int64_t SysArchPrctl(Call& call) {
  switch (call.fd(0)) {
    case ARCH_SET_GS:  // the thread block hangs on it
    case ARCH_GET_GS:
      return -EPERM;
    default:
      return call.Pass();
  }
}

}  // namespace junction
