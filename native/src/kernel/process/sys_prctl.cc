// SPDX-License-Identifier: Apache-2.0
// prctl and arch_prctl. What Linux keeps for each thread or process is kept here; harmless settings of the host process pass. Settings
// that would take the kernel's own ways from it are refused.
#include <asm/prctl.h>
#include <sys/prctl.h>

#include "kernel/door/guest_handlers.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/process/process.h"

namespace junction {
namespace {

constexpr uint64_t kAddressEnd = 0x7ffffffff000;
constexpr size_t kName_bytes = sizeof(GuestThread::name);

int64_t PutInt(uint64_t address, int32_t value) { return CopyToGuest(address, &value, sizeof(value)) ? 0 : -EFAULT; }

int64_t SetName(Call& call) {
  char name[kName_bytes];
  const int64_t length = CopyTextFromGuest(name, call.arg(1), sizeof(name));
  if (length == -EFAULT) {
    return -EFAULT;
  }
  const size_t size = length < 0 ? kName_bytes - 1 : static_cast<size_t>(length);
  GuestThread& thread = call.thread();
  for (size_t i = 0; i < kName_bytes; ++i) {
    thread.name[i] = i < size ? name[i] : '\0';
  }
  if (thread.tid == call.process().pid) {
    HostCall(SYS_prctl, PR_SET_NAME, thread.name, 0, 0, 0);  // what ps shows outside
  }
  return 0;
}

int64_t SetDeathSignal(Call& call) {
  if (call.arg(1) > static_cast<uint64_t>(kSignals)) {
    return -EINVAL;
  }
  call.process().death_signal = call.int_arg(1);
  return 0;
}

int64_t SetDumpable(Call& call) {
  if (call.arg(1) > 1) {
    return -EINVAL;
  }
  call.process().is_dumpable = call.arg(1) == 1;
  return 0;
}

}  // namespace

int64_t SysPrctl(Call& call) {
  UProc& process = call.process();
  switch (call.int_arg(0)) {
    case PR_SET_PDEATHSIG:
      return SetDeathSignal(call);
    case PR_GET_PDEATHSIG:
      return PutInt(call.arg(1), process.death_signal);
    case PR_SET_DUMPABLE:
      return SetDumpable(call);
    case PR_GET_DUMPABLE:
      return process.is_dumpable ? 1 : 0;
    case PR_SET_NAME:
      return SetName(call);
    case PR_GET_NAME:
      return CopyToGuest(call.arg(1), call.thread().name, kName_bytes) ? 0 : -EFAULT;
    case PR_SET_CHILD_SUBREAPER:
      process.is_child_subreaper = call.arg(1) != 0;
      return 0;
    case PR_GET_CHILD_SUBREAPER:
      return PutInt(call.arg(1), process.is_child_subreaper ? 1 : 0);
    case PR_GET_TID_ADDRESS:
      return CopyToGuest(call.arg(1), &call.thread().clear_child_tid, sizeof(uint64_t)) ? 0 : -EFAULT;
    case PR_GET_SECCOMP:
      return 0;
    case PR_SET_SECCOMP:  // a filter of the guest's would have to admit the kernel's own calls
      return -EINVAL;
    case PR_SET_MM:
      return -EPERM;
    case PR_GET_KEEPCAPS:
    case PR_SET_KEEPCAPS:
    case PR_GET_TIMING:
    case PR_SET_TIMING:
    case PR_CAPBSET_READ:
    case PR_CAPBSET_DROP:
    case PR_GET_SECUREBITS:
    case PR_SET_SECUREBITS:
    case PR_GET_TIMERSLACK:
    case PR_SET_TIMERSLACK:
    case PR_TASK_PERF_EVENTS_DISABLE:
    case PR_TASK_PERF_EVENTS_ENABLE:
    case PR_MCE_KILL:
    case PR_MCE_KILL_GET:
    case PR_SET_NO_NEW_PRIVS:
    case PR_GET_NO_NEW_PRIVS:
    case PR_SET_THP_DISABLE:
    case PR_GET_THP_DISABLE:
    case PR_CAP_AMBIENT:
    case PR_GET_SPECULATION_CTRL:
    case PR_SET_PTRACER:
    case PR_SET_VMA:
      return call.ToHost();
    default:  // syscall user dispatch would take the net away; the rest is of other machines or newer than this table
      return -EINVAL;
  }
}

int64_t SysArchPrctl(Call& call) {
  switch (call.int_arg(0)) {
    case ARCH_SET_FS:
      if (call.arg(1) >= kAddressEnd) {
        return -EPERM;
      }
      WriteFsBase(call.thread(), call.arg(1));
      return 0;
    case ARCH_GET_FS: {
      const uint64_t base = ReadFsBase(call.thread());
      return CopyToGuest(call.arg(1), &base, sizeof(base)) ? 0 : -EFAULT;
    }
    case ARCH_SET_GS:  // the kthread hangs on it
    case ARCH_GET_GS:
      return -EPERM;
    case ARCH_GET_CPUID:
      return 1;
    case ARCH_SET_CPUID:  // faulting would hit the kernel too
      return call.arg(1) != 0 ? 0 : -ENODEV;
    default:
      return -EINVAL;
  }
}

}  // namespace junction
