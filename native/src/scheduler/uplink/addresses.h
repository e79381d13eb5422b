// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace junction::scheduler {

/// Network byte order, as in frames.
using Mac = std::array<uint8_t, 6>;
using Ip4 = std::array<uint8_t, 4>;
using Ip6 = std::array<uint8_t, 16>;

/// A network of either family. IPv4 uses the first four bytes.
struct Cidr {
  std::array<uint8_t, 16> bytes = {};
  uint8_t bits = 0;
  bool is_v6 = false;

  auto operator<=>(const Cidr&) const = default;
  bool Contains(const Ip4& ip) const;
  bool Contains(const Ip6& ip) const;
  /// The first address after the network's own: the host's end of a range.
  Ip4 first_ip4() const { return {bytes[0], bytes[1], bytes[2], static_cast<uint8_t>(bytes[3] + 1)}; }
  Ip6 first_ip6() const;
};

std::optional<Mac> ParseMac(std::string_view text);
std::optional<Ip4> ParseIp4(std::string_view text);
std::optional<Ip6> ParseIp6(std::string_view text);
/// "10.0.0.0/8", "fd00::/8", or a lone address. Nothing if host bits are set.
std::optional<Cidr> ParseCidr(std::string_view text);

std::string Text(const Mac& mac);
std::string Text(const Ip4& ip);
std::string Text(const Ip6& ip);
std::string Text(const Cidr& cidr);

/// The MAC of an address unless it is given: 02:6a and its four bytes, as libs/instance-model makes it.
inline Mac MacOf(const Ip4& ip) { return {2, 0x6a, ip[0], ip[1], ip[2], ip[3]}; }
/// The link-local address that goes with a MAC: RFC 4291, appendix A.
Ip6 LinkLocalOf(const Mac& mac);
/// The other way round; nothing if it is not such an address.
std::optional<Mac> MacOfLinkLocal(const Ip6& ip);

}  // namespace junction::scheduler
