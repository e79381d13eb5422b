// SPDX-License-Identifier: Apache-2.0
#include "ingress/metrics.h"

#include <algorithm>

namespace junction::ingress {
namespace {

constexpr std::array<std::string_view, 8> kMethods = {"GET",   "POST",    "PUT",  "DELETE",
                                                      "PATCH", "OPTIONS", "HEAD", "other"};

// The first is for functions; a path belongs to the first route that it equals or continues after a slash.
constexpr std::array<std::string_view, 16> kRoutes = {
    "/function",
    "/async-function",
    "/system/functions",
    "/system/function",
    "/system/scale-function",
    "/system/info",
    "/system/alert",
    "/system/secrets",
    "/system/logs",
    "/system/namespaces",
    "/system/namespace",
    "/healthz",
    "/ui",
    "/system",
    "/",
    "other",
};

/// Adds to the values of `key` in a list that is kept ascending.
template <typename Key>
void AddTo(std::vector<std::pair<Key, HistogramValues>>& list, Key key, const Histogram& histogram) {
  auto at = std::lower_bound(list.begin(), list.end(), key, [](const auto& entry, Key k) { return entry.first < k; });
  if (at == list.end() || at->first != key) {
    at = list.insert(at, {key, HistogramValues{}});
  }
  at->second.Add(histogram);
}

}  // namespace

void Histogram::Record(uint64_t ns) {
  sum_ns_.Add(ns);
  size_t i = 0;
  while (i < kBucketBounds_ns.size() && ns > kBucketBounds_ns[i]) {
    ++i;
  }
  buckets_[i].Add();
}

void HistogramValues::Add(const Histogram& histogram) {
  sum_ns += histogram.sum_ns();
  for (size_t i = 0; i < buckets.size(); ++i) {
    const uint64_t n = histogram.bucket(i);
    buckets[i] += n;
    count += n;
  }
}

KeyedHistograms::~KeyedHistograms() {
  Node* node = first_.load(std::memory_order_relaxed);
  while (node != nullptr) {
    Node* const next = node->next.load(std::memory_order_relaxed);
    delete node;
    node = next;
  }
}

void KeyedHistograms::Record(uint32_t key, uint64_t ns) {
  std::atomic<Node*>* link = &first_;
  Node* last = nullptr;
  while (Node* const node = link->load(std::memory_order_relaxed)) {
    if (node->key == key) {
      node->histogram.Record(ns);
      return;
    }
    last = node;
    link = &node->next;
  }
  if (left_ == 0) {
    last->histogram.Record(ns);
    return;
  }
  --left_;
  Node* const node = new Node{.key = key, .histogram = {}};
  node->histogram.Record(ns);
  link->store(node, std::memory_order_release);  // pairs with the acquire in ForEach
}

uint8_t MethodIndex(std::string_view method) {
  uint8_t i = 0;
  while (i < kMethods.size() - 1 && kMethods[i] != method) {
    ++i;
  }
  return i;
}

std::string_view MethodName(uint8_t index) { return kMethods[index]; }

uint8_t RouteIndex(std::string_view path) {
  path = path.substr(0, path.find('?'));
  const uint8_t other = kRoutes.size() - 1;
  if (path == "/") {
    return other - 1;
  }
  for (uint8_t i = 0; i < other - 1; ++i) {
    const std::string_view route = kRoutes[i];
    if (path.starts_with(route) && (path.size() == route.size() || path[route.size()] == '/')) {
      return i;
    }
  }
  return other;
}

std::string_view RouteName(uint8_t index) { return kRoutes[index]; }

void FunctionValues::Add(const FunctionCounters& counters) {
  started += counters.started.Get();
  inflight += counters.inflight.Get();
  held += counters.held.Get();
  queued += counters.queued.Get();
  cold_starts += counters.cold_starts.Get();
  counters.by_code.ForEach(
      [this](uint32_t code, const Histogram& histogram) { AddTo(by_code, static_cast<uint16_t>(code), histogram); });
}

void MetricsValues::Add(const WorkerCounters& counters) {
  connections_open += counters.connections_open.Get();
  connections_accepted += counters.connections_accepted.Get();
  connections_timed_out += counters.connections_timed_out.Get();
  accept_failures += counters.accept_failures.Get();
  replica_connections_opened += counters.replica_connections_opened.Get();
  replica_retries += counters.replica_retries.Get();
  spin_hits += counters.spin_hits.Get();
  spin_misses += counters.spin_misses.Get();
  spin_skips += counters.spin_skips.Get();
  spun_ns += counters.spun_ns.Get();
  doorbell_rings += counters.doorbell_rings.Get();
  links += counters.links.Get();
  link_attaches += counters.link_attaches.Get();
  link_losses += counters.link_losses.Get();
  link_fallbacks += counters.link_fallbacks.Get();
  link_frames_in += counters.link_frames_in.Get();
  link_frames_out += counters.link_frames_out.Get();
  link_rings += counters.link_rings.Get();
  link_vain_rings += counters.link_vain_rings.Get();
  link_mutes += counters.link_mutes.Get();
  counters.http.ForEach([this](uint32_t key, const Histogram& histogram) { AddTo(http, key, histogram); });
}

}  // namespace junction::ingress
