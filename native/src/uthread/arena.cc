// SPDX-License-Identifier: Apache-2.0
#include "uthread/arena.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include "uthread/address_map.h"
#include "uthread/host_call.h"
#include "uthread/panic.h"

namespace junction {
namespace {

constexpr size_t kSmallest_bytes = 32;
constexpr size_t kPage_bytes = 4096;

bool g_is_mapped;

int ClassOf(size_t size_bytes) {
  if (size_bytes <= kSmallest_bytes) {
    return 0;
  }
  return 64 - __builtin_clzll(size_bytes - 1) - 5;
}

size_t ClassSize_bytes(int size_class) { return kSmallest_bytes << size_class; }

// Fresh memory of the arena; small blocks are cut from whole pages, so that none crosses one.
void* TakeFresh(int size_class) {
  ArenaHeader& arena = Arena();
  const size_t block_bytes = ClassSize_bytes(size_class);
  const size_t taken_bytes = block_bytes < kPage_bytes ? kPage_bytes : block_bytes;
  if (arena.used_bytes + taken_bytes > kArenaSize_bytes) {
    return nullptr;
  }
  char* const memory = reinterpret_cast<char*>(kArenaLow + arena.used_bytes);
  arena.used_bytes += taken_bytes;
  for (size_t at = block_bytes; at < taken_bytes; at += block_bytes) {
    *reinterpret_cast<void**>(memory + at) = arena.free_blocks[size_class];
    arena.free_blocks[size_class] = memory + at;
  }
  return memory;
}

}  // namespace

int64_t MapArena(int memfd) {
  const int64_t mapped = HostCall(SYS_mmap, kArenaLow, kArenaSize_bytes, PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, memfd, 0);
  if (IsHostError(mapped)) {
    return mapped;
  }
  g_is_mapped = true;
  ArenaHeader& arena = Arena();
  if (arena.magic != kArenaMagic) {
    arena.magic = kArenaMagic;
    arena.used_bytes = kPage_bytes;
  }
  return 0;
}

bool IsArenaMapped() { return g_is_mapped; }

void* ArenaAllocate(size_t size_bytes) {
  const int size_class = ClassOf(size_bytes);
  KERNEL_CHECK(size_class < kArenaClasses);
  ArenaHeader& arena = Arena();
  void* memory = arena.free_blocks[size_class];
  if (memory != nullptr) {
    arena.free_blocks[size_class] = *static_cast<void**>(memory);
    __builtin_memset(memory, 0, size_bytes);
  } else {
    memory = TakeFresh(size_class);
    if (memory == nullptr) {
      return nullptr;
    }
  }
  arena.live_bytes[size_class] += ClassSize_bytes(size_class);
  return memory;
}

void ArenaFree(void* memory, size_t size_bytes) {
  const int size_class = ClassOf(size_bytes);
  KERNEL_CHECK(size_class < kArenaClasses && reinterpret_cast<uint64_t>(memory) - kArenaLow < Arena().used_bytes);
  ArenaHeader& arena = Arena();
  *static_cast<void**>(memory) = arena.free_blocks[size_class];
  arena.free_blocks[size_class] = memory;
  arena.live_bytes[size_class] -= ClassSize_bytes(size_class);
}

uint64_t ArenaLive_bytes() {
  uint64_t sum_bytes = 0;
  for (const uint64_t live_bytes : Arena().live_bytes) {
    sum_bytes += live_bytes;
  }
  return sum_bytes;
}

}  // namespace junction
