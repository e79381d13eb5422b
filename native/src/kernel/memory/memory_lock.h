// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernel/memory/memory.h"

namespace junction {

/// Holds the memory lock. The kernel lock is not held where one begins.
class MemoryLockGuard {
 public:
  explicit MemoryLockGuard(AddressSpace& space) : space_(space) { LockMemory(space); }
  ~MemoryLockGuard() { UnlockMemory(space_); }
  MemoryLockGuard(const MemoryLockGuard&) = delete;
  MemoryLockGuard& operator=(const MemoryLockGuard&) = delete;

 private:
  AddressSpace& space_;
};

}  // namespace junction
