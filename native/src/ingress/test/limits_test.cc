// SPDX-License-Identifier: Apache-2.0
// Sizes, times and numbers of connections, and the end.
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "base/control_block.h"
#include "ingress/test/ingress_fixture.h"

namespace junction::ingress {
namespace {

constexpr char kGet[] = "GET /function/f HTTP/1.1\r\nHost: a\r\n\r\n";

class LimitsTest : public IngressTest {
 protected:
  void StartWithFunction() {
    Start();
    Apply({Route("f.openfaas-fn", {function_.port()})});
  }

  ScriptedServer function_;
};

TEST_F(LimitsTest, TakesAHeadOfExactlyTheLimit) {
  StartWithFunction();
  const std::string start = "GET /function/f HTTP/1.1\r\nHost: a\r\nX-Large: ";
  const std::string end = "\r\n\r\n";
  const std::string value(options_.header_limit_bytes - start.size() - end.size(), 'x');
  Peer client = Client();
  client.Send(start + value + end);
  Peer function = function_.Accept();
  EXPECT_TRUE(function.ReadMessage().Field("x-large") == value);
  function.Send(Ok("x"));
  EXPECT_EQ(client.ReadMessage().Status(), 200);
  client.Send(kGet);
  EXPECT_EQ(function.ReadMessage().start, "GET / HTTP/1.1");
}

TEST_F(LimitsTest, Answers431PastTheLimit) {
  options_.header_limit_bytes = 20'000;
  StartWithFunction();
  const std::string start = "GET /function/f HTTP/1.1\r\nHost: a\r\nX-Large: ";
  const std::string end = "\r\n\r\n";
  const std::string one_too_many(options_.header_limit_bytes - start.size() - end.size() + 1, 'x');
  for (const std::string& request :
       {start + one_too_many + end, start + one_too_many + "xxx", start + std::string(2'000'000, 'x')}) {
    Peer client = Client();
    size_t sent = 0;
    while (sent < request.size() && client.HasNothing()) {
      sent += client.SendSome(std::string_view(request).substr(sent));
    }
    const Message answer = client.ReadMessage();
    EXPECT_EQ(answer.Status(), 431);
    EXPECT_NE(answer.body.find("too long"), std::string::npos);
    EXPECT_TRUE(client.IsAtEnd());
  }
  EXPECT_TRUE(function_.HasNobody());
}

TEST_F(LimitsTest, Answers431ForTooManyFields) {
  StartWithFunction();
  std::string request = "GET /function/f HTTP/1.1\r\nHost: a\r\n";
  for (size_t i = 0; i < kMaxFields; ++i) {
    request += "a:b\r\n";
  }
  EXPECT_EQ(Exchange(request + "\r\n").Status(), 431);
}

TEST_F(LimitsTest, Answers408ToAHeadThatTakesTooLong) {
  options_.header_timeout_ms = 40;
  StartWithFunction();
  Peer client = Client();
  client.Send("GET /function/f HTTP/1.1\r\nHo");
  EXPECT_EQ(client.ReadMessage().Status(), 408);
  EXPECT_TRUE(client.IsAtEnd());
  EXPECT_EQ(ingress_->ReadMetrics().connections_timed_out, 1u);
}

TEST_F(LimitsTest, DoesNotLetASlowHeadBuyTimeByteByByte) {
  options_.header_timeout_ms = 100;
  StartWithFunction();
  Peer client = Client();
  client.Send("GET /function/f HTTP/1.1\r\nX: ");
  while (client.HasNothing()) {
    client.SendSome("x");
    std::this_thread::yield();
  }
  EXPECT_EQ(client.ReadMessage().Status(), 408);
}

TEST_F(LimitsTest, ClosesIdleConnections) {
  options_.idle_timeout_ms = 40;
  StartWithFunction();
  Peer never_used = Client();
  Peer used = Client();
  used.Send("GET /function/none HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(used.ReadMessage().Status(), 404);
  EXPECT_TRUE(never_used.IsAtEnd());
  EXPECT_TRUE(used.IsAtEnd());
  WaitUntil([](const MetricsValues& metrics) { return metrics.connections_open == 0; });
}

TEST_F(LimitsTest, DoesNotTakeABusyConnectionForAnIdleOne) {
  options_.idle_timeout_ms = 20;
  StartWithFunction();
  Peer client = Client();
  client.Send(kGet);
  Peer function = function_.Accept();
  function.ReadMessage();
  Peer idle = Client();
  EXPECT_TRUE(idle.IsAtEnd());  // by now more than the idle time has passed for both
  function.Send(Ok("x"));
  EXPECT_EQ(client.ReadMessage().body, "x");
}

TEST_F(LimitsTest, ClosesTheLongestIdleConnectionToMakeRoomAndElseLetsOthersWait) {
  options_.max_connections = 2;
  StartWithFunction();
  Peer idle = Client();
  WaitUntil([](const MetricsValues& metrics) { return metrics.connections_open == 1; });
  Peer busy = Client();
  busy.Send(kGet);
  Peer function = function_.Accept();
  function.ReadMessage();
  Peer also_busy = Client();
  also_busy.Send(kGet);
  EXPECT_TRUE(idle.IsAtEnd());
  Peer second = function_.Accept();
  second.ReadMessage();
  Peer waits = Client();  // in the backlog
  waits.Send(kGet);
  function.Send(Ok("x", "Connection: close\r\n"));
  EXPECT_EQ(busy.ReadMessage().body, "x");  // idle from now on, so it has to go
  EXPECT_TRUE(busy.IsAtEnd());
  Peer third = function_.Accept();
  third.ReadMessage();
  third.Send(Ok("y"));
  EXPECT_EQ(waits.ReadMessage().body, "y");
}

#ifndef JUNCTION_TEST_OVER_LINKS  // a connection over a link takes no descriptor, but the instance of the test does
TEST_F(LimitsTest, WaitsWithoutSpinningWhenDescriptorsRunOut) {
  StartWithFunction();
  Peer first = Client();
  first.Send("GET /function/none HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(first.ReadMessage().Status(), 404);
  UniqueFd waiting(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = MakeIpAddress("127.0.0.1", ingress_->port());
  rlimit old;
  getrlimit(RLIMIT_NOFILE, &old);
  rlimit none = old;
  none.rlim_cur = 3;  // all numbers up to here are in use
  setrlimit(RLIMIT_NOFILE, &none);
  EXPECT_EQ(connect(waiting.get(), address->get(), address->length), 0);
  const std::vector<std::string> errors = events_.Errors(1);
  EXPECT_NE(errors[0].find("Too many open files"), std::string::npos);
  const uint64_t failures = ingress_->ReadMetrics().accept_failures;
  first.Send("GET /function/none HTTP/1.1\r\nHost: a\r\n\r\n");  // others are served meanwhile
  EXPECT_EQ(first.ReadMessage().Status(), 404);
  EXPECT_LT(ingress_->ReadMetrics().accept_failures, failures + 100);
  first.Send(kGet);  // and a function that cannot be connected to is not the client's fault
  const Message refused = first.ReadMessage();
  EXPECT_EQ(refused.Status(), 503);
  setrlimit(RLIMIT_NOFILE, &old);
  Peer second(std::move(waiting));
  second.Send("GET /function/none HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(second.ReadMessage().Status(), 404);
}
#endif

TEST_F(LimitsTest, DrainsAndRefusesNewClients) {
  StartWithFunction();
  Peer idle = Client();
  Peer busy = Client();
  busy.Send(std::string(kGet) + kGet);
  Peer function = function_.Accept();
  function.ReadMessage();
  WaitUntil([](const MetricsValues& metrics) { return metrics.connections_open == 2; });
  std::promise<uint64_t> drained;
  ingress_->Drain(60'000, [&](uint64_t abandoned) { drained.set_value(abandoned); });
  EXPECT_TRUE(idle.IsAtEnd());
  UniqueFd late(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = MakeIpAddress("127.0.0.1", ingress_->port());
  EXPECT_NE(connect(late.get(), address->get(), address->length), 0);
  function.Send(Ok("last"));
  const Message answer = busy.ReadMessage();
  EXPECT_EQ(answer.body, "last");
  EXPECT_EQ(answer.Field("connection"), "close");
  EXPECT_TRUE(busy.IsAtEnd());
  busy.Close();
  EXPECT_EQ(drained.get_future().get(), 0u);
}

TEST_F(LimitsTest, CutsOffWhatIsUnderWayAtTheDeadlineOfADrain) {
  options_.workers = 2;
  StartWithFunction();
  Peer one = Client();
  one.Send(kGet);
  Peer first = function_.Accept();
  Peer two = Client();
  two.Send(kGet);
  Peer second = function_.Accept();
  std::promise<uint64_t> drained;
  ingress_->Drain(20, [&](uint64_t abandoned) { drained.set_value(abandoned); });
  EXPECT_EQ(drained.get_future().get(), 2u);
  EXPECT_TRUE(one.IsAtEnd());
  EXPECT_TRUE(two.IsAtEnd());
}

TEST_F(LimitsTest, KnowsItsFirstRoutesBeforeTheFirstRequest) {
  Open();
  Peer client = Client();  // waits in the backlog
  client.Send(kGet);
  RouteUpdate update{
      .snapshot = true, .version = 1, .upserts = {Route("f.openfaas-fn", {function_.port()})}, .removes = {}};
  ASSERT_TRUE(ingress_->ApplyRoutes(update).has_value());
  ingress_->Serve();
  Peer function = function_.Accept();
  function.ReadMessage();
  function.Send(Ok("x"));
  EXPECT_EQ(client.ReadMessage().body, "x");
}

TEST_F(LimitsTest, CanBeStoppedBeforeItServes) {
  Open();
  ingress_->Stop();
}

TEST_F(LimitsTest, StopsAtOnce) {
  StartWithFunction();
  Peer client = Client();
  client.Send(kGet);
  Peer function = function_.Accept();
  ingress_->Stop();
  ingress_->Stop();
  EXPECT_TRUE(client.IsAtEnd());
}

TEST_F(LimitsTest, SaysWhyItCannotListen) {
  Start();
  IngressOptions second = options_;
  second.port = ingress_->port();
  const auto in_use = Ingress::Open(second, events_);
  ASSERT_FALSE(in_use.has_value());
  EXPECT_EQ(in_use.error().code, EADDRINUSE);
  second.host = "localhost";
  EXPECT_EQ(Ingress::Open(second, events_).error().code, EINVAL);
}

TEST_F(LimitsTest, ListensOnIPv6) {
  options_.host = "::1";
  StartWithFunction();
  UniqueFd fd(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = MakeIpAddress("::1", ingress_->port());
  ASSERT_EQ(connect(fd.get(), address->get(), address->length), 0);
  Peer client(std::move(fd));
  client.Send(kGet);
  Peer function = function_.Accept();
  EXPECT_EQ(function.ReadMessage().Field("x-forwarded-for"), "::1");
}

TEST_F(LimitsTest, RingsTheSchedulersDoorbellForEachInvocation) {
  const std::string path = api_path() + ".doorbell";
  const UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(ftruncate(fd.get(), kSchedulerDoorbellSize_bytes), 0);
  auto* const page = static_cast<SchedulerDoorbell*>(
      mmap(nullptr, kSchedulerDoorbellSize_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
  ASSERT_NE(page, MAP_FAILED);
  page->magic = kSchedulerDoorbellMagic;
  options_.scheduler_doorbell_path = path;
  StartWithFunction();
  Peer client = Client();
  Peer function = [&] {
    client.Send(kGet);
    return function_.Accept();
  }();
  function.ReadMessage();
  EXPECT_EQ(page->work.load(), 1u);
  EXPECT_EQ(page->rings.load(), 0u);
  function.Send(Ok("x"));
  client.ReadMessage();
  page->sleeping.store(1);
  std::thread daemon([page] {  // as the scheduler does
    while (page->rings.load() == 0) {
      syscall(SYS_futex, &page->rings, FUTEX_WAIT, 0, nullptr, nullptr, 0);
    }
  });
  client.Send(kGet);
  daemon.join();
  function.ReadMessage();
  EXPECT_EQ(page->work.load(), 2u);
  EXPECT_EQ(page->rings.load(), 1u);
  EXPECT_EQ(ingress_->ReadMetrics().doorbell_rings, 1u);
  munmap(page, kSchedulerDoorbellSize_bytes);
}

TEST_F(LimitsTest, ServesWithSpinningAsWithout) {
  options_.spin_us = 1000;
  StartWithFunction();
  Peer client = Client();
  client.Send(kGet);
  Peer function = function_.Accept();
  for (int i = 0; i < 200; ++i) {
    function.ReadMessage();
    function.Send(Ok(std::to_string(i)));
    EXPECT_EQ(client.ReadMessage().body, std::to_string(i));
    client.Send(kGet);
  }
  const MetricsValues metrics = ingress_->ReadMetrics();
  // For the function's answer each time; for the client too where no instance polls on another core (Clients::Finish).
  EXPECT_GE(metrics.spin_hits + metrics.spin_misses + metrics.spin_skips, 200u);
}

TEST_F(LimitsTest, ServesACrowdWithSpinning) {
  options_.spin_us = 1000;
  StartWithFunction();
  std::vector<Peer> clients;
  std::vector<Peer> functions;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(Client());
    clients.back().Send(kGet);
    functions.push_back(function_.Accept());
  }
  for (int round = 0; round < 50; ++round) {
    for (Peer& function : functions) {
      function.ReadMessage();
      function.Send(Ok(std::to_string(round)));
    }
    for (Peer& client : clients) {
      EXPECT_EQ(client.ReadMessage().body, std::to_string(round));
    }
    for (Peer& client : clients) {
      client.Send(kGet);
    }
  }
}

}  // namespace
}  // namespace junction::ingress
