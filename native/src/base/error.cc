// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <cerrno>
#include <cstring>
#include <utility>

namespace junction {

std::unexpected<Error> ErrnoError(std::string what) { return ErrnoError(std::move(what), errno); }

std::unexpected<Error> ErrnoError(std::string what, int code) {
  what += ": ";
  what += std::strerror(code);
  return std::unexpected(Error{.code = code, .message = std::move(what)});
}

std::unexpected<Error> PlainError(std::string message) {
  return std::unexpected(Error{.code = 0, .message = std::move(message)});
}

}  // namespace junction
