// SPDX-License-Identifier: Apache-2.0
// A guest address space: which mapping the guest made where. The host does the mapping; this table answers /proc/self/maps, finds
// the key of a shared futex, counts against RLIMIT_AS and keeps the guest's hands off our own memory.
#pragma once

#include <cstdint>

#include "base/list.h"
#include "uthread/wait_queue.h"

namespace junction {

struct MappedObject;
struct Vma;

/// In the arena; shared by a vfork child and its parent. Kernel lock held.
struct AddressSpace {
  uint32_t references;
  uint64_t id;  // unique in the instance: key of private futexes
  uint64_t brk_start;
  uint64_t brk_now;  // as the guest set it; mapped up to the next page
  uint64_t brk_limit;
  uint64_t size_bytes;  // sum of all mappings
  Vma* root;            // vma.h: tree of mappings; changed under both locks, so that either suffices to read it
  uint32_t
      lock_word;  // the memory lock: mapping changes that need host calls are made under it, not under the kernel lock
  WaitQueue lock_waiters;
  Vma* spare_vmas;  // set aside before the host is asked, so that the table can follow it
  uint32_t spare_count;
  bool locks_future;  // MCL_FUTURE, with MCL_ONFAULT or without
  bool locks_on_fault;
  bool has_fork_advice;       // some mapping has MADV_DONTFORK or MADV_WIPEONFORK
  uint64_t size_limit_bytes;  // RLIMIT_AS
  MappedObject* last_object;  // of the last file mapping: programs map a file piece by piece
};

/// A place in shared memory that is the same for all processes that map it.
struct SharedPlace {
  uint64_t object_hi;  // device, or kAnonymousObject
  uint64_t object_lo;  // inode, or the id of the shared anonymous mapping
  uint64_t offset;
};

/// Empty. Null if memory is short. Kernel lock held, as for the other two.
AddressSpace* NewAddressSpace();
/// For fork. The caller holds the memory lock of `space`, too.
AddressSpace* CopyAddressSpace(const AddressSpace& space);
void UnreferenceAddressSpace(AddressSpace& space);

/// In a forked child, before it runs guest code: does what MADV_DONTFORK and MADV_WIPEONFORK asked for. The host is not told of them,
/// as a clone of the whole instance keeps everything. Kernel lock held.
void ApplyForkAdvice(AddressSpace& space);

/// True if `address` lies in a shared mapping, and then where.
bool FindSharedPlace(AddressSpace& space, uint64_t address, SharedPlace& out);

/// The loader tells of the program's own mappings (segments, interpreter, stack, vDSO). `path` may be empty, "[stack]", "[vdso]"; with
/// `fd` -1 it is only a name. Replaces what was there. Kernel lock held.
void RecordMapping(AddressSpace& space, uint64_t address, uint64_t size_bytes, int protection, int flags, int fd,
                   uint64_t offset, const char* path);

/// The same for a file whose object is known already (mapped_object.h; another reference is taken), null: anonymous memory. Private.
void RecordObject(AddressSpace& space, uint64_t address, uint64_t size_bytes, int protection, MappedObject* object,
                  uint64_t offset);

/// Changes of mappings that make host calls are serialised by this (kernel lock not held; parks the uthread, so other uthreads go on).
void LockMemory(AddressSpace& space);
void UnlockMemory(AddressSpace& space);

}  // namespace junction
