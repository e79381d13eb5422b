// SPDX-License-Identifier: Apache-2.0
// Between the internet layer and the protocols above it (udp, icmp, tcp/). Inside `net` only.
#pragma once

#include <cstdint>

#include "net/address.h"
#include "net/device.h"
#include "net/socket.h"

namespace junction::net {

inline constexpr uint8_t kProtocolIcmp = 1;
inline constexpr uint8_t kProtocolTcp = 6;
inline constexpr uint8_t kProtocolUdp = 17;
inline constexpr uint8_t kProtocolIcmp6 = 58;

/// An IP packet that came in whole (reassembled if need be), its headers checked and copied. `payload` is still hostile shared memory:
/// copy before checking, read each byte once.
struct IpPacket {
  IpAddress source;
  IpAddress destination;
  uint8_t protocol;
  uint8_t ttl;
  uint8_t type_of_service;  // with the ECN bits
  bool is_broadcast;        // or multicast: no RST, no ICMP error for it
  bool needs_checksum;      // the transport checksum has to be summed; else the device vouches for it
  const uint8_t* payload;
  uint32_t size_bytes;
  uint16_t segment_bytes;       // of a frame of several TCP segments; 0 = one
  uint16_t next_header_offset;  // IPv6: where in the packet the protocol was named
  // The beginning of the packet as it came, for ICMP errors about it: IP header and 8 bytes (RFC 792), private memory.
  const uint8_t* original;
  uint32_t original_bytes;
};

/// How to get to a destination. Cheap to copy; valid while `Stack::route_version` is what it was.
struct Path {
  Device* device = nullptr;
  IpAddress next_hop;
  IpAddress source;  // our address on that way
  uint32_t mtu_bytes = 0;
  uint32_t route_version = 0;
};

/// A destination of "any" means this host (as in Linux): the loopback address of its family; others stay as they are.
IpAddress NormalizeDestination(const IpAddress& destination);
/// 0, -ENETUNREACH, -EHOSTUNREACH, -EADDRNOTAVAIL (`source` not any and not ours). `device_index` 0 = whichever.
int FindPath(Stack& stack, const IpAddress& destination, const IpAddress& source, uint32_t device_index, Path& out);
/// Whether the address is one of ours (loopback networks included), on any device.
bool IsOwnAddress(const Stack& stack, const IpAddress& address);
/// Whether it is 255.255.255.255 or the broadcast address of one of our networks.
bool IsBroadcastAddress(const Stack& stack, const IpAddress& address);
/// A path to `destination` carries packets of `mtu_bytes` only: kept for ten minutes, never less than 68 (IPv4) or 1280 (IPv6), never more
/// than what is known. Called by a protocol once it is convinced that an IcmpError belongs to a packet that it sent.
void ReducePathMtu(Stack& stack, const IpAddress& destination, uint32_t mtu_bytes, uint64_t now_ns);

/// A packet under construction in a device's memory.
struct OutgoingPacket {
  Device* device = nullptr;
  uint8_t* frame = nullptr;      // begins with the Ethernet header
  uint8_t* transport = nullptr;  // where the transport header goes
  uint32_t room_bytes = 0;       // from there on
  uint32_t ip_offset = 0;        // where the IP header begins in the frame
  bool is_v6 = false;
};

enum class BeginResult : uint8_t {
  kReady,
  kNoRoom,      // the device is full: the socket waits in Device::waiting (if one was given)
  kUnresolved,  // the neighbour is being looked up: the socket waits; it fails with EHOSTUNREACH if nobody answers
};

/// Begins a packet of at most `transport_bytes` behind the IP header on `path`; Ethernet and IP headers are written. `waiter` (may be null)
/// goes on through `protocol`'s resume function (Stack::protocols) once it is worth another try.
BeginResult BeginPacket(Stack& stack, const Path& path, uint8_t protocol, const IpAddress& source,
                        const IpAddress& destination, uint8_t ttl, uint8_t type_of_service, bool forbids_fragments,
                        uint32_t transport_bytes, Socket* waiter, OutgoingPacket& out, uint64_t now_ns);
/// It is complete, `transport_bytes` long: lengths and the IP header's checksum are filled in. The transport checksum too, at
/// `checksum_offset` within the transport header (as IPv4's UDP 0 -> 0xffff rule; ~0U = none), or it is left blank where the device may.
/// `segment_bytes` not 0: a TCP frame of several segments of that payload.
void FinishPacket(Stack& stack, OutgoingPacket& packet, uint8_t protocol, const IpAddress& source,
                  const IpAddress& destination, uint32_t transport_bytes, uint32_t checksum_offset,
                  uint16_t segment_bytes);

/// An ICMP error about a packet of ours: both families, one meaning.
struct IcmpError {
  IpAddress source;       // ours, as in the packet
  IpAddress destination;  // the peer
  uint8_t protocol;
  const uint8_t* transport;  // private copy of its first bytes
  uint32_t transport_bytes;  // at least 8
  int error;                 // positive errno as ip(7) maps it
  bool is_hard;              // worth ending a connection attempt (RFC 5461)
  uint32_t mtu_bytes;        // fragmentation needed, packet too big; 0 = another error
  uint8_t type, code;
};

/// What a protocol gives the internet layer.
struct ProtocolOps {
  void (*input)(Stack& stack, Device& device, const IpPacket& packet, uint64_t now_ns);
  void (*icmp_error)(Stack& stack, const IcmpError& error, uint64_t now_ns);
  /// A socket that waited for the device or a neighbour may try again; `error` not 0: the neighbour does not answer (EHOSTUNREACH).
  void (*resume)(Socket& socket, int error, uint64_t now_ns);
  /// All sockets that use the device end with `error` (device removed or reset).
  void (*device_reset)(Stack& stack, Device& device, int error, uint64_t now_ns);
  /// End of a batch (Flush); null = nothing to do.
  void (*flush)(Stack& stack, uint64_t now_ns);

