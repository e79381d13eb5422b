// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets/socket_address.h"

#include <cstddef>

namespace junction {
namespace {

constexpr uint8_t kLoopbackNet = 127;

bool AreZero(const uint8_t* bytes, int count) {
  for (int i = 0; i < count; ++i) {
    if (bytes[i] != 0) {
      return false;
    }
  }
  return true;
}

void ParseV4(const uint8_t* octets, InetAddress& address) {
  address.is_any = AreZero(octets, 4);
  address.is_loopback = octets[0] == kLoopbackNet;
  address.is_host = address.is_loopback && octets[1] == 0 && octets[2] == 0 && octets[3] == 2;
}

void ParseV6(const uint8_t* octets, InetAddress& address) {
  if (AreZero(octets, 10) && octets[10] == 0xff && octets[11] == 0xff) {
    ParseV4(octets + 12, address);  // IPv4-mapped
    return;
  }
  address.is_any = AreZero(octets, 16);
  address.is_loopback = AreZero(octets, 15) && octets[15] == 1;
}

}  // namespace

bool ParseInetAddress(const AddressBytes& bytes, uint32_t size_bytes, InetAddress& address) {
  if (size_bytes < sizeof(sockaddr_in)) {
    return false;
  }
  uint16_t family;
  __builtin_memcpy(&family, bytes, sizeof(family));
  address.port = static_cast<uint16_t>(bytes[2] << 8 | bytes[3]);
  if (family == AF_INET) {
    ParseV4(bytes + offsetof(sockaddr_in, sin_addr), address);
    return true;
  }
  constexpr uint32_t kSmallestV6_bytes = 24;  // without the scope, as the host accepts it
  if (family != AF_INET6 || size_bytes < kSmallestV6_bytes) {
    return false;
  }
  address.is_v6 = true;
  ParseV6(bytes + offsetof(sockaddr_in6, sin6_addr), address);
  return true;
}

void SetPort(AddressBytes& bytes, bool, uint16_t port) {
  bytes[2] = static_cast<uint8_t>(port >> 8);  // the same place in both families
  bytes[3] = static_cast<uint8_t>(port);
}

void SetHostLoopback(AddressBytes& bytes, bool is_v6, uint16_t port) {
  SetPort(bytes, is_v6, port);
  uint8_t* octets = bytes + (is_v6 ? offsetof(sockaddr_in6, sin6_addr) : offsetof(sockaddr_in, sin_addr));
  if (is_v6) {
    for (int i = 0; i < 12; ++i) {
      octets[i] = i < 10 ? 0 : 0xff;
    }
    octets += 12;
  }
  octets[0] = kLoopbackNet;
  octets[1] = 0;
  octets[2] = 0;
  octets[3] = 1;
}

void SetGuestAddress(AddressBytes& bytes, bool is_v6, bool is_any) {
  uint8_t* octets = bytes + (is_v6 ? offsetof(sockaddr_in6, sin6_addr) : offsetof(sockaddr_in, sin_addr));
  const int count = is_v6 ? 16 : 4;
  for (int i = 0; i < count; ++i) {
    octets[i] = 0;
  }
  if (!is_any) {
    octets[count - 1] = 1;
    if (!is_v6) {
      octets[0] = kLoopbackNet;
    }
  }
}

}  // namespace junction
