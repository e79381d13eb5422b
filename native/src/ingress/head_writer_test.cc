// SPDX-License-Identifier: Apache-2.0
#include "ingress/head_writer.h"

#include <gtest/gtest.h>

#include <regex>
#include <string>

#include "ingress/head_parser.h"

namespace junction::ingress {
namespace {

class HeadWriterTest : public testing::Test {
 protected:
  /// What the next hop gets for a request. `Trace` and the call's own fields are made the same each time.
  std::string Request(const std::string& text, std::string_view peer_ip = "192.0.2.7") {
    EXPECT_EQ(ParseRequestHead(text, head_), HeadResult::kComplete);
    const auto plan = PlanRequest(head_);
    const auto target = SplitTarget(head_.method, head_.target);
    call_.Take(head_, rng_, 1'700'000'000'123'456'789);
    return Text(WriteRequestHead({.head = head_, .plan = *plan, .target = *target, .call = call_, .peer_ip = peer_ip},
                                 rng_, pool_));
  }

  std::string Response(const std::string& text, ResponseRewrite rewrite, bool to_head = false) {
    EXPECT_EQ(ParseResponseHead(text, head_), HeadResult::kComplete);
    plan_ = *PlanResponse(head_, to_head);
    return Text(WriteResponseHead(rewrite, pool_));
  }

  std::string Text(Buffer* buffer) {
    std::string text(buffer->unread());
    pool_.Give(buffer);
    return text;
  }

