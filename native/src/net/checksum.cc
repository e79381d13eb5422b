// SPDX-License-Identifier: Apache-2.0
// Hot path: no allocation, no host call. Add-with-carry over 64-bit words: the sum of 16-bit words comes out of it by folding, as RFC 1071
// section 2(B) to 2(D) shows.
#include "net/checksum.h"

#include <cstring>

namespace junction::net {
namespace {

// The last bytes, fewer than 8, as a word with zeros behind.
uint64_t LoadTail(const uint8_t* from, uint32_t size_bytes) {
  uint64_t word = 0;
  uint32_t shift = 0;
  if ((size_bytes & 4) != 0) {
    uint32_t part;
    std::memcpy(&part, from, 4);
    word = part;
    shift = 32;
    from += 4;
  }
  if ((size_bytes & 2) != 0) {
    uint16_t part;
    std::memcpy(&part, from, 2);
    word |= static_cast<uint64_t>(part) << shift;
    shift += 16;
    from += 2;
  }
  if ((size_bytes & 1) != 0) {
    word |= static_cast<uint64_t>(*from) << shift;
  }
  return word;
}

void StoreTail(uint8_t* to, uint64_t word, uint32_t size_bytes) {
  for (uint32_t i = 0; i < size_bytes; ++i) {
    to[i] = static_cast<uint8_t>(word >> (8 * i));
  }
}

// The compiler must not read memory again for a value it has: the other side may have changed it.
uint64_t ReadOnce(uint64_t word) {
  asm volatile("" : "+r"(word));
  return word;
}

}  // namespace

uint64_t SumBytes(const void* data, uint32_t size_bytes, uint64_t sum) {
  const auto* from = static_cast<const uint8_t*>(data);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  for (; size_bytes >= 64; size_bytes -= 64, from += 64) {
    // Reads the 64 bytes that the loop's bound grants; the carry goes round within the block.
    asm("addq 0(%1), %0\n\tadcq 8(%1), %0\n\tadcq 16(%1), %0\n\tadcq 24(%1), %0\n\tadcq 32(%1), %0\n\tadcq 40(%1), "
        "%0\n\t"
        "adcq 48(%1), %0\n\tadcq 56(%1), %0\n\tadcq $0, %0"
        : "+r"(sum)
        : "r"(from), "m"(*reinterpret_cast<const uint8_t(*)[64]>(from))
        : "cc");
  }
#endif
  for (; size_bytes >= 8; size_bytes -= 8, from += 8) {
    sum = AddSums(sum, Load64(from));
  }
  return AddSums(sum, LoadTail(from, size_bytes));
}

uint64_t SumCopy(void* target, const void* source, uint32_t size_bytes, uint64_t sum) {
  auto* to = static_cast<uint8_t*>(target);
  const auto* from = static_cast<const uint8_t*>(source);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  for (; size_bytes >= 32; size_bytes -= 32, from += 32, to += 32) {
    uint64_t a, b, c, d;
    // Reads and writes the 32 bytes that the loop's bound grants.
    asm volatile(
        "movq 0(%6), %1\n\tmovq 8(%6), %2\n\tmovq 16(%6), %3\n\tmovq 24(%6), %4\n\taddq %1, %0\n\tadcq %2, %0\n\tadcq "
        "%3, %0\n\t"
        "adcq %4, %0\n\tadcq $0, %0\n\tmovq %1, 0(%5)\n\tmovq %2, 8(%5)\n\tmovq %3, 16(%5)\n\tmovq %4, 24(%5)"
        : "+&r"(sum), "=&r"(a), "=&r"(b), "=&r"(c), "=&r"(d)
        : "r"(to), "r"(from)
        : "cc", "memory");
  }
#endif
  for (; size_bytes >= 8; size_bytes -= 8, from += 8, to += 8) {
    const uint64_t word = ReadOnce(Load64(from));
    std::memcpy(to, &word, 8);
    sum = AddSums(sum, word);
  }
  const uint64_t tail = ReadOnce(LoadTail(from, size_bytes));
  StoreTail(to, tail, size_bytes);
  return AddSums(sum, tail);
}

}  // namespace junction::net
