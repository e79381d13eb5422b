// SPDX-License-Identifier: Apache-2.0
#include "ingress/buffer_pool.h"

#include <new>

namespace junction::ingress {
namespace {

void Free(Buffer* buffer) { ::operator delete(buffer); }

}  // namespace

BufferPool::~BufferPool() {
  for (FreeList* list : {&small_, &large_}) {
    while (Buffer* const buffer = list->first) {
      list->first = buffer->next_free;
      Free(buffer);
    }
  }
}

BufferPool::FreeList* BufferPool::ListFor(uint32_t capacity) {
  return capacity == kSmall ? &small_ : capacity == kLarge ? &large_ : nullptr;
}

Buffer* BufferPool::Take(uint32_t capacity) {
  if (capacity <= kSmall) {
    capacity = kSmall;
  } else if (capacity <= kLarge) {
    capacity = kLarge;
  }
  if (FreeList* const list = ListFor(capacity); list != nullptr && list->first != nullptr) {
    Buffer* const buffer = list->first;
    list->first = buffer->next_free;
    --list->count;
    buffer->begin = 0;
    buffer->end = 0;
    return buffer;
  }
  Buffer* const buffer = new (::operator new(sizeof(Buffer) + capacity)) Buffer;
  buffer->capacity = capacity;
  return buffer;
}

void BufferPool::Give(Buffer* buffer) {
  if (buffer == nullptr) {
    return;
  }
  FreeList* const list = ListFor(buffer->capacity);
  if (list == nullptr || list->count == list->most) {
    Free(buffer);
    return;
  }
  buffer->next_free = list->first;
  list->first = buffer;
  ++list->count;
}

Buffer* BufferPool::Grow(Buffer* buffer, uint32_t capacity) {
  Buffer* const grown = Take(capacity);
  const uint32_t size = buffer->end - buffer->begin;
  std::memcpy(grown->data(), buffer->data() + buffer->begin, size);
  grown->end = size;
  Give(buffer);
  return grown;
}

}  // namespace junction::ingress
