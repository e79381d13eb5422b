// SPDX-License-Identifier: Apache-2.0
// mmap, munmap, mprotect, brk: the host maps, the table of the address space follows. Read first: mmap(2), brk(2). mremap has a file of its own.
// All are FAST rows: they take the memory lock, and the kernel lock only to change the table. Hot path: no host call but the guest's
// own for memory without a file.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kernel/door/guest_handlers.h"
#include "kernel/door/loader_hooks.h"
#include "kernel/files/file.h"
#include "kernel/guest/guest_range.h"
#include "kernel/memory/mapped_object.h"
#include "kernel/memory/memory_limit.h"
#include "kernel/memory/memory_lock.h"
#include "kernel/memory/vma.h"
#include "uthread/address_map.h"

namespace junction {
namespace {

/// mmap's arguments.
struct MapRequest {
  uint64_t address;
  uint64_t size_bytes;
  int32_t protection;
  int32_t flags;
  int32_t fd;
  uint64_t offset;

  bool is_anonymous() const { return (flags & MAP_ANONYMOUS) != 0; }
  bool is_shared() const { return (flags & MAP_TYPE) != MAP_PRIVATE; }  // MAP_SHARED, MAP_SHARED_VALIDATE
  bool is_fixed() const { return (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0; }
  bool replaces() const { return (flags & MAP_FIXED) != 0 && (flags & MAP_FIXED_NOREPLACE) == 0; }
  bool is_code() const { return (protection & PROT_EXEC) != 0 && !is_anonymous() && !is_shared(); }
};

// What a virtual file answers, in Linux' order; host ones go on.
int64_t CheckFile(const MapRequest& request) {
  const KernelLockGuard guard;
  const File* const file = GetFile(request.fd);
  if (file == nullptr) {
    return -EBADF;
  }
  if (!file->is_virtual()) {
    return 0;
  }
  const uint32_t access = file->status_flags & O_ACCMODE;
  if (request.size_bytes == 0) {
    return -EINVAL;
  }
  if (access == O_WRONLY || (request.is_shared() && (request.protection & PROT_WRITE) != 0 && access == O_RDONLY)) {
    return -EACCES;
  }
  return -ENODEV;
}

// Keeps mappings out of the kernel's memory: 0 or -errno.
int64_t CheckPlace(MapRequest& request) {
  if (!IsKernelRange(request.address, request.size_bytes)) {
    return 0;
  }
  if (!request.is_fixed()) {
    request.address = 0;  // only a hint
    return 0;
  }
  return request.replaces() ? -ENOMEM : -EEXIST;
}

int64_t FindObject(AddressSpace& space, const MapRequest& request, MappedObject** out) {
  *out = nullptr;
  if (!request.is_anonymous()) {
    return ObjectOfDescriptor(space, request.fd, request.is_shared(), out);
  }
  if (!request.is_shared()) {
    return 0;
  }
  const KernelLockGuard guard;
  *out = NewAnonymousObject();
  return *out == nullptr ? -ENOMEM : 0;
}

void DropObject(MappedObject* object) {
  if (object != nullptr) {
    const KernelLockGuard guard;
    UnreferenceObject(object);
  }
}

void Record(AddressSpace& space, const MapRequest& request, uint64_t address, MappedObject* object) {
  Vma mapping = {};
  mapping.start = address;
  mapping.end = address + PageUp(request.size_bytes);
  mapping.object = object;
  mapping.offset = request.is_anonymous() ? 0 : request.offset;
  mapping.flags =
      (static_cast<uint32_t>(request.protection) & kVmaProtection) | (request.is_shared() ? kVmaShared : 0U);
  const KernelLockGuard guard;
  InsertVma(space, mapping);
}

uint32_t FutureLockFlag(const AddressSpace& space) {
  // MCL_ONFAULT has no flag of mmap: such memory is locked as it is touched anyway or after the call.
  return space.locks_future && !space.locks_on_fault ? MAP_LOCKED : 0U;
}

// mmap with all checks done. Memory lock held.
int64_t Map(AddressSpace& space, const MapRequest& request) {
  MappedObject* object = nullptr;
  if (const int64_t error = FindObject(space, request, &object); error != 0) {
    return error;
  }
  const int64_t result =
      HostCall(SYS_mmap, request.address, request.size_bytes, request.protection,
               static_cast<uint32_t>(request.flags) | FutureLockFlag(space), request.fd, request.offset);
  if (IsHostError(result)) {
    DropObject(object);
    return result;
  }
  const auto address = static_cast<uint64_t>(result);
  if (IsKernelRange(address, request.size_bytes)) [[unlikely]] {  // MAP_32BIT found a gap of ours
    HostCall(SYS_munmap, address, request.size_bytes);
    DropObject(object);
    return -ENOMEM;
  }
  if (request.replaces()) {
    g_loader_hooks.forget_range(address, PageUp(request.size_bytes));
  }
  if (request.is_code()) {
    g_loader_hooks.patch_mapping({request.fd, address, request.size_bytes, request.offset, request.protection});
  }
  Record(space, request, address, object);
  return result;
}

// Moves the end of the break's pages; false if the host or a limit says no. Memory lock held.
bool MoveBreak(AddressSpace& space, uint64_t mapped_end, uint64_t wanted_end) {
  const uint64_t more = wanted_end > mapped_end ? wanted_end - mapped_end : 0;
  if (CheckGrowth(space, more, 0, 0) != 0) {
    return false;
  }
  if (wanted_end < mapped_end) {
    if (HostCall(SYS_munmap, wanted_end, mapped_end - wanted_end) != 0) {
      return false;
    }
    const KernelLockGuard guard;
    RemoveVmas(space, wanted_end, mapped_end);
    return true;
  }
  constexpr int32_t kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
  const MapRequest request = {mapped_end, more, PROT_READ | PROT_WRITE, kFlags, -1, 0};
  return more == 0 || !IsHostError(Map(space, request));
}

}  // namespace

bool IsKernelRange(uint64_t address, uint64_t size_bytes) {
  return AddressRange{kImageLow, kFixedAreaHigh}.Overlaps(address, size_bytes) ||
         AddressRange{kKernelAreaLow, kKernelAreaHigh}.Overlaps(address, size_bytes) ||
         g_loader_hooks.is_trampoline(address, size_bytes);
}

int64_t SysMmap(Call& call) {
  MapRequest request = {call.arg(0), call.arg(1), call.int_arg(2), call.int_arg(3), call.int_arg(4), call.arg(5)};
  if (!IsPageAligned(request.offset)) {
    return -EINVAL;
  }
  if (!request.is_anonymous()) {
    if (const int64_t error = CheckFile(request); error != 0) {
      return error;
    }
  }
  AddressSpace& space = *call.process().memory;
  const MemoryLockGuard guard(space);
  if (const int64_t error = CheckPlace(request); error != 0) {
    return error;
  }
  const uint64_t replaced_high = request.replaces() ? request.address + PageUp(request.size_bytes) : 0;
  if (const int64_t error = CheckGrowth(space, PageUp(request.size_bytes), request.address, replaced_high);
      error != 0) {
    return error;
  }
  return Map(space, request);
}

int64_t SysMunmap(Call& call) {
  const uint64_t address = call.arg(0);
  const uint64_t size_bytes = PageUp(call.arg(1));
  if (IsKernelRange(address, call.arg(1))) {
    return -EINVAL;
  }
  AddressSpace& space = *call.process().memory;
  const MemoryLockGuard memory_guard(space);
  if (const int64_t error = CheckGrowth(space, 0, 0, 0); error != 0) {
    return error;
  }
  if (const int64_t error = HostCall(SYS_munmap, address, call.arg(1)); error != 0) {
    return error;
  }
  g_loader_hooks.forget_range(address, size_bytes);
  const KernelLockGuard guard;
  RemoveVmas(space, address, address + size_bytes);
  return 0;
}

int64_t SysMprotect(Call& call) {
  uint64_t low = call.arg(0);
  const uint64_t high = low + PageUp(call.arg(1));
  if (IsKernelRange(low, call.arg(1))) {
    return -EACCES;
  }
  AddressSpace& space = *call.process().memory;
  const MemoryLockGuard memory_guard(space);
  if (const int64_t error = CheckGrowth(space, 0, 0, 0); error != 0) {
    return error;
  }
  const int64_t result = HostCall(SYS_mprotect, low, call.arg(1), call.arg(2));
  if ((result != 0 && result != -ENOMEM) || high <= low) {
    return result;  // -ENOMEM: changed up to the gap, and so does the table
  }
  const KernelLockGuard guard;
  if (const Vma* const vma = FindVma(space, low); vma != nullptr && (call.arg(2) & PROT_GROWSDOWN) != 0) {
    low = vma->start;
  }
  ChangeVmaFlags(space, low, high, kVmaProtection, static_cast<uint32_t>(call.arg(2)) & kVmaProtection);
  return result;
}

// The host's own break lies behind our image, so the guest gets one of its own, made of ordinary mappings.
int64_t SysBrk(Call& call) {
  const uint64_t wanted = call.arg(0);
  AddressSpace& space = *call.process().memory;
  const MemoryLockGuard guard(space);
  if (wanted < space.brk_start || wanted > space.brk_limit ||
      !MoveBreak(space, PageUp(space.brk_now), PageUp(wanted))) {
    return static_cast<int64_t>(space.brk_now);
  }
  space.brk_now = wanted;
  return static_cast<int64_t>(wanted);
}

}  // namespace junction
