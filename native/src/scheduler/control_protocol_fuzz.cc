// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the control protocol and of the JSON reader below it: whatever comes in, what is accepted is within its bounds.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "scheduler/control_protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace junction::scheduler;
  const auto request = ParseRequest(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!request) {
    JUNCTION_CHECK(!request.error().message.empty());
    return 0;
  }
  if (const auto* sync = std::get_if<SyncRequest>(&*request)) {
    for (const Registration& instance : sync->instances) {
      JUNCTION_CHECK(!instance.id.empty() && !instance.control_path.empty() && instance.pid >= 0);
      JUNCTION_CHECK(instance.core_limit >= 1 && instance.core_limit <= kMaxCoreLimit);
      // What we write for the registry, we can read.
      std::string line = AddLine(instance);
      line.pop_back();
      JUNCTION_CHECK(ParseRequest(line).has_value());
    }
  }
  return 0;
}
