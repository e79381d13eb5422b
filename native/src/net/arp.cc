// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 826 (ARP), RFC 5227 (conflicts: only counted here, as junctiond assigns the addresses).
#include <cstring>

#include "net/ethernet.h"
#include "net/stack_state.h"

namespace junction::net {
namespace {

// Offsets in an ARP packet for Ethernet and IPv4 (RFC 826, "Packet format").
//   0 hardware 1 | 2 protocol 0x0800 | 4 lengths 6, 4 | 6 operation | 8 sender MAC, 14 IP | 18 target MAC, 24 IP
constexpr uint32_t kArp_bytes = 28;
constexpr uint8_t kStart[6] = {0, 1, 8, 0, 6, 4};
constexpr uint16_t kRequest = 1;
constexpr uint16_t kReply = 2;
constexpr MacAddress kBroadcast = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
constexpr MacAddress kNobody = {};

struct ArpMessage {
  uint16_t operation;
  const uint8_t* sender_ip;
  const uint8_t* target_mac;
  const uint8_t* target_ip;
};

void Send(Stack& stack, Device& device, const uint8_t* to, const ArpMessage& message) {
  uint8_t* const frame = device.ops->reserve(device, kEthernetHeader_bytes + kArp_bytes);
  if (frame == nullptr) {
    ++device.dropped_out;
    return;
  }
  MacAddress destination;
  std::memcpy(destination, to, 6);
  WriteEthernetHeader(frame, destination, device.mac, kTypeArp);
  uint8_t* const arp = frame + kEthernetHeader_bytes;
  std::memcpy(arp, kStart, 6);
  StoreBig16(arp + 6, message.operation);
  std::memcpy(arp + 8, device.mac, 6);
  std::memcpy(arp + 14, message.sender_ip, 4);
  std::memcpy(arp + 18, message.target_mac, 6);
  std::memcpy(arp + 24, message.target_ip, 4);
  device.ops->commit(device, kEthernetHeader_bytes + kArp_bytes, FrameMeta());
  ++device.frames_out;
  device.bytes_out += kEthernetHeader_bytes + kArp_bytes;
  ++stack.counters.arp_out;
  MarkDirty(stack, device);
}

}  // namespace

void ArpInput(Stack& stack, Device& device, const LinkFrame& frame) {
  if (frame.size_bytes < kArp_bytes || device.is_loopback || device.is_point_to_point) {
    ++device.dropped_in;
    return;
  }
  uint8_t arp[kArp_bytes];
  std::memcpy(arp, frame.payload, kArp_bytes);
  const uint16_t operation = LoadBig16(arp + 6);
  const uint8_t* const sender_mac = arp + 8;
  const IpAddress sender = IpAddress::V4(arp + 14);
  const IpAddress target = IpAddress::V4(arp + 24);
  // The sender's MAC stands twice; who differs, or claims a group, lies.
  if (std::memcmp(arp, kStart, 6) != 0 || (operation != kRequest && operation != kReply) ||
      std::memcmp(sender_mac, frame.source, 6) != 0 || sender.is_multicast() || sender.is_loopback() ||
      IsBroadcastOn(device, sender)) {
    ++device.dropped_in;
    return;
  }
  ++stack.counters.arp_in;
  if (!sender.is_any() && IsOwnAddressOn(stack, sender, device)) {
    ++stack.counters.arp_conflicts;
    return;
  }
  const bool is_for_us = !target.is_loopback() && IsOwnAddressOn(stack, target, device);
  if (!sender.is_any()) {  // RFC 5227, 2.1.1: probes name no sender
    NeighbourNews news;
    news.address = sender;
    news.mac = sender_mac;
    news.is_solicited = operation == kReply && is_for_us && !frame.is_group;
    news.may_create = operation == kRequest && is_for_us;
    LearnNeighbour(stack, device, news);
  }
  if (operation == kRequest && is_for_us) {
    Send(stack, device, sender_mac, {kReply, target.v4(), sender_mac, arp + 14});
  }
}

void AskByArp(Stack& stack, Device& device, const IpAddress& source, const IpAddress& target, const uint8_t* mac) {
  Send(stack, device, mac == nullptr ? kBroadcast : mac, {kRequest, source.v4(), kNobody, target.v4()});
}

void AnnounceByArp(Stack& stack, Device& device, const IpAddress& address) {
  Send(stack, device, kBroadcast, {kRequest, address.v4(), kNobody, address.v4()});  // RFC 5227, section 2.3
}

}  // namespace junction::net
