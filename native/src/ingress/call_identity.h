// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "ingress/message_head.h"
#include "ingress/rng.h"

namespace junction::ingress {

/// What names one request from hop to hop: X-Call-Id and X-Start-Time.
class CallIdentity {
 public:
  /// Keeps the client's X-Call-Id when it is 1 to kMaxLength visible characters, else makes a UUID v4 (RFC 9562).
  void Take(const MessageHead& head, Rng& rng, uint64_t unix_ns);

  std::string_view id() const { return {id_, length_}; }
  std::string_view start_time() const { return {start_time_, start_time_length_}; }

  static constexpr size_t kMaxLength = 128;

 private:
  uint8_t length_ = 0;
  uint8_t start_time_length_ = 0;
  char start_time_[20];
  char id_[kMaxLength];
};

/// True for a W3C trace context of a version and form that we pass on (https://www.w3.org/TR/trace-context/ section 3.2).
bool IsTraceparent(std::string_view value);

/// Writes a new traceparent, sampled; `out` has kTraceparentLength bytes.
inline constexpr size_t kTraceparentLength = 55;
void WriteTraceparent(char* out, Rng& rng);

}  // namespace junction::ingress
