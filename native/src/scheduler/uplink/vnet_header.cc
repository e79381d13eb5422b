// SPDX-License-Identifier: Apache-2.0
// Hot path: no allocation, no host call.
#include "scheduler/uplink/vnet_header.h"

namespace junction::scheduler {
namespace {

// Where the checksum is in the header of a protocol; 0 if it has none with a pseudo header.
uint16_t ChecksumOffset(uint8_t protocol) {
  switch (protocol) {
    case kProtocolTcp:
      return 16;
    case kProtocolUdp:
      return 6;
    case kProtocolIcmp6:
      return 2;
    default:
      return 0;
  }
}

uint32_t AddWords(uint32_t sum, std::span<const uint8_t> bytes) {
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) {
    sum += static_cast<uint32_t>(bytes[i] << 8 | bytes[i + 1]);
  }
  return sum;
}

// RFC 9293 section 3.1, RFC 8200 section 8.1: addresses, length, protocol; not complemented.
uint16_t PseudoHeaderSum(std::span<const uint8_t> copy, const FrameHeaders& headers) {
  const bool is_v6 = headers.kind == FrameKind::kIp6;
  const auto addresses = is_v6 ? copy.subspan(kNetworkOffset + 8, 32) : copy.subspan(kNetworkOffset + 12, 8);
  uint32_t sum = AddWords(headers.protocol + (headers.end - headers.transport), addresses);
  while (sum >> 16 != 0) {
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<uint16_t>(sum);
}

bool WantsFittingChecksum(const FrameMeta& meta, std::span<const uint8_t> copy, const FrameHeaders& headers) {
  const uint16_t offset = ChecksumOffset(headers.protocol);
  return offset != 0 && !headers.is_fragment && meta.checksum_start == headers.transport &&
         meta.checksum_offset == offset && headers.transport + offset + 2U <= headers.end &&
         headers.transport + offset + 2U <= copy.size();
}

// Bytes of Ethernet, IP and TCP header; 0 if the TCP header is not one.
uint32_t HeadersOfSegment(std::span<const uint8_t> copy, const FrameHeaders& headers) {
  const uint32_t tcp_bytes = (copy[headers.transport + 12] >> 4) * 4U;
  const uint32_t total = headers.transport + tcp_bytes;
  return tcp_bytes < 20 || total > headers.end ? 0 : total;
}

std::expected<void, DropReason> AddSegmentation(VnetHeader& header, const FrameMeta& meta,
                                                std::span<const uint8_t> copy, const FrameHeaders& headers,
                                                uint32_t mtu_bytes) {
  const bool is_v6 = headers.kind == FrameKind::kIp6;
  const uint16_t wanted = is_v6 ? kFrameSegmentTcp6 : kFrameSegmentTcp4;
  if ((meta.flags & (kFrameSegmentTcp4 | kFrameSegmentTcp6)) != wanted || headers.protocol != kProtocolTcp ||
      !headers.has_ports || (meta.flags & kFrameChecksumBlank) == 0 || meta.segment_bytes < kMinSegment_bytes) {
    return std::unexpected(DropReason::kOffload);
  }
  const uint32_t headers_bytes = HeadersOfSegment(copy, headers);
  if (headers_bytes == 0 || headers_bytes - kNetworkOffset + meta.segment_bytes > mtu_bytes) {
    return std::unexpected(DropReason::kOffload);
  }
  if (headers.end - headers_bytes > meta.segment_bytes) {  // else it is one segment already
    header.gso_type = is_v6 ? kVnetGsoTcp6 : kVnetGsoTcp4;
    header.segment_bytes = meta.segment_bytes;
    header.header_bytes = static_cast<uint16_t>(headers_bytes);
  }
  return {};
}

}  // namespace

std::expected<VnetHeader, DropReason> VnetFromMeta(const FrameMeta& meta, std::span<uint8_t> copy,
                                                   const FrameHeaders& headers, uint32_t mtu_bytes) {
  VnetHeader header{};
  header.gso_type = kVnetGsoNone;
  if ((meta.flags & kFrameChecksumBlank) != 0) {
    if (!WantsFittingChecksum(meta, copy, headers)) {
      return std::unexpected(DropReason::kOffload);
    }
    header.flags = kVnetNeedsChecksum;
    header.checksum_start = meta.checksum_start;
    header.checksum_offset = meta.checksum_offset;
    const uint16_t sum = PseudoHeaderSum(copy, headers);
    copy[headers.transport + meta.checksum_offset] = static_cast<uint8_t>(sum >> 8);
    copy[headers.transport + meta.checksum_offset + 1U] = static_cast<uint8_t>(sum);
  }
  if ((meta.flags & (kFrameSegmentTcp4 | kFrameSegmentTcp6)) != 0) {
    if (auto added = AddSegmentation(header, meta, copy, headers, mtu_bytes); !added) {
      return std::unexpected(added.error());
    }
  }
  if (header.gso_type == kVnetGsoNone && headers.end - kNetworkOffset > mtu_bytes) {
    return std::unexpected(DropReason::kTooLong);
  }
  return header;
}

FrameMeta MetaFromVnet(const VnetHeader& header) {
  FrameMeta meta;
  if ((header.flags & kVnetNeedsChecksum) != 0) {
    meta.flags |= kFrameChecksumBlank;
    meta.checksum_start = header.checksum_start;
    meta.checksum_offset = header.checksum_offset;
  } else if ((header.flags & kVnetDataValid) != 0) {
    meta.flags |= kFrameChecksumGood;
  }
  const int gso = header.gso_type & ~kVnetGsoEcn;
  if (gso == kVnetGsoTcp4 || gso == kVnetGsoTcp6) {
    meta.flags |= gso == kVnetGsoTcp4 ? kFrameSegmentTcp4 : kFrameSegmentTcp6;
    meta.segment_bytes = header.segment_bytes;
  }
  return meta;
}

}  // namespace junction::scheduler
