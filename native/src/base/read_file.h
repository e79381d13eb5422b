// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/error.h"

namespace junction {

/// The whole of a small file. Fails with EFBIG when it holds more than `max_bytes`. Works on /proc and /sys, whose files have no size.
Result<std::string> ReadFile(const std::string& path, size_t max_bytes);

}  // namespace junction
