// SPDX-License-Identifier: Apache-2.0
// madvise, mlockall, munlockall. Read first: madvise(2), mlock(2).
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kernel/door/guest_handlers.h"
#include "kernel/guest/guest_range.h"
#include "kernel/memory/memory_lock.h"
#include "kernel/memory/vma.h"

namespace junction {
namespace {

struct FlagChange {
  uint32_t clear;
  uint32_t set;
};

// What happens to memory in a forked child is kept by us: see ApplyForkAdvice. False for other advice.
bool IsForkAdvice(int32_t advice, FlagChange& change) {
  switch (advice) {
    case MADV_DONTFORK:
      change = {0, kVmaDontFork};
      return true;
    case MADV_DOFORK:
      change = {kVmaDontFork, 0};
      return true;
    case MADV_WIPEONFORK:
      change = {0, kVmaWipeOnFork};
      return true;
    case MADV_KEEPONFORK:
      change = {kVmaWipeOnFork, 0};
      return true;
    default:
      return false;
  }
}

// MADV_WIPEONFORK is for private memory without a file.
bool HasObject(const AddressSpace& space, uint64_t low, uint64_t high) {
  for (const Vma* vma = FindVmaFrom(space, low); vma != nullptr && vma->start < high;
       vma = FindVmaFrom(space, vma->end)) {
    if (vma->object != nullptr && vma->object->device != kNamedMemory) {
      return true;
    }
  }
  return false;
}

int64_t AdviseFork(AddressSpace& space, uint64_t address, uint64_t size_bytes, FlagChange change) {
  const uint64_t high = address + PageUp(size_bytes);
  if (!IsPageAligned(address) || (size_bytes != 0 && PageUp(size_bytes) == 0) || high < address) {
    return -EINVAL;
  }
  if (high == address) {
    return 0;
  }
  const MemoryLockGuard memory_guard(space);
  const KernelLockGuard guard;
  if (change.set == kVmaWipeOnFork && HasObject(space, address, high)) {
    return -EINVAL;
  }
  if (!SetSpareVmasAside(space)) {
    return -ENOMEM;
  }
  space.has_fork_advice |= change.set != 0;
  return ChangeVmaFlags(space, address, high, change.clear, change.set) ? 0 : -ENOMEM;
}

// The host's own mlockall would fill and lock all of the arena. So each of the guest's mappings is locked by itself; as with
// mlockall, what cannot be read in is no error.
int64_t LockPresent(AddressSpace& space, bool on_fault) {
  for (const Vma* vma = FindVmaFrom(space, 0); vma != nullptr; vma = FindVmaFrom(space, vma->end)) {
    // The host grows the stack by itself, so of that the table knows more than there is.
    const bool is_named = vma->object != nullptr && vma->object->device == kNamedMemory;
    const int64_t error = HostCall(SYS_mlock2, vma->start, vma->size_bytes(), on_fault ? MLOCK_ONFAULT : 0);
    if (error == -EPERM || (error == -ENOMEM && !is_named && (vma->flags & kVmaProtection) != 0)) {
      return error;
    }
  }
  return 0;
}

}  // namespace

int64_t SysMadvise(Call& call) {
  if (IsKernelRange(call.arg(0), call.arg(1))) {
    return -EINVAL;
  }
  FlagChange change;
  if (IsForkAdvice(call.int_arg(2), change)) {
    return AdviseFork(*call.process().memory, call.arg(0), call.arg(1), change);
  }
  return call.ToHost();
}

int64_t SysMlockall(Call& call) {
  constexpr uint64_t kAll = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT;
  const uint64_t flags = call.arg(0);
  if ((flags & ~kAll) != 0 || (flags & (MCL_CURRENT | MCL_FUTURE)) == 0) {
    return -EINVAL;
  }
  AddressSpace& space = *call.process().memory;
  const MemoryLockGuard guard(space);
  if ((flags & MCL_CURRENT) != 0) {
    if (const int64_t error = LockPresent(space, (flags & MCL_ONFAULT) != 0); error != 0) {
      return error;
    }
  }
  space.locks_future = (flags & MCL_FUTURE) != 0;
  space.locks_on_fault = (flags & MCL_ONFAULT) != 0;
  return 0;
}

int64_t SysMunlockall(Call& call) {
  AddressSpace& space = *call.process().memory;
  const MemoryLockGuard guard(space);
  space.locks_future = false;
  for (const Vma* vma = FindVmaFrom(space, 0); vma != nullptr; vma = FindVmaFrom(space, vma->end)) {
    HostCall(SYS_munlock, vma->start, vma->size_bytes());
  }
  return 0;
}

}  // namespace junction
