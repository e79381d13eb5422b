// SPDX-License-Identifier: Apache-2.0
// FrameMeta to and from the virtio_net_hdr that a TAP with IFF_VNET_HDR wants (virtio 1.2, section 5.1.6; VIRTIO_NET_HDR_* there).
#pragma once

#include <expected>
#include <span>

#include "nic/frame.h"
#include "scheduler/uplink/drop_reason.h"
#include "scheduler/uplink/frame_headers.h"

namespace junction::scheduler {

/// The header before each frame of the TAP, in the host's byte order (the TAP's default is that of legacy virtio: native). Not linux/virtio_net.h's:
/// that one has a member by the name of `class`.
struct VnetHeader {
  uint8_t flags = 0;
  uint8_t gso_type = 0;
  uint16_t header_bytes = 0;   // hdr_len
  uint16_t segment_bytes = 0;  // gso_size
  uint16_t checksum_start = 0;
  uint16_t checksum_offset = 0;
};
static_assert(sizeof(VnetHeader) == 10);

inline constexpr uint8_t kVnetNeedsChecksum = 1;  // VIRTIO_NET_HDR_F_*
inline constexpr uint8_t kVnetDataValid = 2;
inline constexpr uint8_t kVnetGsoNone = 0;  // VIRTIO_NET_HDR_GSO_*
inline constexpr uint8_t kVnetGsoTcp4 = 1;
inline constexpr uint8_t kVnetGsoTcp6 = 4;
inline constexpr uint8_t kVnetGsoEcn = 0x80;  // a flag beside the type

/// Fewest bytes a segment may have: Linux's own TCP_MIN_SND_MSS. Less, and one frame would make thousands of packets.
inline constexpr uint16_t kMinSegment_bytes = 48;

/// The header to send a checked frame of an instance with. What the instance wished is checked against the packet; where it left the
/// checksum out, the pseudo header's sum is written into `copy`, whatever stood there. Fails with kOffload or kTooLong.
std::expected<VnetHeader, DropReason> VnetFromMeta(const FrameMeta& meta, std::span<uint8_t> copy,
                                                   const FrameHeaders& headers, uint32_t mtu_bytes);

/// The wishes of a checked frame that goes on to another instance: those that VnetFromMeta would accept.
FrameMeta MetaFromVnet(const VnetHeader& header);

}  // namespace junction::scheduler
