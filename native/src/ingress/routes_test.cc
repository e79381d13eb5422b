// SPDX-License-Identifier: Apache-2.0
#include "ingress/routes.h"

#include <gtest/gtest.h>

namespace junction::ingress {
namespace {

class CollectedEvents : public IngressEvents {
 public:
  void OnColdStart(const std::string&) override {}
  void OnReplicaIdle(const std::string& id) override { idle.push_back(id); }
  void OnError(const std::string&) override {}

  std::vector<std::string> idle;
};

RouteSpec Route(const std::string& name, std::vector<RouteSpec::ReplicaSpec> replicas) {
  return {.function_name = name,
          .replicas = std::move(replicas),
          .timeout_ms = 0,
          .max_inflight = 0,
          .starts_from_zero = true,
          .failure = ""};
}

RouteSpec::ReplicaSpec At(const std::string& id, uint16_t port, bool draining = false) {
  return {.id = id, .host = "127.0.0.1", .port = port, .draining = draining};
}

class RouteRegistryTest : public testing::Test {
 protected:
  std::shared_ptr<const RouteChange> Apply(bool snapshot, std::vector<RouteSpec> upserts,
                                           std::vector<std::string> removes = {}) {
    auto change = registry_.Apply(
        {.snapshot = snapshot, .version = ++version_, .upserts = std::move(upserts), .removes = std::move(removes)});
    EXPECT_TRUE(change.has_value());
    return *change;
  }

  uint64_t version_ = 0;
  CollectedEvents events_;
  RouteRegistry registry_{60'000, events_};
};

TEST_F(RouteRegistryTest, KeepsTheCountsOfAReplicaThatStays) {
  const auto first = Apply(true, {Route("f.ns", {At("a", 1), At("b", 2)})});
  const auto second = Apply(false, {Route("f.ns", {At("b", 2), At("c", 3)})});
  EXPECT_EQ(second->upserts[0]->replicas[0], first->upserts[0]->replicas[1]);
  EXPECT_EQ(second->upserts[0]->shared, first->upserts[0]->shared);
}

TEST_F(RouteRegistryTest, TakesTheSameIdAtAnotherPortForAnotherReplica) {
  const auto first = Apply(true, {Route("f.ns", {At("a", 1)})});
  const auto second = Apply(false, {Route("f.ns", {At("a", 2)})});
  EXPECT_NE(second->upserts[0]->replicas[0], first->upserts[0]->replicas[0]);
}

TEST_F(RouteRegistryTest, TakesOneThatIsGoneForAnotherWhenTheRouteNamesItAnew) {
  const auto first = Apply(true, {Route("f.ns", {At("a", 1), At("b", 2)})});
  first->upserts[0]->replicas[0]->is_gone = true;
  const auto second = Apply(false, {Route("f.ns", {At("a", 1), At("b", 2)})});
  EXPECT_NE(second->upserts[0]->replicas[0], first->upserts[0]->replicas[0]);
  EXPECT_FALSE(second->upserts[0]->replicas[0]->is_gone);
  EXPECT_EQ(second->upserts[0]->replicas[1], first->upserts[0]->replicas[1]);
  EXPECT_TRUE(registry_.BusyReplicas().empty());  // "a" serves
}

TEST_F(RouteRegistryTest, RemovesWhatASnapshotDoesNotName) {
  Apply(true, {Route("f.ns", {}), Route("g.ns", {})});
  const auto change = Apply(true, {Route("g.ns", {})});
  EXPECT_EQ(change->removes, std::vector<std::string>{"f.ns"});
  EXPECT_TRUE(Apply(false, {}, {"unknown.ns"})->removes.empty());
}

TEST_F(RouteRegistryTest, FillsTheDefaultTimeoutIn) {
  EXPECT_EQ(Apply(true, {Route("f.ns", {})})->upserts[0]->timeout_ms, 60'000u);
}

TEST_F(RouteRegistryTest, RefusesAFaultyUpdateAsAWhole) {
  Apply(true, {Route("f.ns", {At("a", 1)})});
  for (RouteSpec bad : {Route("noname", {}), Route("a b.ns", {}), Route("g.ns", {At("x", 0)}),
                        Route("g.ns", {{.id = "x", .host = "localhost", .port = 1, .draining = false}})}) {
    EXPECT_FALSE(registry_.Apply({.snapshot = true, .version = 9, .upserts = {Route("h.ns", {}), bad}, .removes = {}}));
  }
  EXPECT_FALSE(registry_.Apply(
      {.snapshot = false, .version = 9, .upserts = {Route("h.ns", {}), Route("h.ns", {})}, .removes = {}}));
  EXPECT_EQ(registry_.version(), 1u);
  EXPECT_TRUE(Apply(false, {}, {"f.ns"})->removes.size() == 1);  // still there
}

TEST_F(RouteRegistryTest, ReportsARemovedReplicaOnceNobodyHoldsIt) {
  auto first = Apply(true, {Route("f.ns", {At("a", 1), At("b", 2)})});
  Apply(false, {Route("f.ns", {At("a", 1, true), At("b", 2)})});  // draining
  EXPECT_EQ(registry_.BusyReplicas(), std::vector<std::string>{"a"});
  EXPECT_TRUE(events_.idle.empty());
  first.reset();  // as a worker that has taken the second update up
  EXPECT_EQ(events_.idle, std::vector<std::string>{"a"});
  EXPECT_TRUE(registry_.BusyReplicas().empty());
}

TEST_F(RouteRegistryTest, DoesNotReportReplicasThatAreStillRouted) {
  Apply(true, {Route("f.ns", {At("a", 1)})});
  Apply(true, {Route("f.ns", {At("a", 1)})});
  EXPECT_TRUE(events_.idle.empty());
  Apply(false, {}, {"f.ns"});
  EXPECT_EQ(events_.idle, std::vector<std::string>{"a"});
}

TEST_F(RouteRegistryTest, AllowsAnotherColdStartAfterTheRightChangesOnly) {
  const auto shared = Apply(true, {Route("f.ns", {})})->upserts[0]->shared;
  const auto ask = [&] { return !shared->cold_start_asked.exchange(true); };
  EXPECT_TRUE(ask());
  EXPECT_FALSE(ask());
  Apply(false, {Route("f.ns", {})});  // still at zero: the provider has not forgotten
  EXPECT_FALSE(ask());
  Apply(true, {Route("f.ns", {})});  // it may have
  EXPECT_TRUE(ask());
  Apply(false, {Route("f.ns", {At("a", 1)})});
  Apply(false, {Route("f.ns", {})});
  EXPECT_TRUE(ask());
  registry_.AllowColdStart("f.ns");
  EXPECT_TRUE(ask());
}

}  // namespace
}  // namespace junction::ingress
