// SPDX-License-Identifier: Apache-2.0
// Hot path: no allocation, no logging, no exception, no system call.
#include "ingress/body_decoder.h"

#include <algorithm>
#include <cstring>

#include "ingress/http_chars.h"

namespace junction::ingress {
namespace {

uint64_t HexValue(char c) { return static_cast<uint64_t>(c <= '9' ? c - '0' : LowerChar(c) - 'a' + 10); }

void MoveBytes(char* out, const char* in, size_t size) {
  if (out != in && size > 0) {
    std::memmove(out, in, size);
  }
}

}  // namespace

ChunkDecoder::State ChunkDecoder::Step(char c) {
  switch (state_) {
    case State::kSizeFirst:
      if (!IsChar(c, chars::kHex)) {
        return State::kMalformed;
      }
      left_ = HexValue(c);
      digits_ = 1;
      return State::kSize;
    case State::kSize:
      if (IsChar(c, chars::kHex)) {
        // Leading zeros count too: a size line has a bounded length.
        if (++digits_ > 16 || left_ >= (uint64_t{1} << 56)) {
          return State::kMalformed;
        }
        left_ = left_ * 16 + HexValue(c);
        return State::kSize;
      }
      if (c == '\r') {
        return State::kSizeLf;
      }
      return c == ';' || c == ' ' || c == '\t' ? State::kExtension : State::kMalformed;
    case State::kExtension:
      if (c == '\r') {
        return State::kSizeLf;
      }
      return IsChar(c, chars::kValue) && ++side_bytes_ <= kMaxChunkSideBytes ? State::kExtension : State::kMalformed;
    case State::kSizeLf:
      if (c != '\n') {
        return State::kMalformed;
      }
      return left_ == 0 ? State::kTrailerFirst : State::kData;
    case State::kDataCr:
      return c == '\r' ? State::kDataLf : State::kMalformed;
    case State::kDataLf:
      return c == '\n' ? State::kSizeFirst : State::kMalformed;
    case State::kTrailerFirst:
      if (c == '\r') {
        return State::kEndLf;
      }
      return IsChar(c, chars::kToken) && ++side_bytes_ <= kMaxChunkSideBytes ? State::kTrailerName : State::kMalformed;
    case State::kTrailerName:
      if (++side_bytes_ > kMaxChunkSideBytes) {
        return State::kMalformed;
      }
      if (c == ':') {
        return State::kTrailerValue;
      }
      return IsChar(c, chars::kToken) ? State::kTrailerName : State::kMalformed;
    case State::kTrailerValue:
      if (c == '\r') {
        return State::kTrailerLf;
      }
      return IsChar(c, chars::kValue) && ++side_bytes_ <= kMaxChunkSideBytes ? State::kTrailerValue : State::kMalformed;
    case State::kTrailerLf:
      return c == '\n' ? State::kTrailerFirst : State::kMalformed;
    case State::kEndLf:
      return c == '\n' ? State::kDone : State::kMalformed;
    case State::kData:
    case State::kDone:
    case State::kMalformed:
      break;
  }
  return State::kMalformed;
}

ChunkDecoder::Status ChunkDecoder::Decode(const char* in, size_t size, char* out, size_t& consumed, size_t& produced) {
  const char* p = in;
  const char* const end = in + size;
  char* write = out;
  while (p < end && state_ != State::kDone && state_ != State::kMalformed) {
    if (state_ == State::kData) {
      const size_t run = static_cast<size_t>(std::min<uint64_t>(left_, static_cast<uint64_t>(end - p)));
      MoveBytes(write, p, run);
      write += run;
      p += run;
      left_ -= run;
      if (left_ == 0) {
        state_ = State::kDataCr;
      }
    } else {
      state_ = Step(*p++);
    }
  }
  consumed = static_cast<size_t>(p - in);
  produced = static_cast<size_t>(write - out);
  if (state_ == State::kMalformed) {
    return Status::kMalformed;
  }
  return state_ == State::kDone ? Status::kDone : Status::kMore;
}

bool BodyDecoder::Decode(const char* in, size_t size, char* out, size_t& consumed, size_t& produced) {
  consumed = 0;
  produced = 0;
  if (done_) {
    return true;
  }
  if (kind_ == BodyKind::kChunked) {
    const ChunkDecoder::Status status = chunks_.Decode(in, size, out, consumed, produced);
    done_ = status == ChunkDecoder::Status::kDone;
    return status != ChunkDecoder::Status::kMalformed;
  }
  size_t run = size;
  if (kind_ == BodyKind::kLength) {
    run = static_cast<size_t>(std::min<uint64_t>(left_, size));
    left_ -= run;
    done_ = left_ == 0;
  }
  MoveBytes(out, in, run);
  consumed = run;
  produced = run;
  return true;
}

}  // namespace junction::ingress
