// SPDX-License-Identifier: Apache-2.0
#include "kernel/memory/memory.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <atomic>

#include "kernel/guest/guest_path.h"
#include "kernel/memory/mapped_object.h"
#include "kernel/memory/rlimit.h"
#include "kernel/memory/vma.h"
#include "kernel/process/uproc.h"
#include "uthread/arena.h"
#include "uthread/host_call.h"

namespace junction {
namespace {

// States of AddressSpace::lock_word.
constexpr uint32_t kFree = 0;
constexpr uint32_t kHeld = 1;
constexpr uint32_t kHeldWithWaiters = 2;

std::atomic_ref<uint32_t> LockWord(AddressSpace& space) { return std::atomic_ref<uint32_t>(space.lock_word); }

}  // namespace

AddressSpace* NewAddressSpace() {
  auto* const space = ArenaNew<AddressSpace>();
  if (space != nullptr) {
    space->references = 1;
    space->id = ++TheInstance().next_memory_id;
    space->size_limit_bytes = OwnAddressSpaceLimit();
  }
  return space;
}

AddressSpace* CopyAddressSpace(const AddressSpace& space) {
  AddressSpace* const copy = NewAddressSpace();
  if (copy == nullptr) {
    return nullptr;
  }
  copy->brk_start = space.brk_start;
  copy->brk_now = space.brk_now;
  copy->brk_limit = space.brk_limit;
  copy->size_limit_bytes = space.size_limit_bytes;
  copy->has_fork_advice = space.has_fork_advice;
  if (!CopyVmas(*copy, space)) {
    UnreferenceAddressSpace(*copy);
    return nullptr;
  }
  return copy;
}

void UnreferenceAddressSpace(AddressSpace& space) {
  if (--space.references != 0) {
    return;
  }
  FreeVmas(space);
  UnreferenceObject(space.last_object);
  ArenaDelete(&space);
}

void ApplyForkAdvice(AddressSpace& space) {
  if (!space.has_fork_advice || !SetSpareVmasAside(space)) {
    return;
  }
  for (Vma* vma = FindVmaFrom(space, 0); vma != nullptr;) {
    const uint64_t start = vma->start;
    const uint64_t end = vma->end;
    if ((vma->flags & kVmaDontFork) != 0) {
      HostCall(SYS_munmap, start, end - start);
      RemoveVmas(space, start, end);
    } else if ((vma->flags & kVmaWipeOnFork) != 0) {
      HostCall(SYS_madvise, start, end - start, MADV_DONTNEED);
    }
    vma = FindVmaFrom(space, end);
  }
}

bool FindSharedPlace(AddressSpace& space, uint64_t address, SharedPlace& out) {
  const Vma* const vma = FindVma(space, address);
  if (vma == nullptr || (vma->flags & kVmaShared) == 0 || vma->object == nullptr) {
    return false;
  }
  out = {vma->object->device, vma->object->inode, vma->offset + (address - vma->start)};
  return true;
}

namespace {

// Takes the reference to `object`.
void Insert(AddressSpace& space, uint64_t address, uint64_t size_bytes, int protection, int flags, MappedObject* object,
            uint64_t offset) {
  if (!SetSpareVmasAside(space)) {
    UnreferenceObject(object);
    return;
  }
  Vma mapping = {};
  mapping.start = address;
  mapping.end = address + ((size_bytes + 4095) & ~4095ULL);
  mapping.object = object;
  mapping.offset = offset;
  mapping.flags = (static_cast<uint32_t>(protection) & kVmaProtection) | ((flags & MAP_SHARED) != 0 ? kVmaShared : 0U);
  InsertVma(space, mapping);
}

}  // namespace

void RecordMapping(AddressSpace& space, uint64_t address, uint64_t size_bytes, int protection, int flags, int fd,
                   uint64_t offset, const char* path) {
  MappedObject* object = nullptr;
  if (fd >= 0) {
    const KernelUnlockGuard unlocked;
    if (ObjectOfDescriptor(space, fd, (flags & MAP_SHARED) != 0, &object) != 0) {
      return;
    }
  } else if (path != nullptr && path[0] != '\0') {
    object = NewMappedObject(kNamedMemory, 0, path, TextLength(path));
  }
  Insert(space, address, size_bytes, protection, flags, object, offset);
}

void RecordObject(AddressSpace& space, uint64_t address, uint64_t size_bytes, int protection, MappedObject* object,
                  uint64_t offset) {
  if (object != nullptr) {
    ++object->references;
  }
  Insert(space, address, size_bytes, protection, MAP_PRIVATE, object, offset);
}

// Free to held costs one atomic; only who finds it held takes the kernel lock, and under that lock nobody can miss the wake-up.
void LockMemory(AddressSpace& space) {
  uint32_t expected = kFree;
  if (LockWord(space).compare_exchange_strong(expected, kHeld, std::memory_order_acquire)) {
    return;
  }
  const KernelLockGuard guard;
  while (LockWord(space).exchange(kHeldWithWaiters, std::memory_order_acquire) != kFree) {
    Waiter waiter(space.lock_waiters);
    Park(kNever, false);
  }
}

void UnlockMemory(AddressSpace& space) {
  if (LockWord(space).exchange(kFree, std::memory_order_release) == kHeldWithWaiters) {
    const KernelLockGuard guard;
    space.lock_waiters.WakeCount(1);
  }
}

}  // namespace junction
