// SPDX-License-Identifier: Apache-2.0
// All kernel objects of an instance: one shared mapping at kArenaLow in every uProc, so that pointers into it, and pointers to the
// kernel's own code and constants (junction_run is linked to one address), mean the same in each. Survives fork and exec.
//
//   kArenaLow  +------------------------+
//              | ArenaHeader, one page  |
//              +------------------------+
//              | pages, handed out in   |  powers of two from 32 bytes to 1 MiB; freed blocks go to their size's list
//              | rising order           |
//              +------------------------+
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "base/list.h"
#include "uthread/address_map.h"
#include "uthread/kernel_lock.h"
#include "uthread/net_keeper.h"

namespace junction {

inline constexpr uint64_t kArenaMagic = 0x4152454e414a4e43ULL;
inline constexpr int kArenaClasses = 16;  // 32 bytes << n

/// What the first process of the instance learned of the machine, so that no other has to ask: CPUID leaves a virtual machine each time
/// (vector_state.cc).
struct VectorFormat {
  uint32_t mask;        // of the components that this machine has; 0 = not known yet
  uint32_t size_bytes;  // of the standard format with them
  uint32_t offset[8];   // of each component, in that format
  bool has_xsaveopt;
  bool can_move;  // by vector_moves.S
};

struct ArenaHeader {
  uint64_t magic;
  KernelLock lock;  // the kernel lock
  std::atomic<uint32_t>
      has_company;  // 1 from the second kthread of the instance on (of any uProc): locking needs atomics from then on
  uint32_t has_first_kthread;
  uint64_t used_bytes;  // from kArenaLow on: what was ever handed out
  void* free_blocks[kArenaClasses];
  uint64_t live_bytes[kArenaClasses];
  void* kernel_root;                     // the kernel layer's own root object (kernel/instance.h)
  std::atomic<uint32_t> clone_progress;  // kernel/clone/clone_steps.h
  VectorFormat vector_format;
  ControlIdle* idle_counters;  // in the control block
  NetKeeper net;
};

inline ArenaHeader& Arena() { return *reinterpret_cast<ArenaHeader*>(kArenaLow); }

/// One more of what ControlIdle counts. Kernel lock held, but for `parks`, where a lost count does no harm.
inline void Count(std::atomic<uint64_t> ControlIdle::* counter, uint64_t count = 1) {
  if (ControlIdle* const counters = Arena().idle_counters; counters != nullptr) {
    std::atomic<uint64_t>& value = counters->*counter;
    value.store(value.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
}

/// Maps the arena of descriptor `memfd` at its address; a fresh (all zero) one is initialised. 0 or -errno.
int64_t MapArena(int memfd);

/// True once this process image has mapped the arena.
bool IsArenaMapped();

/// Zeroed memory of at least `size_bytes` (at most 1 MiB), aligned to its size class' power of two up to a page. Null if the host has
/// no more memory for the instance. Kernel lock held.
void* ArenaAllocate(size_t size_bytes);

/// Gives memory back that ArenaAllocate handed out for the same size. Kernel lock held.
void ArenaFree(void* memory, size_t size_bytes);

template <typename T, typename... Args>
T* ArenaNew(Args&&... args) {
  void* const memory = ArenaAllocate(sizeof(T));
  return memory == nullptr ? nullptr : new (memory) T(std::forward<Args>(args)...);
}

template <typename T>
void ArenaDelete(T* object) {
  if (object != nullptr) {
    object->~T();
    ArenaFree(object, sizeof(T));
  }
}

/// All that is allocated. Kernel lock held.
uint64_t ArenaLive_bytes();

}  // namespace junction
