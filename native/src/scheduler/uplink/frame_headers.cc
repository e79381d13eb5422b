// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 791 section 3.1, RFC 8200 sections 3 and 4.5, RFC 826. Hot path: no allocation, no host call.
#include "scheduler/uplink/frame_headers.h"

namespace junction::scheduler {
namespace {

constexpr uint16_t kEtherTypeIp4 = 0x0800;
constexpr uint16_t kEtherTypeArp = 0x0806;
constexpr uint16_t kEtherTypeIp6 = 0x86dd;
constexpr uint32_t kIp4Header_bytes = 20;
constexpr uint32_t kIp6Header_bytes = 40;
constexpr uint32_t kArp_bytes = 28;  // Ethernet and IPv4
constexpr uint8_t kNextFragment = 44;
constexpr uint32_t kFragmentHeader_bytes = 8;

// Whether a protocol number is one of IPv6's extension headers (IANA, "IPv6 Extension Header Types").
bool IsExtension(uint8_t next) {
  switch (next) {
    case 0:    // hop by hop
    case 43:   // routing
    case 44:   // fragment (a second one)
    case 51:   // authentication
    case 60:   // destination options
    case 135:  // mobility
    case 139:  // host identity
    case 140:  // shim6
    case 253:
    case 254:
      return true;
    default:
      return false;
  }
}

void FindPorts(std::span<const uint8_t> copy, FrameHeaders& headers) {
  const uint32_t needed = headers.protocol == kProtocolTcp ? 20 : 8;
  const bool is_known = headers.protocol == kProtocolTcp || headers.protocol == kProtocolUdp;
  if (!is_known || headers.is_fragment || headers.transport + needed > headers.end ||
      headers.transport + needed > copy.size()) {
    return;
  }
  headers.has_ports = true;
  headers.source_port = ReadU16(copy, headers.transport);
  headers.destination_port = ReadU16(copy, headers.transport + 2);
}

FrameHeaders ParseIp4Packet(std::span<const uint8_t> copy, uint32_t length_bytes) {
  FrameHeaders headers;
  if (copy.size() < kNetworkOffset + kIp4Header_bytes || copy[kNetworkOffset] >> 4 != 4) {
    return headers;
  }
  const uint32_t header_bytes = (copy[kNetworkOffset] & 15U) * 4;
  const uint32_t total_bytes = ReadU16(copy, kNetworkOffset + 2);
  if (header_bytes < kIp4Header_bytes || total_bytes < header_bytes || kNetworkOffset + total_bytes > length_bytes) {
    return headers;
  }
  // Options: nobody needs them, and source routes are among them.
  headers.kind = header_bytes == kIp4Header_bytes ? FrameKind::kIp4 : FrameKind::kUnsupported;
  headers.end = kNetworkOffset + total_bytes;
  headers.protocol = copy[kNetworkOffset + 9];
  const uint16_t fragment = ReadU16(copy, kNetworkOffset + 6);
  headers.is_fragment = (fragment & 0x3fff) != 0;  // more to come, or an offset
  headers.transport = (fragment & 0x1fff) != 0 ? 0 : kNetworkOffset + header_bytes;
  FindPorts(copy, headers);
  return headers;
}

FrameHeaders ParseIp6Packet(std::span<const uint8_t> copy, uint32_t length_bytes) {
  FrameHeaders headers;
  if (copy.size() < kNetworkOffset + kIp6Header_bytes || copy[kNetworkOffset] >> 4 != 6) {
    return headers;
  }
  const uint32_t payload_bytes = ReadU16(copy, kNetworkOffset + 4);
  const uint32_t payload = kNetworkOffset + kIp6Header_bytes;
  if (payload_bytes == 0 || payload + payload_bytes > length_bytes) {
    return headers;
  }
  headers.end = payload + payload_bytes;
  headers.protocol = copy[kNetworkOffset + 6];
  headers.transport = payload;
  if (headers.protocol == kNextFragment) {
    if (payload_bytes < kFragmentHeader_bytes || copy.size() < payload + kFragmentHeader_bytes) {
      return headers;
    }
    headers.is_fragment = true;  // also an atomic one (RFC 6946): nobody needs to send those
    headers.protocol = copy[payload];
    headers.transport = (ReadU16(copy, payload + 2) & 0xfff8) != 0 ? 0 : payload + kFragmentHeader_bytes;
  }
  headers.kind = IsExtension(headers.protocol) ? FrameKind::kUnsupported : FrameKind::kIp6;
  FindPorts(copy, headers);
  return headers;
}

FrameHeaders ParseArpPacket(std::span<const uint8_t> copy) {
  FrameHeaders headers;
  constexpr uint8_t kEthernetAndIp4[6] = {0, 1, 8, 0, 6, 4};
  if (copy.size() >= kNetworkOffset + kArp_bytes &&
      std::memcmp(copy.data() + kNetworkOffset, kEthernetAndIp4, sizeof(kEthernetAndIp4)) == 0) {
    headers.kind = FrameKind::kArp;
    headers.end = kNetworkOffset + kArp_bytes;
  }
  return headers;
}

}  // namespace

FrameHeaders ParseFrame(std::span<const uint8_t> copy, uint32_t length_bytes) {
  if (copy.size() < kNetworkOffset || length_bytes < copy.size()) {
    return {};
  }
  switch (ReadU16(copy, 12)) {
    case kEtherTypeIp4:
      return ParseIp4Packet(copy, length_bytes);
    case kEtherTypeIp6:
      return ParseIp6Packet(copy, length_bytes);
    case kEtherTypeArp:
      return ParseArpPacket(copy);
    default: {
      FrameHeaders headers;
      headers.kind = FrameKind::kUnsupported;
      return headers;
    }
  }
}

}  // namespace junction::scheduler
