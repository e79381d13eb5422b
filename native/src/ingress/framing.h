// SPDX-License-Identifier: Apache-2.0
// How long a message's body is and what becomes of its connection. The rules that keep request smuggling out are here:
// RFC 9112 sections 6, 9.3 and 11.2, each read in its strictest way for requests.
#pragma once

#include <cstdint>
#include <expected>

#include "ingress/message_head.h"

namespace junction::ingress {

enum class BodyKind : uint8_t {
  kNone,
  kLength,
  kChunked,
  kUntilClose,  // responses only
};

struct RequestPlan {
  BodyKind body = BodyKind::kNone;
  uint64_t length = 0;  // of kLength
  bool keep_alive = true;
  bool expects_continue = false;
  bool has_connection_options = false;  // the Connection field names other fields, see IsConnectionOption
};

struct ResponsePlan {
  BodyKind body = BodyKind::kNone;
  uint64_t length = 0;
  bool keep_alive = true;
  bool has_connection_options = false;
};

/// Why a request is refused, with the status to answer.
struct Refusal {
  uint16_t status;
  const char* reason;
};

std::expected<RequestPlan, Refusal> PlanRequest(const MessageHead& head);

/// `to_head`: it answers a HEAD request. The error says what is wrong with it.
std::expected<ResponsePlan, const char*> PlanResponse(const MessageHead& head, bool to_head);

/// Reads 1*DIGIT below 2^63, nothing else.
bool ParseLength(std::string_view text, uint64_t& length);

/// True when the head's Connection fields name this field as one that ends here (RFC 9110 section 7.6.1).
bool IsConnectionOption(const MessageHead& head, std::string_view field_name);

}  // namespace junction::ingress
