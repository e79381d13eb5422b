// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace junction::bench {

struct SequentialOptions {
  std::string url;
  std::string body;
  std::string expected;  // the answer's body; empty = any
  size_t count = 1000;
  size_t warmup = 50;
  uint32_t gap_us = 0;  // sleep between an answer and the next request
};

/// Sends requests one after the other over one connection and prints each one's time as JSON. An answer that is not a
/// 200 with the expected body ends the run with an error: a fast wrong answer is no result.
Result<void> RunSequential(const SequentialOptions& options);

struct ThroughputOptions {
  std::string url;
  std::string body;
  std::string expected;
  size_t connections = 1;
  uint32_t duration_ms = 2000;
  uint32_t warmup_ms = 300;
};

/// Keeps one request in flight on each connection, in a closed loop on one thread, and prints rate and latencies.
Result<void> RunThroughput(const ThroughputOptions& options);

struct StartOptions {
  std::vector<std::string> command;
  std::string control_path;  // empty: the command listens on `url` itself; else the port comes from this control block
  std::string url;
  std::string body;
  std::string expected;
};

/// Starts the command and prints the time from just before fork to its first right answer, then kills it.
Result<void> RunStart(const StartOptions& options);

/// Prints the round trip of one cache line between two pinned cores, in nanoseconds (FACTS: it tells how near they
/// are).
Result<void> RunPingPong();

}  // namespace junction::bench
