// SPDX-License-Identifier: Apache-2.0
// Hot path: no allocation, no host call. Headers are written straight into the device's memory.
#include <cstring>

#include "net/checksum.h"
#include "net/ethernet.h"
#include "net/stack_state.h"

namespace junction::net {
namespace {

constexpr uint16_t kDontFragment = 0x4000;

// The link's destination address; false: the neighbour is being looked up.
bool FindMac(Stack& stack, const Path& path, Socket* waiter, MacAddress& out, uint64_t now_ns) {
  const Device& device = *path.device;
  if (device.is_loopback) {
    std::memset(out, 0, 6);
  } else if (path.next_hop.is_multicast()) {
    GroupMac(path.next_hop, out);
  } else if (device.is_point_to_point) {
    std::memcpy(out, device.peer_mac, 6);
  } else if (IsBroadcastOn(device, path.next_hop)) {
    std::memset(out, 0xff, 6);
  } else {
    return ResolveNeighbour(stack, path, waiter, out, now_ns);
  }
  return true;
}

void WriteHeader4(Stack& stack, uint8_t* header, uint8_t protocol, const IpAddress& source,
                  const IpAddress& destination, uint8_t ttl, uint8_t type_of_service, bool forbids_fragments) {
  header[0] = 0x45;
  header[1] = type_of_service;
  // RFC 6864: the identification of a packet that is never fragmented means nothing.
  StoreBig16(header + 4, forbids_fragments ? 0 : static_cast<uint16_t>(NextPacketId(stack)));
  StoreBig16(header + 6, forbids_fragments ? kDontFragment : 0);
  header[8] = ttl;
  header[9] = protocol;
  std::memcpy(header + 12, source.v4(), 4);
  std::memcpy(header + 16, destination.v4(), 4);
}

void WriteHeader6(uint8_t* header, uint8_t protocol, const IpAddress& source, const IpAddress& destination, uint8_t ttl,
                  uint8_t type_of_service) {
  StoreBig32(header, 0x60000000U | static_cast<uint32_t>(type_of_service) << 20);
  header[6] = protocol;
  header[7] = ttl;
  std::memcpy(header + 8, source.bytes, 16);
  std::memcpy(header + 24, destination.bytes, 16);
}

}  // namespace

uint32_t NextPacketId(Stack& stack) {
  // RFC 7739, section 5: unpredictable ids; a keyed permutation of a counter does not repeat soon.
  const uint64_t counter = stack.next_packet_id++;
  return static_cast<uint32_t>(MixHash(counter ^ stack.signing_secret.words[0], stack.signing_secret.words[1] | 1));
}

BeginResult BeginPacket(Stack& stack, const Path& path, uint8_t protocol, const IpAddress& source,
                        const IpAddress& destination, uint8_t ttl, uint8_t type_of_service, bool forbids_fragments,
                        uint32_t transport_bytes, Socket* waiter, OutgoingPacket& out, uint64_t now_ns) {
  Device& device = *path.device;
  if (waiter != nullptr) {
    waiter->protocol = protocol;
  }
  MacAddress mac;
  if (!FindMac(stack, path, waiter, mac, now_ns)) {
    return BeginResult::kUnresolved;
  }
  const bool is_v6 = !destination.is_v4();
  const uint32_t header_bytes = kEthernetHeader_bytes + (is_v6 ? kIp6Header_bytes : kIp4Header_bytes);
  uint8_t* const frame = device.ops->reserve(device, header_bytes + transport_bytes);
  if (frame == nullptr) {
    ++device.dropped_out;
    ++stack.counters.ip_no_room;
    if (waiter != nullptr && !waiter->waiting_node.is_linked()) {
      device.waiting.PushBack(waiter->waiting_node);
    }
    return BeginResult::kNoRoom;
  }
  WriteEthernetHeader(frame, mac, device.mac, is_v6 ? kTypeIp6 : kTypeIp4);
  uint8_t* const header = frame + kEthernetHeader_bytes;
  if (is_v6) {
    WriteHeader6(header, protocol, source, destination, ttl, type_of_service);
  } else {
    WriteHeader4(stack, header, protocol, source, destination, ttl, type_of_service, forbids_fragments);
  }
  out.device = &device;
  out.frame = frame;
  out.transport = frame + header_bytes;
  out.room_bytes = transport_bytes;
  out.ip_offset = kEthernetHeader_bytes;
  out.is_v6 = is_v6;
  return BeginResult::kReady;
}

void FinishPacket(Stack& stack, OutgoingPacket& packet, uint8_t protocol, const IpAddress& source,
                  const IpAddress& destination, uint32_t transport_bytes, uint32_t checksum_offset,
                  uint16_t segment_bytes) {
  Device& device = *packet.device;
  uint8_t* const header = packet.frame + packet.ip_offset;
  if (packet.is_v6) {
    StoreBig16(header + 4, static_cast<uint16_t>(transport_bytes));
  } else {
    StoreBig16(header + 2, static_cast<uint16_t>(kIp4Header_bytes + transport_bytes));
    std::memset(header + 10, 0, 2);
    const auto sum = static_cast<uint16_t>(~FoldSum(SumBytes(header, kIp4Header_bytes, 0)));
    std::memcpy(header + 10, &sum, 2);
  }
  FrameMeta meta;
  if (checksum_offset != ~0U) {
    // ICMP over IPv4 has no pseudo header (RFC 792).
    uint64_t sum = protocol == kProtocolIcmp ? 0 : PseudoSum(source, destination, protocol, transport_bytes);
    uint16_t stored = FoldSum(sum);
    if (device.has_blank_checksums) {
      meta.flags = kFrameChecksumBlank;
      meta.checksum_start = static_cast<uint16_t>(packet.transport - packet.frame);
      meta.checksum_offset = static_cast<uint16_t>(checksum_offset);
    } else {
      std::memset(packet.transport + checksum_offset, 0, 2);
      sum = SumBytes(packet.transport, transport_bytes, sum);
      stored = static_cast<uint16_t>(~FoldSum(sum));
      stored = stored == 0 && protocol == kProtocolUdp ? 0xffff : stored;  // 0 means "none" there (RFC 768)
    }
    std::memcpy(packet.transport + checksum_offset, &stored, 2);
  }
  if (segment_bytes != 0) {
    meta.flags |= packet.is_v6 ? kFrameSegmentTcp6 : kFrameSegmentTcp4;
    meta.segment_bytes = segment_bytes;
  }
  const auto length_bytes = static_cast<uint32_t>(packet.transport - packet.frame) + transport_bytes;
  device.ops->commit(device, length_bytes, meta);
  MarkDirty(stack, device);
  ++device.frames_out;
  device.bytes_out += length_bytes;
  ++stack.counters.ip_out;
}

}  // namespace junction::net
