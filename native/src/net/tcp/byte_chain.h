// SPDX-License-Identifier: Apache-2.0
// Hot path. Bytes in blocks, with what TCP needs beyond a FIFO: reading from any offset, joining two chains.
#pragma once

#include <cstdint>

#include "net/block_pool.h"

namespace junction::net {

struct ByteChain {
  Block* head = nullptr;
  Block* tail = nullptr;
  uint32_t size_bytes = 0;
  uint32_t block_count = 0;  // 4 KiB each: what the chain really takes

  /// Room at the tail, at least one byte; null if the pool has no block.
  uint8_t* Room(BlockPool& pool, uint32_t& room_bytes);
  /// So much of that room was filled.
  void Filled(uint32_t filled_bytes) {
    tail->end = static_cast<uint16_t>(tail->end + filled_bytes);
    size_bytes += filled_bytes;
  }
  /// Gives an empty tail block back (Room was asked for, and nothing came).
  void DropEmptyTail(BlockPool& pool);
  /// Copies bytes in; how many (fewer if the pool has no more blocks). Reads each byte of `from` once.
  uint32_t Append(BlockPool& pool, const uint8_t* from, uint32_t count);
  /// Takes all of `other`'s bytes over: by linking, or by a copy if they fit into the last block.
  void Join(BlockPool& pool, ByteChain& other);
  /// The first `count` bytes are not needed any more.
  void DropFront(BlockPool& pool, uint32_t count);
  void Clear(BlockPool& pool) { DropFront(pool, size_bytes); }
};

/// A place in a chain that is read in order: keeps the walk from the head short. Forget it (block = null) when the block may be gone.
struct ChainCursor {
  Block* block = nullptr;
  uint32_t start = 0;  // position (in the caller's numbering) of the block's first byte
};

/// Copies `count` bytes from position `from` on; `head_position` is that of the chain's first byte. Positions are modulo 2^32.
void CopyFromChain(const ByteChain& chain, ChainCursor& cursor, uint32_t head_position, uint32_t from, uint8_t* to,
                   uint32_t count);

}  // namespace junction::net
