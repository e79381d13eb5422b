// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "ingress/ingress.h"
#include "ingress/test/peer.h"

namespace junction::ingress {

/// Events that a test can wait for.
class RecordedEvents : public IngressEvents {
 public:
  void OnColdStart(const std::string& name) override { Add(cold_starts_, name); }
  void OnReplicaIdle(const std::string& id) override { Add(idle_replicas_, id); }
  void OnError(const std::string& message) override { Add(errors_, message); }

  /// Waits for that many in all; fails the test when they do not come.
  std::vector<std::string> ColdStarts(size_t count) { return Wait(cold_starts_, count); }
  std::vector<std::string> IdleReplicas(size_t count) { return Wait(idle_replicas_, count); }
  std::vector<std::string> Errors(size_t count) { return Wait(errors_, count); }

 private:
  void Add(std::vector<std::string>& list, const std::string& text);
  std::vector<std::string> Wait(std::vector<std::string>& list, size_t count);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> cold_starts_;
  std::vector<std::string> idle_replicas_;
  std::vector<std::string> errors_;
};

/// An ingress in this process, on a free port, with the API's socket in a folder of its own. Start it by Start().
class IngressTest : public testing::Test {
 protected:
  IngressTest();
  ~IngressTest() override;

  /// Change options_ before.
  void Start();
  /// Listens only.
  void Open();

  /// A route with ready replicas at these ports of 127.0.0.1; more of it can be set by `change`.
  static RouteSpec Route(const std::string& name, const std::vector<uint16_t>& ports,
                         const std::function<void(RouteSpec&)>& change = nullptr);

  /// Returns once all workers serve by the new routes.
  void Apply(std::vector<RouteSpec> upserts, std::vector<std::string> removes = {}, bool snapshot = false);

  Peer Client(int receive_buffer = 0) { return ConnectTo(ingress_->port(), receive_buffer); }

  /// Sends `request` on a connection of its own and reads the whole answer.
  Message Exchange(const std::string& request);

  FunctionValues Function(const std::string& name);
  /// Waits until `condition` holds for the metrics; fails the test when it never does.
  void WaitUntil(const std::function<bool(const MetricsValues&)>& condition);

  std::string api_path() const { return options_.api_socket_path; }

  IngressOptions options_;
  RecordedEvents events_;
  std::unique_ptr<Ingress> ingress_;

 private:
  std::string folder_;
  uint64_t version_ = 0;
};

/// The answer of a function with this body.
std::string Ok(const std::string& body, const std::string& fields = "");

}  // namespace junction::ingress
