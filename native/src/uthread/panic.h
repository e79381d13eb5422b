// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace junction {

/// Prints `junction kernel: <text>` to descriptor 2 and ends the process, and with it the instance: an invariant of ours is broken.
[[noreturn]] void KernelPanic(const char* text, uint64_t value = 0);

}  // namespace junction

#define KERNEL_CHECK(condition)                      \
  do {                                               \
    if (!(condition)) [[unlikely]] {                 \
      ::junction::KernelPanic(#condition, __LINE__); \
    }                                                \
  } while (false)
