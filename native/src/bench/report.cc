// SPDX-License-Identifier: Apache-2.0
#include "bench/report.h"

#include <cinttypes>
#include <cstdio>
#include <ctime>

namespace junction::bench {

uint64_t Now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

void PrintSamples(const char* name, const std::vector<uint64_t>& samples_ns) {
  std::printf("\"%s\":[", name);
  for (size_t i = 0; i < samples_ns.size(); ++i) {
    std::printf("%s%" PRIu64, i == 0 ? "" : ",", samples_ns[i]);
  }
  std::printf("]");
}

}  // namespace junction::bench
