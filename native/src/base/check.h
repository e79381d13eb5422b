// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace junction {

/// Prints the broken invariant with its place to stderr and aborts. Signal-safe; never returns.
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);

}  // namespace junction

/// Asserts an invariant of our own code in every build. Never use it on input from outside: that is an expected failure.
#define JUNCTION_CHECK(condition)                              \
  do {                                                         \
    if (!(condition)) [[unlikely]] {                           \
      ::junction::CheckFailed(#condition, __FILE__, __LINE__); \
    }                                                          \
  } while (false)
