// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include "scheduler/uplink/addresses.h"

namespace junction::scheduler {

/// As much of a frame as is copied before anything is looked at. Holds Ethernet (14), IPv6 (40), a fragment header (8) and TCP with all
/// options (60), or neighbour discovery with its options.
inline constexpr uint32_t kHeaderCopy_bytes = 256;

inline constexpr uint8_t kProtocolTcp = 6;  // IANA protocol numbers
inline constexpr uint8_t kProtocolUdp = 17;
inline constexpr uint8_t kProtocolIcmp6 = 58;

enum class FrameKind : uint8_t {
  kMalformed,    // lengths or versions that contradict each other
  kUnsupported,  // another EtherType, IPv4 options, IPv6 extension headers but for one of fragments
  kArp,
  kIp4,
  kIp6,
};

/// Where the parts of a frame are.
struct FrameHeaders {
  FrameKind kind = FrameKind::kMalformed;
  uint32_t end = 0;          // of the packet; what is behind it in the frame is padding
  uint32_t transport = 0;    // offset of the header behind IP; 0 in a fragment but the first
  uint8_t protocol = 0;      // of `transport`
  bool is_fragment = false;  // part of a packet; then there are no ports
  bool has_ports = false;    // TCP or UDP, whole header seen
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
};

inline constexpr uint32_t kNetworkOffset = 14;  // behind Ethernet

/// Reads an address or such out of the copy. The caller knows that it is there.
template <typename T>
T ReadAt(std::span<const uint8_t> frame, uint32_t offset) {
  T value;
  std::memcpy(&value, frame.data() + offset, sizeof(value));
  return value;
}

inline uint16_t ReadU16(std::span<const uint8_t> frame, uint32_t offset) {
  return static_cast<uint16_t>(frame[offset] << 8 | frame[offset + 1]);
}

inline Mac DestinationMac(std::span<const uint8_t> frame) { return ReadAt<Mac>(frame, 0); }
inline Mac SourceMac(std::span<const uint8_t> frame) { return ReadAt<Mac>(frame, 6); }
inline Ip4 SourceIp4(std::span<const uint8_t> frame) { return ReadAt<Ip4>(frame, kNetworkOffset + 12); }
inline Ip4 DestinationIp4(std::span<const uint8_t> frame) { return ReadAt<Ip4>(frame, kNetworkOffset + 16); }
inline Ip6 SourceIp6(std::span<const uint8_t> frame) { return ReadAt<Ip6>(frame, kNetworkOffset + 8); }
inline Ip6 DestinationIp6(std::span<const uint8_t> frame) { return ReadAt<Ip6>(frame, kNetworkOffset + 24); }

/// Classifies a frame of `length_bytes` whose first bytes are `copy` (all of it, or kHeaderCopy_bytes). Any bytes may come in. For kArp, kIp4
/// and kIp6 the fixed header is within the copy and the packet within the frame.
FrameHeaders ParseFrame(std::span<const uint8_t> copy, uint32_t length_bytes);

}  // namespace junction::scheduler
