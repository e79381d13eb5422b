// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace junction {

/// A time in nanoseconds that never comes.
inline constexpr uint64_t kNever = ~0ULL;

}  // namespace junction
