// SPDX-License-Identifier: Apache-2.0
// What is only over links: when one is taken, missed, lost, and that nothing waits for ever.
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "ingress/test/ingress_fixture.h"
#include "link/test/fake_instance.h"

namespace junction::ingress {
namespace {

constexpr char kGet[] = "GET /function/f HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr uint16_t kGuestPort = 8080;

class LinkTest : public IngressTest {
 protected:
  static RouteSpec RouteTo(const std::string& link_path, uint16_t port, const std::string& id = "r") {
    return Route("f.openfaas-fn", {}, [&](RouteSpec& route) {
      route.replicas.push_back(
          {.id = id, .host = "127.0.0.1", .port = port, .link_path = link_path, .draining = false});
    });
  }

  MetricsValues Metrics() { return ingress_->ReadMetrics(); }
};

TEST_F(LinkTest, SendsTheFirstRequestOverTheLink) {
  link::FakeInstance instance({});
  instance.ServeHttp(kGuestPort, Ok("hello"));
  Start();
  Apply({RouteTo(instance.link_path(), kGuestPort)});  // nobody listens there on the host
  Peer client = Client();
  for (int i = 0; i < 10; ++i) {
    client.Send(kGet);
    EXPECT_EQ(client.ReadMessage().body, "hello");
  }
  const MetricsValues metrics = Metrics();
  EXPECT_EQ(metrics.links, 1u);
  EXPECT_EQ(metrics.link_attaches, 1u);
  EXPECT_EQ(metrics.link_fallbacks, 0u);
  EXPECT_EQ(metrics.replica_connections_opened, 1u);
  WaitUntil([](const MetricsValues& later) { return later.link_frames_in > 10; });
  EXPECT_EQ(instance.accepted(), 1u);
}

TEST_F(LinkTest, ReachesAnInstanceThatHasOnlyIpv6) {
  link::FakeInstance instance({.has_ip6_only = true});
  instance.ServeHttp(kGuestPort, Ok("six"));
  Start();
  RouteSpec route = RouteTo(instance.link_path(), kGuestPort);
  route.replicas[0].host = "fd00:99::2";
  Apply({route});
  EXPECT_EQ(Exchange(kGet).body, "six");
  EXPECT_EQ(Metrics().link_fallbacks, 0u);
}

TEST_F(LinkTest, GoesByTheAddressWhereThereIsNoLinkAndTakesOneOnceItIsThere) {
  ScriptedServer function;
  const std::string path = api_path() + ".links";
  Start();
  Apply({RouteTo(path, function.port())});
  Peer client = Client();
  client.Send(kGet);
  Peer direct = function.Accept();
  direct.ReadMessage();
  EXPECT_EQ(Metrics().link_fallbacks, 1u);
  EXPECT_EQ(Metrics().links, 0u);
  link::FakeInstance instance({});
  instance.ServeHttp(function.port(), Ok("by link"));
  ASSERT_EQ(symlink(instance.link_path().c_str(), path.c_str()), 0);
  WaitUntil([](const MetricsValues& metrics) { return metrics.links == 1; });
  EXPECT_GE(Metrics().link_attach_failures, 1u);
  direct.Send(Ok("by address"));
  EXPECT_EQ(client.ReadMessage().body, "by address");
  EXPECT_TRUE(direct.IsAtEnd());  // not kept, as there is a link
  client.Send(kGet);
  EXPECT_EQ(client.ReadMessage().body, "by link");
}

TEST_F(LinkTest, GoesByTheAddressWhenAllLinksAreTaken) {
  ScriptedServer function;
  link::FakeInstance instance({.links = 1});
  instance.ServeHttp(function.port(), Ok("by link"));
  auto taken = NicAttachment::Open(instance.link_path(), AttachKind::kLink, 5000);
  ASSERT_TRUE(taken.has_value());
  Start();
  Apply({RouteTo(instance.link_path(), function.port())});
  Peer client = Client();
  client.Send(kGet);
  Peer direct = function.Accept();
  direct.ReadMessage();
  direct.Send(Ok("by address"));
  EXPECT_EQ(client.ReadMessage().body, "by address");
  *taken = NicAttachment();
  WaitUntil([](const MetricsValues& metrics) { return metrics.links == 1; });
  client.Send(kGet);
  EXPECT_EQ(client.ReadMessage().body, "by link");
}

TEST_F(LinkTest, CutsAnAnswerOffWhenTheInstanceIsKilled) {
  ScriptedServer function;
  link::FakeInstance instance({});
  link::FakeInstance other({.host_byte = 3});
  instance.Bridge(function.port());
  other.ServeHttp(kGuestPort, Ok("other"));
  Start();
  RouteSpec other_route = RouteTo(other.link_path(), kGuestPort, "other");
  other_route.function_name = "other.openfaas-fn";
  Apply({RouteTo(instance.link_path(), function.port()), other_route});
  Peer client = Client();
  client.Send(kGet);
  Peer guest = function.Accept();
  guest.ReadMessage();
  guest.Send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
  client.ReadHead();
  EXPECT_EQ(client.ReadExactly(5), "hello");
  instance.Kill();
  EXPECT_TRUE(client.IsAtEnd());
  WaitUntil([](const MetricsValues& metrics) { return metrics.link_losses == 1; });
  EXPECT_NE(events_.Errors(1)[0].find("replica r is lost"), std::string::npos);
  EXPECT_EQ(Exchange("GET /function/other HTTP/1.1\r\nHost: a\r\n\r\n").body, "other");
  EXPECT_EQ(Metrics().links, 1u);
}

TEST_F(LinkTest, Answers502WhenTheInstanceIsKilledBeforeAnAnswer) {
  ScriptedServer function;
  link::FakeInstance instance({.links = 2});  // the first replica's is given back a little later
  instance.Bridge(function.port());
  Start();
  Apply({RouteTo(instance.link_path(), UnusedPort())});
  instance.Bridge(ingress_->port());  // any other port, so that the bridge's own listener is not the reason
  Peer client = Client();
  client.Send(kGet);
  EXPECT_EQ(client.ReadMessage().Status(), 502);  // refused by the instance itself
  Apply({RouteTo(instance.link_path(), function.port(), "again")});
  client.Send(kGet);
  Peer guest = function.Accept();
  guest.ReadMessage();
  instance.Kill();
  EXPECT_EQ(client.ReadMessage().Status(), 502);
}

/// A function behind a bridge of an instance, both under the same port: what goes by the address reaches it past the instance, as it would
/// reach an instance that is started again.
class EndedInstanceTest : public LinkTest {
 protected:
  void StartWith() {
    path_ = api_path() + ".links";
    instance_.Bridge(function_.port());
    Lead(instance_);
    Start();
    route_ = RouteTo(path_, function_.port());
    Apply({route_});
  }

