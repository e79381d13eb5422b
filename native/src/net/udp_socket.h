// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 768, udp(7), ip(7), and icmp's part of RFC 1122 section 4.1.3.
#pragma once

#include "net/block_pool.h"
#include "net/socket.h"

namespace junction::net {

/// A datagram that has arrived.
struct Datagram {
  Endpoint from;
  IpAddress to;           // IP_PKTINFO
  uint32_t device_index;  // that it came in by
  uint32_t size_bytes;
  uint8_t ttl;
  uint8_t type_of_service;
};

struct UdpSocket;

/// null if memory is short. `owner` and `notify` are to be set by the caller.
UdpSocket* NewUdpSocket(Stack& stack, bool is_v6);
/// Ends it; its memory goes.
void CloseUdp(UdpSocket& socket);
Socket& SocketOf(UdpSocket& socket);

/// bind(2): 0, -EINVAL (bound already), -EADDRINUSE, -EADDRNOTAVAIL. Port 0 = an ephemeral one.
int BindUdp(UdpSocket& socket, const Endpoint& local);
/// connect(2); port 0 and any address undo it (AF_UNSPEC). 0, -ENETUNREACH, -EADDRNOTAVAIL, -EAGAIN (no port is left).
int ConnectUdp(UdpSocket& socket, const Endpoint& remote);

/// Begins a datagram of `size_bytes` to `to` (null = the connected peer): fills `out`, into which the caller copies the payload before
/// SendUdp. -EMSGSIZE, -EDESTADDRREQ, -ENETUNREACH, -EAGAIN (no room: POLLOUT comes), -ENOBUFS, -EACCES (broadcast), or a pending error.
/// `source` may name the address to send from (IP_PKTINFO); null = the route's.
int BeginUdp(UdpSocket& socket, const Endpoint* to, const IpAddress* source, uint32_t size_bytes, Span& out,
             uint64_t now_ns);
/// Sends what BeginUdp began (fragmented if it is longer than the MTU). DropUdp forgets it instead (the caller's copy faulted).
int SendUdp(UdpSocket& socket, uint64_t now_ns);
void DropUdp(UdpSocket& socket);

/// The first datagram that waits; false if there is none.
bool PeekUdp(UdpSocket& socket, Datagram& out);
/// A contiguous piece of its payload from `offset` on; size 0 at its end.
Span ReadUdp(UdpSocket& socket, uint32_t offset_bytes);
void PopUdp(UdpSocket& socket);

/// POLLIN, POLLOUT, POLLERR, POLLHUP that hold now.
uint32_t PollUdp(const UdpSocket& socket);
/// shutdown(2) with SHUT_RD = 1, SHUT_WR = 2 as bits.
int ShutdownUdp(UdpSocket& socket, uint32_t sides);

/// SO_RCVBUF, SO_SNDBUF as bytes of payload and overhead, the doubled value that Linux reports.
void SetUdpBuffers(UdpSocket& socket, uint32_t receive_bytes, uint32_t send_bytes);
uint32_t UdpReceiveBuffer_bytes(const UdpSocket& socket);
uint32_t UdpSendBuffer_bytes(const UdpSocket& socket);
/// Bytes of the first datagram (FIONREAD).
uint32_t NextDatagram_bytes(const UdpSocket& socket);

/// Options: IP_RECVERR, IP_MTU_DISCOVER, SO_BROADCAST, multicast membership on a device.
struct UdpOptions {
  bool may_broadcast = false;
  bool receives_errors = false;  // IP_RECVERR, IPV6_RECVERR: ICMP errors for unconnected sockets too
  bool forbids_fragments = false;
  uint8_t multicast_ttl = 1;
  bool loops_multicast = true;
  uint32_t multicast_device = 0;  // IP_MULTICAST_IF, IPV6_MULTICAST_IF: a device's index; 0 = by route
};
UdpOptions& OptionsOf(UdpSocket& socket);
int JoinMulticast(UdpSocket& socket, const IpAddress& group, uint32_t device_index);
int LeaveMulticast(UdpSocket& socket, const IpAddress& group, uint32_t device_index);

}  // namespace junction::net
