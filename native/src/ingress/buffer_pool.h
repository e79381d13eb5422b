// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace junction::ingress {

/// A piece of memory with unread bytes in [begin, end); the space behind `end` is free. The bytes follow the struct.
struct Buffer {
  Buffer* next_free = nullptr;
  uint32_t capacity = 0;
  uint32_t begin = 0;
  uint32_t end = 0;

  char* data() { return reinterpret_cast<char*>(this + 1); }
  std::string_view unread() { return {data() + begin, end - begin}; }
  uint32_t space() const { return capacity - end; }
  bool empty() const { return begin == end; }
};

/// Hands out buffers of two usual sizes from free lists, and of any other size from the heap. One owner thread.
class BufferPool {
 public:
  static constexpr uint32_t kSmall = 16 * 1024 - sizeof(Buffer);
  static constexpr uint32_t kLarge = 128 * 1024 - sizeof(Buffer);

  BufferPool() = default;
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool();

  /// An empty buffer of at least `capacity` bytes. Never null: without memory the process ends, as with `new`.
  Buffer* Take(uint32_t capacity = kSmall);

  /// Gives a buffer back; null is allowed.
  void Give(Buffer* buffer);

  /// Takes a buffer of `capacity` with the unread bytes of `buffer` at its start and gives that back.
  Buffer* Grow(Buffer* buffer, uint32_t capacity);

 private:
  struct FreeList {
    Buffer* first = nullptr;
    uint32_t count = 0;
    uint32_t most;  // kept for reuse, the rest goes back to the heap
  };

  FreeList* ListFor(uint32_t capacity);

  FreeList small_{.most = 512};
  FreeList large_{.most = 32};
};

/// Gives `buffer` back to the pool and forgets it.
inline void GiveBack(BufferPool& pool, Buffer*& buffer) {
  if (buffer != nullptr) {
    pool.Give(buffer);
    buffer = nullptr;
  }
}

}  // namespace junction::ingress
