// SPDX-License-Identifier: Apache-2.0
// The bounded pool of fixed-size blocks in which sockets keep what is to be sent or read. It grows in steps (kStep_bytes), hands out the
// block that came back last (the warmest), and gives steps whose blocks are all free back to the environment when Trim is called (idle).
#pragma once

#include <cstdint>

#include "base/list.h"
#include "net/memory.h"

namespace junction::net {

inline constexpr uint32_t kBlock_bytes = 4096;
inline constexpr uint32_t kStep_bytes = 64 * 1024;
inline constexpr uint32_t kBlocksInStep = kStep_bytes / kBlock_bytes;

/// Payload bytes [begin, end) of `data`. Singly linked into a ByteQueue.
struct Block {
  Block* next;
  uint16_t begin;
  uint16_t end;
  uint32_t step;  // the pool's
  static constexpr uint32_t kCapacity_bytes = kBlock_bytes - 16;
  uint8_t data[kCapacity_bytes];

  uint32_t size_bytes() const { return static_cast<uint32_t>(end - begin); }
};
static_assert(sizeof(Block) == kBlock_bytes);

/// Hot path: Allocate and Free touch the free list and one counter.
class BlockPool {
 public:
  void Init(const Environment& environment, uint32_t limit_bytes);
  /// Everything must have come back.
  void Destroy();

  /// An empty block (begin = end = 0, next null); null at the limit, or if the environment has no memory.
  Block* Allocate();
  void Free(Block* block);
  /// Gives unused steps back.
  void Trim();

  uint32_t used_blocks() const { return used_; }
  uint32_t limit_blocks() const { return limit_steps_ * kBlocksInStep; }
  /// Memory held, used or not.
  uint32_t held_bytes() const { return held_steps_ * kStep_bytes; }
  /// Little is left: sockets should not grow their buffers (tcp_mem's "pressure").
  bool is_scarce() const { return used_ > limit_blocks() / 4 * 3; }

 private:
  struct Step {
    Block* blocks;  // null = not there
    uint32_t used;
  };
  bool Grow();
  bool GrowTable();

  const Environment* environment_ = nullptr;
  Block* free_ = nullptr;
  Step* steps_ = nullptr;
  uint32_t step_room_ = 0;
  uint32_t limit_steps_ = 0;
  uint32_t held_steps_ = 0;
  uint32_t used_ = 0;
};

}  // namespace junction::net

// Its users want both.
#include "net/byte_queue.h"
