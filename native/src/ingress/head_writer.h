// SPDX-License-Identifier: Apache-2.0
// Rewrites heads on their way through: hop-by-hop fields dropped, ours added (OPENFAAS.md, "Data path"). All other field
// lines go through byte for byte.
#pragma once

#include <cstdint>
#include <string_view>

#include "ingress/buffer_pool.h"
#include "ingress/call_identity.h"
#include "ingress/framing.h"
#include "ingress/message_head.h"
#include "ingress/target.h"

namespace junction::ingress {

struct RequestRewrite {
  const MessageHead& head;
  const RequestPlan& plan;
  const RequestTarget& target;
  const CallIdentity& call;
  std::string_view peer_ip;
};

/// Writes the head for the next hop into a buffer from the pool.
Buffer* WriteRequestHead(const RequestRewrite& rewrite, Rng& rng, BufferPool& pool);

struct ResponseRewrite {
  const MessageHead& head;
  const ResponsePlan& plan;
  const CallIdentity* call = nullptr;  // null: an answer of the API, which says such things itself
  uint64_t duration_ns = 0;            // to this head; sent along with `call`
  std::string_view date;               // added when the head has none
  bool chunked = false;                // the body goes on in chunks
  bool close = false;                  // the client's connection ends with this answer
  bool to_http10 = false;
};

/// Writes a final or interim (1xx) head for the client into a buffer from the pool.
Buffer* WriteResponseHead(const ResponseRewrite& rewrite, BufferPool& pool);

/// An answer of the ingress itself.
struct OwnAnswer {
  uint16_t status = 0;
  // The body is JSON: {"error": …, "hop": …, "function": …, "limit": …}, empty members left out.
  std::string_view error;
  std::string_view hop;
  std::string_view function;
  std::string_view limit;
  uint32_t retry_after_s = 0;          // 0 = no such field
  const CallIdentity* call = nullptr;  // null: the request was not understood far enough to have one
  uint64_t duration_ns = 0;
  std::string_view date;
  bool close = false;
  bool to_http10 = false;
  bool to_head = false;
};

Buffer* WriteOwnAnswer(const OwnAnswer& answer, BufferPool& pool);

/// The reason phrase of RFC 9110 section 15 for a status of ours.
std::string_view ReasonPhrase(uint16_t status);

}  // namespace junction::ingress
