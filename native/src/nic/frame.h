// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace junction {

/// An Ethernet frame without its check sequence: 14 bytes of header and an IP packet of up to 64 KiB, as there is no wire with an MTU
/// between instance and host.
inline constexpr uint32_t kEthernetHeader_bytes = 14;
inline constexpr uint32_t kMaxFrame_bytes = kEthernetHeader_bytes + 65535;
/// Smallest frame worth a look: an Ethernet header.
inline constexpr uint32_t kMinFrame_bytes = kEthernetHeader_bytes;

/// The transport checksum is left out; whoever sends the frame over a real wire sums from `checksum_start` to the end and stores the
/// result at `checksum_start + checksum_offset` (where the pseudo header's sum stands by then, as in virtio-net, section 5.1.6.2).
inline constexpr uint16_t kFrameChecksumBlank = 1;
/// Whoever delivers the frame vouches for the transport checksum.
inline constexpr uint16_t kFrameChecksumGood = 2;
/// A TCP segment longer than the MTU, to be cut into pieces of `segment_bytes` payload before it leaves by a real wire.
inline constexpr uint16_t kFrameSegmentTcp4 = 4;
inline constexpr uint16_t kFrameSegmentTcp6 = 8;

/// What goes with a frame besides its bytes. From an instance it is hostile input like the bytes.
struct FrameMeta {
  uint16_t flags = 0;
  uint16_t segment_bytes = 0;
  uint16_t checksum_start = 0;
  uint16_t checksum_offset = 0;
};

using MacAddress = uint8_t[6];

}  // namespace junction
