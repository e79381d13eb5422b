// SPDX-License-Identifier: Apache-2.0
// What a stack consists of. Inside `net` only: owners use stack.h. Nothing in here is shared with another stack or thread.
#pragma once

#include "net/block_pool.h"
#include "net/fragments.h"
#include "net/hash.h"
#include "net/hash_table.h"
#include "net/ip.h"
#include "net/loopback.h"
#include "net/neighbours.h"
#include "net/path_mtu.h"
#include "net/stack.h"

namespace junction::net {

struct TcpLayer;  // tcp/'s own, made by kTcpOps.start

/// A port (or an ICMP identifier) in use.
struct PortEntry {
  HashNode hash;
  List sockets;  // by BindPort: those without a peer first, then the connected ones (so that a search can stop there)
  uint16_t port = 0;
  uint32_t sharers = 0;         // by SharePort and BindForConnect
  uint32_t strict_sharers = 0;  // of these, without SO_REUSEADDR
};

struct PortTable {
  HashTable entries;
  uint32_t connect_counter = 0;  // RFC 6056, section 3.3.3: next_ephemeral
};

struct AddressEntry {
  HashNode hash;         // by address
  ListNode node;         // Stack::addresses, in the order of their making
  ListNode device_node;  // Device::addresses
  DeviceAddress value;
};

struct RouteEntry {
  HashNode hash;  // host routes: by network
  ListNode node;  // Stack::routes: longest prefix first
  Route route;
  uint32_t bits = 0;  // of 128
};

struct UdpLayer {
  HashTable connected;  // UdpSocket::connected_hash, by local port and remote endpoint
  List sockets;         // all, ping sockets too
  List members;         // those with multicast memberships
};

/// Linux' icmp_msgs_per_sec and icmp_msgs_burst.
struct TokenBucket {
  uint64_t tokens_ns = 0;
  uint64_t last_ns = 0;
  bool is_filled = false;  // full at the first use
};

class Stack {
 public:
  Environment environment;
  StackOptions options;
  BlockPool pool;
  TimerQueue timers;
  StackCounters counters = {};
  Secret secret;  // keys the tables; stays
  Secret
      signing_secret;  // for what outsiders see: sequence numbers, ports, cookies, packet ids. RenewSecrets draws it anew
  uint64_t now_ns = 0;         // the owner's last word: for timers, whose functions get no time
  uint32_t route_version = 1;  // of all that a Path depends on

  Device** devices = nullptr;  // by index
  uint32_t device_room = 0;
  List dirty_devices;  // Device::node
  Loopback* loopback = nullptr;

  HashTable address_table;
  List addresses;
  HashTable host_routes;
  List routes;                          // all; the host routes come first
  RouteEntry* first_network = nullptr;  // in `routes`: behind the host routes
  NeighbourTable neighbours;
  PathMtuCache path_mtus;
  FragmentTable fragments;
  uint32_t next_packet_id = 0;

  PortTable tcp_ports;
  PortTable udp_ports;
  PortTable icmp_ports;  // identifiers of IPv4
  PortTable icmp6_ports;
  UdpLayer udp;
  TokenBucket icmp_tokens;
  TcpLayer* tcp = nullptr;
};

/// Not a protocol: a datagram that waits for a neighbour or a device (udp_state.h). 255 is reserved by IANA.
inline constexpr uint8_t kProtocolPending = 255;
extern const ProtocolOps kPendingOps;

/// The protocol of that number, null for others.
inline const ProtocolOps* ProtocolOf(uint8_t protocol) {
  switch (protocol) {
    case kProtocolTcp:
      return &kTcpOps;
    case kProtocolUdp:
      return &kUdpOps;
    case kProtocolIcmp:
    case kProtocolIcmp6:
      return &kIcmpOps;
    case kProtocolPending:
      return &kPendingOps;
    default:
      return nullptr;
  }
}

/// Something was committed to the device.
inline void MarkDirty(Stack& stack, Device& device) {
  if (!device.needs_flush) {
    device.needs_flush = true;
    stack.dirty_devices.PushBack(device.node);
  }
}

uint64_t HashPort(const Stack& stack, uint16_t port);
PortEntry* FindPort(const PortTable& table, const Stack& stack, uint16_t port);
void StopPorts(Stack& stack);

template <typename T>
T* New(Stack& stack) {
  return New<T>(stack.environment);
}
template <typename T>
void Delete(Stack& stack, T* object) {
  Delete<T>(stack.environment, object);
}

}  // namespace junction::net

/// A broken invariant of our own: stop at once. Works in both builds.
#define NET_CHECK(condition)         \
  do {                               \
    if (!(condition)) [[unlikely]] { \
      __builtin_trap();              \
    }                                \
  } while (false)
