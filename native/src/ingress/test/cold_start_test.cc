// SPDX-License-Identifier: Apache-2.0
// Functions without a replica: requests that wait for the first one.
#include "ingress/test/ingress_fixture.h"

namespace junction::ingress {
namespace {

constexpr char kGet[] = "GET /function/f HTTP/1.1\r\nHost: a\r\n\r\n";

class ColdStartTest : public IngressTest {
 protected:
  Peer Ask(const std::string& request = kGet) {
    Peer client = Client();
    client.Send(request);
    return client;
  }

  void WaitForHeld(uint64_t count) {
    WaitUntil([&](const MetricsValues& metrics) { return metrics.held == count; });
  }

  ScriptedServer function_;
};

TEST_F(ColdStartTest, HoldsRequestsUntilAReplicaIsReady) {
  Start();
  Apply({Route("f.openfaas-fn", {})});
  Peer one = Ask("POST /function/f/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_EQ(events_.ColdStarts(1), std::vector<std::string>{"f.openfaas-fn"});
  Peer two = Ask();
  WaitForHeld(2);
  EXPECT_EQ(Function("f.openfaas-fn").held, 2u);
  Apply({Route("f.openfaas-fn", {function_.port()})});
  for (int i = 0; i < 2; ++i) {
    Peer function = function_.Accept();
    const Message request = function.ReadMessage();
    function.Send(Ok(request.body.empty() ? "two" : request.body));
  }
  EXPECT_EQ(one.ReadMessage().body, "hello");
  EXPECT_EQ(two.ReadMessage().body, "two");
  EXPECT_EQ(events_.ColdStarts(1).size(), 1u);  // asked once for both
  EXPECT_EQ(Function("f.openfaas-fn").cold_starts, 1u);
  EXPECT_EQ(ingress_->ReadMetrics().held, 0u);
}

TEST_F(ColdStartTest, AsksOnceOverAllWorkers) {
  options_.workers = 4;
  Start();
  Apply({Route("f.openfaas-fn", {})});
  std::vector<Peer> clients;
  for (int i = 0; i < 30; ++i) {
    clients.push_back(Ask());
  }
  WaitForHeld(30);
  EXPECT_EQ(events_.ColdStarts(1).size(), 1u);
  ingress_->FailHeld("f.openfaas-fn", 503, "no");
  for (Peer& client : clients) {
    EXPECT_EQ(client.ReadMessage().Status(), 503);
  }
  WaitForHeld(0);
}

TEST_F(ColdStartTest, AnswersWithTheReasonWhenTheStartFails) {
  Start();
  Apply({Route("f.openfaas-fn", {}), Route("g.openfaas-fn", {})});
  for (size_t round = 1; round <= 2; ++round) {
    Peer one = Ask();
    events_.ColdStarts(round);
    WaitForHeld(1);
    ingress_->FailHeld("g.openfaas-fn", 503, "not this one");
    ingress_->FailHeld("f.openfaas-fn", round == 1 ? 503 : 504, "image not found");
    const Message answer = one.ReadMessage();
    EXPECT_EQ(answer.Status(), round == 1 ? 503 : 504);
    EXPECT_EQ(answer.body, "{\"error\":\"image not found\",\"hop\":\"provider\",\"function\":\"f.openfaas-fn\"}\n");
  }
}

TEST_F(ColdStartTest, RefusesAtOnceWhatCannotStart) {
  Start();
  Apply({Route("f.openfaas-fn", {}, [](RouteSpec& route) { route.failure = "exits at once"; }),
         Route("g.openfaas-fn", {}, [](RouteSpec& route) { route.starts_from_zero = false; })});
  const Message failed = Exchange(kGet);
  EXPECT_EQ(failed.Status(), 503);
  EXPECT_NE(failed.body.find("exits at once"), std::string::npos);
  EXPECT_TRUE(failed.Has("retry-after"));
  const Message stopped = Exchange("GET /function/g HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(stopped.Status(), 503);
  EXPECT_NE(stopped.body.find("no replica is ready"), std::string::npos);
}

TEST_F(ColdStartTest, ReleasesHeldRequestsWhenTheRouteTurnsOutToFail) {
  Start();
  Apply({Route("f.openfaas-fn", {})});
  Peer one = Ask();
  WaitForHeld(1);
  Apply({Route("f.openfaas-fn", {}, [](RouteSpec& route) { route.failure = "no such image"; })});
  EXPECT_EQ(one.ReadMessage().Status(), 503);
}

TEST_F(ColdStartTest, LimitsHowManyWaitPerFunctionAndInAll) {
  options_.max_held_per_function = 2;
  options_.max_held_total = 3;
  Start();
  Apply({Route("f.openfaas-fn", {}), Route("g.openfaas-fn", {})});
  Peer one = Ask();
  Peer two = Ask();
  WaitForHeld(2);
  const Message third = Exchange(kGet);
  EXPECT_EQ(third.Status(), 503);
  EXPECT_NE(third.body.find("held requests of one function 2"), std::string::npos);
  EXPECT_TRUE(third.Has("retry-after"));
  Peer other = Ask("GET /function/g HTTP/1.1\r\nHost: a\r\n\r\n");
  WaitForHeld(3);
  const Message fourth = Exchange("GET /function/g HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(fourth.Status(), 503);
  EXPECT_NE(fourth.body.find("\"limit\":\"held requests 3\""), std::string::npos);
  one.Close();  // gives its place back
  WaitForHeld(2);
  Peer again = Ask();
  WaitForHeld(3);
}

TEST_F(ColdStartTest, ForgetsAHeldClientThatLeaves) {
  Start();
  Apply({Route("f.openfaas-fn", {})});
  Peer plain = Ask();
  Peer with_body = Ask("POST /function/f HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nstart");
  WaitForHeld(2);
  plain.Close();
  WaitForHeld(1);
  with_body.Reset();
  WaitForHeld(0);
  Apply({Route("f.openfaas-fn", {function_.port()})});
  Peer next = Ask();
  Peer function = function_.Accept();
  EXPECT_EQ(function.ReadMessage().start, "GET / HTTP/1.1");
  EXPECT_TRUE(function_.HasNobody());
}

TEST_F(ColdStartTest, DoesNotReadAHeldBodyBeyondABuffer) {
  Start();
  Apply({Route("f.openfaas-fn", {})});
  const std::string body(64'000'000, 'x');
  Peer client = Ask("POST /function/f HTTP/1.1\r\nHost: a\r\nContent-Length: 64000000\r\n\r\n");
  WaitForHeld(1);
  size_t sent = 0;
  size_t last = 1;
  WaitUntil([&](const MetricsValues&) {
    last = client.SendSome(std::string_view(body).substr(sent));
    sent += last;
    return last == 0;
  });
  EXPECT_LT(sent, 32'000'000u);
  client.Reset();  // an orderly end would stand behind all that is still to be read
  WaitForHeld(0);
}

TEST_F(ColdStartTest, DoesNotTellAHeldClientToContinueBeforeItsTime) {
  Start();
  Apply({Route("f.openfaas-fn", {})});
  Peer client = Ask("POST /function/f HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  WaitForHeld(1);
  EXPECT_TRUE(client.HasNothing());
  Apply({Route("f.openfaas-fn", {function_.port()})});
  EXPECT_EQ(client.ReadHead(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("hello");
  Peer function = function_.Accept();
  EXPECT_EQ(function.ReadMessage().body, "hello");
}

TEST_F(ColdStartTest, Answers504WhenNoReplicaComesInTime) {
  Start();
  Apply({Route("f.openfaas-fn", {}, [](RouteSpec& route) { route.timeout_ms = 30; })});
  const Message answer = Exchange(kGet);
  EXPECT_EQ(answer.Status(), 504);
  EXPECT_NE(answer.body.find("no replica became ready in time"), std::string::npos);
  EXPECT_NE(answer.body.find("timeout 30 ms"), std::string::npos);
  EXPECT_EQ(ingress_->ReadMetrics().held, 0u);
}

TEST_F(ColdStartTest, Answers404WhenTheFunctionIsRemovedMeanwhile) {
  Start();
  Apply({Route("f.openfaas-fn", {})});
  Peer client = Ask();
  WaitForHeld(1);
  Apply({}, {"f.openfaas-fn"});
  EXPECT_EQ(client.ReadMessage().Status(), 404);
  WaitForHeld(0);
}

TEST_F(ColdStartTest, AsksAgainAfterASnapshotThatStillHasNoReplica) {
  Start();
  Apply({Route("f.openfaas-fn", {})});
  Peer client = Ask();
  events_.ColdStarts(1);
  WaitForHeld(1);
  Apply({Route("f.openfaas-fn", {})});            // a delta: nothing was forgotten
  Apply({Route("f.openfaas-fn", {})}, {}, true);  // a provider that has started anew
  EXPECT_EQ(events_.ColdStarts(2).size(), 2u);
  Apply({Route("f.openfaas-fn", {function_.port()})});
  Peer function = function_.Accept();
  function.ReadMessage();
  function.Send(Ok("x"));
  EXPECT_EQ(client.ReadMessage().body, "x");
}

}  // namespace
}  // namespace junction::ingress
