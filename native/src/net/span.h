// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace junction::net {

/// Memory within a socket's queue that the caller may write to or read from, until the next call on the stack.
struct Span {
  uint8_t* data = nullptr;
  uint32_t size_bytes = 0;
};

}  // namespace junction::net
