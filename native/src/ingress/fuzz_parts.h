// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets of requests and responses share.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "base/check.h"
#include "ingress/body_decoder.h"
#include "ingress/buffer_pool.h"
#include "ingress/head_parser.h"

namespace junction::ingress {

/// A head that was read whole must be found by whoever reads it in pieces, at the same place.
inline void CheckHeadEnd(std::string_view bytes, const MessageHead& head) {
  for (const size_t step : {size_t{1}, size_t{7}, bytes.size()}) {
    HeadEndFinder finder;
    HeadEndFinder::Result result = HeadEndFinder::Result::kIncomplete;
    size_t size = 0;
    while (result == HeadEndFinder::Result::kIncomplete && size < bytes.size()) {
      size = std::min(size + step, bytes.size());
      result = finder.Find(bytes.substr(0, size));
    }
    JUNCTION_CHECK(result == HeadEndFinder::Result::kFound && size >= head.raw.size());
    JUNCTION_CHECK(size < head.raw.size() + step);
  }
}

struct DecodedBody {
  std::string body;
  size_t consumed = 0;
  bool is_good = true;
  bool is_done = false;

  bool operator==(const DecodedBody&) const = default;
};

/// Decodes in pieces and in place, as the relay does.
inline DecodedBody DecodeInPieces(std::string text, BodyDecoder decoder, size_t step) {
  DecodedBody decoded;
  size_t write = 0;
  while (decoded.consumed < text.size() && decoded.is_good && !decoder.done()) {
    size_t consumed = 0;
    size_t produced = 0;
    const size_t size = std::min(step, text.size() - decoded.consumed);
    decoded.is_good = decoder.Decode(text.data() + decoded.consumed, size, text.data() + write, consumed, produced);
    JUNCTION_CHECK(consumed <= size && produced <= consumed);
    decoded.consumed += consumed;
    write += produced;
  }
  decoded.is_done = decoder.done();
  decoded.body = text.substr(0, write);
  return decoded;
}

/// However a body's bytes are cut, it decodes to the same.
inline void CheckBody(std::string_view bytes, BodyKind kind, uint64_t length) {
  const std::string text(bytes);
  const DecodedBody whole = DecodeInPieces(text, BodyDecoder(kind, length), text.size() + 1);
  for (const size_t step : {size_t{1}, size_t{3}}) {
    JUNCTION_CHECK(DecodeInPieces(text, BodyDecoder(kind, length), step) == whole);
  }
}

/// Takes the text of a buffer and gives it back.
inline std::string TakeText(Buffer* buffer, BufferPool& pool) {
  std::string text(buffer->unread());
  pool.Give(buffer);
  return text;
}

inline size_t CountFields(const MessageHead& head, FieldId id) {
  size_t count = 0;
  for (const HeadField& field : head.fields) {
    count += field.id == id ? 1 : 0;
  }
  return count;
}

}  // namespace junction::ingress
