// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string>

namespace junction {

/// An expected failure: the errno that describes it best (0 = none fits) and one sentence that names what and where.
struct Error {
  int code = 0;
  std::string message;
};

template <typename T>
using Result = std::expected<T, Error>;

/// An Error from the current errno: `what: strerror(errno)`.
std::unexpected<Error> ErrnoError(std::string what);

/// An Error from an explicit errno value: `what: strerror(code)`.
std::unexpected<Error> ErrnoError(std::string what, int code);

/// An Error that no errno describes.
std::unexpected<Error> PlainError(std::string message);

}  // namespace junction
