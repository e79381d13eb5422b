// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "net/block_pool.h"
#include "net/span.h"

namespace junction::net {

/// A FIFO of bytes in blocks. No memory while it is empty. Zero memory is an empty queue. Reading at offsets that grow is O(1) a block: the
/// place of the last look is kept.
class ByteQueue {
 public:
  uint32_t size_bytes() const { return size_; }

  /// Room behind the last byte, one contiguous piece of at least one byte; empty if the pool has no block. Commit what was written there.
  Span WriteSpan(BlockPool& pool);
  void Commit(uint32_t size_bytes);
  /// A bare block may remain after WriteSpan without Commit; gives it back.
  void DropUnused(BlockPool& pool);
  /// Copies in; all or nothing.
  bool Append(BlockPool& pool, const void* data, uint32_t size_bytes);

  /// The contiguous piece from `offset_bytes` on; empty at the end.
  Span ReadSpan(uint32_t offset_bytes);
  /// Copies out, as much as there is; returns how much.
  uint32_t CopyOut(uint32_t offset_bytes, void* to, uint32_t size_bytes);
  /// The first bytes are not needed any more (at most size_bytes()).
  void Consume(BlockPool& pool, uint32_t size_bytes);
  /// Cuts the queue to its first `size_bytes` bytes: takes back what was appended last.
  void Truncate(BlockPool& pool, uint32_t size_bytes);
  void Clear(BlockPool& pool);

 private:
  Block* FindBlock(uint64_t position);

  Block* head_ = nullptr;
  Block* tail_ = nullptr;
  Block* hint_ = nullptr;       // the block of the last look …
  uint64_t hint_position_ = 0;  // … and the position of its first byte
  uint64_t position_ = 0;       // of the first byte since the beginning
  uint32_t size_ = 0;
};

}  // namespace junction::net
