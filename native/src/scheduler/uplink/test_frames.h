// SPDX-License-Identifier: Apache-2.0
// Frames made by hand, for tests.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "scheduler/uplink/addresses.h"
#include "scheduler/uplink/frame_headers.h"

namespace junction::scheduler {

using Frame = std::vector<uint8_t>;

inline void Append(Frame& frame, std::span<const uint8_t> bytes) {
  frame.insert(frame.end(), bytes.begin(), bytes.end());
}
inline void AppendU16(Frame& frame, uint32_t value) {
  frame.push_back(static_cast<uint8_t>(value >> 8));
  frame.push_back(static_cast<uint8_t>(value));
}

inline Frame EthernetFrame(const Mac& to, const Mac& from, uint16_t type) {
  Frame frame;
  Append(frame, to);
  Append(frame, from);
  AppendU16(frame, type);
  return frame;
}

/// A TCP header of 20 bytes (flags: SYN = 2, ACK = 16), or the first 20 bytes of anything with ports.
inline Frame PortsHeader(uint16_t source, uint16_t destination, uint8_t tcp_flags = 16) {
  Frame header;
  AppendU16(header, source);
  AppendU16(header, destination);
  header.resize(12);
  header.push_back(5 << 4);
  header.push_back(tcp_flags);
  header.resize(20);
  return header;
}

struct Ip4Wishes {
  uint8_t protocol = kProtocolTcp;
  uint16_t fragment = 0;  // the whole field
};

inline Frame Ip4Frame(const Mac& to_mac, const Mac& from_mac, const Ip4& from, const Ip4& to, const Frame& payload,
                      const Ip4Wishes& wishes = {}) {
  Frame frame = EthernetFrame(to_mac, from_mac, 0x0800);
  frame.push_back(0x45);
  frame.push_back(0);
  AppendU16(frame, static_cast<uint32_t>(20 + payload.size()));
  AppendU16(frame, 1);
  AppendU16(frame, wishes.fragment);
  frame.push_back(64);
  frame.push_back(wishes.protocol);
  AppendU16(frame, 0);
  Append(frame, from);
  Append(frame, to);
  Append(frame, payload);
  return frame;
}

inline Frame Ip6Frame(const Mac& to_mac, const Mac& from_mac, const Ip6& from, const Ip6& to, uint8_t next,
                      const Frame& payload, uint8_t hop_limit = 255) {
  Frame frame = EthernetFrame(to_mac, from_mac, 0x86dd);
  Append(frame, Frame{0x60, 0, 0, 0});
  AppendU16(frame, static_cast<uint32_t>(payload.size()));
  frame.push_back(next);
  frame.push_back(hop_limit);
  Append(frame, from);
  Append(frame, to);
  Append(frame, payload);
  return frame;
}

inline Frame ArpFrame(const Mac& to_mac, const Mac& from_mac, uint16_t operation, const Mac& sender,
                      const Ip4& sender_ip, const Ip4& target_ip) {
  Frame frame = EthernetFrame(to_mac, from_mac, 0x0806);
  Append(frame, Frame{0, 1, 8, 0, 6, 4});
  AppendU16(frame, operation);
  Append(frame, sender);
  Append(frame, sender_ip);
  Append(frame, Mac{});
  Append(frame, target_ip);
  return frame;
}

/// A neighbour solicitation (135) or advertisement (136) with one link-layer address option.
inline Frame NeighbourMessage(uint8_t type, const Ip6& target, uint8_t option, const Mac& mac) {
  Frame message = {type, 0, 0, 0, 0, 0, 0, 0};
  Append(message, target);
  message.push_back(option);
  message.push_back(1);
  Append(message, mac);
  return message;
}

}  // namespace junction::scheduler
