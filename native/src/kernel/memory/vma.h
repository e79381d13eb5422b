// SPDX-License-Identifier: Apache-2.0
// The mappings of an address space: a treap by address (a balanced search tree; priorities are random, so no order of calls makes it
// deep). Neighbours that Linux would show as one mapping are one here.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/memory/memory.h"

namespace junction {

/// What a mapping shows, shared by all pieces of it in all uProcs. In the arena; kernel lock held.
struct MappedObject {
  uint32_t references;
  uint32_t name_size_bytes;
  uint64_t device;  // st_dev, or one of the numbers below
  uint64_t inode;   // st_ino, or which anonymous object
  // the name follows: what /proc/self/maps prints; its NUL is not counted
  const char* name() const { return reinterpret_cast<const char*>(this + 1); }
  char* name() { return reinterpret_cast<char*>(this + 1); }
};

// Devices that Linux has not.
inline constexpr uint64_t kNamedMemory = ~0ULL;      // private memory with a name ([stack])
inline constexpr uint64_t kAnonymousObject = ~1ULL;  // shared anonymous memory; inode = its number in the instance
inline constexpr uint64_t kSystemVObject = ~2ULL;    // shmat; inode = its shmid

enum VmaFlags : uint32_t {
  kVmaRead = 1,  // PROT_READ …
  kVmaWrite = 2,
  kVmaExec = 4,
  kVmaProtection = 7,
  kVmaShared = 8,
  kVmaDontFork = 16,
  kVmaWipeOnFork = 32,
};

struct Vma {
  uint64_t start;
  uint64_t end;
  Vma* left;
  Vma* right;
  MappedObject* object;  // a reference; null = private anonymous memory
  uint64_t offset;       // in the object, bytes
  uint32_t flags;
  uint32_t priority;

  uint64_t size_bytes() const { return end - start; }
};

/// Nodes that one change of mappings may need.
inline constexpr uint32_t kSpareVmas = 6;

/// Sees to it that the changes of one call cannot fail for want of memory: false if they might. Memory lock and kernel lock held.
bool SetSpareVmasAside(AddressSpace& space);

/// First mapping that ends above `address`, null if there is none. Either lock held.
Vma* FindVmaFrom(const AddressSpace& space, uint64_t address);

/// The mapping that `address` lies in, or null.
inline Vma* FindVma(const AddressSpace& space, uint64_t address) {
  Vma* const vma = FindVmaFrom(space, address);
  return vma != nullptr && vma->start <= address ? vma : nullptr;
}

// The rest: memory lock and kernel lock held, spare nodes set aside.

/// Enters a mapping (links and priority are ignored, a reference to its object is taken over); replaces what was in its range.
void InsertVma(AddressSpace& space, const Vma& mapping);

/// Takes all of [low, high) out.
void RemoveVmas(AddressSpace& space, uint64_t low, uint64_t high);

/// flags = (flags & ~clear) | set for all mappings in [low, high), up to the first gap; true if there is none.
bool ChangeVmaFlags(AddressSpace& space, uint64_t low, uint64_t high, uint32_t clear, uint32_t set);

/// Bytes mapped within [low, high).
uint64_t MappedBytes(const AddressSpace& space, uint64_t low, uint64_t high);

/// A copy of the tree for `to`, which is empty. False if memory is short (then `to` has part of it).
bool CopyVmas(AddressSpace& to, const AddressSpace& from);

/// Frees the tree and the spare nodes.
void FreeVmas(AddressSpace& space);

}  // namespace junction
