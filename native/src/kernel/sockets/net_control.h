// SPDX-License-Identifier: Apache-2.0
// Ancillary data of inet sockets. Read first: cmsg(3), ip(7), RFC 3542 (IPv6); ip_cmsg_send, ip_cmsg_recv, ip6_datagram_recv_ctl of Linux.
#pragma once

#include <cstdint>

#include "kernel/sockets/net_socket.h"

namespace junction {

/// What a datagram was sent with besides its bytes.
struct SendControl {
  bool has_source = false;
  net::IpAddress source;      // IP_PKTINFO, IPV6_PKTINFO: the address to send from
  uint32_t device_index = 0;  // and the device; 0 = whichever
  int32_t ttl = -1;           // IP_TTL, IPV6_HOPLIMIT; -1 = the socket's
  int32_t type_of_service = -1;
};

/// 0 or -EINVAL, -EFAULT, -EPERM.
int64_t ReadSendControl(const NetSocket& socket, const SocketMessage& message, SendControl& control);

/// What the options ask for about a datagram that was received.
void WriteDatagramControl(const NetSocket& socket, const net::Datagram& datagram, SocketMessage& message);
/// And about bytes of a stream.
void WriteStreamControl(const NetSocket& socket, SocketMessage& message);

}  // namespace junction
