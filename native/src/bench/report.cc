// SPDX-License-Identifier: Apache-2.0
#include "bench/report.h"

#include <algorithm>
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

void PrintThroughput(std::vector<uint64_t>& samples_ns, uint64_t duration_ns) {
  std::sort(samples_ns.begin(), samples_ns.end());
  const auto at = [&](size_t percent) {
    return samples_ns.empty() ? 0 : samples_ns[samples_ns.size() * percent / 100];
  };
  std::printf("{\"requests\":%zu,\"rate\":%.1f,\"p50_ns\":%" PRIu64 ",\"p99_ns\":%" PRIu64, samples_ns.size(),
              static_cast<double>(samples_ns.size()) * 1e9 / static_cast<double>(duration_ns), at(50), at(99));
}

}  // namespace junction::bench
