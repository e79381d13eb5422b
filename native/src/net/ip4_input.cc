// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 791, RFC 1122 section 3.2. A host, not a router: what is not ours is dropped.
// Hot path: no allocation, no host call.
#include <cstring>

#include "net/checksum.h"
#include "net/ethernet.h"
#include "net/stack_state.h"

namespace junction::net {
namespace {

constexpr uint32_t kMaxHeader_bytes = 60;
constexpr uint16_t kMoreFragments = 0x2000;
constexpr uint16_t kFragmentOffset = 0x1fff;

// RFC 791, section 3.1. Malformed options and source routes (which Linux refuses too) are not for us; others are ignored.
bool HasGoodOptions(const uint8_t* options, uint32_t size_bytes) {
  for (uint32_t at = 0; at < size_bytes;) {
    const uint8_t type = options[at];
    if (type == 0) {
      return true;
    }
    if (type == 1) {
      ++at;
      continue;
    }
    const uint32_t length = at + 1 < size_bytes ? options[at + 1] : 0;
    if (length < 2 || at + length > size_bytes || type == 131 || type == 137) {
      return false;
    }
    at += length;
  }
  return true;
}

// RFC 1122, section 3.2.1.3: addresses that no packet comes from.
bool IsMartianSource(const Stack& stack, const Device& device, const IpAddress& source) {
  if (device.is_loopback) {
    return !IsOwnAddress(stack, source);
  }
  return source.is_any() || source.is_multicast() || source.v4()[0] >= 240 || source.is_loopback() ||
         IsBroadcastOn(device, source) || IsOwnAddress(stack, source);
}

}  // namespace

void Ip4Input(Stack& stack, Device& device, const LinkFrame& frame, uint64_t now_ns) {
  StackCounters& counters = stack.counters;
  ++counters.ip_in;
  // Header, and 8 bytes of what follows for ICMP errors. The usual case copies 28 bytes, which the compiler makes moves.
  uint8_t head[kMaxHeader_bytes + 8];
  if (frame.size_bytes >= kIp4Header_bytes + 8) {
    std::memcpy(head, frame.payload, kIp4Header_bytes + 8);
  } else if (frame.size_bytes >= kIp4Header_bytes) {
    std::memset(head, 0, kIp4Header_bytes + 8);
    std::memcpy(head, frame.payload, frame.size_bytes);
  } else {
    ++counters.ip_malformed;
    return;
  }
  const uint32_t header_bytes = (head[0] & 0xfU) * 4;
  const uint32_t total_bytes = LoadBig16(head + 2);
  if (head[0] >> 4 != 4 || header_bytes < kIp4Header_bytes || total_bytes < header_bytes ||
      total_bytes > frame.size_bytes) {
    ++counters.ip_malformed;
    return;
  }
  if (header_bytes > kIp4Header_bytes) {
    const uint32_t known = total_bytes - header_bytes < 8 ? total_bytes : header_bytes + 8;
    // The first 20 bytes were copied, and checked: they stay.
    std::memcpy(head + kIp4Header_bytes, frame.payload + kIp4Header_bytes, known - kIp4Header_bytes);
    if (!HasGoodOptions(head + kIp4Header_bytes, header_bytes - kIp4Header_bytes)) {
      ++counters.ip_malformed;
      return;
    }
  }
  if (FoldSum(SumBytes(head, header_bytes, 0)) != 0xffff) {
    ++counters.ip_malformed;
    return;
  }

  IpPacket packet;
  packet.source = IpAddress::V4(head + 12);
  packet.destination = IpAddress::V4(head + 16);
  packet.is_broadcast = frame.is_group;
  const bool is_known =
      device.last_destination_version == stack.route_version && packet.destination == device.last_destination;
  if (!is_known) {
    const bool is_group = packet.destination.is_multicast() ? IsMember(stack, device, packet.destination)
                          : device.is_loopback              ? IsBroadcastAddress(stack, packet.destination)
                                                            : IsBroadcastOn(device, packet.destination);
    const bool is_ours =
        IsOwnAddress(stack, packet.destination) && (device.is_loopback || !packet.destination.is_loopback());
    if (!is_group && !is_ours) {
      ++counters.ip_bad_address;
      return;
    }
    if (is_group) {
      packet.is_broadcast = true;
    } else {
      device.last_destination = packet.destination;
      device.last_destination_version = stack.route_version;
    }
  }
  if (device.last_source_version != stack.route_version || !(packet.source == device.last_source)) {
    if (IsMartianSource(stack, device, packet.source)) {
      ++counters.ip_bad_address;
      return;
    }
    device.last_source = packet.source;
    device.last_source_version = stack.route_version;
  }
  packet.protocol = head[9];
  packet.next_header_offset = 9;
  packet.ttl = head[8];
  packet.type_of_service = head[1];
  packet.needs_checksum =
      !device.is_loopback &&
      !(device.trusts_checksums && (frame.meta.flags & (kFrameChecksumBlank | kFrameChecksumGood)) != 0);
  packet.payload = frame.payload + header_bytes;
  packet.size_bytes = total_bytes - header_bytes;
  packet.segment_bytes = (frame.meta.flags & kFrameSegmentTcp4) != 0 ? frame.meta.segment_bytes : 0;
  packet.original = head;
  packet.original_bytes = header_bytes + (packet.size_bytes < 8 ? packet.size_bytes : 8);

  const uint16_t fragment = LoadBig16(head + 6);
  if ((fragment & (kMoreFragments | kFragmentOffset)) != 0) {
    FragmentInput(stack, device, packet, LoadBig16(head + 4), (fragment & kFragmentOffset) * 8U,
                  (fragment & kMoreFragments) != 0, now_ns);
    return;
  }
  DeliverPacket(stack, device, packet, now_ns);
}

void DeliverPacket(Stack& stack, Device& device, const IpPacket& packet, uint64_t now_ns) {
  switch (packet.protocol) {
    case kProtocolTcp:
      kTcpOps.input(stack, device, packet, now_ns);
      return;
    case kProtocolUdp:
      kUdpOps.input(stack, device, packet, now_ns);
      return;
    case kProtocolIcmp:
    case kProtocolIcmp6:
      if ((packet.protocol == kProtocolIcmp) == packet.source.is_v4()) {
        kIcmpOps.input(stack, device, packet, now_ns);
        return;
      }
      break;
    default:
      break;
  }
  ++stack.counters.ip_no_protocol;
  SendProtocolUnreachable(stack, device, packet, now_ns);
}

}  // namespace junction::net
