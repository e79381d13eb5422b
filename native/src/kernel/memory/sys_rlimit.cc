// SPDX-License-Identifier: Apache-2.0
// getrlimit, setrlimit, prlimit64. Read first: getrlimit(2), rlimit.h.
#include <sys/resource.h>
#include <sys/syscall.h>

#include "kernel/door/guest_handlers.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/memory/memory.h"
#include "kernel/memory/rlimit.h"

namespace junction {
namespace {

constexpr uint32_t kLimits = 16;  // RLIM_NLIMITS
constexpr uint32_t kLimitLocks = 10;
constexpr uint64_t kInfinity = ~0ULL;

struct Limit {
  uint64_t soft;
  uint64_t hard;
};

// The process that a thread id names, null if there is none.
UProc* ProcessOf(UProc& self, int32_t tid) {
  if (tid == 0 || tid == self.pid) {
    return &self;
  }
  const GuestThread* const thread = FindThread(tid);
  return thread != nullptr ? thread->process : FindProcess(tid);
}

// Of a process other than the caller's the host lets nobody know or set them (run/host_syscalls.cc): EPERM.
int64_t HostLimit(const UProc& process, uint32_t resource, const Limit* value, Limit* old) {
  const int32_t pid = &process == &CurrentProcess() ? 0 : process.group.host_pid;
  return HostCall(SYS_prlimit64, pid, resource, value, old);
}

// RLIMIT_LOCKS of the guest: has no effect in Linux, its host slot holds RLIMIT_AS.
int64_t ChangeLocksLimit(const Limit* value, Limit* old) {
  *old = {kInfinity, kInfinity};
  return value != nullptr && value->soft > value->hard ? -EINVAL : 0;
}

int64_t ChangeLimit(UProc& process, uint32_t resource, const Limit* value, Limit* old) {
  if (resource >= kLimits) {
    return -EINVAL;
  }
  if (resource == kLimitLocks) {
    return ChangeLocksLimit(value, old);
  }
  if (resource != RLIMIT_AS) {
    return HostLimit(process, resource, value, old);
  }
  const int64_t error = HostLimit(process, kLimitLocks, value, old);
  if (error == 0 && value != nullptr && process.memory != nullptr) {
    process.memory->size_limit_bytes = value->soft;
  }
  return error;
}

}  // namespace

uint64_t OwnAddressSpaceLimit() {
  Limit limit = {kInfinity, kInfinity};
  HostCall(SYS_prlimit64, 0, kLimitLocks, nullptr, &limit);
  return limit.soft;
}

int64_t SysGetrlimit(Call& call) {
  Limit limit;
  if (const int64_t error = ChangeLimit(call.process(), static_cast<uint32_t>(call.arg(0)), nullptr, &limit);
      error != 0) {
    return error;
  }
  return CopyToGuest(call.arg(1), &limit, sizeof(limit)) ? 0 : -EFAULT;
}

int64_t SysSetrlimit(Call& call) {
  Limit limit;
  Limit old;
  if (!CopyFromGuest(&limit, call.arg(1), sizeof(limit))) {
    return -EFAULT;
  }
  return ChangeLimit(call.process(), static_cast<uint32_t>(call.arg(0)), &limit, &old);
}

int64_t SysPrlimit64(Call& call) {
  Limit limit;
  Limit old;
  if (call.arg(2) != 0 && !CopyFromGuest(&limit, call.arg(2), sizeof(limit))) {
    return -EFAULT;
  }
  UProc* const process = ProcessOf(call.process(), call.int_arg(0));
  if (process == nullptr) {
    return -ESRCH;
  }
  const auto resource = static_cast<uint32_t>(call.arg(1));
  if (const int64_t error = ChangeLimit(*process, resource, call.arg(2) != 0 ? &limit : nullptr, &old); error != 0) {
    return error;
  }
  return call.arg(3) == 0 || CopyToGuest(call.arg(3), &old, sizeof(old)) ? 0 : -EFAULT;
}

}  // namespace junction
