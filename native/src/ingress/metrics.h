// SPDX-License-Identifier: Apache-2.0
// What a worker counts. Each figure has one writer, the worker, which adds by a plain load and store (relaxed); the
// snapshot reads it from another thread at any time. Lists only grow while their owner lives, linked by release stores
// that pair with the reader's acquire.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace junction::ingress {

/// A figure with one writer and any number of readers.
class Counter {
 public:
  void Add(uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  void Sub(uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed); }
  void Set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

/// Upper bounds: the default ones of Prometheus' client libraries, five below them for what takes microseconds here,
/// and two above.
inline constexpr std::array<uint64_t, 18> kBucketBounds_ns = {
    100'000,       250'000,       500'000,       1'000'000,      2'500'000,      5'000'000,
    10'000'000,    25'000'000,    50'000'000,    100'000'000,    250'000'000,    500'000'000,
    1'000'000'000, 2'500'000'000, 5'000'000'000, 10'000'000'000, 30'000'000'000, 60'000'000'000,
};

class Histogram {
 public:
  void Record(uint64_t ns);
  uint64_t sum_ns() const { return sum_ns_.Get(); }
  uint64_t bucket(size_t i) const { return buckets_[i].Get(); }

  static constexpr size_t kBuckets = kBucketBounds_ns.size() + 1;

 private:
  Counter sum_ns_;
  std::array<Counter, kBuckets> buckets_;
};

/// A plain copy of a histogram, summed over workers.
struct HistogramValues {
  uint64_t count = 0;
  uint64_t sum_ns = 0;
  std::array<uint64_t, Histogram::kBuckets> buckets{};

  void Add(const Histogram& histogram);
};

/// Histograms by a 32-bit key: a list that is searched from its start, as the keys in use are few. The capacity bounds
/// what hostile functions can make us keep (999 status codes, say); what is past it is counted under the last key.
class KeyedHistograms {
 public:
  explicit KeyedHistograms(uint32_t capacity) : left_(capacity) {}
  KeyedHistograms(const KeyedHistograms&) = delete;
  KeyedHistograms& operator=(const KeyedHistograms&) = delete;
  ~KeyedHistograms();

  /// Owner only. Allocates for a key that was not seen before.
  void Record(uint32_t key, uint64_t ns);

  /// Any thread: calls visit(key, const Histogram&).
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const Node* node = first_.load(std::memory_order_acquire); node != nullptr;
         node = node->next.load(std::memory_order_acquire)) {
      visit(node->key, node->histogram);
    }
  }

 private:
  struct Node {
    uint32_t key;
    std::atomic<Node*> next{nullptr};
    Histogram histogram;
  };

  std::atomic<Node*> first_{nullptr};
  uint32_t left_;
};

/// Of one function in one worker.
struct FunctionCounters {
  Counter started;
  Counter inflight;
  Counter held;
  Counter queued;
  Counter cold_starts;
  KeyedHistograms by_code{100};
};

/// Known methods and routes, so that the labels of http_requests_total are bounded whatever clients send.
uint8_t MethodIndex(std::string_view method);
std::string_view MethodName(uint8_t index);
/// Route of a request to the API by its path: the longest known prefix, else `other`.
uint8_t RouteIndex(std::string_view path);
std::string_view RouteName(uint8_t index);
inline constexpr uint8_t kFunctionRoute = 0;

constexpr uint32_t HttpKey(uint8_t method, uint8_t route, uint16_t status) {
  return static_cast<uint32_t>(method) << 24 | static_cast<uint32_t>(route) << 16 | status;
}

/// Of one worker, besides those of functions.
struct WorkerCounters {
  Counter connections_open;
  Counter connections_accepted;
  Counter connections_timed_out;
  Counter accept_failures;
  Counter replica_connections_opened;
  Counter replica_retries;
  Counter spin_hits;
  Counter spin_misses;
  Counter spin_skips;
  Counter spun_ns;
  Counter doorbell_rings;
  Counter links;           // attached now
  Counter link_attaches;   // since the beginning
  Counter link_losses;     // instance gone, or rings broken
  Counter link_fallbacks;  // connections to a replica that has a link path, by its address all the same
  Counter link_frames_in;
  Counter link_frames_out;
  Counter link_rings;       // of instances that slept
  Counter link_vain_rings;  // by instances that had sent nothing
  Counter link_mutes;       // instances that were not listened to for a while, as they rang too much
  KeyedHistograms http{2048};
};

/// Sums over all workers, as plain values.
struct FunctionValues {
  std::string function_name;
  uint64_t started = 0;
  uint64_t inflight = 0;
  uint64_t held = 0;
  uint64_t queued = 0;
  uint64_t cold_starts = 0;
  std::vector<std::pair<uint16_t, HistogramValues>> by_code;  // ascending

  void Add(const FunctionCounters& counters);
};

struct MetricsValues {
  std::vector<FunctionValues> functions;                   // ascending by name
  std::vector<std::pair<uint32_t, HistogramValues>> http;  // by HttpKey, ascending
  uint64_t connections_open = 0;
  uint64_t connections_accepted = 0;
  uint64_t connections_timed_out = 0;
  uint64_t accept_failures = 0;
  uint64_t replica_connections_opened = 0;
  uint64_t replica_retries = 0;
  uint64_t spin_hits = 0;
  uint64_t spin_misses = 0;
  uint64_t spin_skips = 0;
  uint64_t spun_ns = 0;
  uint64_t doorbell_rings = 0;
  uint64_t links = 0;
  uint64_t link_attaches = 0;
  uint64_t link_losses = 0;
  uint64_t link_fallbacks = 0;
  uint64_t link_frames_in = 0;
  uint64_t link_frames_out = 0;
  uint64_t link_rings = 0;
  uint64_t link_vain_rings = 0;
  uint64_t link_mutes = 0;
  uint64_t link_attach_failures = 0;  // of the keeper, which tries again
  uint64_t held = 0;
  uint64_t routes_version = 0;  // that all workers serve by

  void Add(const WorkerCounters& counters);
};

}  // namespace junction::ingress
