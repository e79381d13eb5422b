// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 8200 (IPv6; section 4 for extension headers), RFC 5095 (routing header 0), RFC 6946 (atomic fragments).
// Hot path up to the first extension header: no allocation, no host call.
#include <cstring>

#include "net/ethernet.h"
#include "net/stack_state.h"

namespace junction::net {
namespace {

constexpr uint8_t kHopByHop = 0;
constexpr uint8_t kRouting = 43;
constexpr uint8_t kFragment = 44;
constexpr uint8_t kNoNextHeader = 59;
constexpr uint8_t kDestinationOptions = 60;
// RFC 8504 section 5.3 lets a host bound both; Linux stops at 8 options and no length, we at these.
constexpr uint32_t kMaxExtensions = 8;
constexpr uint32_t kMaxExtension_bytes = 256;
constexpr uint32_t kMaxOptions = 8;

// RFC 4443, section 3.4.
constexpr uint8_t kErroneousField = 0;
constexpr uint8_t kUnknownOption = 2;

bool IsMartianSource(const Stack& stack, const Device& device, const IpAddress& source) {
  if (device.is_loopback) {
    return !IsOwnAddress(stack, source);
  }
  // The unspecified address may ask for duplicates (RFC 4861, section 7.2.3); mapped addresses never travel (RFC 4291bis, 2.5.5.2).
  return source.is_multicast() || source.is_v4() || source.is_loopback() ||
         (!source.is_any() && IsOwnAddress(stack, source));
}

// RFC 8200, section 4.2: options that we don't know, by their two highest bits. False: the packet is dropped (and answered).
bool HasGoodOptions(Stack& stack, Device& device, const IpPacket& packet, const uint8_t* header, uint32_t size_bytes,
                    uint32_t offset, uint64_t now_ns) {
  uint32_t count = 0;
  for (uint32_t at = 2; at < size_bytes;) {
    const uint8_t type = header[at];
    if (type == 0) {
      ++at;
      continue;
    }
    if (at + 2 > size_bytes || at + 2 + header[at + 1] > size_bytes || ++count > kMaxOptions) {
      return false;
    }
    const uint8_t action = type >> 6;
    if (type != 1 && action != 0) {
      if (action == 2 || (action == 3 && !packet.destination.is_multicast())) {
        SendParameterProblem(stack, device, packet, kUnknownOption, offset + at, now_ns);
      }
      return false;
    }
    at += 2U + header[at + 1];
  }
  return true;
}

// Walks over extension headers until packet.protocol is a transport's. False: done with the packet (dropped, or kept as a fragment).
bool SkipExtensions(Stack& stack, Device& device, IpPacket& packet, uint64_t now_ns) {
  uint32_t offset = kIp6Header_bytes;  // in the packet
  for (uint32_t count = 0;; ++count) {
    const uint8_t type = packet.protocol;
    if (type != kHopByHop && type != kRouting && type != kFragment && type != kDestinationOptions) {
      return type != kNoNextHeader;
    }
    if (count == kMaxExtensions || packet.size_bytes < 8 || (type == kHopByHop && count != 0)) {
      ++stack.counters.ip_malformed;
      return false;
    }
    uint8_t header[kMaxExtension_bytes];
    std::memcpy(header, packet.payload, 8);
    const uint32_t length = type == kFragment ? 8 : (header[1] + 1U) * 8;
    if (length > packet.size_bytes || length > kMaxExtension_bytes) {
      ++stack.counters.ip_malformed;
      return false;
    }
    std::memcpy(header + 8, packet.payload + 8, length - 8);
    packet.payload += length;
    packet.size_bytes -= length;
    packet.protocol = header[0];
    packet.next_header_offset = static_cast<uint16_t>(offset);
    if (type == kFragment) {
      const uint16_t field = LoadBig16(header + 2);
      if ((field & 0xfff9) != 0) {
        FragmentInput(stack, device, packet, LoadBig32(header + 4), field & 0xfff8U, (field & 1) != 0, now_ns);
        return false;
      }
      // An atomic fragment is the whole packet, whatever else is being put together.
    } else if (type == kRouting) {
      if (header[3] != 0) {  // segments left: we are no router
        SendParameterProblem(stack, device, packet, kErroneousField, offset + 2, now_ns);
        return false;
      }
    } else if (!HasGoodOptions(stack, device, packet, header, length, offset, now_ns)) {
      ++stack.counters.ip_malformed;
      return false;
    }
    offset += length;
  }
}

}  // namespace

bool ContinueExtensions(Stack& stack, Device& device, IpPacket& packet, uint64_t now_ns) {
  return SkipExtensions(stack, device, packet, now_ns);
}

void Ip6Input(Stack& stack, Device& device, const LinkFrame& frame, uint64_t now_ns) {
  StackCounters& counters = stack.counters;
  ++counters.ip_in;
  uint8_t head[kIp6Header_bytes + 8];
  if (frame.size_bytes >= sizeof(head)) {
    std::memcpy(head, frame.payload, sizeof(head));
  } else if (frame.size_bytes >= kIp6Header_bytes) {
    std::memset(head, 0, sizeof(head));
    std::memcpy(head, frame.payload, frame.size_bytes);
  } else {
    ++counters.ip_malformed;
    return;
  }
  IpPacket packet;
  packet.size_bytes = LoadBig16(head + 4);
  if (head[0] >> 4 != 6 || packet.size_bytes > frame.size_bytes - kIp6Header_bytes) {
    ++counters.ip_malformed;
    return;
  }
  packet.source = IpAddress::V6(head + 8);
  packet.destination = IpAddress::V6(head + 24);
  packet.is_broadcast = frame.is_group;
  if (device.last_destination_version != stack.route_version || !(packet.destination == device.last_destination)) {
    const bool is_group = packet.destination.is_multicast();
    const bool is_ours = is_group ? IsMember(stack, device, packet.destination)
                                  : !packet.destination.is_v4() && IsOwnAddress(stack, packet.destination) &&
                                        (device.is_loopback || !packet.destination.is_loopback());
    if (!is_ours) {
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
  packet.protocol = head[6];
  packet.next_header_offset = 6;
  packet.ttl = head[7];
  packet.type_of_service = static_cast<uint8_t>(head[0] << 4 | head[1] >> 4);
  packet.needs_checksum =
      !device.is_loopback &&
      !(device.trusts_checksums && (frame.meta.flags & (kFrameChecksumBlank | kFrameChecksumGood)) != 0);
  packet.payload = frame.payload + kIp6Header_bytes;
  packet.segment_bytes = (frame.meta.flags & kFrameSegmentTcp6) != 0 ? frame.meta.segment_bytes : 0;
  packet.original = head;
  packet.original_bytes = kIp6Header_bytes + (packet.size_bytes < 8 ? packet.size_bytes : 8);
  const bool is_plain = packet.protocol == kProtocolTcp || packet.protocol == kProtocolUdp;
  if (is_plain || SkipExtensions(stack, device, packet, now_ns)) {
    DeliverPacket(stack, device, packet, now_ns);
  }
}

}  // namespace junction::net
