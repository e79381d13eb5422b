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

class BlockPool;  // block_pool.cc: Init(Environment, limit_bytes), Allocate() (null at the limit), Free(Block*), Trim()

/// A FIFO of bytes in blocks. No memory while it is empty.
class ByteQueue;

}  // namespace junction::net
