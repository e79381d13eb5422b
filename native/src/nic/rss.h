// SPDX-License-Identifier: Apache-2.0
// Hot path. Which queue pair a frame belongs to, from its own bytes: all frames of a flow go to the same one. Both ends of a port may use
// different keys; what counts is that who sends into a ring is the one who chooses it.
//
// The hash is NH of RFC 4418, section 5.2.2, over 32-bit words, a universal hash: without the key nobody can make flows that meet in one queue
// pair more often than chance has it. The symmetric Toeplitz hash of NICs costs a step for each bit, and its linearity lets collisions be
// computed once a few outcomes are known.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "nic/frame.h"

namespace junction {

inline constexpr uint32_t kRssKeyWords = 10;
/// Entries of the indirection: a hash is first one of these buckets, and a bucket belongs to a queue pair. Twice kMaxQueuePairs.
inline constexpr uint32_t kRssBuckets = 128;

/// Random, from the host's generator; one for each who sends.
struct RssKey {
  uint32_t words[kRssKeyWords] = {};
  uint64_t spread = 1;  // made odd on use
};

/// What a hash goes over. Words as they lie in the frame; ports are 0 where a frame has none (fragments, other protocols).
struct FlowWords {
  uint32_t words[kRssKeyWords] = {};  // addresses, then both ports, then the protocol; zeros behind
  uint32_t count = 0;                 // even; 0: no IP packet
};

namespace rss_detail {

inline constexpr uint8_t kTcp = 6;
inline constexpr uint8_t kUdp = 17;
inline constexpr uint16_t kIp4Type = 0x0800;  // RFC 894
inline constexpr uint16_t kIp6Type = 0x86dd;  // RFC 2464, section 3
inline constexpr uint32_t kIp6Header_bytes = 40;

inline uint32_t Word(const uint8_t* at) {
  uint32_t word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

inline void AddPorts(FlowWords& flow, const uint8_t* packet, uint32_t length_bytes, uint32_t at, uint8_t protocol) {
  const bool has_ports = (protocol == kTcp || protocol == kUdp) && length_bytes >= 4 && at <= length_bytes - 4;
  flow.words[flow.count++] = has_ports ? Word(packet + at) : 0;
  flow.words[flow.count++] = protocol;
}

}  // namespace rss_detail

/// Reads the flow of a frame (RFC 791, section 3.1; RFC 8200, section 3). Any bytes may come, and may change meanwhile: then the flow is a
/// wrong one. IPv6 packets with extension headers go by their addresses.
inline FlowWords FlowOf(const uint8_t* frame, uint32_t length_bytes) {
  using namespace rss_detail;
  FlowWords flow;
  if (length_bytes < kEthernetHeader_bytes + 20) {
    return flow;
  }
  const uint16_t type = static_cast<uint16_t>(frame[12] << 8 | frame[13]);
  const uint8_t* const packet = frame + kEthernetHeader_bytes;
  const uint32_t packet_bytes = length_bytes - kEthernetHeader_bytes;
  if (type == kIp4Type) {
    const uint32_t header_bytes = (packet[0] & 0xfU) * 4;
    const bool is_fragment = ((packet[6] << 8 | packet[7]) & 0x3fff) != 0;  // more fragments, or an offset
    flow.words[0] = Word(packet + 12);
    flow.words[1] = Word(packet + 16);
    flow.count = 2;
    AddPorts(flow, packet, is_fragment ? 0 : packet_bytes, header_bytes, packet[9]);
  } else if (type == kIp6Type && packet_bytes >= kIp6Header_bytes) {
    for (uint32_t i = 0; i < 8; ++i) {
      flow.words[i] = Word(packet + 8 + 4 * i);
    }
    flow.count = 8;
    AddPorts(flow, packet, packet_bytes, kIp6Header_bytes, packet[6]);
  }
  return flow;
}

/// 0 to kRssBuckets - 1.
inline uint32_t RssBucket(const RssKey& key, const FlowWords& flow) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < flow.count; i += 2) {
    sum += uint64_t{flow.words[i] + key.words[i]} * (flow.words[i + 1] + key.words[i + 1]);
  }
  // NH's low bits are its weak ones; the highest bits of a product with a random odd number hang on all of them.
  sum ^= sum >> 32;
  return static_cast<uint32_t>((sum * (key.spread | 1)) >> (64 - std::bit_width(kRssBuckets - 1)));
}

/// The queue pair of a frame. `active_queue_pairs` is NicHeader's word, hostile: it is brought into 1 to `queue_pair_count`. What is no IP
/// packet goes to queue pair 0.
inline uint32_t QueuePairOf(const RssKey& key, const uint8_t* frame, uint32_t length_bytes, uint32_t active_queue_pairs,
                            uint32_t queue_pair_count) {
  const uint32_t active = active_queue_pairs > queue_pair_count ? queue_pair_count : active_queue_pairs;
  if (active <= 1) {
    return 0;
  }
  const FlowWords flow = FlowOf(frame, length_bytes);
  return flow.count == 0 ? 0 : RssBucket(key, flow) % active;
}

}  // namespace junction
