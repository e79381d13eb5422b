// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/list.h"
#include "net/address.h"
#include "net/span.h"

namespace junction::net {

class Stack;
struct Device;
struct PortEntry;

/// What sockets of all protocols have in common. All calls on sockets come from the stack's owner, one at a time (inside an instance:
/// under the kernel lock). Failures are -errno, with the values that Linux gives.
struct Socket {
  Stack* stack = nullptr;
  /// The layer above: what `notify` needs. Set before the socket can receive.
  void* owner = nullptr;
  /// POLLIN, POLLOUT, POLLRDHUP, POLLHUP, POLLERR bits that may have come to hold (edges, for who waits). Called from within the stack:
  /// must not call back into it. Null = nobody listens.
  void (*notify)(Socket& socket, uint32_t events) = nullptr;

  Endpoint local;             // port 0 = not bound
  Endpoint remote;            // port 0 = not connected
  uint32_t device_index = 0;  // SO_BINDTODEVICE, or the link that an accepted connection came by; 0 = routes decide
  bool is_v6 = false;         // AF_INET6: with is_v6_only false it also takes IPv4, as mapped addresses
  bool is_v6_only = false;
  bool reuses_address = false;  // SO_REUSEADDR
  bool reuses_port = false;     // SO_REUSEPORT
  uint8_t ttl = 64;             // IP_TTL, IPV6_UNICAST_HOPS
  uint8_t type_of_service = 0;  // IP_TOS, IPV6_TCLASS
  int32_t error = 0;            // SO_ERROR: positive errno; taken by TakeError
  uint32_t owner_uid = 0;       // for SO_REUSEPORT's same-user rule

  // the internet layer's
  ListNode waiting_node;          // in Device::waiting, or a neighbour's
  uint8_t protocol = 0;           // kProtocol*, whose resume function continues it; set by BeginPacket
  bool is_listening = false;      // BindPort's `is_listening`; cleared by ReleasePort, or by the protocol
  bool is_port_shared = false;    // by SharePort or BindForConnect: not in the entry's list
  bool counts_as_strict = false;  // in PortEntry::strict_sharers
  ListNode port_node;             // in PortEntry::sockets
  PortEntry* port_entry = nullptr;
};

/// The pending error, negative; 0 if there is none. It is pending no more.
inline int TakeError(Socket& socket) {
  const int error = socket.error;
  socket.error = 0;
  return -error;
}

}  // namespace junction::net
