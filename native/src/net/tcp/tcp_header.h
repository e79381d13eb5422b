// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 9293, section 3.1 (header) and 3.2 (options); 7323 (window scale 2.2, timestamps 3.2); 2018 (SACK, sections 2 and 3).
//
//    0               8               16                              31
//   |          source port          |       destination port          |
//   |                         sequence number                         |
//   |                      acknowledgment number                      |
//   | words | 0 |    flags          |            window               |
//   |           checksum            |         urgent pointer          |
//   |                    options, padded to words                     |
#pragma once

#include <cstdint>

#include "net/bytes.h"

namespace junction::net {

inline constexpr uint32_t kTcpHeader_bytes = 20;
inline constexpr uint32_t kTcpHeaderMax_bytes = 60;
inline constexpr uint32_t kTcpChecksumOffset = 16;
/// Two NOPs and the timestamps, as RFC 7323, appendix A recommends.
inline constexpr uint32_t kTimestampOption_bytes = 12;
/// RFC 7323, section 2.3: a larger shift is taken as 14.
inline constexpr uint8_t kWindowScaleMax = 14;
/// RFC 2018, section 3: that many fit beside timestamps into 40 bytes of options; without, four.
inline constexpr uint32_t kSackBlocksMax = 4;

inline constexpr uint8_t kTcpFin = 0x01;
inline constexpr uint8_t kTcpSyn = 0x02;
inline constexpr uint8_t kTcpRst = 0x04;
inline constexpr uint8_t kTcpPsh = 0x08;
inline constexpr uint8_t kTcpAck = 0x10;
inline constexpr uint8_t kTcpUrg = 0x20;
inline constexpr uint8_t kTcpEce = 0x40;
inline constexpr uint8_t kTcpCwr = 0x80;

struct SackBlock {
  uint32_t begin = 0;
  uint32_t end = 0;
};

/// What a segment's options say.
struct TcpOptionsSeen {
  uint16_t max_segment_bytes = 0;  // 0 = none given
  uint8_t window_scale = 0;
  bool has_window_scale = false;
  bool has_timestamps = false;
  bool permits_sack = false;
  uint8_t sack_count = 0;
  uint32_t timestamp = 0;       // TSval
  uint32_t timestamp_echo = 0;  // TSecr
  SackBlock sack[kSackBlocksMax];
};

/// A header in host order.
struct TcpHeader {
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  uint32_t seq = 0;
  uint32_t ack = 0;
  uint8_t flags = 0;
  uint16_t window = 0;
  uint16_t urgent = 0;
  uint32_t header_bytes = 0;
  TcpOptionsSeen options;
};

/// Reads a header from private memory (`bytes` of `size_bytes`, at most kTcpHeaderMax_bytes needed). False: shorter than it says, or shorter
/// than a header. Options that make no sense end the list, as in Linux; SYN-only options are read from SYNs only.
bool ParseTcpHeader(const uint8_t* bytes, uint32_t size_bytes, TcpHeader& out);

/// Writes the options of a header behind its 20 bytes; how many bytes (a multiple of 4). `is_syn`: MSS, window scale and SACK-permitted too.
/// `room_bytes` is at most 40; SACK blocks are cut to what fits.
uint32_t WriteTcpOptions(const TcpOptionsSeen& options, bool is_syn, uint8_t* out);
/// The 20 bytes; the checksum is zero.
void WriteTcpHeader(const TcpHeader& header, uint8_t* out);

}  // namespace junction::net
