// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 4861 sections 4.3, 4.4, 7.1, 7.2. No duplicate address detection (RFC 4862) and no router discovery: junctiond assigns
// addresses and routes.
#include <cstring>

#include "net/ethernet.h"
#include "net/icmp_types.h"
#include "net/stack_state.h"

namespace junction::net {
namespace {

// Both messages: 0 type | 1 code | 2 checksum | 4 flags or reserved | 8 target | 24 options.
constexpr uint32_t kMessage_bytes = 24;
constexpr uint32_t kOption_bytes = 8;
constexpr uint8_t kSourceOption = 1;
constexpr uint8_t kTargetOption = 2;
constexpr uint32_t kSolicited = 0x40000000;
constexpr uint32_t kOverride = 0x20000000;

struct Message {
  uint8_t type;
  uint32_t flags;
  IpAddress source;
  IpAddress destination;
  IpAddress target;
  bool has_mac;  // carries ours
};

IpAddress SolicitedNodeOf(const IpAddress& address) {
  uint8_t group[16] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
  std::memcpy(group + 13, address.bytes + 13, 3);
  return IpAddress::V6(group);
}

// Straight to a MAC: BeginPacket would look the neighbour up.
void Send(Stack& stack, Device& device, const uint8_t* mac, const Message& message) {
  const uint32_t size = kMessage_bytes + (message.has_mac ? kOption_bytes : 0);
  uint8_t* const frame = device.ops->reserve(device, kEthernetHeader_bytes + kIp6Header_bytes + size);
  if (frame == nullptr) {
    ++device.dropped_out;
    return;
  }
  MacAddress destination;
  if (mac != nullptr) {
    std::memcpy(destination, mac, 6);
  } else {
    GroupMac(message.destination, destination);
  }
  WriteEthernetHeader(frame, destination, device.mac, kTypeIp6);
  uint8_t* const ip = frame + kEthernetHeader_bytes;
  StoreBig32(ip, 0x60000000U);
  ip[6] = kProtocolIcmp6;
  ip[7] = 255;
  std::memcpy(ip + 8, message.source.bytes, 16);
  std::memcpy(ip + 24, message.destination.bytes, 16);
  uint8_t* const icmp = ip + kIp6Header_bytes;
  icmp[0] = message.type;
  icmp[1] = 0;
  StoreBig16(icmp + 2, 0);
  StoreBig32(icmp + 4, message.flags);
  std::memcpy(icmp + 8, message.target.bytes, 16);
  if (message.has_mac) {
    icmp[kMessage_bytes] = message.type == kNeighbourSolicitation ? kSourceOption : kTargetOption;
    icmp[kMessage_bytes + 1] = 1;  // in units of 8 bytes
    std::memcpy(icmp + kMessage_bytes + 2, device.mac, 6);
  }
  OutgoingPacket packet;
  packet.device = &device;
  packet.frame = frame;
  packet.transport = icmp;
  packet.ip_offset = kEthernetHeader_bytes;
  packet.is_v6 = true;
  FinishPacket(stack, packet, kProtocolIcmp6, message.source, message.destination, size, 2, 0);
  ++stack.counters.icmp_out;
}

// The link-layer address option; null if there is none. False: the options are malformed (section 7.1).
bool ReadOptions(const uint8_t* message, uint32_t size_bytes, uint8_t wanted, const uint8_t*& mac) {
  mac = nullptr;
  for (uint32_t at = kMessage_bytes; at < size_bytes;) {
    if (at + 2 > size_bytes || message[at + 1] == 0) {
      return false;
    }
    const uint32_t length = message[at + 1] * 8U;
    if (at + length > size_bytes) {
      return false;
    }
    if (message[at] == wanted && (message[at + 2] & 1) == 0) {
      mac = message + at + 2;
    }
    at += length;
  }
  return true;
}

// Section 7.2.3, 7.2.4.
void SolicitationInput(Stack& stack, Device& device, const IpPacket& packet, const IpAddress& target,
                       const uint8_t* mac) {
  const bool is_probe = packet.source.is_any();
  if (is_probe && (mac != nullptr || !packet.destination.is_multicast())) {
    ++stack.counters.icmp_malformed;
    return;
  }
  if (!IsOwnAddressOn(stack, target, device)) {
    return;
  }
  static constexpr uint8_t kAllNodes[16] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  if (is_probe) {
    Send(stack, device, nullptr, {kNeighbourAdvertisement, kOverride, target, IpAddress::V6(kAllNodes), target, true});
    return;
  }
  NeighbourNews news;
  news.address = packet.source;
  news.mac = mac;
  news.may_create = true;
  LearnNeighbour(stack, device, news);
  MacAddress known;
  Path path;
  path.device = &device;
  path.next_hop = packet.source;
  path.source = target;
  if (mac == nullptr && !ResolveNeighbour(stack, path, nullptr, known, stack.now_ns)) {
    return;  // they ask again; by then we know where they are
  }
  Send(stack, device, mac != nullptr ? mac : known,
       {kNeighbourAdvertisement, kSolicited | kOverride, target, packet.source, target, true});
}

}  // namespace

void NeighbourDiscoveryInput(Stack& stack, Device& device, const IpPacket& packet, const uint8_t* message,
                             uint32_t size_bytes, uint64_t) {
  const uint8_t type = message[0];
  const uint8_t* mac = nullptr;
  const IpAddress target = size_bytes < kMessage_bytes ? IpAddress() : IpAddress::V6(message + 8);
  if (size_bytes < kMessage_bytes || message[1] != 0 || target.is_multicast() || target.is_any() ||
      device.is_loopback || device.is_point_to_point ||
      !ReadOptions(message, size_bytes, type == kNeighbourSolicitation ? kSourceOption : kTargetOption, mac)) {
    ++stack.counters.icmp_malformed;
    return;
  }
  if (type == kNeighbourSolicitation) {
    SolicitationInput(stack, device, packet, target, mac);
    return;
  }
  const uint32_t flags = LoadBig32(message + 4);
  if ((packet.destination.is_multicast() && (flags & kSolicited) != 0) || IsOwnAddressOn(stack, target, device)) {
    ++stack.counters.icmp_malformed;
    return;
  }
  NeighbourNews news;
  news.address = target;
  news.mac = mac;
  news.is_solicited = (flags & kSolicited) != 0;
  news.may_override = (flags & kOverride) != 0;
  LearnNeighbour(stack, device, news);
}

void AskByNeighbourDiscovery(Stack& stack, Device& device, const IpAddress& source, const IpAddress& target,
                             const uint8_t* mac) {
  Send(stack, device, mac,
       {kNeighbourSolicitation, 0, source, mac != nullptr ? target : SolicitedNodeOf(target), target, true});
}

// Section 7.2.6.
void AnnounceByNeighbourDiscovery(Stack& stack, Device& device, const IpAddress& address) {
  static constexpr uint8_t kAllNodes[16] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  Send(stack, device, nullptr, {kNeighbourAdvertisement, kOverride, address, IpAddress::V6(kAllNodes), address, true});
}

}  // namespace junction::net