  BufferPool pool_;
  Rng rng_{{1, 2, 3, 4}};
  MessageHead head_;
  ResponsePlan plan_;
  CallIdentity call_;
};

constexpr char kTrace[] = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";

TEST_F(HeadWriterTest, KeepsLinesAsTheyAreAndAddsItsOwn) {
  EXPECT_EQ(
      Request("POST /function/aes/a%2Fb?c HTTP/1.1\r\nHost: gw:8080\r\naUTHORIZATION:  Basic x \r\nX-Call-Id: 7\r\n"
              "Content-Length: 3\r\ntracestate: a=b\r\n" +
              std::string(kTrace) + "\r\n"),
      "POST /a%2Fb?c HTTP/1.1\r\nHost: gw:8080\r\naUTHORIZATION:  Basic x \r\nContent-Length: 3\r\ntracestate: "
      "a=b\r\n" +
          std::string(kTrace) +
          "X-Call-Id: 7\r\nX-Start-Time: 1700000000123456789\r\nX-Forwarded-For: 192.0.2.7\r\n"
          "X-Forwarded-Host: gw:8080\r\n\r\n");
}

TEST_F(HeadWriterTest, DropsWhatIsForThisHopOnly) {
  const std::string request = Request(
      "POST /function/aes HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Hop, Host, X-Call-Id\r\nX-Hop: 1\r\n"
      "Keep-Alive: x\r\nProxy-Authorization: x\r\nProxy-Connection: x\r\nTE: trailers\r\nTrailer: Sum\r\n"
      "Upgrade: h2c\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\nX-Start-Time: 1\r\nX-Kept: 1\r\n" +
      std::string(kTrace) + "\r\n");
  EXPECT_TRUE(request.starts_with("POST / HTTP/1.1\r\nHost: a\r\nX-Kept: 1\r\n" + std::string(kTrace) + "X-Call-Id: "));
  EXPECT_TRUE(request.ends_with("X-Forwarded-Host: a\r\nTransfer-Encoding: chunked\r\n\r\n")) << request;
  EXPECT_EQ(request.find("X-Start-Time: 1\r\n"), std::string::npos);
}

TEST_F(HeadWriterTest, AppendsToTheListOfClientsAndKeepsTheFirstHost) {
  const std::string request = Request(
      "GET /function/a HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1, 2.2.2.2\r\nX-Forwarded-Host: first\r\n"
      "x-forwarded-for: 3.3.3.3\r\n\r\n");
  EXPECT_NE(request.find("X-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3, 192.0.2.7\r\n"), std::string::npos);
  EXPECT_NE(request.find("X-Forwarded-Host: first\r\n"), std::string::npos);
  EXPECT_EQ(request.find("X-Forwarded-Host: a\r\n"), std::string::npos);
}

TEST_F(HeadWriterTest, MakesIdentifiersOfTheRightForm) {
  const std::string request =
      Request("GET /function/a HTTP/1.1\r\nHost: a\r\ntraceparent: nonsense\r\ntracestate: x=y\r\n\r\n");
  EXPECT_TRUE(std::regex_search(
      request, std::regex("\r\nX-Call-Id: [0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\r\n")))
      << request;
  EXPECT_TRUE(std::regex_search(request, std::regex("\r\ntraceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-01\r\n")));
  EXPECT_EQ(request.find("nonsense"), std::string::npos);
  EXPECT_EQ(request.find("tracestate"), std::string::npos);  // belongs to the trace that was dropped
  EXPECT_NE(Request("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Request("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
}

TEST_F(HeadWriterTest, ReplacesACallIdThatIsTooLongOrEmpty) {
  for (const std::string& id : {std::string(CallIdentity::kMaxLength + 1, 'x'), std::string(), std::string("a b")}) {
    const std::string request = Request("GET /function/a HTTP/1.1\r\nHost: a\r\nX-Call-Id: " + id + "\r\n\r\n");
    EXPECT_EQ(call_.id().size(), 36u);
    EXPECT_NE(request.find("X-Call-Id: " + std::string(call_.id())), std::string::npos);
  }
  const std::string longest(CallIdentity::kMaxLength, 'x');
  EXPECT_NE(Request("GET /function/a HTTP/1.1\r\nHost: a\r\nX-Call-Id: " + longest + "\r\n\r\n").find(longest),
            std::string::npos);
}

TEST_F(HeadWriterTest, TakesTheHostOfAnAbsoluteTarget) {
  const std::string request = Request("GET http://real:1/function/a/x HTTP/1.1\r\nHost: fake\r\n\r\n");
  EXPECT_TRUE(request.starts_with("GET /x HTTP/1.1\r\nHost: real:1\r\n"));
  EXPECT_EQ(request.find("fake"), std::string::npos);
}

TEST_F(HeadWriterTest, GivesAnHttp10RequestAHost) {
  const std::string request = Request("GET /function/a HTTP/1.0\r\n\r\n", "");
  EXPECT_TRUE(request.starts_with("GET / HTTP/1.1\r\nHost: function\r\n"));
  EXPECT_EQ(request.find("X-Forwarded"), std::string::npos);
}

TEST_F(HeadWriterTest, HasRoomForAHeadOfAnySize) {
  const std::string big(100'000, 'h');
  const std::string request =
      Request("GET /function/a/" + big + " HTTP/1.1\r\nHost: " + big + "\r\nX-Forwarded-For: " + big + "\r\n\r\n");
  EXPECT_GT(request.size(), 400'000u);
}

TEST_F(HeadWriterTest, AddsTheCallsFieldsToAnAnswerAndDropsTheFunctionsOwn) {
  Request("GET /function/a HTTP/1.1\r\nHost: a\r\nX-Call-Id: 7\r\n\r\n");
  const std::string answer = Response(
      "HTTP/1.0 201 Made\r\nX-Call-Id: 8\r\nX-Start-Time: 1\r\nX-Duration-Seconds: 9\r\nConnection: x-hop\r\nX-Hop: "
      "1\r\n"
      "Content-Length: 3\r\nContent-Length: 3\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nKeep-Alive: x\r\n\r\n",
      {.head = head_, .plan = plan_, .call = &call_, .duration_ns = 1'002'003'999, .date = "today"});
  EXPECT_EQ(answer,
            "HTTP/1.1 201 Made\r\nContent-Length: 3\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nX-Call-Id: 7\r\n"
            "X-Start-Time: 1700000000123456789\r\nX-Duration-Seconds: 1.002003\r\nDate: today\r\n\r\n");
}

TEST_F(HeadWriterTest, LeavesTheApisFieldsAlone) {
  EXPECT_EQ(Response("HTTP/1.1 202 Accepted\r\nX-Call-Id: 8\r\nDate: then\r\nContent-Length: 0\r\n\r\n",
                     {.head = head_, .plan = plan_, .date = "today", .close = true}),
            "HTTP/1.1 202 Accepted\r\nX-Call-Id: 8\r\nDate: then\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

TEST_F(HeadWriterTest, NeverSendsALengthWhereThereIsNone) {
  EXPECT_EQ(
      Response("HTTP/1.1 204 None\r\nContent-Length: 3\r\nDate: d\r\n\r\n", {.head = head_, .plan = plan_, .date = {}}),
      "HTTP/1.1 204 None\r\nDate: d\r\n\r\n");
  EXPECT_EQ(Response("HTTP/1.1 103 Hints\r\nLink: x\r\nContent-Length: 3\r\n\r\n",
                     {.head = head_, .plan = plan_, .date = {}}),
            "HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n");
  EXPECT_EQ(Response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nDate: d\r\n\r\n",
                     {.head = head_, .plan = plan_, .date = {}, .chunked = true}),
            "HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding: chunked\r\n\r\n");
  // The length that a GET would have.
  EXPECT_EQ(Response("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nDate: d\r\n\r\n",
                     {.head = head_, .plan = plan_, .date = {}}, true),
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nDate: d\r\n\r\n");
}

TEST_F(HeadWriterTest, AnswersInJsonThatNamesHopAndLimit) {
  const std::string answer = Text(WriteOwnAnswer({.status = 504,
                                                  .error = "say \"no\"\n\x01",
                                                  .hop = "function",
                                                  .function = "aes.openfaas-fn",
                                                  .limit = "timeout 5 ms",
                                                  .retry_after_s = 3,
                                                  .date = "today",
                                                  .close = true},
                                                 pool_));
  const std::string json =
      R"({"error":"say \"no\"\u000a\u0001","hop":"function","function":"aes.openfaas-fn","limit":"timeout 5 ms"})"
      "\n";
  EXPECT_EQ(answer, "HTTP/1.1 504 Gateway Timeout\r\nContent-Type: application/json\r\nContent-Length: " +
                        std::to_string(json.size()) + "\r\nDate: today\r\nRetry-After: 3\r\nConnection: close\r\n\r\n" +
                        json);
}

TEST(IsTraceparent, KnowsTheForms) {
  const std::string good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  EXPECT_TRUE(IsTraceparent(good));
  EXPECT_TRUE(IsTraceparent("01" + good.substr(2) + "-more"));
  EXPECT_TRUE(IsTraceparent(good.substr(0, 53) + "00"));
  for (const std::string& bad : {good + "-more", "ff" + good.substr(2), good.substr(0, 54),
                                 std::string("00-") + std::string(32, '0') + good.substr(35),
                                 std::string("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"), std::string(),
                                 good.substr(0, 36) + std::string(16, '0') + "-01"}) {
    EXPECT_FALSE(IsTraceparent(bad)) << bad;
  }
}

}  // namespace
}  // namespace junction::ingress
