// SPDX-License-Identifier: Apache-2.0
// Functions and clients that fail: what the other side gets, and that nothing looks complete that is not.
#include "ingress/test/ingress_fixture.h"

namespace junction::ingress {
namespace {

constexpr char kGet[] = "GET /function/f HTTP/1.1\r\nHost: a\r\n\r\n";

class FailuresTest : public IngressTest {
 protected:
  /// Starts with one function `f` at `function_`.
  void StartWith(const std::function<void(RouteSpec&)>& change = nullptr) {
    Start();
    Apply({Route("f.openfaas-fn", {function_.port()}, change)});
  }

  ScriptedServer function_;
};

TEST_F(FailuresTest, Answers502ForGarbage) {
  StartWith();
  for (const std::string& garbage : {
           std::string("hello, I do not speak HTTP\r\n\r\n"),
           std::string("HTTP/1.1 20x OK\r\n\r\n"),
           std::string("HTTP/2.0 200 OK\r\n\r\n"),
           std::string("HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
           std::string("HTTP/1.1 200 OK\r\nA : b\r\n\r\n"),
           std::string("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
           std::string("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n"),
           std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"),
           std::string("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"),
           std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
           std::string("\0\0\0\0\0\0\0\0", 8) + "\r\n\r\n",
       }) {
    SCOPED_TRACE(garbage);
    Peer client = Client();
    client.Send(kGet);
    Peer function = function_.Accept();
    function.ReadMessage();
    function.Send(garbage);
    const Message answer = client.ReadMessage();
    EXPECT_EQ(answer.Status(), 502);
    EXPECT_NE(answer.body.find("\"hop\":\"function\""), std::string::npos);
    EXPECT_NE(answer.body.find("\"function\":\"f.openfaas-fn\""), std::string::npos);
    EXPECT_TRUE(function.IsAtEnd());
  }
}

TEST_F(FailuresTest, CutsAnAnswerWhoseBodyTurnsOutToBeGarbage) {
  StartWith();
  Peer client = Client();
  client.Send(kGet);
  Peer function = function_.Accept();
  function.ReadMessage();
  function.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  client.ReadHead();
  function.Send("zz\r\n");
  EXPECT_EQ(client.ReadToEnd(), "");  // and no end of chunks
}

TEST_F(FailuresTest, Answers502ForAHeadThatEndsEarlyOrIsTooLong) {
  StartWith();
  Peer client = Client();
  client.Send(kGet);
  Peer function = function_.Accept();
  function.ReadMessage();
  function.Send("HTTP/1.1 200 OK\r\nContent-Le");
  function.Close();
  EXPECT_EQ(client.ReadMessage().Status(), 502);
  client.Send(kGet);
  function = function_.Accept();
  function.ReadMessage();
  std::string head = "HTTP/1.1 200 OK\r\nX: " + std::string(1'100'000, 'x');
  while (!head.empty()) {
    const size_t sent = function.SendSome(head);
    if (sent == 0 && !client.HasNothing()) {
      break;
    }
    head.erase(0, sent);
  }
  EXPECT_EQ(client.ReadMessage().Status(), 502);
}

TEST_F(FailuresTest, PassesAnAnswersHeadOfNearlyTheLimit) {
  StartWith();
  Peer client = Client();
  client.Send(kGet);
  Peer function = function_.Accept();
  function.ReadMessage();
  const std::string value(1'000'000, 'x');
  function.Send(Ok("body", "X-Large: " + value + "\r\n"));
  const Message answer = client.ReadMessage();
  EXPECT_TRUE(answer.Field("x-large") == value);
  EXPECT_EQ(answer.body, "body");
}

TEST_F(FailuresTest, NeverEndsAnAnswerThatTheFunctionDidNotEnd) {
  StartWith();
  for (const bool reset : {false, true}) {
    for (const char* framing : {"Content-Length: 100", "Transfer-Encoding: chunked"}) {
      SCOPED_TRACE(framing);
      Peer client = Client();
      client.Send(kGet);
      Peer function = function_.Accept();
      function.ReadMessage();
      function.Send(std::string("HTTP/1.1 200 OK\r\n") + framing + "\r\n\r\n5\r\nhello");
      const std::string head = client.ReadHead();
      const bool is_chunked = framing[0] == 'T';
      EXPECT_EQ(client.ReadExactly(is_chunked ? 10 : 8), is_chunked ? "5\r\nhello\r\n" : "5\r\nhello");
      if (reset) {
        function.Reset();
      } else {
        function.Close();
      }
      EXPECT_TRUE(client.IsAtEnd());
    }
  }
}

TEST_F(FailuresTest, ResetsWhereOnlyTheEndWouldTell) {
  StartWith();
  Peer client = Client();
  client.Send("GET /function/f HTTP/1.0\r\n\r\n");
  Peer function = function_.Accept();
  function.ReadMessage();
  function.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  client.ReadUntil("hello");
  function.Close();
  EXPECT_TRUE(client.IsReset());
}

TEST_F(FailuresTest, SendsAgainWhenAPooledConnectionWasStale) {
  StartWith();
  Peer client = Client();
  client.Send(kGet);
  Peer function = function_.Accept();
  function.ReadMessage();
  function.Send(Ok("one"));
  EXPECT_EQ(client.ReadMessage().body, "one");
  // The close crosses the next request on the way: the function reads it and leaves without a word.
  client.Send("POST /function/f HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
  function.ReadHead();
  EXPECT_EQ(function.ReadChunk(), "hi");
  client.Send("1\r\n!\r\n");
  EXPECT_EQ(function.ReadChunk(), "!");
  function.Close();
  Peer fresh = function_.Accept();
  client.Send("0\r\n\r\n");
  EXPECT_EQ(fresh.ReadMessage().body, "hi!");
  fresh.Send(Ok("two"));
  EXPECT_EQ(client.ReadMessage().body, "two");
  EXPECT_EQ(ingress_->ReadMetrics().replica_retries, 1u);
}

TEST_F(FailuresTest, SendsAgainOnlyOnce) {
  StartWith();
  Peer client = Client();
  client.Send(kGet);
  Peer function = function_.Accept();
  function.ReadMessage();
  function.Send(Ok("one"));
  client.ReadMessage();
  client.Send(kGet);
  function.ReadMessage();
  function.Reset();
  Peer fresh = function_.Accept();
  fresh.ReadMessage();
  fresh.Close();
  const Message answer = client.ReadMessage();
  EXPECT_EQ(answer.Status(), 502);
  EXPECT_NE(answer.body.find("without an answer"), std::string::npos);
}

TEST_F(FailuresTest, DoesNotSendAgainWhatAFreshConnectionSwallowed) {
  StartWith();
  Peer client = Client();
  client.Send(kGet);
  Peer function = function_.Accept();
  function.ReadMessage();
  function.Close();
  EXPECT_EQ(client.ReadMessage().Status(), 502);
  EXPECT_TRUE(function_.HasNobody());
}

TEST_F(FailuresTest, DoesNotSendAgainWhatItHasNoCopyOf) {
  StartWith();
  Peer client = Client();
  client.Send(kGet);
  Peer function = function_.Accept();
  function.ReadMessage();
  function.Send(Ok("one"));
  client.ReadMessage();
  client.Send("POST /function/f HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + std::string(500'000, 'x'));
  function.ReadHead();
  function.ReadExactly(400'000);
  function.Close();
  EXPECT_EQ(client.ReadMessage().Status(), 502);
  EXPECT_TRUE(function_.HasNobody());
}

TEST_F(FailuresTest, LeavesAPooledConnectionThatWasClosed) {
  StartWith();
  Peer client = Client();
  client.Send(kGet);
  Peer function = function_.Accept();
  function.ReadMessage();
  function.Send(Ok("one"));
  client.ReadMessage();
  function.Close();
  client.Send(kGet);
  Peer fresh = function_.Accept();
  fresh.ReadMessage();
  fresh.Send(Ok("two"));
  EXPECT_EQ(client.ReadMessage().body, "two");
}

TEST_F(FailuresTest, TriesAnotherReplicaWhenOneRefuses) {
  Start();
  Apply({Route("f.openfaas-fn", {UnusedPort(), UnusedPort(), function_.port()})});
  Peer client = Client();
  Peer function = [&] {
    client.Send(kGet);
    return function_.Accept();
  }();
  for (int i = 0; i < 10; ++i) {
    function.ReadMessage();
    function.Send(Ok("x"));
    EXPECT_EQ(client.ReadMessage().body, "x");
    client.Send(kGet);
  }
}

TEST_F(FailuresTest, Answers502WhenNoReplicaCanBeReached) {
  Start();
  Apply({Route("f.openfaas-fn", {UnusedPort(), UnusedPort()})});
  const Message answer = Exchange(kGet);
  EXPECT_EQ(answer.Status(), 502);
  EXPECT_NE(answer.body.find("Connection refused"), std::string::npos);
}

TEST_F(FailuresTest, Answers504WithHopAndLimitWhenTheFunctionIsTooSlow) {
  StartWith([](RouteSpec& route) { route.timeout_ms = 30; });
  Peer client = Client();
  client.Send(kGet);
  Peer function = function_.Accept();
  function.ReadMessage();
  const Message answer = client.ReadMessage();
  EXPECT_EQ(answer.Status(), 504);
  EXPECT_EQ(answer.body,
            "{\"error\":\"the function did not answer in time\",\"hop\":\"function\",\"function\":\"f.openfaas-fn\","
            "\"limit\":\"timeout 30 ms\"}\n");
  EXPECT_TRUE(function.IsAtEnd());  // it learns that nobody waits
  client.Send(kGet);                // the client's connection goes on
  function_.Accept().ReadMessage();
}

TEST_F(FailuresTest, CutsAnAnswerThatPassesTheTimeout) {
  StartWith([](RouteSpec& route) { route.timeout_ms = 50; });
  Peer client = Client();
  client.Send(kGet);
  Peer function = function_.Accept();
  function.ReadMessage();
  function.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
  client.ReadHead();
  EXPECT_EQ(client.ReadToEnd(), "2\r\nhi\r\n");
}

TEST_F(FailuresTest, LetsTheFunctionKnowThatItsClientHasLeft) {
  StartWith();
  for (const bool reset : {false, true}) {
    Peer client = Client();
    client.Send(kGet);
    Peer function = function_.Accept();
    function.ReadMessage();
    if (reset) {
      client.Reset();
    } else {
      client.Close();
    }
    EXPECT_TRUE(function.IsAtEnd());
  }
  WaitUntil([&](const MetricsValues&) { return Function("f.openfaas-fn").inflight == 0; });
  EXPECT_EQ(Function("f.openfaas-fn").by_code[0].first, 499);
}

TEST_F(FailuresTest, CancelsARequestWhoseBodyBreaksOff) {
  StartWith();
  Peer client = Client();
  client.Send("POST /function/f HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhel");
  Peer function = function_.Accept();
  function.ReadHead();
  EXPECT_EQ(function.ReadExactly(3), "hel");
  client.Close();
  EXPECT_TRUE(function.IsAtEnd());
}

TEST_F(FailuresTest, ServesWhatStandsBeforeTheEndOfAClient) {
  StartWith();
  Peer client = Client();
  client.Send(std::string(kGet) + kGet);
  client.CloseWriting();
  Peer function = function_.Accept();
  for (const char* body : {"one", "two"}) {
    function.ReadMessage();
    function.Send(Ok(body));
    EXPECT_EQ(client.ReadMessage().body, body);
  }
  EXPECT_TRUE(client.IsAtEnd());
}

TEST_F(FailuresTest, ClosesAReplicasConnectionThatSaysMoreThanItsAnswer) {
  StartWith();
  Peer client = Client();
  client.Send(kGet);
  Peer function = function_.Accept();
  function.ReadMessage();
  function.Send(Ok("one") + "HTTP/1.1 200 OK\r\n");
  EXPECT_EQ(client.ReadMessage().body, "one");
  client.Send(kGet);
  Peer fresh = function_.Accept();
  fresh.ReadMessage();
  fresh.Send(Ok("two"));
  EXPECT_EQ(client.ReadMessage().body, "two");
}

TEST_F(FailuresTest, CutsOffAClientThatTakesNothing) {
  options_.stall_timeout_ms = 50;
  StartWith();
  Peer client = Client(4096);
  client.Send(kGet);
  Peer function = function_.Accept();
  function.ReadMessage();
  const std::string answer = Ok(std::string(30'000'000, 'x'));
  size_t sent = 0;
  WaitUntil([&](const MetricsValues&) {
    sent += function.SendSome(std::string_view(answer).substr(sent));
    return Function("f.openfaas-fn").inflight == 0;
  });
  EXPECT_LT(sent, answer.size());
}

TEST_F(FailuresTest, Answers408WhenABodyDoesNotGoOn) {
  options_.stall_timeout_ms = 50;
  StartWith();
  Peer client = Client();
  client.Send("POST /function/f HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhel");
  Peer function = function_.Accept();
  function.ReadHead();
  const Message answer = client.ReadMessage();
  EXPECT_EQ(answer.Status(), 408);
  EXPECT_NE(answer.body.find("stall timeout 50 ms"), std::string::npos);
  EXPECT_EQ(function.ReadToEnd(), "hel");
}

}  // namespace
}  // namespace junction::ingress
