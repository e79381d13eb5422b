// SPDX-License-Identifier: Apache-2.0
// Socket addresses of the guest and the stack's endpoints. Read first: ip(7), ipv6(7); RFC 4291, 2.5.5.2 (mapped addresses).
#pragma once

#include <cstdint>

#include "kernel/sockets/net_socket.h"

namespace junction {

/// An address that a guest gave for a call on `socket`.
struct NetTarget {
  net::Endpoint endpoint;
  uint32_t scope = 0;  // of a link-local address: the device's index, 0 = none
};

/// The address for a call on an AF_INET or AF_INET6 socket: -EINVAL (cut off), -EAFNOSUPPORT, -ENETUNREACH (mapped, on a socket for IPv6 only).
int64_t ReadNetAddress(const NetSocket& socket, const AddressBytes& address, uint32_t size_bytes, NetTarget& out);
/// The same for bind, whose errors differ.
int64_t ReadBindAddress(const NetSocket& socket, const AddressBytes& address, uint32_t size_bytes, NetTarget& out);
/// "any" as a destination means this host (ip(7)): the loopback address of the socket's family.
void TurnAnyIntoLoopback(const NetSocket& socket, net::IpAddress& address);

/// As the guest of `socket` sees it: struct sockaddr_in or sockaddr_in6; its size. `scope` counts for link-local addresses.
uint32_t WriteNetAddress(const NetSocket& socket, const net::Endpoint& endpoint, uint32_t scope, AddressBytes& out);

}  // namespace junction
