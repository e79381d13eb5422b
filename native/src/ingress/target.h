// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string_view>

#include "ingress/framing.h"

namespace junction::ingress {

/// Where a request goes, as views into its target.
struct RequestTarget {
  bool is_function = false;
  std::string_view function_name;  // as the client wrote it; empty or malformed names never match a route
  // What the next hop gets as its target: a slash first when add_slash, then `path` (raw, with the query).
  std::string_view path;
  bool add_slash = false;
  std::string_view authority;  // of an absolute-form target: replaces Host (RFC 9112 section 3.2.2); else empty
};

/// Splits a request target in origin, absolute or (OPTIONS only) asterisk form. `/function/NAME` is taken off, the rest
/// stays raw. The error is what to answer: 400, 405 for CONNECT and TRACE.
std::expected<RequestTarget, Refusal> SplitTarget(std::string_view method, std::string_view target);

/// True when `name` may be a function's: 1 to 255 of [-a-zA-Z_0-9.].
bool IsFunctionName(std::string_view name);

}  // namespace junction::ingress
