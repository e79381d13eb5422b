// SPDX-License-Identifier: Apache-2.0
// Guest words that user space changes by itself at any time (futexes). Read first: guest_memory.h, guest_atomic.S.
#pragma once

#include <cerrno>
#include <cstdint>

extern "C" {
int64_t junction_load_32(const uint32_t* address);
int64_t junction_store_32(uint32_t* address, uint32_t value);
int64_t junction_compare_exchange_32(uint32_t* address, uint32_t expected, uint32_t desired);
}

namespace junction {

/// The word (sequentially consistent on x86-64), or -EFAULT.
inline int64_t LoadGuestWord(uint64_t address) { return junction_load_32(reinterpret_cast<const uint32_t*>(address)); }

/// 0 or -EFAULT.
inline int64_t StoreGuestWord(uint64_t address, uint32_t value) {
  return junction_store_32(reinterpret_cast<uint32_t*>(address), value);
}

/// If the word is `expected` it becomes `desired`, at once. What the word was before, or -EFAULT.
inline int64_t CompareExchangeGuestWord(uint64_t address, uint32_t expected, uint32_t desired) {
  return junction_compare_exchange_32(reinterpret_cast<uint32_t*>(address), expected, desired);
}

}  // namespace junction
