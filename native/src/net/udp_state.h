// SPDX-License-Identifier: Apache-2.0
// What UDP and ping sockets consist of. Inside `net` only.
#pragma once

#include "net/stack_state.h"
#include "net/udp_socket.h"

namespace junction::net {

inline constexpr uint32_t kUdpHeader_bytes = 8;
/// Linux' igmp_max_memberships.
inline constexpr uint32_t kMaxMemberships = 20;

/// A datagram in memory of its own: waits for its neighbour, is longer than the MTU, or goes to a group. It waits by itself (`waiter`), as
/// a socket may have datagrams for several neighbours.
struct PendingDatagram {
  Socket waiter;  // first
  UdpSocket* owner;
  ListNode node;  // UdpSocket::pending once it was sent
  Path path;
  IpAddress source;
  IpAddress destination;
  uint8_t ttl;
  uint8_t type_of_service;
  uint8_t protocol;
  bool loops_back;  // a copy for this host's members
  uint32_t transport_bytes;
  uint32_t memory_bytes;  // of all this
  uint8_t transport[];
};

struct Membership {
  IpAddress group;
  uint32_t device_index = 0;
};

struct UdpSocket {
  Socket socket;  // first
  UdpOptions options;
  bool is_ping = false;
  bool has_bound_address = false;  // by bind, not by connect
  bool has_bound_port = false;
  bool is_in_connected = false;
  uint8_t shut_sides = 0;
  Path path;      // to `remote`, while its version holds
  ListNode node;  // UdpLayer::sockets
  HashNode connected_hash;

  ByteQueue received;                     // Datagram, payload, Datagram, …
  uint32_t receive_limit_bytes = 212992;  // Linux' rmem_default, wmem_default
  uint32_t send_limit_bytes = 212992;

  // between BeginUdp and SendUdp
  PendingDatagram* draft = nullptr;
  OutgoingPacket packet;  // frame not null: in the device's memory
  Endpoint draft_to;
  IpAddress draft_source;
  uint32_t draft_bytes = 0;  // of payload

  List pending;
  uint32_t pending_bytes = 0;

  Membership* memberships = nullptr;  // kMaxMemberships of them
  uint32_t membership_count = 0;
  ListNode member_node;  // UdpLayer::members
};

inline UdpSocket& UdpOf(Socket& socket) { return reinterpret_cast<UdpSocket&>(socket); }
inline uint8_t ProtocolNumberOf(const UdpSocket& udp) {
  if (!udp.is_ping) {
    return kProtocolUdp;
  }
  return udp.socket.is_v6 ? kProtocolIcmp6 : kProtocolIcmp;
}
inline void Notify(Socket& socket, uint32_t events) {
  if (socket.notify != nullptr) {
    socket.notify(socket, events);
  }
}

UdpSocket* NewDatagramSocket(Stack& stack, bool is_v6, bool is_ping);
/// Of `local.port`, connected to `remote`.
uint64_t HashConnected(const Stack& stack, uint16_t local_port, const Endpoint& remote);
/// Who receives what comes from `remote` to `local` by the device; null = nobody.
UdpSocket* FindUdpReceiver(Stack& stack, const PortTable& table, uint32_t device_index, const Endpoint& local,
                           const Endpoint& remote);
/// Copies a datagram into the socket's queue. `header` is the private copy of its first 8 bytes, kept in front of the payload if
/// `keeps_header`. `sum` is what the checksum begins with, `is_summed` whether it is to be checked.
void QueueDatagram(UdpSocket& udp, const Device& device, const IpPacket& packet, const uint8_t* header,
                   uint32_t size_bytes, bool keeps_header, bool is_summed, uint16_t from_port);
void FreePending(PendingDatagram* datagram);
/// The device's end of it: a pending datagram may try again. Used through ProtocolOf(kProtocolPending).
extern const ProtocolOps kPendingOps;

void PingInput(Stack& stack, Device& device, const IpPacket& packet, const uint8_t* header);
void PingError(Stack& stack, const IcmpError& error, uint64_t now_ns);
void ResumeUdp(Socket& socket, int error, uint64_t now_ns);
/// Sets the pending error as Linux' udp_err: hard ones of connected sockets, all with IP_RECVERR.
void TellUdpError(UdpSocket& udp, const IcmpError& error, uint64_t now_ns);
void DropMemberships(UdpSocket& udp);

}  // namespace junction::net
