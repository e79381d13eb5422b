// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 1071 (computing the internet checksum), RFC 8200 section 8.1 (pseudo headers).
#pragma once

#include <cstdint>

#include "net/address.h"

namespace junction::net {

/// Ones' complement sum of `size_bytes` at any alignment, in the machine's byte order, on top of `sum`: not folded.
uint64_t SumBytes(const void* data, uint32_t size_bytes, uint64_t sum);
/// The same while copying; each byte of `from` is read exactly once, so that the copy is what was summed whoever changes `from` meanwhile.
uint64_t SumCopy(void* to, const void* from, uint32_t size_bytes, uint64_t sum);

inline uint64_t AddSums(uint64_t a, uint64_t b) {
  const uint64_t sum = a + b;
  return sum + (sum < a ? 1 : 0);
}
/// 16 bits, not complemented, in memory order: to be stored with memcpy.
inline uint16_t FoldSum(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

/// Sum of the pseudo header, of the addresses' family.
inline uint64_t PseudoSum(const IpAddress& source, const IpAddress& destination, uint8_t protocol,
                          uint32_t size_bytes) {
  uint64_t sum = static_cast<uint64_t>(__builtin_bswap32(protocol)) + __builtin_bswap32(size_bytes);
  if (source.is_v4()) {
    return sum + (source.low() >> 32) + (destination.low() >> 32);
  }
  sum = AddSums(sum, source.high());
  sum = AddSums(sum, source.low());
  sum = AddSums(sum, destination.high());
  return AddSums(sum, destination.low());
}

/// A checksum over pieces of any length, one after the other.
class Checksum {
 public:
  explicit Checksum(uint64_t sum = 0) : sum_(sum) {}
  void Add(const void* data, uint32_t size_bytes) { AddSum(SumBytes(data, size_bytes, 0), size_bytes); }
  /// Copies a piece and sums the copy.
  void AddCopy(void* to, const void* from, uint32_t size_bytes) {
    AddSum(SumCopy(to, from, size_bytes, 0), size_bytes);
  }
  /// Not complemented: 0xffff over data that contain their own checksum, if they are as they were sent.
  uint16_t folded() const { return FoldSum(sum_); }
  bool is_good() const { return folded() == 0xffff; }
  uint64_t sum() const { return sum_; }

 private:
  void AddSum(uint64_t piece, uint32_t size_bytes) {
    const uint16_t folded = FoldSum(piece);
    sum_ = AddSums(sum_, is_odd_ ? __builtin_bswap16(folded) : folded);
    is_odd_ ^= (size_bytes & 1) != 0;
  }

  uint64_t sum_;
  bool is_odd_ = false;
};

}  // namespace junction::net
