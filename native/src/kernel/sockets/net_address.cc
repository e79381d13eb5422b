// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets/net_address.h"

#include <netinet/in.h>

#include <cstring>

#include "kernel/sockets/socket_call.h"

namespace junction {
namespace {

constexpr uint32_t kSmallestV6_bytes = 24;  // SIN6_LEN_RFC2133: without the scope

uint16_t PortIn(const AddressBytes& bytes) { return static_cast<uint16_t>(bytes[2] << 8 | bytes[3]); }

void ReadV4(const AddressBytes& bytes, NetTarget& out) {
  out.endpoint.address = net::IpAddress::V4(bytes + offsetof(sockaddr_in, sin_addr));
  out.endpoint.port = PortIn(bytes);
}

void ReadV6(const AddressBytes& bytes, uint32_t size_bytes, NetTarget& out) {
  out.endpoint.address = net::IpAddress::V6(bytes + offsetof(sockaddr_in6, sin6_addr));
  out.endpoint.port = PortIn(bytes);
  if (size_bytes >= sizeof(sockaddr_in6) && out.endpoint.address.is_link_local()) {
    std::memcpy(&out.scope, bytes + offsetof(sockaddr_in6, sin6_scope_id), sizeof(out.scope));
  }
}

}  // namespace

int64_t ReadNetAddress(const NetSocket& socket, const AddressBytes& address, uint32_t size_bytes, NetTarget& out) {
  if (size_bytes < sizeof(uint16_t)) {
    return -EINVAL;
  }
  const uint16_t family = FamilyOf(address);
  if (!socket.is_v6()) {
    if (size_bytes < sizeof(sockaddr_in)) {
      return -EINVAL;
    }
    if (family != AF_INET && !(family == AF_UNSPEC && !socket.is_tcp())) {
      return -EAFNOSUPPORT;
    }
    ReadV4(address, out);
    return 0;
  }
  if (family == AF_INET && !socket.is_tcp()) {  // udp_v6 takes them as they are
    if (size_bytes < sizeof(sockaddr_in)) {
      return -EINVAL;
    }
    ReadV4(address, out);
    return socket.socket().is_v6_only ? -ENETUNREACH : 0;
  }
  if (size_bytes < kSmallestV6_bytes) {
    return -EINVAL;
  }
  if (family != AF_INET6) {
    return -EAFNOSUPPORT;
  }
  ReadV6(address, size_bytes, out);
  return out.endpoint.address.is_v4() && socket.socket().is_v6_only ? -ENETUNREACH : 0;
}

int64_t ReadBindAddress(const NetSocket& socket, const AddressBytes& address, uint32_t size_bytes, NetTarget& out) {
  const uint16_t family = FamilyOf(address);
  if (!socket.is_v6()) {
    if (size_bytes < sizeof(sockaddr_in)) {
      return -EINVAL;
    }
    ReadV4(address, out);
    const bool is_any = family == AF_UNSPEC && out.endpoint.address.is_any();  // inet_bind takes that as well
    return family == AF_INET || is_any ? 0 : -EAFNOSUPPORT;
  }
  if (size_bytes < kSmallestV6_bytes) {
    return -EINVAL;
  }
  if (family != AF_INET6) {
    return -EAFNOSUPPORT;
  }
  ReadV6(address, size_bytes, out);
  return out.endpoint.address.is_v4() && socket.socket().is_v6_only ? -EINVAL : 0;
}

void TurnAnyIntoLoopback(const NetSocket& socket, net::IpAddress& address) {
  if (!address.is_any()) {
    return;
  }
  // An IPv6 socket that is bound to a mapped address speaks IPv4 (ip6_datagram_connect, tcp_v6_connect).
  const net::IpAddress& local = socket.socket().local.address;
  if (address.is_v4() || (socket.is_v6() && local.is_v4() && socket.socket().local.port != 0)) {
    address = net::IpAddress::V4(127, 0, 0, 1);
  } else {
    address = net::IpAddress{};
    address.bytes[15] = 1;
  }
}

uint32_t WriteNetAddress(const NetSocket& socket, const net::Endpoint& endpoint, uint32_t scope, AddressBytes& out) {
  if (!socket.is_v6()) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = __builtin_bswap16(endpoint.port);
    if (endpoint.address.is_v4()) {
      std::memcpy(&address.sin_addr, endpoint.address.v4(), sizeof(address.sin_addr));
    }
    std::memcpy(out, &address, sizeof(address));
    return sizeof(address);
  }
  sockaddr_in6 address = {};
  address.sin6_family = AF_INET6;
  address.sin6_port = __builtin_bswap16(endpoint.port);
  std::memcpy(&address.sin6_addr, endpoint.address.bytes, sizeof(address.sin6_addr));
  address.sin6_scope_id = endpoint.address.is_link_local() && !endpoint.address.is_v4() ? scope : 0;
  std::memcpy(out, &address, sizeof(address));
  return sizeof(address);
}

}  // namespace junction
