// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace junction::bench {

/// Nanoseconds of the monotonic clock.
uint64_t Now_ns();

/// Prints `"name":[…]` with whole nanoseconds, for a JSON object that the caller opens and closes.
void PrintSamples(const char* name, const std::vector<uint64_t>& samples_ns);

/// Begins a JSON object with rate and latencies of a throughput load, which the caller ends. Sorts the samples.
void PrintThroughput(std::vector<uint64_t>& samples_ns, uint64_t duration_ns);

}  // namespace junction::bench
