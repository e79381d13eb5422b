// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "bench/http_client.h"

namespace junction::bench {

struct SequentialOptions {
  std::string url;
  std::string body;
  std::string expected;  // the answer's body; empty = any
  size_t count = 1000;
  size_t warmup = 50;
  uint32_t gap_us = 0;  // sleep between an answer and the next request
  std::string
      link;  // links.sock of the instance to reach over shared memory, at the port of `url`; empty = the host's TCP
  uint32_t spin_us = 0;  // over a link: how long the client polls before it sleeps
};

/// Sends requests one after the other over one connection and prints each one's time as JSON. An answer that is not a
/// 200 with the expected body ends the run with an error: a fast wrong answer is no result.
Result<void> RunSequential(const SequentialOptions& options);
/// The same over `link`; prints what the client's CPU and its spinning cost, too.
Result<void> RunSequentialOverLink(const SequentialOptions& options);

struct ThroughputOptions {
  std::string url;
  std::string body;
  std::string expected;
  size_t connections = 1;
  uint32_t duration_ms = 2000;
  uint32_t warmup_ms = 300;
  std::string link;
  uint32_t spin_us = 0;
};

/// Keeps one request in flight on each connection, in a closed loop on one thread, and prints rate and latencies.
Result<void> RunThroughput(const ThroughputOptions& options);
Result<void> RunThroughputOverLink(const ThroughputOptions& options);

struct BulkOptions {
  std::string url;
  uint64_t size_bytes = 1'000'000'000;
  bool is_upload = true;
  std::string link;
  uint32_t spin_us = 0;
};

/// Moves that many bytes one way between the client and bulk_server (programs/) over one connection and prints the rate.
Result<void> RunBulk(const BulkOptions& options);
Result<void> RunBulkOverLink(const BulkOptions& options);
/// What the server is told first.
std::string BulkOrder(const BulkOptions& options);
/// Begins the JSON object of the results; the caller ends it.
void PrintBulk(const BulkOptions& options, uint64_t duration_ns);

struct StartOptions {
  std::vector<std::string> command;
  std::string control_path;  // empty: the command listens on `url` itself; else the port comes from this control block
  std::string url;
  std::string body;
  std::string expected;
  std::string
      link;  // links.sock of the instance that the command starts: asked over a link, at the port of `url` (8080 if that is 1)
  uint32_t spin_us = 0;
};

/// Starts the command and prints the time from just before fork to its first right answer, then kills it.
Result<void> RunStart(const StartOptions& options);
/// The request and its answer over `link`, tried until the instance is there.
Result<void> AskOnceOverLink(const StartOptions& options, const Target& target, uint64_t deadline_ns,
                             const std::function<Result<void>()>& wait_for_listener);

/// Prints the round trip of one cache line between two pinned cores, in nanoseconds (FACTS: it tells how near they
/// are).
Result<void> RunPingPong();

}  // namespace junction::bench
