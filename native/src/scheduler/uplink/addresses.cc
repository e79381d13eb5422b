// SPDX-License-Identifier: Apache-2.0
#include "scheduler/uplink/addresses.h"

#include <arpa/inet.h>

#include <cstdio>
#include <cstring>

#include "base/parse_number.h"

namespace junction::scheduler {
namespace {

bool HasPrefix(const uint8_t* address, const uint8_t* network, unsigned bits) {
  const unsigned whole = bits / 8;
  const unsigned rest = bits % 8;
  return std::memcmp(address, network, whole) == 0 &&
         (rest == 0 || ((address[whole] ^ network[whole]) >> (8 - rest)) == 0);
}

template <typename T>
std::optional<T> ParseAddress(int family, std::string_view text) {
  T address{};
  const std::string ended(text);  // inet_pton wants its end marked
  if (ended.find('\0') != std::string::npos || inet_pton(family, ended.c_str(), address.data()) != 1) {
    return std::nullopt;
  }
  return address;
}

template <typename T>
std::string AddressText(int family, const T& address) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(family, address.data(), text, sizeof(text));
  return text;
}

bool HasHostBits(const Cidr& cidr) {
  const unsigned size_bits = cidr.is_v6 ? 128 : 32;
  for (unsigned bit = cidr.bits; bit < size_bits; ++bit) {
    if ((cidr.bytes[bit / 8] >> (7 - bit % 8) & 1) != 0) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool Cidr::Contains(const Ip4& ip) const { return !is_v6 && HasPrefix(ip.data(), bytes.data(), bits); }

bool Cidr::Contains(const Ip6& ip) const { return is_v6 && HasPrefix(ip.data(), bytes.data(), bits); }

Ip6 Cidr::first_ip6() const {
  Ip6 ip = bytes;
  ip[15] = static_cast<uint8_t>(ip[15] + 1);
  return ip;
}

std::optional<Mac> ParseMac(std::string_view text) {
  Mac mac{};
  if (text.size() != 17) {
    return std::nullopt;
  }
  for (size_t i = 0; i < 6; ++i) {
    const auto* start = text.data() + i * 3;
    const auto [end, code] = std::from_chars(start, start + 2, mac[i], 16);
    if (code != std::errc{} || end != start + 2 || (i < 5 && start[2] != ':')) {
      return std::nullopt;
    }
  }
  return mac;
}

std::optional<Ip4> ParseIp4(std::string_view text) { return ParseAddress<Ip4>(AF_INET, text); }

std::optional<Ip6> ParseIp6(std::string_view text) { return ParseAddress<Ip6>(AF_INET6, text); }

std::optional<Cidr> ParseCidr(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string_view address = text.substr(0, slash);
  Cidr cidr;
  if (const auto ip4 = ParseIp4(address)) {
    std::memcpy(cidr.bytes.data(), ip4->data(), 4);
  } else if (const auto ip6 = ParseIp6(address)) {
    cidr.bytes = *ip6;
    cidr.is_v6 = true;
  } else {
    return std::nullopt;
  }
  const uint8_t most = cidr.is_v6 ? 128 : 32;
  const auto bits = slash == std::string_view::npos ? most : ParseNumber<uint8_t>(text.substr(slash + 1));
  if (!bits || *bits > most) {
    return std::nullopt;
  }
  cidr.bits = *bits;
  return HasHostBits(cidr) ? std::nullopt : std::optional(cidr);
}

std::string Text(const Mac& mac) {
  char text[18];
  std::snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  return text;
}

std::string Text(const Ip4& ip) { return AddressText(AF_INET, ip); }

std::string Text(const Ip6& ip) { return AddressText(AF_INET6, ip); }

std::string Text(const Cidr& cidr) {
  return AddressText(cidr.is_v6 ? AF_INET6 : AF_INET, cidr.bytes) + "/" + std::to_string(cidr.bits);
}

Ip6 LinkLocalOf(const Mac& mac) {
  return {0xfe,   0x80,   0,    0,    0,      0,      0,     0, static_cast<uint8_t>(mac[0] ^ 2),
          mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
}

std::optional<Mac> MacOfLinkLocal(const Ip6& ip) {
  const Mac mac = {static_cast<uint8_t>(ip[8] ^ 2), ip[9], ip[10], ip[13], ip[14], ip[15]};
  return LinkLocalOf(mac) == ip ? std::optional(mac) : std::nullopt;
}

}  // namespace junction::scheduler
