// SPDX-License-Identifier: Apache-2.0
// From a syscall number to the code that answers it. entry.S calls through junction_dispatch_table, which is not constant only so that
// printing calls (--strace) can put itself in between. Hot path.
#include "kernel/door/dispatch.h"

#include "kernel/door/guest_handlers.h"
#include "kernel/door/guest_table.h"
#include "kernel/door/strace.h"
#include "kernel/files/file.h"

namespace junction {
namespace {

using EntryPoint = int64_t (*)(Uthread*);
using Handler = int64_t (*)(Call&);

int64_t RunHost(Uthread* uthread) {
  if (PointsIntoKernel(*uthread)) {
    return -EFAULT;
  }
  const GuestFrame& frame = uthread->frame;
  return junction_host_call(static_cast<int64_t>(uthread->syscall_number), static_cast<int64_t>(frame.rdi),
                            static_cast<int64_t>(frame.rsi), static_cast<int64_t>(frame.rdx),
                            static_cast<int64_t>(frame.r10), static_cast<int64_t>(frame.r8),
                            static_cast<int64_t>(frame.r9));
}

template <int Index, int Error>
int64_t RunHostFd(Uthread* uthread) {
  {
    const KernelLockGuard lock;
    const File* const file = GetFile(static_cast<int32_t>(uthread->frame.arg(Index)));
    if (file == nullptr) {
      return -EBADF;
    }
    if (file->is_virtual()) {
      return -Error;
    }
  }
  return RunHost(uthread);
}

template <Handler Handle>
int64_t RunFast(Uthread* uthread) {
  Call call(*static_cast<GuestThread*>(uthread));
  return Handle(call);
}

// Bit i: argument i is a pointer. Known at compile time, as these rows are hot (PointsIntoKernel is for the others).
constexpr uint32_t PointersIn(const char* letters) {
  uint32_t pointers = 0;
  for (int i = 0; letters[i] != '\0'; ++i) {
    pointers |= letters[i] == 'p' ? 1U << i : 0U;
  }
  return pointers;
}

template <uint32_t Pointers>
bool HasKernelPointer(const GuestFrame& frame) {
  bool has_one = false;
  for (int i = 0; i < 6; ++i) {
    if ((Pointers >> i & 1) != 0) {
      has_one = has_one || IsKernelAddress(frame.arg(i));
    }
  }
  return has_one;
}

template <Handler Handle, uint32_t Pointers>
int64_t RunKernel(Uthread* uthread) {
  if (HasKernelPointer<Pointers>(uthread->frame)) [[unlikely]] {
    return -EFAULT;
  }
  const KernelLockGuard lock;
  Call call(*static_cast<GuestThread*>(uthread));
  return Handle(call);
}

int64_t RunMissing(Uthread*) { return -ENOSYS; }
int64_t RunDenied(Uthread*) { return -EPERM; }

struct DispatchTable {
  EntryPoint entries[GUEST_TABLE_ROWS];
};

constexpr DispatchTable MakeDispatchTable() {
  DispatchTable table = {};
  for (EntryPoint& entry : table.entries) {
    entry = &RunMissing;
  }
#define HOST(number, name, arguments, note) table.entries[number] = &RunHost;
#define HOST_FD(number, name, index, error, arguments, note) table.entries[number] = &RunHostFd<index, error>;
#define FAST(number, name, level, handler, arguments, note) table.entries[number] = &RunFast<&Sys##handler>;
#define KERNEL(number, name, level, handler, arguments, note) \
  table.entries[number] = &RunKernel<&Sys##handler, PointersIn(arguments)>;
#define MISSING(number, name, arguments, note)
#define DENIED(number, name, arguments, note) table.entries[number] = &RunDenied;
#include "kernel/door/guest_syscalls.inc"
#undef HOST
#undef HOST_FD
#undef FAST
#undef KERNEL
#undef MISSING
#undef DENIED
  return table;
}

constinit const DispatchTable kDispatchTable = MakeDispatchTable();

int64_t RunTraced(Uthread* uthread) {
  auto& thread = *static_cast<GuestThread*>(uthread);
  TraceCall(thread);
  const int64_t result = kDispatchTable.entries[thread.syscall_number](uthread);
  TraceResult(thread, result);
  return result;
}

}  // namespace
}  // namespace junction

extern "C" {
constinit junction::DispatchTable junction_dispatch_table = junction::MakeDispatchTable();
}

namespace junction {

void PrepareDispatch(bool prints_calls) {
  if (prints_calls) {
    for (EntryPoint& entry : junction_dispatch_table.entries) {
      entry = &RunTraced;
    }
  }
}

}  // namespace junction
