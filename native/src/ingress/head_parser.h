// SPDX-License-Identifier: Apache-2.0
// Reads message heads with Boost.Beast's parser. An own scanner in front of it was measured and left out: README.md.
#pragma once

#include <cstddef>
#include <string_view>

#include "ingress/message_head.h"

namespace junction::ingress {

enum class HeadResult {
  kComplete,
  kIncomplete,
  kMalformed,      // answer 400, or 502 when it came from a function
  kBadVersion,     // not HTTP/1.0 or 1.1: answer 505
  kTooManyFields,  // answer 431
};

/// Finds the end of a head over several reads, looking at each byte once however slowly they come.
class HeadEndFinder {
 public:
  enum class Result {
    kFound,
    kIncomplete,
    kMalformed,  // a line that does not end in CR LF
  };

  /// `bytes` starts at the head's first byte and is never shorter than in the last call.
  Result Find(std::string_view bytes);

  bool has_looked() const { return looked_at_ > 0; }
  void Reset() { *this = HeadEndFinder(); }

 private:
  size_t looked_at_ = 0;
  size_t line_begin_ = 0;
};

/// Parses a head that starts at bytes[0]. Linear in `bytes`: for a head that comes in pieces call it on the first piece
/// and then only when a HeadEndFinder has found the end or a malformed line. Never blocks; allocates only when
/// head.fields must grow.
HeadResult ParseRequestHead(std::string_view bytes, MessageHead& head);
HeadResult ParseResponseHead(std::string_view bytes, MessageHead& head);

}  // namespace junction::ingress
