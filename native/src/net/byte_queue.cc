// SPDX-License-Identifier: Apache-2.0
// Hot path: no allocation but of blocks.
#include "net/byte_queue.h"

#include <cstring>

namespace junction::net {

Span ByteQueue::WriteSpan(BlockPool& pool) {
  if (tail_ == nullptr || tail_->end == Block::kCapacity_bytes) {
    Block* const block = pool.Allocate();
    if (block == nullptr) {
      return {};
    }
    if (tail_ == nullptr) {
      head_ = block;
    } else {
      tail_->next = block;
    }
    tail_ = block;
  }
  return {tail_->data + tail_->end, Block::kCapacity_bytes - tail_->end};
}

void ByteQueue::Commit(uint32_t size_bytes) {
  tail_->end = static_cast<uint16_t>(tail_->end + size_bytes);
  size_ += size_bytes;
}

void ByteQueue::DropUnused(BlockPool& pool) {
  if (tail_ != nullptr && tail_->size_bytes() == 0) {
    Truncate(pool, size_);
  }
}

bool ByteQueue::Append(BlockPool& pool, const void* data, uint32_t size_bytes) {
  const auto* from = static_cast<const uint8_t*>(data);
  const uint32_t before = size_;
  while (size_bytes != 0) {
    const Span span = WriteSpan(pool);
    if (span.size_bytes == 0) {
      Truncate(pool, before);
      return false;
    }
    const uint32_t piece = span.size_bytes < size_bytes ? span.size_bytes : size_bytes;
    std::memcpy(span.data, from, piece);
    Commit(piece);
    from += piece;
    size_bytes -= piece;
  }
  return true;
}

// The block that holds the byte at `position`, which exists.
Block* ByteQueue::FindBlock(uint64_t position) {
  if (hint_ == nullptr || position < hint_position_) {
    hint_ = head_;
    hint_position_ = position_;
  }
  while (position - hint_position_ >= hint_->size_bytes()) {
    hint_position_ += hint_->size_bytes();
    hint_ = hint_->next;
  }
  return hint_;
}

Span ByteQueue::ReadSpan(uint32_t offset_bytes) {
  if (offset_bytes >= size_) {
    return {};
  }
  const uint64_t position = position_ + offset_bytes;
  Block* const block = FindBlock(position);
  const auto skip = static_cast<uint32_t>(position - hint_position_);
  return {block->data + block->begin + skip, block->size_bytes() - skip};
}

uint32_t ByteQueue::CopyOut(uint32_t offset_bytes, void* to, uint32_t size_bytes) {
  uint32_t copied = 0;
  while (copied < size_bytes) {
    const Span span = ReadSpan(offset_bytes + copied);
    if (span.size_bytes == 0) {
      break;
    }
    const uint32_t rest = size_bytes - copied;
    const uint32_t piece = span.size_bytes < rest ? span.size_bytes : rest;
    std::memcpy(static_cast<uint8_t*>(to) + copied, span.data, piece);
    copied += piece;
  }
  return copied;
}

void ByteQueue::Consume(BlockPool& pool, uint32_t size_bytes) {
  size_ -= size_bytes;
  position_ += size_bytes;
  if (size_ == 0) {
    Clear(pool);
    return;
  }
  while (size_bytes >= head_->size_bytes()) {
    Block* const block = head_;
    size_bytes -= block->size_bytes();
    head_ = block->next;
    hint_ = hint_ == block ? nullptr : hint_;
    pool.Free(block);
  }
  head_->begin = static_cast<uint16_t>(head_->begin + size_bytes);
  if (hint_ == head_) {
    hint_position_ = position_;
  }
}

void ByteQueue::Truncate(BlockPool& pool, uint32_t size_bytes) {
  if (size_bytes == 0) {
    Clear(pool);
    return;
  }
  Block* const last = FindBlock(position_ + size_bytes - 1);
  last->end = static_cast<uint16_t>(last->begin + (position_ + size_bytes - hint_position_));
  size_ = size_bytes;
  Block* block = last->next;
  last->next = nullptr;
  tail_ = last;
  while (block != nullptr) {
    Block* const next = block->next;
    pool.Free(block);
    block = next;
  }
}

void ByteQueue::Clear(BlockPool& pool) {
  while (head_ != nullptr) {
    Block* const block = head_;
    head_ = block->next;
    pool.Free(block);
  }
  position_ += size_;
  head_ = tail_ = hint_ = nullptr;
  size_ = 0;
}

}  // namespace junction::net
