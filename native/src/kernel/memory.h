// SPDX-License-Identifier: Apache-2.0
// A guest address space: which mapping the guest made where. The host does the mapping; this table answers /proc/self/maps, finds
// the key of a shared futex, counts against RLIMIT_AS and keeps the guest's hands off our own memory.
#pragma once

#include <cstdint>

#include "uthread/list.h"

namespace junction {

/// In the arena; shared by a vfork child and its parent. Kernel lock held.
struct AddressSpace {
  uint32_t references;
  uint64_t id;  // unique in the instance: key of private futexes
  uint64_t brk_start;
  uint64_t brk_now;  // as the guest set it; mapped up to the next page
  uint64_t brk_limit;
  uint64_t size_bytes;  // sum of all mappings
  void* root;           // memory.cc: tree of VMAs
  uint32_t lock_word;   // the memory lock: mapping changes that need host calls are made under it, not under the kernel lock
};

/// A place in shared memory that is the same for all processes that map it.
struct SharedPlace {
  uint64_t object_hi;  // device, or kAnonymousObject
  uint64_t object_lo;  // inode, or the id of the shared anonymous mapping
  uint64_t offset;
};

AddressSpace* NewAddressSpace();
/// For fork.
AddressSpace* CopyAddressSpace(const AddressSpace& space);
void UnreferenceAddressSpace(AddressSpace& space);

/// True if `address` lies in a shared mapping, and then where.
bool FindSharedPlace(AddressSpace& space, uint64_t address, SharedPlace& out);

/// The loader tells of the program's own mappings (segments, interpreter, stack, vDSO). `path` may be empty, "[stack]", "[vdso]".
void RecordMapping(AddressSpace& space, uint64_t address, uint64_t size_bytes, int protection, int flags, int fd,
                   uint64_t offset, const char* path);

/// Changes of mappings that make host calls are serialised by this (kernel lock not held; parks the uthread, so other uthreads go on).
void LockMemory(AddressSpace& space);
void UnlockMemory(AddressSpace& space);

}  // namespace junction
