// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 4291 (IPv6 addressing; section 2.5.5.2 for IPv4-mapped addresses).
#pragma once

#include <cstdint>
#include <cstring>

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

  bool is_v4() const {
    static constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return std::memcmp(bytes, kMapped, 12) == 0;
  }
  const uint8_t* v4() const { return bytes + 12; }
  bool is_any() const {
    static constexpr uint8_t kZeros[16] = {};
    return is_v4() ? std::memcmp(v4(), kZeros, 4) == 0 : std::memcmp(bytes, kZeros, 16) == 0;
  }
  bool is_loopback() const;
  bool is_multicast() const;
  bool is_link_local() const;
  bool operator==(const IpAddress& other) const { return std::memcmp(bytes, other.bytes, 16) == 0; }
};

struct Endpoint {
  IpAddress address;
  uint16_t port = 0;  // host byte order

  bool operator==(const Endpoint& other) const { return port == other.port && address == other.address; }
};

}  // namespace junction::net
