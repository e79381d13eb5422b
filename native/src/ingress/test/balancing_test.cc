// SPDX-License-Identifier: Apache-2.0
// Which replica gets a request, and what happens when all have enough to do.
#include "ingress/test/ingress_fixture.h"

namespace junction::ingress {
namespace {

constexpr char kGet[] = "GET /function/f HTTP/1.1\r\nHost: a\r\n\r\n";

class BalancingTest : public IngressTest {
 protected:
  Peer Ask() {
    Peer client = Client();
    client.Send(kGet);
    return client;
  }

  /// One with a connection waiting.
  ScriptedServer& Asked() {
    ScriptedServer* asked = nullptr;
    WaitUntil([&](const MetricsValues&) {
      asked = !first_.HasNobody() ? &first_ : !second_.HasNobody() ? &second_ : nullptr;
      return asked != nullptr;
    });
    return *asked;
  }

  ScriptedServer first_;
  ScriptedServer second_;
};

TEST_F(BalancingTest, GivesARequestToTheReplicaWithTheLeastInFlight) {
  Start();
  Apply({Route("f.openfaas-fn", {first_.port(), second_.port()})});
  Peer one = Ask();
  ScriptedServer& busy = Asked();
  ScriptedServer& free = &busy == &first_ ? second_ : first_;
  Peer held = busy.Accept();
  held.ReadMessage();
  Peer two = Ask();
  Peer other = free.Accept();
  for (int i = 0; i < 5; ++i) {  // each next one too, as the first is still busy
    other.ReadMessage();
    other.Send(Ok("x"));
    EXPECT_EQ(two.ReadMessage().body, "x");
    two.Send(kGet);
  }
  EXPECT_TRUE(busy.HasNobody());
}

TEST_F(BalancingTest, TakesTurnsWhenAllAreFree) {
  Start();
  Apply({Route("f.openfaas-fn", {first_.port(), second_.port()})});
  std::map<ScriptedServer*, int> counts;
  for (int i = 0; i < 6; ++i) {
    Peer client = Ask();
    ScriptedServer& asked = Asked();
    ++counts[&asked];
    Peer function = asked.Accept();
    function.ReadMessage();
    function.Send(Ok("x", "Connection: close\r\n"));
    client.ReadMessage();
    WaitUntil([&](const MetricsValues&) { return Function("f.openfaas-fn").inflight == 0; });
  }
  EXPECT_EQ(counts[&first_], 3);
  EXPECT_EQ(counts[&second_], 3);
}

TEST_F(BalancingTest, QueuesInOrderWhereMaxInflightIsReached) {
  Start();
  Apply({Route("f.openfaas-fn", {first_.port()}, [](RouteSpec& route) { route.max_inflight = 1; })});
  Peer one = Ask();
  Peer function = first_.Accept();
  function.ReadMessage();
  Peer two = Ask();
  WaitUntil([&](const MetricsValues&) { return Function("f.openfaas-fn").queued == 1; });
  Peer three = Ask();
  WaitUntil([&](const MetricsValues&) { return Function("f.openfaas-fn").queued == 2; });
  EXPECT_TRUE(function.HasNothing());
  function.Send(Ok("one"));
  EXPECT_EQ(one.ReadMessage().body, "one");
  function.ReadMessage();
  EXPECT_EQ(Function("f.openfaas-fn").queued, 1u);
  function.Send(Ok("two"));
  EXPECT_EQ(two.ReadMessage().body, "two");
  function.ReadMessage();
  function.Send(Ok("three"));
  EXPECT_EQ(three.ReadMessage().body, "three");
  EXPECT_TRUE(first_.HasNobody());
}

TEST_F(BalancingTest, Answers429WhenTheQueueIsFullOrTheWaitTooLong) {
  options_.queue_timeout_ms = 40;
  options_.max_queued_per_function = 1;
  Start();
  Apply({Route("f.openfaas-fn", {first_.port()}, [](RouteSpec& route) { route.max_inflight = 1; })});
  Peer one = Ask();
  Peer function = first_.Accept();
  function.ReadMessage();
  Peer two = Ask();
  WaitUntil([&](const MetricsValues&) { return Function("f.openfaas-fn").queued == 1; });
  const Message full = Exchange(kGet);
  const Message late = two.ReadMessage();
  for (const Message& answer : {full, late}) {
    EXPECT_EQ(answer.Status(), 429);
    EXPECT_EQ(answer.Field("retry-after"), "1");
  }
  EXPECT_NE(full.body.find("\"limit\":\"max_inflight 1 a replica\""), std::string::npos);
  EXPECT_NE(late.body.find("\"limit\":\"wait for a place 40 ms\""), std::string::npos);
  function.Send(Ok("one"));
  EXPECT_EQ(one.ReadMessage().body, "one");
}

TEST_F(BalancingTest, ForgetsAQueuedClientThatLeaves) {
  Start();
  Apply({Route("f.openfaas-fn", {first_.port()}, [](RouteSpec& route) { route.max_inflight = 1; })});
  Peer one = Ask();
  Peer function = first_.Accept();
  function.ReadMessage();
  Peer two = Ask();
  WaitUntil([&](const MetricsValues&) { return Function("f.openfaas-fn").queued == 1; });
  Peer three = Ask();
  WaitUntil([&](const MetricsValues&) { return Function("f.openfaas-fn").queued == 2; });
  two.Close();
  WaitUntil([&](const MetricsValues&) { return Function("f.openfaas-fn").queued == 1; });
  function.Send(Ok("one"));
  one.ReadMessage();
  function.ReadMessage();
  function.Send(Ok("three"));
  EXPECT_EQ(three.ReadMessage().body, "three");
}

TEST_F(BalancingTest, FindsAPlaceThatAnotherWorkerGaveBack) {
  options_.workers = 4;
  Start();
  Apply({Route("f.openfaas-fn", {first_.port()}, [](RouteSpec& route) { route.max_inflight = 1; })});
  constexpr int kClients = 40;
  std::vector<Peer> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(Ask());
  }
  // Whichever worker has the place, all others wait for it; each answer must hand it on.
  for (int i = 0; i < kClients; ++i) {
    Peer function = first_.Accept();
    function.ReadMessage();
    EXPECT_TRUE(first_.HasNobody());  // never two at a time
    function.Send(Ok("x", "Connection: close\r\n"));
    EXPECT_TRUE(function.IsAtEnd());
  }
  for (Peer& client : clients) {
    EXPECT_EQ(client.ReadMessage().Status(), 200);
  }
}

TEST_F(BalancingTest, StartsQueuedRequestsWhenAReplicaIsAdded) {
  Start();
  const auto limit = [](RouteSpec& route) { route.max_inflight = 1; };
  Apply({Route("f.openfaas-fn", {first_.port()}, limit)});
  Peer one = Ask();
  Peer function = first_.Accept();
  Peer two = Ask();
  WaitUntil([&](const MetricsValues&) { return Function("f.openfaas-fn").queued == 1; });
  Apply({Route("f.openfaas-fn", {first_.port(), second_.port()}, limit)});
  Peer other = second_.Accept();
  other.ReadMessage();
  other.Send(Ok("two"));
  EXPECT_EQ(two.ReadMessage().body, "two");
}

TEST_F(BalancingTest, LetsADrainingReplicaFinishAndSendsItNothingNew) {
  Start();
  Apply({Route("f.openfaas-fn", {first_.port()})});
  Peer one = Ask();
  Peer old = first_.Accept();
  old.ReadMessage();
  Apply({Route("f.openfaas-fn", {first_.port(), second_.port()},
               [](RouteSpec& route) { route.replicas[0].draining = true; })});
  EXPECT_EQ(ingress_->BusyReplicas(), std::vector<std::string>{"r" + std::to_string(first_.port())});
  Peer two = Ask();
  Peer fresh = second_.Accept();
  fresh.ReadMessage();
  fresh.Send(Ok("new"));
  EXPECT_EQ(two.ReadMessage().body, "new");
  old.Send(Ok("old"));
  EXPECT_EQ(one.ReadMessage().body, "old");
  EXPECT_TRUE(old.IsOver());  // not kept for later
  EXPECT_EQ(events_.IdleReplicas(1), std::vector<std::string>{"r" + std::to_string(first_.port())});
  EXPECT_TRUE(ingress_->BusyReplicas().empty());
  EXPECT_TRUE(first_.HasNobody());
}

TEST_F(BalancingTest, ClosesIdleConnectionsOfAReplicaThatIsGone) {
  Start();
  Apply({Route("f.openfaas-fn", {first_.port()})});
  Peer one = Ask();
  Peer old = first_.Accept();
  old.ReadMessage();
  old.Send(Ok("old"));
  one.ReadMessage();
  Apply({Route("f.openfaas-fn", {second_.port()})});
  EXPECT_TRUE(old.IsOver());  // over a link the loss of the link, which resets, may overtake the end
  EXPECT_EQ(events_.IdleReplicas(1).size(), 1u);
}

TEST_F(BalancingTest, FinishesWhatIsUnderWayWhenTheFunctionIsRemoved) {
  Start();
  Apply({Route("f.openfaas-fn", {first_.port()})});
  Peer one = Ask();
  Peer function = first_.Accept();
  function.ReadMessage();
  Apply({}, {"f.openfaas-fn"});
  EXPECT_EQ(Exchange(kGet).Status(), 404);
  function.Send(Ok("last"));
  EXPECT_EQ(one.ReadMessage().body, "last");
  EXPECT_EQ(events_.IdleReplicas(1).size(), 1u);
}

}  // namespace
}  // namespace junction::ingress