  /// A second replica. The next request goes to the first.
  void AddReplica(const link::FakeInstance& other) {
    route_.replicas.push_back({.id = "other", .host = "127.0.0.1", .port = kGuestPort, .link_path = other.link_path()});
    Apply({route_});
  }

  /// `path_` leads to this instance from now on.
  void Lead(const link::FakeInstance& instance) {
    unlink(path_.c_str());
    ASSERT_EQ(symlink(instance.link_path().c_str(), path_.c_str()), 0);
  }

  /// One exchange, whose connection to the function is kept.
  Peer WarmUp(Peer& client) {
    client.Send(kGet);
    Peer guest = function_.Accept();
    guest.ReadMessage();
    guest.Send(Ok("first"));
    EXPECT_EQ(client.ReadMessage().body, "first");
    return guest;
  }

  ScriptedServer function_;
  link::FakeInstance instance_{{}};
  std::string path_;
  RouteSpec route_;
};

TEST_F(EndedInstanceTest, GetsTheRequestThatEndedItOnlyOnce) {
  StartWith();
  Peer client = Client();
  Peer guest = WarmUp(client);
  client.Send(kGet);
  guest.ReadMessage();
  instance_.Kill();
  const Message answer = client.ReadMessage();
  EXPECT_EQ(answer.Status(), 502);
  EXPECT_NE(answer.body.find("instance has ended"), std::string::npos) << answer.body;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Exchange(kGet).Status(), 502);
  }
  EXPECT_TRUE(function_.HasNobody());
  EXPECT_EQ(Metrics().link_fallbacks, 0u);
}

TEST_F(EndedInstanceTest, ServesAgainOnceTheRouteComesAnew) {
  StartWith();
  Peer client = Client();
  Peer guest = WarmUp(client);
  instance_.Kill();
  WaitUntil([](const MetricsValues& metrics) { return metrics.link_losses == 1; });
  link::FakeInstance next({});
  next.ServeHttp(function_.port(), Ok("next"));
  Lead(next);
  Apply({route_});  // the same in every word
  EXPECT_EQ(Exchange(kGet).body, "next");
  Apply({Route("f.openfaas-fn", {})});
  EXPECT_EQ(events_.IdleReplicas(1).size(), 1u);  // of the successor, and only once
  EXPECT_TRUE(ingress_->BusyReplicas().empty());
}

