// SPDX-License-Identifier: Apache-2.0
// Bodies on their way: chunk by chunk, both ways, with slow ends.
#include <cstring>
#include <random>
#include <thread>

#include "ingress/test/ingress_fixture.h"

namespace junction::ingress {
namespace {

class StreamingTest : public IngressTest {
 protected:
  void SetUp() override {
    Start();
    Apply({Route("f.openfaas-fn", {function_.port()})});
  }

  static std::string Bytes(size_t size) {
    std::mt19937_64 random(size);
    std::string bytes(size, '\0');
    for (size_t at = 0; at + sizeof(uint64_t) <= size; at += sizeof(uint64_t)) {
      const uint64_t value = random();
      std::memcpy(bytes.data() + at, &value, sizeof(value));
    }
    return bytes;
  }

  ScriptedServer function_;
};

TEST_F(StreamingTest, FlushesEachChunkOfAnAnswer) {
  Peer client = Client();
  client.Send("GET /function/f HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer function = function_.Accept();
  function.ReadMessage();
  function.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_NE(client.ReadHead().find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  for (int i = 0; i < 5; ++i) {
    const std::string event = "data: " + std::to_string(i) + "\n\n";
    function.Send("9\r\n" + event + "\r\n");
    EXPECT_EQ(client.ReadChunk(), event);  // before the next one is sent
  }
  function.Send("0\r\n\r\n");
  EXPECT_EQ(client.ReadChunk(), "");
}

TEST_F(StreamingTest, FlushesEachChunkOfARequest) {
  Peer client = Client();
  client.Send("POST /function/f HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  Peer function = function_.Accept();
  function.ReadHead();
  for (const char* chunk : {"one", "two", "six"}) {
    client.Send("3\r\n" + std::string(chunk) + "\r\n");
    EXPECT_EQ(function.ReadChunk(), chunk);
  }
  client.Send("0\r\n\r\n");
  EXPECT_EQ(function.ReadChunk(), "");
  function.Send(Ok("done"));
  EXPECT_EQ(client.ReadMessage().body, "done");
}

TEST_F(StreamingTest, StreamsBothWaysAtOnce) {
  Peer client = Client();
  client.Send("POST /function/f HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  Peer function = function_.Accept();
  function.ReadHead();
  function.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  client.ReadHead();
  for (const char* word : {"alpha", "gamma", "delta"}) {
    client.Send("5\r\n" + std::string(word) + "\r\n");
    EXPECT_EQ(function.ReadChunk(), word);
    function.Send("5\r\n" + std::string(word) + "\r\n");
    EXPECT_EQ(client.ReadChunk(), word);
  }
  client.Send("0\r\n\r\n");
  EXPECT_EQ(function.ReadChunk(), "");
  function.Send("0\r\n\r\n");
  EXPECT_EQ(client.ReadChunk(), "");
  client.Send("GET /function/f HTTP/1.1\r\nHost: a\r\n\r\n");  // both connections go on
  EXPECT_EQ(function.ReadMessage().start, "GET / HTTP/1.1");
}

TEST_F(StreamingTest, TakesMessagesByteByByte) {
  Peer client = Client();
  const std::string request =
      "POST /function/f HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x\r\nabc\r\n0\r\n\r\n";
  for (const char c : request) {
    client.Send({&c, 1});
  }
  Peer function = function_.Accept();
  EXPECT_EQ(function.ReadMessage().body, "helloabc");
  const std::string answer =
      "HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nworld\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n";
  for (const char c : answer) {
    function.Send({&c, 1});
  }
  const Message message = client.ReadMessage();
  EXPECT_EQ(message.Field("x"), "y");
  EXPECT_EQ(message.body, "world!");
}

TEST_F(StreamingTest, EndsAnAnswerThatEndsWithItsConnection) {
  for (const bool is_http10 : {false, true}) {
    Peer client = Client();
    client.Send(is_http10 ? "GET /function/f HTTP/1.0\r\n\r\n" : "GET /function/f HTTP/1.1\r\nHost: a\r\n\r\n");
    Peer function = function_.Accept();
    function.ReadMessage();
    function.Send("HTTP/1.0 200 OK\r\nX: y\r\n\r\nsome");
    function.Send("thing");
    function.Close();
    if (is_http10) {
      EXPECT_TRUE(client.ReadToEnd().ends_with("\r\n\r\nsomething"));
    } else {
      EXPECT_EQ(client.ReadMessage().body, "something");
      client.Send("GET /function/none HTTP/1.1\r\nHost: a\r\n\r\n");  // this one goes on
      EXPECT_EQ(client.ReadMessage().Status(), 404);
    }
  }
}

TEST_F(StreamingTest, PassesLargeBodiesWholeInBothDirections) {
  for (const bool chunked : {false, true}) {
    const std::string body = Bytes(5'000'000);
    Peer client = Client();
    std::thread sender([&] {
      if (chunked) {
        client.Send("POST /function/f HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (size_t at = 0; at < body.size(); at += 70'000) {
          const std::string part = body.substr(at, 70'000);
          char size[16];
          std::snprintf(size, sizeof(size), "%zx\r\n", part.size());
          client.Send(size + part + "\r\n");
        }
        client.Send("0\r\n\r\n");
      } else {
        client.Send("POST /function/f HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
                    "\r\n\r\n" + body);
      }
    });
    Peer function = function_.Accept();
    const Message request = function.ReadMessage();
    sender.join();
    EXPECT_TRUE(request.body == body);
    std::thread answerer([&] {
      function.Send(chunked ? "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body
                            : Ok(body, "Connection: close\r\n"));
      function.Close();
    });
    const Message answer = client.ReadMessage();
    answerer.join();
    EXPECT_TRUE(answer.body == body);
  }
}

TEST_F(StreamingTest, ReadsNoMoreOfAnAnswerThanTheClientTakes) {
  Peer client = Client(4096);
  client.Send("GET /function/f HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer function = function_.Accept();
  function.ReadMessage();
  const std::string body = Bytes(64'000'000);
  const std::string answer = Ok(body);
  // What the sockets on the way and one buffer hold is far less than this.
  size_t sent = 0;
  size_t last = 1;
  WaitUntil([&](const MetricsValues&) {
    last = function.SendSome(std::string_view(answer).substr(sent));
    sent += last;
    return last == 0;
  });
  std::thread sender([&] { function.Send(std::string_view(answer).substr(sent)); });
  EXPECT_LT(sent, 32'000'000u);
  EXPECT_TRUE(client.ReadMessage().body == body);
  sender.join();
}

TEST_F(StreamingTest, ReadsNoMoreOfARequestThanTheFunctionTakes) {
  Peer client = Client();
  client.Send("POST /function/f HTTP/1.1\r\nHost: a\r\nContent-Length: 64000000\r\n\r\n");
  Peer function = function_.Accept();
  const std::string body = Bytes(64'000'000);
  size_t sent = 0;
  size_t last = 1;
  WaitUntil([&](const MetricsValues&) {
    last = client.SendSome(std::string_view(body).substr(sent));
    sent += last;
    return last == 0;
  });
  EXPECT_LT(sent, 32'000'000u);
  std::thread sender([&] { client.Send(std::string_view(body).substr(sent)); });
  EXPECT_TRUE(function.ReadMessage().body == body);
  sender.join();
}

TEST_F(StreamingTest, TellsTheClientToContinueOnceTheFunctionHasTheRequest) {
  Peer client = Client();
  client.Send("POST /function/f HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.ReadHead(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("hello");
  Peer function = function_.Accept();
  const Message request = function.ReadMessage();
  EXPECT_EQ(request.body, "hello");
  EXPECT_FALSE(request.Has("expect"));
  function.Send("HTTP/1.1 100 Continue\r\n\r\n" + Ok("x"));
  EXPECT_EQ(client.ReadMessage().body, "x");
}

TEST_F(StreamingTest, DoesNotTellAClientToContinueThatSentItsBodyOrIsRefused) {
  Peer client = Client();
  client.Send("POST /function/f HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello");
  Peer function = function_.Accept();
  EXPECT_EQ(function.ReadMessage().body, "hello");
  function.Send(Ok("x"));
  EXPECT_EQ(client.ReadMessage().Status(), 200);
  client.Send("POST /function/none HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  const Message refused = client.ReadMessage();
  EXPECT_EQ(refused.Status(), 404);
  EXPECT_EQ(refused.Field("connection"), "close");  // whether the body still comes is the client's choice
}

TEST_F(StreamingTest, ServesPipelinedRequestsInOrder) {
  Peer client = Client();
  std::string requests;
  for (int i = 0; i < 100; ++i) {
    requests += i % 3 == 2 ? "GET /function/none HTTP/1.1\r\nHost: a\r\n\r\n"
                           : "POST /function/f/" + std::to_string(i) +
                                 " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
  }
  client.Send(requests);
  Peer function = function_.Accept();
  for (int i = 0; i < 100; ++i) {
    if (i % 3 != 2) {
      EXPECT_EQ(function.ReadMessage().start, "POST /" + std::to_string(i) + " HTTP/1.1");
      function.Send(Ok(std::to_string(i)));
    }
    const Message answer = client.ReadMessage();
    EXPECT_EQ(answer.Status(), i % 3 == 2 ? 404 : 200);
    if (i % 3 != 2) {
      EXPECT_EQ(answer.body, std::to_string(i));
    }
  }
}

TEST_F(StreamingTest, AnswersManyPipelinedRequestsThatItRefusesItself) {
  Peer client = Client();
  std::string requests;
  for (int i = 0; i < 1000; ++i) {
    requests += "GET /function/none HTTP/1.1\r\nHost: a\r\n\r\n";
  }
  std::thread sender([&] { client.Send(requests); });
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(client.ReadMessage().Status(), 404);
  }
  sender.join();
}

TEST_F(StreamingTest, DropsABodyThatNobodyWantsAndGoesOn) {
  Peer client = Client();
  client.Send("POST /function/none HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  EXPECT_EQ(client.ReadMessage().Status(), 404);
  client.Send(Bytes(100'000) + "GET /function/none HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.ReadMessage().Status(), 404);
  client.Send("POST /function/none HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(client.ReadMessage().Status(), 404);
  client.Send("3\r\nabc\r\n0\r\n\r\nGET /function/none HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.ReadMessage().Status(), 404);
}

TEST_F(StreamingTest, ClosesRatherThanReadAHugeBodyThatNobodyWants) {
  Peer client = Client();
  client.Send("POST /function/none HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n");
  EXPECT_EQ(client.ReadMessage().Status(), 404);
  client.Send(Bytes(1'000'000));
  EXPECT_TRUE(client.IsAtEnd());
}

TEST_F(StreamingTest, DeliversAnAnswerThatComesBeforeTheRequestIsComplete) {
  Peer client = Client();
  client.Send("POST /function/f HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nstart");
  Peer function = function_.Accept();
  function.ReadHead();
  function.Send("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
  function.Close();
  EXPECT_EQ(client.ReadMessage().Status(), 413);
  client.Send(Bytes(100'000 - 5) + "GET /function/none HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.ReadMessage().Status(), 404);  // in step: the rest of the body was dropped
}

TEST_F(StreamingTest, StreamsFromTheApiWithPausesOfAnyLength) {
  ScriptedServer api(api_path());
  Peer client = Client();
  client.Send("GET /system/logs?name=f&follow=true HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer api_end = api.Accept();
  api_end.ReadMessage();
  api_end.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n");
  client.ReadHead();
  EXPECT_EQ(client.ReadChunk(), "{}\n");
  client.Close();
  EXPECT_TRUE(api_end.IsAtEnd());  // the follower is gone: so is its stream
}

}  // namespace
}  // namespace junction::ingress
