// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 4291 (IPv6 addressing; section 2.5.5.2 for IPv4-mapped addresses), RFC 1122 section 3.2.1.3 (IPv4 addresses).
#pragma once

#include <cstdint>
#include <cstring>

#include "net/bytes.h"

namespace junction::net {

/// An IPv4 or IPv6 address in network byte order; IPv4 as ::ffff:a.b.c.d. Zeros = the IPv6 "any"; IPv4's is ::ffff:0.0.0.0.
struct IpAddress {
  uint8_t bytes[16] = {};

  static IpAddress V4(const uint8_t* four) {
    IpAddress address;
    address.bytes[10] = address.bytes[11] = 0xff;
    std::memcpy(address.bytes + 12, four, 4);
    return address;
  }
  static IpAddress V4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
    const uint8_t four[4] = {a, b, c, d};
    return V4(four);
  }
  static IpAddress V6(const uint8_t* sixteen) {
    IpAddress address;
    std::memcpy(address.bytes, sixteen, 16);
    return address;
  }

  uint64_t high() const { return Load64(bytes); }
  uint64_t low() const { return Load64(bytes + 8); }
  bool is_v4() const { return high() == 0 && (low() & 0xffffffff) == 0xffff0000; }
  const uint8_t* v4() const { return bytes + 12; }
  bool is_any() const { return high() == 0 && (low() == 0 || low() == 0xffff0000); }
  /// 127/8 (RFC 1122), ::1.
  bool is_loopback() const { return is_v4() ? bytes[12] == 127 : high() == 0 && low() == 1ULL << 56; }
  /// 224/4, ff00::/8.
  bool is_multicast() const { return is_v4() ? (bytes[12] & 0xf0) == 0xe0 : bytes[0] == 0xff; }
  /// 255.255.255.255: this network, wherever it is.
  bool is_limited_broadcast() const { return high() == 0 && low() == 0xffffffffffff0000; }
  /// 169.254/16 (RFC 3927), fe80::/10.
  bool is_link_local() const {
    return is_v4() ? bytes[12] == 169 && bytes[13] == 254 : bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
  }
  bool operator==(const IpAddress& other) const { return high() == other.high() && low() == other.low(); }
};

/// "Any" of a family.
inline IpAddress AnyAddress(bool is_v6) { return is_v6 ? IpAddress() : IpAddress::V4(0, 0, 0, 0); }

/// Whether the first `bits` of 128 agree (an IPv4 prefix of n bits is one of 96 + n).
inline bool HasPrefix(const IpAddress& address, const IpAddress& prefix, uint32_t bits) {
  const uint32_t whole = bits / 8;
  for (uint32_t i = 0; i < whole; ++i) {
    if (address.bytes[i] != prefix.bytes[i]) {
      return false;
    }
  }
  return bits % 8 == 0 || ((address.bytes[whole] ^ prefix.bytes[whole]) >> (8 - bits % 8)) == 0;
}
inline uint32_t PrefixBits128(const IpAddress& address, uint32_t prefix_bits) {
  return prefix_bits + (address.is_v4() ? 96 : 0);
}

struct Endpoint {
  IpAddress address;
  uint16_t port = 0;  // host byte order

  bool operator==(const Endpoint& other) const { return port == other.port && address == other.address; }
};

}  // namespace junction::net
