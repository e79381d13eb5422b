// SPDX-License-Identifier: Apache-2.0
// The link layer, and what the parts of the internet layer call of each other. Inside `net` only.
// Read first: RFC 894, RFC 1112 section 6.4 and RFC 2464 section 7 (group addresses).
#pragma once

#include <cstdint>

#include "net/ip.h"
#include "nic/frame_ring.h"

namespace junction::net {

inline constexpr uint16_t kTypeIp4 = 0x0800;
inline constexpr uint16_t kTypeArp = 0x0806;
inline constexpr uint16_t kTypeIp6 = 0x86dd;
inline constexpr uint32_t kIp4Header_bytes = 20;
inline constexpr uint32_t kIp6Header_bytes = 40;

/// A frame as its bytes lie behind the Ethernet header, with the header's private copy.
struct LinkFrame {
  const uint8_t* payload;
  uint32_t size_bytes;
  MacAddress source;
  bool is_group;  // sent to a broadcast or multicast MAC
  FrameMeta meta;
};

void EthernetInput(Stack& stack, Device& device, const FrameView& frame, uint64_t now_ns);
void Ip4Input(Stack& stack, Device& device, const LinkFrame& frame, uint64_t now_ns);
void Ip6Input(Stack& stack, Device& device, const LinkFrame& frame, uint64_t now_ns);
void ArpInput(Stack& stack, Device& device, const LinkFrame& frame);

/// To the protocol, or an ICMP error if there is none.
void DeliverPacket(Stack& stack, Device& device, const IpPacket& packet, uint64_t now_ns);

/// Writes the 14 bytes.
void WriteEthernetHeader(uint8_t* frame, const MacAddress& destination, const MacAddress& source, uint16_t type);
/// The MAC of a multicast group.
void GroupMac(const IpAddress& group, MacAddress& out);

bool IsOwnAddressOn(const Stack& stack, const IpAddress& address, const Device& device);
/// Limited, or of a network of the device.
bool IsBroadcastOn(const Device& device, const IpAddress& address);
/// Gratuitous ARP, unsolicited neighbour advertisement: others forget what they knew.
void AnnounceAddress(Stack& stack, Device& device, const IpAddress& address);

/// An IP packet in private memory, sent in one piece or as fragments; `transport` with its checksum. 0, -EMSGSIZE, -EAGAIN (no room),
/// -EHOSTUNREACH (the neighbour is not known: it is being looked up, `waiter` as in BeginPacket).
int SendWhole(Stack& stack, const Path& path, uint8_t protocol, const IpAddress& source, const IpAddress& destination,
              uint8_t ttl, uint8_t type_of_service, const uint8_t* transport, uint32_t transport_bytes, Socket* waiter,
              uint64_t now_ns);

/// ICMP errors to the sender of a packet: rate-limited, never for broadcasts or errors. Codes as in RFC 792, RFC 4443.
void SendProtocolUnreachable(Stack& stack, Device& device, const IpPacket& packet, uint64_t now_ns);
void SendReassemblyTimeout(Stack& stack, Device& device, const IpPacket& packet, uint64_t now_ns);
/// RFC 4443, section 3.4: `pointer` to the octet of the original packet.
void SendParameterProblem(Stack& stack, Device& device, const IpPacket& packet, uint8_t code, uint32_t pointer,
                          uint64_t now_ns);

/// Neighbour discovery's messages, from icmp.cc: `message` is a private copy, its checksum is good, its hop limit was 255.
void NeighbourDiscoveryInput(Stack& stack, Device& device, const IpPacket& packet, const uint8_t* message,
                             uint32_t size_bytes, uint64_t now_ns);
/// Whether the stack receives what is sent to the group on the device.
bool IsMember(const Stack& stack, const Device& device, const IpAddress& group);

}  // namespace junction::net
