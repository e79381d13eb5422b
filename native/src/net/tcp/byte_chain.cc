// SPDX-License-Identifier: Apache-2.0
// Hot path.
#include "net/tcp/byte_chain.h"

#include <cstring>

namespace junction::net {

uint8_t* ByteChain::Room(BlockPool& pool, uint32_t& room_bytes) {
  if (tail == nullptr || tail->end == Block::kCapacity_bytes) {
    Block* const block = pool.Allocate();
    if (block == nullptr) {
      return nullptr;
    }
    block->next = nullptr;
    block->begin = block->end = 0;
    (tail == nullptr ? head : tail->next) = block;
    tail = block;
    ++block_count;
  }
  room_bytes = Block::kCapacity_bytes - tail->end;
  return tail->data + tail->end;
}

void ByteChain::DropEmptyTail(BlockPool& pool) {
  if (size_bytes == 0 && head != nullptr) {
    pool.Free(head);
    *this = {};
  }
}

uint32_t ByteChain::Append(BlockPool& pool, const uint8_t* from, uint32_t count) {
  uint32_t done = 0;
  while (done < count) {
    uint32_t room = 0;
    uint8_t* const to = Room(pool, room);
    if (to == nullptr) {
      break;
    }
    const uint32_t piece = count - done < room ? count - done : room;
    std::memcpy(to, from + done, piece);
    Filled(piece);
    done += piece;
  }
  return done;
}

void ByteChain::Join(BlockPool& pool, ByteChain& other) {
  if (other.size_bytes == 0) {
    other.DropEmptyTail(pool);
    return;
  }
  if (tail != nullptr && other.block_count == 1 && other.size_bytes <= Block::kCapacity_bytes - tail->end) {
    std::memcpy(tail->data + tail->end, other.head->data + other.head->begin, other.size_bytes);
    Filled(other.size_bytes);
    other.Clear(pool);
    return;
  }
  (tail == nullptr ? head : tail->next) = other.head;
  tail = other.tail;
  size_bytes += other.size_bytes;
  block_count += other.block_count;
  other = {};
}

void ByteChain::DropFront(BlockPool& pool, uint32_t count) {
  size_bytes -= count;
  while (head != nullptr) {
    const uint32_t held = head->size_bytes();
    if (count < held) {
      head->begin = static_cast<uint16_t>(head->begin + count);
      return;
    }
    count -= held;
    Block* const next = head->next;
    pool.Free(head);
    head = next;
    --block_count;
  }
  tail = nullptr;
}

void CopyFromChain(const ByteChain& chain, ChainCursor& cursor, uint32_t head_position, uint32_t from, uint8_t* to,
                   uint32_t count) {
  Block* block = cursor.block;
  uint32_t start = cursor.start;
  if (block == nullptr || from - head_position < start - head_position) {
    block = chain.head;
    start = head_position;
  } else if (block == chain.head) {
    start = head_position;  // its front may have been dropped
  }
  uint32_t skip = from - start;
  while (skip >= block->size_bytes() && block->next != nullptr) {
    skip -= block->size_bytes();
    start += block->size_bytes();
    block = block->next;
  }
  for (;;) {
    const uint32_t held = block->size_bytes() - skip;
    const uint32_t piece = count < held ? count : held;
    std::memcpy(to, block->data + block->begin + skip, piece);
    to += piece;
    count -= piece;
    if (count == 0) {
      break;
    }
    start += block->size_bytes();
    block = block->next;
    skip = 0;
  }
  cursor = {.block = block, .start = start};
}

}  // namespace junction::net
