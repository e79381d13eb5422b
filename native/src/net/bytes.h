// SPDX-License-Identifier: Apache-2.0
// Numbers in network byte order within packets, at any alignment. The machine is little-endian (x86-64 only).
#pragma once

#include <cstdint>
#include <cstring>

namespace junction::net {

inline uint16_t LoadBig16(const void* from) {
  uint16_t value;
  std::memcpy(&value, from, 2);
  return __builtin_bswap16(value);
}
inline uint32_t LoadBig32(const void* from) {
  uint32_t value;
  std::memcpy(&value, from, 4);
  return __builtin_bswap32(value);
}
inline void StoreBig16(void* to, uint16_t value) {
  value = __builtin_bswap16(value);
  std::memcpy(to, &value, 2);
}
inline void StoreBig32(void* to, uint32_t value) {
  value = __builtin_bswap32(value);
  std::memcpy(to, &value, 4);
}
/// In the machine's order: for comparing and hashing.
inline uint64_t Load64(const void* from) {
  uint64_t value;
  std::memcpy(&value, from, 8);
  return value;
}

}  // namespace junction::net
