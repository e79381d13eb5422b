// SPDX-License-Identifier: Apache-2.0
// Takes the framing off a message body as its bytes come. RFC 9112 sections 6 and 7.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ingress/framing.h"

namespace junction::ingress {

/// Decodes chunked framing byte by byte. Strict: CR LF only, at most 16 hexadecimal digits below 2^60, extensions
/// and trailers well-formed in their characters, bounded, and dropped.
class ChunkDecoder {
 public:
  enum class Status { kMore, kDone, kMalformed };

  /// Decodes up to `size` bytes at `in` to `out`, which may be the same place or lie before it (never behind). Sets how
  /// many bytes were read and how many body bytes were written. Stops behind the last byte of the message.
  Status Decode(const char* in, size_t size, char* out, size_t& consumed, size_t& produced);

 private:
  enum class State : uint8_t {
    kSizeFirst,     // first digit of a size                    -> kSize
    kSize,          // further digits, `;`, blank, CR           -> kExtension, kSizeLf
    kExtension,     // up to CR                                 -> kSizeLf
    kSizeLf,        // LF after a size line                     -> kData, kTrailerFirst (size 0)
    kData,          // `left_` bytes                            -> kDataCr
    kDataCr,        // CR behind data                           -> kDataLf
    kDataLf,        // LF behind data                           -> kSizeFirst
    kTrailerFirst,  // first byte of a trailer line             -> kTrailerName, kEndLf
    kTrailerName,   // up to the colon                          -> kTrailerValue
    kTrailerValue,  // up to CR                                 -> kTrailerLf
    kTrailerLf,     // LF behind a trailer line                 -> kTrailerFirst
    kEndLf,         // LF behind the last CR                    -> kDone
    kDone,
    kMalformed,
  };

  /// Moves on over one byte of framing.
  State Step(char c);

  uint64_t left_ = 0;
  uint32_t side_bytes_ = 0;  // of extensions and trailers in this message
  uint8_t digits_ = 0;
  State state_ = State::kSizeFirst;
};

/// Extensions and trailers of one message together; more is refused.
inline constexpr uint32_t kMaxChunkSideBytes = 16 * 1024;

/// Decodes a body of any kind.
class BodyDecoder {
 public:
  BodyDecoder() = default;
  BodyDecoder(BodyKind kind, uint64_t length) : left_(length), kind_(kind), done_(kind == BodyKind::kNone) {}

  BodyKind kind() const { return kind_; }
  bool done() const { return done_; }
  uint64_t left() const { return left_; }  // of kLength

  /// As ChunkDecoder::Decode. False: malformed. For all kinds but kChunked the bytes are moved only when out != in.
  bool Decode(const char* in, size_t size, char* out, size_t& consumed, size_t& produced);

  /// The peer closed in an orderly way. True when the body is complete by that.
  bool Finish() {
    done_ = done_ || kind_ == BodyKind::kUntilClose;
    return done_;
  }

 private:
  ChunkDecoder chunks_;
  uint64_t left_ = 0;
  BodyKind kind_ = BodyKind::kNone;
  bool done_ = true;
};

}  // namespace junction::ingress
