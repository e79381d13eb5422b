// SPDX-License-Identifier: Apache-2.0
// shmat, shmdt: System V segments are the host's, the table of mappings learns of them. Read first: shmop(2).
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "kernel/door/guest_handlers.h"
#include "kernel/guest/guest_range.h"
#include "kernel/memory/mapped_object.h"
#include "kernel/memory/memory_lock.h"
#include "kernel/memory/vma.h"
#include "uthread/text_buffer.h"

namespace junction {
namespace {

// Named as Linux does. Kernel lock held.
MappedObject* NewSegmentObject(int32_t id, uint32_t key) {
  TextBuffer<40> name;
  name.Add("/SYSV");
  for (int shift = 28; shift >= 0; shift -= 4) {
    name.AddUnsigned(key >> shift & 0xf, 16);
  }
  name.Add(" (deleted)");
  return NewMappedObject(kSystemVObject, static_cast<uint64_t>(id), name.data(), name.size());
}

uint32_t ProtectionOf(int32_t flags) {
  return kVmaShared | kVmaRead | ((flags & SHM_RDONLY) != 0 ? 0U : kVmaWrite) |
         ((flags & SHM_EXEC) != 0 ? kVmaExec : 0U);
}

}  // namespace

int64_t SysShmat(Call& call) {
  shmid_ds segment;
  if (const int64_t error = HostCall(SYS_shmctl, call.int_arg(0), IPC_STAT, &segment); error != 0) {
    return error;
  }
  const uint64_t size_bytes = PageUp(segment.shm_segsz);
  if (call.arg(1) != 0 && IsKernelRange(call.arg(1), size_bytes)) {
    return -EINVAL;
  }
  AddressSpace& space = *call.process().memory;
  const MemoryLockGuard memory_guard(space);
  Vma mapping = {};
  {
    const KernelLockGuard guard;
    if (space.size_bytes + size_bytes > space.size_limit_bytes || !SetSpareVmasAside(space)) {
      return -ENOMEM;
    }
    mapping.object = NewSegmentObject(call.int_arg(0), static_cast<uint32_t>(segment.shm_perm.__key));
  }
  const int64_t result = mapping.object == nullptr ? -ENOMEM : call.ToHost();
  const KernelLockGuard guard;
  if (IsHostError(result)) {
    UnreferenceObject(mapping.object);
    return result;
  }
  mapping.start = static_cast<uint64_t>(result);
  mapping.end = mapping.start + size_bytes;
  mapping.flags = ProtectionOf(call.int_arg(2));
  InsertVma(space, mapping);
  return result;
}

int64_t SysShmdt(Call& call) {
  const uint64_t address = call.arg(0);
  AddressSpace& space = *call.process().memory;
  const MemoryLockGuard memory_guard(space);
  if (const int64_t error = call.ToHost(); error != 0) {
    return error;
  }
  const KernelLockGuard guard;
  const MappedObject* object = nullptr;
  uint64_t at = address;
  for (const Vma* vma = FindVma(space, at); vma != nullptr && vma->object != nullptr; vma = FindVmaFrom(space, at)) {
    const bool is_piece = vma->object->device == kSystemVObject && (object == nullptr || vma->object == object) &&
                          vma->offset == vma->start - address;
    if (!is_piece) {
      break;
    }
    object = vma->object;
    at = vma->end;
    RemoveVmas(space, vma->start, vma->end);
  }
  return 0;
}

}  // namespace junction
