// SPDX-License-Identifier: Apache-2.0
// Hot path: no allocation.
#include "net/tcp/tcp_header.h"

namespace junction::net {
namespace {

// IANA, "TCP Option Kind Numbers".
constexpr uint8_t kOptionEnd = 0;
constexpr uint8_t kOptionNop = 1;
constexpr uint8_t kOptionMss = 2;
constexpr uint8_t kOptionWindowScale = 3;
constexpr uint8_t kOptionSackPermitted = 4;
constexpr uint8_t kOptionSack = 5;
constexpr uint8_t kOptionTimestamps = 8;
// NOP, NOP, timestamps, length 10.
constexpr uint32_t kTimestampPrefix = 0x0101080a;

void ReadOption(uint8_t kind, const uint8_t* body, uint32_t body_bytes, bool is_syn, TcpOptionsSeen& out) {
  switch (kind) {
    case kOptionMss:
      if (is_syn && body_bytes == 2) {
        out.max_segment_bytes = LoadBig16(body);
      }
      break;
    case kOptionWindowScale:
      if (is_syn && body_bytes == 1) {
        out.has_window_scale = true;
        out.window_scale = body[0] > kWindowScaleMax ? kWindowScaleMax : body[0];
      }
      break;
    case kOptionSackPermitted:
      out.permits_sack = is_syn && body_bytes == 0;
      break;
    case kOptionSack:
      if (!is_syn && body_bytes >= 8 && body_bytes % 8 == 0 && body_bytes / 8 <= kSackBlocksMax) {
        out.sack_count = static_cast<uint8_t>(body_bytes / 8);
        for (uint32_t i = 0; i < out.sack_count; ++i) {
          out.sack[i] = {LoadBig32(body + i * 8), LoadBig32(body + i * 8 + 4)};
        }
      }
      break;
    case kOptionTimestamps:
      if (body_bytes == 8) {
        out.has_timestamps = true;
        out.timestamp = LoadBig32(body);
        out.timestamp_echo = LoadBig32(body + 4);
      }
      break;
    default:
      break;  // RFC 9293, MUST-6: unknown options are skipped
  }
}

}  // namespace

bool ParseTcpHeader(const uint8_t* bytes, uint32_t size_bytes, TcpHeader& out) {
  if (size_bytes < kTcpHeader_bytes) {
    return false;
  }
  const uint32_t header_bytes = static_cast<uint32_t>(bytes[12] >> 4) * 4;
  if (header_bytes < kTcpHeader_bytes || header_bytes > size_bytes) {
    return false;
  }
  out.source_port = LoadBig16(bytes);
  out.destination_port = LoadBig16(bytes + 2);
  out.seq = LoadBig32(bytes + 4);
  out.ack = LoadBig32(bytes + 8);
  out.flags = bytes[13];
  out.window = LoadBig16(bytes + 14);
  out.urgent = LoadBig16(bytes + 18);
  out.header_bytes = header_bytes;
  out.options.max_segment_bytes = 0;
  out.options.window_scale = 0;
  out.options.has_window_scale = out.options.has_timestamps = out.options.permits_sack = false;
  out.options.sack_count = 0;
  if (header_bytes == kTcpHeader_bytes) {
    return true;
  }
  const uint8_t* at = bytes + kTcpHeader_bytes;
  if (header_bytes == kTcpHeader_bytes + kTimestampOption_bytes && LoadBig32(at) == kTimestampPrefix) {
    out.options.has_timestamps = true;
    out.options.timestamp = LoadBig32(at + 4);
    out.options.timestamp_echo = LoadBig32(at + 8);
    return true;
  }
  const bool is_syn = (out.flags & kTcpSyn) != 0;
  const uint8_t* const end = bytes + header_bytes;
  while (at < end && *at != kOptionEnd) {
    if (*at == kOptionNop) {
      ++at;
      continue;
    }
    // RFC 9293, MUST-7: an illegal length must not break us.
    if (end - at < 2 || at[1] < 2 || at[1] > end - at) {
      break;
    }
    ReadOption(at[0], at + 2, at[1] - 2U, is_syn, out.options);
    at += at[1];
  }
  return true;
}

uint32_t WriteTcpOptions(const TcpOptionsSeen& options, bool is_syn, uint8_t* out) {
  uint8_t* at = out;
  if (is_syn) {
    at[0] = kOptionMss;
    at[1] = 4;
    StoreBig16(at + 2, options.max_segment_bytes);
    at += 4;
  }
  if (options.has_timestamps) {
    // In a SYN, SACK-permitted takes the place of the two NOPs (as Linux, saves a word).
    if (is_syn && options.permits_sack) {
      at[0] = kOptionSackPermitted;
      at[1] = 2;
      at[2] = kOptionTimestamps;
      at[3] = 10;
    } else {
      StoreBig32(at, kTimestampPrefix);
    }
    StoreBig32(at + 4, options.timestamp);
    StoreBig32(at + 8, options.timestamp_echo);
    at += 12;
  } else if (is_syn && options.permits_sack) {
    at[0] = at[1] = kOptionNop;
    at[2] = kOptionSackPermitted;
    at[3] = 2;
    at += 4;
  }
  if (is_syn && options.has_window_scale) {
    at[0] = kOptionNop;
    at[1] = kOptionWindowScale;
    at[2] = 3;
    at[3] = options.window_scale;
    at += 4;
  }
  if (!is_syn && options.sack_count != 0) {
    const uint32_t fit = (40 - static_cast<uint32_t>(at - out) - 4) / 8;
    const uint32_t count = options.sack_count < fit ? options.sack_count : fit;
    at[0] = at[1] = kOptionNop;
    at[2] = kOptionSack;
    at[3] = static_cast<uint8_t>(2 + count * 8);
    at += 4;
    for (uint32_t i = 0; i < count; ++i, at += 8) {
      StoreBig32(at, options.sack[i].begin);
      StoreBig32(at + 4, options.sack[i].end);
    }
  }
  return static_cast<uint32_t>(at - out);
}

void WriteTcpHeader(const TcpHeader& header, uint8_t* out) {
  StoreBig16(out, header.source_port);
  StoreBig16(out + 2, header.destination_port);
  StoreBig32(out + 4, header.seq);
  StoreBig32(out + 8, header.ack);
  out[12] = static_cast<uint8_t>(header.header_bytes / 4 << 4);
  out[13] = header.flags;
  StoreBig16(out + 14, header.window);
  StoreBig32(out + 16, header.urgent);  // the checksum's half stays zero
}

}  // namespace junction::net