  // Each may be null.
  /// The protocol's part of a new stack (Stack::tcp and so on); false if memory is short.
  bool (*start)(Stack& stack);
  /// Ends what is left, gives the part's memory back. No packet leaves.
  void (*stop)(Stack& stack);
  /// Stack::signing_secret is new. Also called before `start`.
  void (*renew_secrets)(Stack& stack);
  /// Idle: caches go.
  void (*trim)(Stack& stack);
  bool (*has_connections)(const Stack& stack);
};
extern const ProtocolOps kTcpOps;  // tcp/
extern const ProtocolOps kUdpOps;
extern const ProtocolOps kIcmpOps;  // both families, and ping sockets

/// Tells the sender of `packet` that nobody listens at the port, rate-limited. Not for broadcasts.
void SendPortUnreachable(Stack& stack, Device& device, const IpPacket& packet, uint64_t now_ns);

/// Bound ports of a protocol (kProtocolTcp, kProtocolUdp): one table for both families, SO_REUSEADDR and SO_REUSEPORT as socket(7) says.
/// 0, -EADDRINUSE, -EAGAIN (no ephemeral port is free), -EADDRNOTAVAIL. Sets socket.local; port 0 draws one at random (RFC 6056, algorithm 1).
int BindPort(Stack& stack, uint8_t protocol, Socket& socket, const Endpoint& local, bool is_listening);
/// For connect without bind (RFC 6056, 3.3.3): a port that makes the four-tuple unique according to `is_taken`.
int BindForConnect(Stack& stack, uint8_t protocol, Socket& socket, const IpAddress& local, const Endpoint& remote,
                   bool (*is_taken)(Stack& stack, const Endpoint& local, const Endpoint& remote));
/// An accepted connection shares its listener's port.
int SharePort(Stack& stack, uint8_t protocol, Socket& socket);
void ReleasePort(Stack& stack, uint8_t protocol, Socket& socket);

}  // namespace junction::net
