// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "ingress/link_keeper.h"
#include "ingress/metrics.h"
#include "ingress/options.h"
#include "ingress/routes.h"
#include "ingress/worker_core.h"

namespace junction::ingress {

class Worker;

/// The HTTP ingress: worker threads that serve `/function/NAME` from a route table and pass the rest to the API's
/// socket. All methods from any thread, but not from within IngressEvents.
class Ingress : private Siblings {
 public:
  /// Listens; connections wait in the backlog until Serve. `events` must outlive the ingress.
  static Result<std::unique_ptr<Ingress>> Open(const IngressOptions& options, IngressEvents& events);

  Ingress(const Ingress&) = delete;
  Ingress& operator=(const Ingress&) = delete;
  ~Ingress() override;

  uint16_t port() const { return port_; }

  /// Starts the workers. Routes that were applied before are there from the first request on. Once only.
  void Serve();

  /// Takes new routes up, or refuses the update as a whole. Workers follow at their next turn.
  Result<void> ApplyRoutes(const RouteUpdate& update);

  /// Answers the requests that wait for this function's first replica; the next one to wait asks for a replica again.
  void FailHeld(const std::string& function_name, uint16_t status, const std::string& message);

  /// Ids of replicas that are draining or no longer in the table and still serve requests of ours.
  std::vector<std::string> BusyReplicas();

  MetricsValues ReadMetrics() const;

  /// Stops accepting, lets requests under way finish, cuts the rest off at the deadline. `on_done` gets how many those
  /// were, from a worker's thread. Call Stop afterwards, not from `on_done`. Once only.
  void Drain(uint64_t deadline_ms, std::function<void(uint64_t abandoned)> on_done);

  /// Cuts everything off and ends the workers. Blocks until they have ended. Any number of times.
  void Stop();

 private:
  Ingress(const IngressOptions& options, IngressEvents& events);

  void WakeQueues(const std::shared_ptr<FunctionShared>& function) override;

  const IngressOptions options_;
  IngressEvents& events_;
  SharedCounts shared_;
  UniqueFd listener_;
  uint16_t port_ = 0;
  mutable std::mutex mutex_;  // of routes_ and of the order in which commands reach the workers
  RouteRegistry routes_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  LinkKeeper keeper_;  // after the workers that it posts to
};

}  // namespace junction::ingress
