// SPDX-License-Identifier: Apache-2.0
// A request's way to a function or the API and back (OPENFAAS.md, "Data path").
#include <regex>

#include "ingress/test/ingress_fixture.h"

namespace junction::ingress {
namespace {

class ForwardingTest : public IngressTest {
 protected:
  void SetUp() override {
    Start();
    Apply({Route("aes.openfaas-fn", {function_.port()}), Route("env.other", {function_.port()})});
  }

  ScriptedServer function_;
};

TEST_F(ForwardingTest, PassesRequestAndAnswer) {
  Peer client = Client();
  client.Send(
      "POST /function/aes/a%2Fb?c=%20d HTTP/1.1\r\nHost: gw\r\nAuthorization: Basic eA==\r\nContent-Length: "
      "5\r\n\r\nhello");
  Peer function = function_.Accept();
  const Message request = function.ReadMessage();
  EXPECT_EQ(request.start, "POST /a%2Fb?c=%20d HTTP/1.1");
  EXPECT_EQ(request.body, "hello");
  EXPECT_EQ(request.Field("host"), "gw");
  EXPECT_EQ(request.Field("authorization"), "Basic eA==");
  EXPECT_EQ(request.Field("x-forwarded-for"), "127.0.0.1");
  EXPECT_EQ(request.Field("x-forwarded-host"), "gw");
  EXPECT_TRUE(std::regex_match(request.Field("traceparent"), std::regex("00-[0-9a-f]{32}-[0-9a-f]{16}-01")));
  const uint64_t start = std::stoull(request.Field("x-start-time"));
  EXPECT_GT(start, 1'600'000'000'000'000'000u);
  function.Send(Ok("world", "Content-Type: x/y\r\nConnection: keep-alive\r\n"));
  const Message answer = client.ReadMessage();
  EXPECT_EQ(answer.start, "HTTP/1.1 200 OK");
  EXPECT_EQ(answer.body, "world");
  EXPECT_EQ(answer.Field("content-type"), "x/y");
  EXPECT_FALSE(answer.Has("connection"));
  EXPECT_EQ(answer.Field("x-call-id"), request.Field("x-call-id"));
  EXPECT_EQ(answer.Field("x-start-time"), std::to_string(start));
  EXPECT_TRUE(std::regex_match(answer.Field("x-duration-seconds"), std::regex("[0-9]+\\.[0-9]{6}")));
  EXPECT_TRUE(
      std::regex_match(answer.Field("date"),
                       std::regex("(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} [A-Z][a-z]{2} 20[0-9]{2} [0-9:]{8} GMT")))
      << answer.Field("date");
}

TEST_F(ForwardingTest, UsesConnectionsAgainOnBothSides) {
  Peer client = Client();
  client.Send("GET /function/aes HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer function = function_.Accept();
  for (int i = 0; i < 3; ++i) {
    function.ReadMessage();
    function.Send(Ok("x"));
    EXPECT_EQ(client.ReadMessage().body, "x");
    client.Send("GET /function/aes HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  function.ReadMessage();
  EXPECT_TRUE(function_.HasNobody());
  EXPECT_EQ(ingress_->ReadMetrics().replica_connections_opened, 1u);
}

TEST_F(ForwardingTest, ResolvesNamesByTheTable) {
  Peer client = Client();
  Peer function = [&] {
    client.Send("GET /function/aes.openfaas-fn HTTP/1.1\r\nHost: a\r\n\r\n");
    return function_.Accept();
  }();
  for (const char* next : {"env.other", "aes", "aes.openfaas-fn"}) {
    function.ReadMessage();
    function.Send(Ok("x", next == std::string("env.other") ? "" : "Connection: close\r\n"));
    EXPECT_EQ(client.ReadMessage().Status(), 200);
    client.Send(std::string("GET /function/") + next + " HTTP/1.1\r\nHost: a\r\n\r\n");
    function = function_.Accept();
  }
  for (const char* unknown : {"env", "aes.other", "none", "aes.openfaas-fn.openfaas-fn", "", "a%65s", ".", ".."}) {
    const Message answer = Exchange(std::string("GET /function/") + unknown + " HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(answer.Status(), 404) << unknown;
    EXPECT_EQ(answer.body, "{\"error\":\"no such function\",\"hop\":\"gateway\"}\n");
  }
}

TEST_F(ForwardingTest, RefusesConnectAndTrace) {
  EXPECT_EQ(Exchange("TRACE /function/aes HTTP/1.1\r\nHost: a\r\n\r\n").Status(), 405);
  const Message answer = Exchange("CONNECT /function/aes HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(answer.Status(), 405);
  EXPECT_NE(answer.Field("allow").find("POST"), std::string::npos);
  EXPECT_TRUE(function_.HasNobody());
}

TEST_F(ForwardingTest, SendsNoBodyWhereThereIsNone) {
  Peer client = Client();
  client.Send("HEAD /function/aes HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer function = function_.Accept();
  EXPECT_EQ(function.ReadMessage().start, "HEAD / HTTP/1.1");
  function.Send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
  EXPECT_NE(client.ReadHead().find("Content-Length: 1000\r\n"), std::string::npos);
  for (const char* status : {"204 No Content", "304 Not Modified"}) {
    client.Send("GET /function/aes HTTP/1.1\r\nHost: a\r\n\r\n");
    function.ReadMessage();
    function.Send(std::string("HTTP/1.1 ") + status + "\r\nEtag: x\r\n\r\n");
    EXPECT_TRUE(client.ReadHead().starts_with(std::string("HTTP/1.1 ") + status));
  }
  client.Send("GET /function/aes HTTP/1.1\r\nHost: a\r\n\r\n");  // the connection is still in step
  function.ReadMessage();
  function.Send(Ok("end"));
  EXPECT_EQ(client.ReadMessage().body, "end");
}

TEST_F(ForwardingTest, PassesInterimAnswersButNot100) {
  Peer client = Client();
  client.Send("GET /function/aes HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer function = function_.Accept();
  function.ReadMessage();
  function.Send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
  EXPECT_EQ(client.ReadHead(), "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
  function.Send(Ok("x"));
  EXPECT_EQ(client.ReadMessage().body, "x");
  // HTTP/1.0 knows none.
  Peer old_client = Client();
  old_client.Send("GET /function/aes HTTP/1.0\r\n\r\n");
  function.ReadMessage();
  function.Send("HTTP/1.1 103 Early Hints\r\n\r\n" + Ok("y"));
  EXPECT_TRUE(old_client.ReadToEnd().starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_F(ForwardingTest, ServesHttp10) {
  Peer client = Client();
  client.Send("GET /function/aes HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  Peer function = function_.Accept();
  const Message request = function.ReadMessage();
  EXPECT_EQ(request.start, "GET / HTTP/1.1");
  EXPECT_TRUE(request.Has("host"));
  function.Send(Ok("one"));
  const Message answer = client.ReadMessage();
  EXPECT_EQ(answer.Field("connection"), "keep-alive");
  EXPECT_EQ(answer.body, "one");
  client.Send("GET /function/aes HTTP/1.0\r\n\r\n");
  function.ReadMessage();
  function.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n");
  const std::string last = client.ReadToEnd();
  EXPECT_NE(last.find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(last.find("ransfer-"), std::string::npos);
  EXPECT_TRUE(last.ends_with("\r\n\r\ntwo"));
}

TEST_F(ForwardingTest, ClosesWhenTheClientAsksForIt) {
  Peer client = Client();
  client.Send("GET /function/aes HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  Peer function = function_.Accept();
  function.ReadMessage();
  function.Send(Ok("x"));
  const std::string answer = client.ReadToEnd();
  EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("x"));
}

TEST_F(ForwardingTest, TakesAbsoluteTargets) {
  Peer client = Client();
  client.Send("GET http://real:80/function/aes/x HTTP/1.1\r\nHost: fake\r\n\r\n");
  Peer function = function_.Accept();
  const Message request = function.ReadMessage();
  EXPECT_EQ(request.start, "GET /x HTTP/1.1");
  EXPECT_EQ(request.Field("host"), "real:80");
}

TEST_F(ForwardingTest, OverlooksAnEmptyLineBeforeARequest) {
  Peer client = Client();
  client.Send("\r");
  client.Send("\nGET /function/none HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.ReadMessage().Status(), 404);
}

TEST_F(ForwardingTest, PassesEverythingElseToTheApi) {
  ScriptedServer api(api_path());
  Peer client = Client();
  client.Send("GET /system/functions?x=%2F HTTP/1.1\r\nHost: gw\r\nAuthorization: Basic eA==\r\n\r\n");
  Peer api_end = api.Accept();
  const Message request = api_end.ReadMessage();
  EXPECT_EQ(request.start, "GET /system/functions?x=%2F HTTP/1.1");
  EXPECT_EQ(request.Field("authorization"), "Basic eA==");
  EXPECT_EQ(request.Field("x-forwarded-for"), "127.0.0.1");
  api_end.Send(Ok("[]", "X-Call-Id: from-the-api\r\n"));
  const Message answer = client.ReadMessage();
  EXPECT_EQ(answer.body, "[]");
  EXPECT_EQ(answer.Field("x-call-id"), "from-the-api");
  EXPECT_FALSE(answer.Has("x-duration-seconds"));
  client.Send("GET /function/none HTTP/1.1\r\nHost: a\r\n\r\n");  // one connection for both
  EXPECT_EQ(client.ReadMessage().Status(), 404);
  WaitUntil([](const MetricsValues& metrics) { return metrics.http.size() == 2; });
}

TEST_F(ForwardingTest, Answers503WhileTheApiIsDownAndGoesOnAfterwards) {
  Peer client = Client();
  for (int i = 0; i < 2; ++i) {
    client.Send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    const Message answer = client.ReadMessage();
    EXPECT_EQ(answer.Status(), 503);
    EXPECT_EQ(answer.Field("retry-after"), "1");
    EXPECT_NE(answer.body.find("\"hop\":\"api\""), std::string::npos);
  }
  ScriptedServer api(api_path());
  client.Send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer api_end = api.Accept();
  api_end.ReadMessage();
  api_end.Send(Ok("up"));
  EXPECT_EQ(client.ReadMessage().body, "up");
}

TEST_F(ForwardingTest, CountsWhatItServes) {
  Peer client = Client();
  client.Send("GET /function/aes HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer function = function_.Accept();
  function.ReadMessage();
  EXPECT_EQ(Function("aes.openfaas-fn").started, 1u);
  EXPECT_EQ(Function("aes.openfaas-fn").inflight, 1u);
  function.Send("HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n");
  client.ReadMessage();
  WaitUntil([&](const MetricsValues&) { return Function("aes.openfaas-fn").inflight == 0; });
  const FunctionValues values = Function("aes.openfaas-fn");
  ASSERT_EQ(values.by_code.size(), 1u);
  EXPECT_EQ(values.by_code[0].first, 418);
  EXPECT_EQ(values.by_code[0].second.count, 1u);
  const MetricsValues metrics = ingress_->ReadMetrics();
  ASSERT_EQ(metrics.http.size(), 1u);
  EXPECT_EQ(metrics.http[0].first, HttpKey(MethodIndex("GET"), kFunctionRoute, 418));
  EXPECT_EQ(metrics.connections_open, 1u);
}

}  // namespace
}  // namespace junction::ingress
