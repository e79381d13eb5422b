// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the configuration parser: whatever comes in, it ends, and a fault's line is one of the text's.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "run/junction_config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  if (const auto config = junction::ParseJunctionConfig(text); config) {
    JUNCTION_CHECK(config->kthreads >= 1 && config->kthreads <= junction::kMaxKthreads);
    JUNCTION_CHECK(config->spinning_kthreads <= config->kthreads);
    JUNCTION_CHECK(config->guaranteed_kthreads <= config->kthreads);
  } else {
    JUNCTION_CHECK(!config.error().empty());
    for (const auto& fault : config.error()) {
      JUNCTION_CHECK(fault.line >= 0 && fault.line <= lines && !fault.message.empty());
    }
  }
  return 0;
}