TEST_F(EndedInstanceTest, ServesAgainWhenItGivesOutLinksThoughNoRouteSaysSo) {
  StartWith();
  Peer client = Client();
  Peer guest = WarmUp(client);
  instance_.Kill();
  WaitUntil([](const MetricsValues& metrics) { return metrics.link_losses == 1; });
  link::FakeInstance next({});
  next.ServeHttp(function_.port(), Ok("next"));
  Lead(next);
  WaitUntil([](const MetricsValues& metrics) { return metrics.links == 1; });
  EXPECT_EQ(Exchange(kGet).body, "next");
  EXPECT_TRUE(function_.HasNobody());
}

TEST_F(EndedInstanceTest, LeavesItsRequestsToOtherReplicas) {
  link::FakeInstance other({.host_byte = 3});
  other.ServeHttp(kGuestPort, Ok("other"));
  StartWith();
  Peer client = Client();
  Peer guest = WarmUp(client);
  AddReplica(other);
  client.Send(kGet);
  guest.ReadMessage();
  instance_.Kill();
  EXPECT_EQ(client.ReadMessage().body, "other");
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(Exchange(kGet).body, "other");
  }
  EXPECT_EQ(Metrics().replica_retries, 1u);
  EXPECT_TRUE(function_.HasNobody());
}

TEST_F(EndedInstanceTest, TakesWhatAFreshConnectionCarriedWithIt) {
  link::FakeInstance other({.host_byte = 3});
  other.ServeHttp(kGuestPort, Ok("other"));
  StartWith();
  AddReplica(other);
  Peer client = Client();
  client.Send(kGet);
  Peer guest = function_.Accept();
  guest.ReadMessage();
  instance_.Kill();
  EXPECT_EQ(client.ReadMessage().Status(), 502);
  EXPECT_EQ(other.accepted(), 0u);
  EXPECT_TRUE(function_.HasNobody());
}

TEST_F(LinkTest, SendsAgainByTheAddressOnlyWhileNoOtherInstanceCanBeThere) {
  ScriptedServer function;
  options_.connect_timeout_ms = 20'000;
  Start();
  Apply({RouteTo(api_path() + ".none", function.port())});
  Peer client = Client();
  client.Send(kGet);
  Peer guest = function.Accept();
  guest.ReadMessage();
  guest.Send(Ok("first"));
  EXPECT_EQ(client.ReadMessage().body, "first");
  // A full queue swallows segments that begin a connection, as the address of an instance that has ended does.
  function.SetBacklog(0);
  Peer filler = ConnectTo(function.port());
  client.Send(kGet);
  guest.ReadMessage();
  guest.Close();
  WaitUntil([](const MetricsValues& metrics) { return metrics.replica_connections_opened == 2; });
  function.Accept();  // from now on there is room: the next instance is up
  const Message answer = client.ReadMessage();
  EXPECT_EQ(answer.Status(), 502);
  EXPECT_NE(answer.body.find("timed out"), std::string::npos) << answer.body;
  EXPECT_TRUE(function.HasNobody());
}

TEST_F(LinkTest, IsNotHeldUpByAnInstanceThatStandsStill) {
  link::FakeInstance instance({});
  link::FakeInstance other({.host_byte = 3});
  instance.ServeHttp(kGuestPort, Ok("slow"));
  other.ServeHttp(kGuestPort, Ok("other"));
  Start();
  RouteSpec other_route = RouteTo(other.link_path(), kGuestPort, "other");
  other_route.function_name = "other.openfaas-fn";
  RouteSpec route = RouteTo(instance.link_path(), kGuestPort);
  Apply({route, other_route});
  Peer client = Client();
  client.Send(kGet);
  EXPECT_EQ(client.ReadMessage().body, "slow");
  instance.Pause();
  client.Send(kGet);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Exchange("GET /function/other HTTP/1.1\r\nHost: a\r\n\r\n").body, "other");
  }
  EXPECT_TRUE(client.HasNothing());
  instance.Resume();
  EXPECT_EQ(client.ReadMessage().body, "slow");
}

