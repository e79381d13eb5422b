// SPDX-License-Identifier: Apache-2.0
#include <sys/syscall.h>
#include <sys/ucontext.h>

#include <csignal>

#include "kernel/guest_handlers.h"
#include "kernel/guest_memory.h"
#include "kernel/host_call.h"
#include "kernel/signal_table.h"
#include "kernel/uproc.h"

namespace junction {
namespace {

constexpr uint64_t kSigsetSize_bytes = 8;
constexpr uint64_t kFrameMaskOffset_bytes = 296;  // uc_sigmask in the host's struct ucontext

// Lets the call wait with the mask at guest address `from`, freed of SIGSYS. `argument` is the one that points to it.
int64_t PassWithMask(Call& call, int argument, uint64_t from) {
  ThreadBlock& thread = call.thread();
  if (!CopyFromGuest(&thread.wait_mask, from, sizeof(thread.wait_mask))) {
    return -EFAULT;
  }
  thread.wait_mask &= ~kNeverBlocked;
  thread.has_wait_mask = true;
  return call.PassWith(argument, &thread.wait_mask);
}

}  // namespace

int64_t SysRtSigaction(Call& call) {
  const int signal = call.fd(0);
  if (call.arg(3) != kSigsetSize_bytes || signal < 1 || signal > kSignals) {
    return -EINVAL;
  }
  KernelSigaction next = {};
  if (call.arg(1) != 0) {
    if (signal == SIGKILL || signal == SIGSTOP) {
      return -EINVAL;
    }
    if (!CopyFromGuest(&next, call.arg(1), sizeof(next))) {
      return -EFAULT;
    }
  }
  KernelSigaction& slot = call.thread().signals->actions[signal];
  KernelSigaction previous;
  {
    HostLockGuard guard(g_uproc.signal_lock);
    previous = slot;
    if (call.arg(1) != 0) {
      // The table first: once the host knows of a handler, delivery finds it there.
      slot = next;
      if (const int64_t error = InstallGuestAction(signal, next); error != 0) {
        slot = previous;
        return error;
      }
    }
  }
  if (call.arg(2) != 0 && !CopyToGuest(call.arg(2), &previous, sizeof(previous))) {
    return -EFAULT;
  }
  return 0;
}

int64_t SysRtSigprocmask(Call& call) {
  ThreadBlock& thread = call.thread();
  if (call.arg(3) != kSigsetSize_bytes) {
    return -EINVAL;
  }
  const uint64_t previous = thread.mask;
  if (call.arg(1) != 0) {
    uint64_t set;
    if (!CopyFromGuest(&set, call.arg(1), sizeof(set))) {
      return -EFAULT;
    }
    switch (call.fd(0)) {
      case SIG_BLOCK:
        thread.mask |= set;
        break;
      case SIG_UNBLOCK:
        thread.mask &= ~set;
        break;
      case SIG_SETMASK:
        thread.mask = set;
        break;
      default:
        return -EINVAL;
    }
    thread.mask &= ~(kNeverBlocked | SignalBit(SIGKILL) | SignalBit(SIGSTOP));
  }
  if (call.arg(2) != 0 && !CopyToGuest(call.arg(2), &previous, sizeof(previous))) {
    return -EFAULT;
  }
  return 0;
}

int64_t SysRtSigsuspend(Call& call) {
  if (call.arg(1) != kSigsetSize_bytes) {
    return -EINVAL;
  }
  return PassWithMask(call, 0, call.arg(0));
}

int64_t SysMaskR10(Call& call) { return call.arg(3) == 0 ? call.Pass() : PassWithMask(call, 3, call.arg(3)); }

int64_t SysMaskR8(Call& call) { return call.arg(4) == 0 ? call.Pass() : PassWithMask(call, 4, call.arg(4)); }

// The sixth argument points to a pair of mask pointer and size.
int64_t SysPselect6(Call& call) {
  ThreadBlock& thread = call.thread();
  if (call.arg(5) == 0) {
    return call.Pass();
  }
  if (!CopyFromGuest(thread.wait_mask_argument, call.arg(5), sizeof(thread.wait_mask_argument))) {
    return -EFAULT;
  }
  if (thread.wait_mask_argument[0] == 0) {
    return call.Pass();
  }
  if (const int64_t result = PassWithMask(call, 5, thread.wait_mask_argument[0]); result != 0) {
    return result;
  }
  thread.wait_mask_argument[0] = reinterpret_cast<uint64_t>(&thread.wait_mask);
  return call.AlsoWith(5, thread.wait_mask_argument);
}

// Reached only while calls are printed; else entry.S does it.
int64_t SysRtSigreturn(Call& call) {
  uint64_t mask;
  const uint64_t place = call.thread().guest_rsp + kFrameMaskOffset_bytes;
  if (CopyFromGuest(&mask, place, sizeof(mask))) {
    mask &= ~kNeverBlocked;
    CopyToGuest(place, &mask, sizeof(mask));
  }
  return call.Pass();
}

}  // namespace junction
