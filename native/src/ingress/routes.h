// SPDX-License-Identifier: Apache-2.0
// What all workers share of functions and replicas. Routes are immutable: a change makes a new one, which each worker
// takes up by itself between two events, so that no request ever takes a lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "ingress/events.h"
#include "ingress/socket.h"

namespace junction::ingress {

/// One instance that serves a function. Lives as long as the registry, a worker's route or a connection names it: so its
/// end means that no request of ours is under way there, and that no worker will send another.
struct Replica {
  Replica() = default;
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;
  ~Replica() {
    if (idle_listener != nullptr) {
      idle_listener->OnReplicaIdle(id);
    }
  }

  std::string id;
  std::string host;
  uint16_t port = 0;
  SocketAddress address;
  std::string link_path;         // where its instance gives out links; empty = none
  uint32_t instance_number = 0;  // in the node's event queue; 0 = none
  // Requests under way over all workers. Relaxed: it steers balancing and max_inflight, it guards nothing.
  alignas(64) std::atomic<uint32_t> inflight{0};
  // The lease of a link into its instance has ended, so the instance is gone, and what comes up at its address is another one, which must
  // not get what this one may have died of. No worker sends it anything until a route names the replica anew. Relaxed.
  std::atomic<bool> is_gone{false};
  bool is_link_wanted = false;  // the link keeper knows of it; the control side's alone
  // Hears of the end. Set by the registry, which holds a reference then, when no route names the replica any more.
  IngressEvents* idle_listener = nullptr;
};

/// What stays the same of a function from route to route.
struct FunctionShared {
  explicit FunctionShared(std::string full_name) : name(std::move(full_name)) {}

  const std::string name;           // name.namespace
  std::atomic<uint32_t> held{0};    // requests that wait for a first replica, over all workers; relaxed
  std::atomic<uint32_t> queued{0};  // requests that wait for a place, over all workers; relaxed
  // Set by the worker that asks for a replica, cleared by changes of the route: at most one asks. Relaxed.
  std::atomic<bool> cold_start_asked{false};
};

struct FunctionRoute {
  std::shared_ptr<FunctionShared> shared;
  std::vector<std::shared_ptr<Replica>>
      replicas;               // those that are ready; draining ones get nothing new, so are left out
  uint32_t timeout_ms = 0;    // never 0
  uint32_t max_inflight = 0;  // per replica; 0 = no limit
  bool starts_from_zero = false;
  std::string failure;  // why none can start; empty = no trouble
};

/// As the provider's route stream gives it (proto/junctiond/function/v1, RouteUpdate).
struct RouteSpec {
  struct ReplicaSpec {
    std::string id;
    std::string host;
    uint16_t port = 0;
    std::string link_path = {};
    uint32_t instance_number = 0;
    bool draining = false;
  };

  std::string function_name;
  std::vector<ReplicaSpec> replicas;
  uint32_t timeout_ms = 0;  // 0 = the default
  uint32_t max_inflight = 0;
  bool starts_from_zero = false;
  std::string failure;
};

struct RouteUpdate {
  bool snapshot = false;
  uint64_t version = 0;
  std::vector<RouteSpec> upserts;
  std::vector<std::string> removes;
};

/// What workers apply, each in its own table and in the order of versions.
struct RouteChange {
  std::vector<std::shared_ptr<const FunctionRoute>> upserts;
  std::vector<std::string> removes;
};

/// The control side's view of all routes: turns updates into changes. One thread at a time.
class RouteRegistry {
 public:
  RouteRegistry(uint32_t default_timeout_ms, IngressEvents& events)
      : default_timeout_ms_(default_timeout_ms), events_(events) {}

  /// Checks an update as a whole, then takes it up. An update that names a malformed address or function changes nothing.
  Result<std::shared_ptr<const RouteChange>> Apply(const RouteUpdate& update);

  /// The next request that has to wait for this function's first replica asks for one again.
  void AllowColdStart(const std::string& function_name);

  uint64_t version() const { return version_; }

  /// Ids of replicas that no route names as ready any more and that are still in use. IngressEvents::OnReplicaIdle
  /// comes for each of them.
  std::vector<std::string> BusyReplicas();

 private:
  Result<std::shared_ptr<FunctionRoute>> MakeRoute(const RouteSpec& spec, const FunctionRoute* old) const;

  /// Remembers the replicas of `old` that `now` (null: none) does not name.
  void RetireMissing(const FunctionRoute& old, const FunctionRoute* now);

  const uint32_t default_timeout_ms_;
  IngressEvents& events_;
  uint64_t version_ = 0;
  std::unordered_map<std::string, std::shared_ptr<const FunctionRoute>> routes_;
  std::vector<std::pair<std::string, std::weak_ptr<Replica>>> retired_;
};

}  // namespace junction::ingress
