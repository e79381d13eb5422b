// SPDX-License-Identifier: Apache-2.0
// "ping sockets" (SOCK_DGRAM with IPPROTO_ICMP, IPPROTO_ICMPV6; icmp(7)). Raw sockets proper need CAP_NET_RAW, which no guest has.
#pragma once

#include "net/udp_socket.h"

namespace junction::net {

/// A socket with the interface of UDP whose datagrams are ICMP echo messages; the port is the identifier. Used with the functions of
/// udp_socket.h.
UdpSocket* NewPingSocket(Stack& stack, bool is_v6);

}  // namespace junction::net