TEST_F(LinkTest, GivesABrokenLinkUpAndLeavesOthersAlone) {
  ScriptedServer function;
  link::FakeInstance instance({});
  instance.Bridge(function.port());
  Start();
  Apply({RouteTo(instance.link_path(), function.port())});
  Peer client = Client();
  client.Send(kGet);
  Peer guest = function.Accept();
  guest.ReadMessage();
  instance.Pause();
  Ring& ring = instance.view().ring(1, 0, false);
  ring.tail.store(ring.tail.load() + 12345);
  instance.RingPeer(1);
  EXPECT_EQ(client.ReadMessage().Status(), 502);
  EXPECT_EQ(Metrics().link_losses, 1u);
  EXPECT_NE(events_.Errors(1)[0].find("rings are broken"), std::string::npos);
}

TEST_F(LinkTest, TheNextIngressGetsTheLink) {
  link::FakeInstance instance({.links = 1});
  instance.ServeHttp(kGuestPort, Ok("hello"));
  for (int i = 0; i < 5; ++i) {
    Start();
    Apply({RouteTo(instance.link_path(), kGuestPort)});
    WaitUntil([](const MetricsValues& metrics) { return metrics.links == 1; });
    Peer client = Client();
    client.Send(kGet);
    EXPECT_EQ(client.ReadMessage().body, "hello");
    ingress_.reset();
  }
}

TEST_F(LinkTest, GivesTheLinkBackWhenTheReplicaGoes) {
  link::FakeInstance instance({.links = 1});
  instance.ServeHttp(kGuestPort, Ok("hello"));
  Start();
  Apply({RouteTo(instance.link_path(), kGuestPort)});
  EXPECT_EQ(Exchange(kGet).body, "hello");
  Apply({Route("f.openfaas-fn", {})});
  EXPECT_EQ(events_.IdleReplicas(1)[0], "r");
  WaitUntil([](const MetricsValues& metrics) { return metrics.links == 0; });
  EXPECT_EQ(Metrics().link_losses, 0u);
  // Free again.
  Apply({RouteTo(instance.link_path(), kGuestPort, "again")});
  WaitUntil([](const MetricsValues& metrics) { return metrics.links == 1; });
}

TEST_F(LinkTest, EachWorkerHasALinkOfItsOwn) {
  options_.workers = 3;
  link::FakeInstance instance({.links = 3, .queue_pairs = 2});
  instance.ServeHttp(kGuestPort, Ok("hello"));
  Start();
  Apply({RouteTo(instance.link_path(), kGuestPort)});
  WaitUntil([](const MetricsValues& metrics) { return metrics.links == 3; });
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(Exchange(kGet).body, "hello");
  }
  EXPECT_EQ(Metrics().link_fallbacks, 0u);
}

TEST_F(LinkTest, TellsTheSchedulerOfInstancesThatItWakes) {
  link::FakeInstance instance({});
  instance.ServeHttp(kGuestPort, Ok("hello"));
  options_.event_queue_path = api_path() + ".events";
  auto queue = EventQueue::Create(options_.event_queue_path);
  ASSERT_TRUE(queue.has_value());
  Start();
  RouteSpec route = RouteTo(instance.link_path(), kGuestPort);
  route.replicas[0].instance_number = 77;
  Apply({route});
  // The instance sleeps as soon as it has nothing to do: sooner or later it is found asleep.
  std::optional<NicEvent> event;
  for (int i = 0; i < 10'000 && !event; ++i) {
    EXPECT_EQ(Exchange(kGet).body, "hello");
    event = queue->Take();
  }
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->instance, 77u);
  EXPECT_EQ(event->queue_pair, 0u);
}

TEST_F(LinkTest, ServesManyClientsThatLeaveBothSidesIdleInBetween) {
  for (const uint32_t spin_us : {0, 100}) {
    options_.spin_us = spin_us;
    link::FakeInstance instance({.queue_pairs = 2});
    instance.ServeHttp(kGuestPort, Ok(std::string(1200, 'x')));
    Start();
    Apply({RouteTo(instance.link_path(), kGuestPort)});
    std::vector<std::thread> clients;
    std::atomic<int> wrong = 0;
    for (int i = 0; i < 6; ++i) {
      clients.emplace_back([&] {
        Peer client = Client();
        for (int j = 0; j < 1000; ++j) {
          client.Send(kGet);
          wrong += client.ReadMessage().body.size() != 1200;
        }
      });
    }
    for (std::thread& client : clients) {
      client.join();
    }
    EXPECT_EQ(wrong, 0);
    ingress_.reset();
  }
}

}  // namespace
}  // namespace junction::ingress
