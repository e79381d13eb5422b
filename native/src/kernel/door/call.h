// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>
#include <cstdint>

#include "kernel/door/guest_table.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/process/guest_thread.h"
#include "kernel/process/uproc.h"
#include "uthread/host_call.h"

namespace junction {

/// True if the call in flight has a pointer to the Junction kernel's own memory among its arguments. The host would write there: it
/// knows nothing of us.
inline bool PointsIntoKernel(const Uthread& thread) {
  for (uint32_t left = kPointerArguments.bits[thread.syscall_number]; left != 0; left &= left - 1) {
    if (IsKernelMemory(thread.frame.arg(__builtin_ctz(left)), 1)) {
      return true;
    }
  }
  return false;
}

/// One guest syscall being answered, as its handler sees it: on the thread's kernel stack. A handler returns the guest's result
/// (-errno on failure, or a kRestart code when Park was interrupted). Rows KERNEL of guest_syscalls.inc run with the kernel lock held,
/// FAST ones without.
class Call {
 public:
  explicit Call(GuestThread& thread) : thread_(thread) {}

  GuestThread& thread() const { return thread_; }
  UProc& process() const { return *thread_.process; }
  uint64_t arg(int index) const { return thread_.frame.arg(index); }
  /// The argument as Linux reads an int.
  int32_t int_arg(int index) const { return static_cast<int32_t>(thread_.frame.arg(index)); }
  uint64_t number() const { return thread_.syscall_number; }

  /// The guest's own call, made by the host with the guest's arguments. Only for calls that never block, lock not held (FAST) or
  /// released by KernelUnlockGuard.
  int64_t ToHost() const {
    if (PointsIntoKernel(thread_)) {
      return -EFAULT;
    }
    return HostCall(static_cast<long>(number()), arg(0), arg(1), arg(2), arg(3), arg(4), arg(5));
  }
  /// The same from a KERNEL row.
  int64_t ToHostUnlocked() const {
    const KernelUnlockGuard unlocked;
    return ToHost();
  }

 private:
  GuestThread& thread_;
};

}  // namespace junction
