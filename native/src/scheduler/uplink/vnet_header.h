// SPDX-License-Identifier: Apache-2.0
// FrameMeta to and from the virtio_net_hdr that a TAP with IFF_VNET_HDR wants (virtio 1.2, section 5.1.6; linux/virtio_net.h).
#pragma once

#include <linux/virtio_net.h>

#include <expected>
#include <span>

#include "nic/frame.h"
#include "scheduler/uplink/drop_reason.h"
#include "scheduler/uplink/frame_headers.h"

namespace junction::scheduler {

/// Fewest bytes a segment may have: Linux's own TCP_MIN_SND_MSS. Less, and one frame would make thousands of packets.
inline constexpr uint16_t kMinSegment_bytes = 48;

/// The header to send a checked frame of an instance with. What the instance wished is checked against the packet; where it left the
/// checksum out, the pseudo header's sum is written into `copy`, whatever stood there. Fails with kOffload or kTooLong.
std::expected<virtio_net_hdr, DropReason> VnetFromMeta(const FrameMeta& meta, std::span<uint8_t> copy,
                                                       const FrameHeaders& headers, uint32_t mtu_bytes);

/// The wishes of a checked frame that goes on to another instance: those that VnetFromMeta would accept.
FrameMeta MetaFromVnet(const virtio_net_hdr& header);

}  // namespace junction::scheduler
