// SPDX-License-Identifier: Apache-2.0
#include "ingress/framing.h"

#include <gtest/gtest.h>

#include <string>

#include "ingress/head_parser.h"

namespace junction::ingress {
namespace {

std::expected<RequestPlan, Refusal> Plan(const std::string& fields, const std::string& version = "1.1") {
  static std::string text;
  static MessageHead head;
  text = "POST / HTTP/" + version + "\r\n" + fields + "\r\n";
  if (ParseRequestHead(text, head) != HeadResult::kComplete) {
    return std::unexpected(Refusal{400, "the parser refuses it already"});
  }
  return PlanRequest(head);
}

std::expected<ResponsePlan, const char*> PlanAnswer(const std::string& start, const std::string& fields,
                                                    bool to_head = false) {
  static std::string text;
  static MessageHead head;
  text = start + "\r\n" + fields + "\r\n";
  if (ParseResponseHead(text, head) != HeadResult::kComplete) {
    return std::unexpected("the parser refuses it already");
  }
  return PlanResponse(head, to_head);
}

TEST(PlanRequest, KnowsTheBodysLength) {
  EXPECT_EQ(Plan("Host: a\r\n")->body, BodyKind::kNone);
  EXPECT_EQ(Plan("Host: a\r\nContent-Length: 0\r\n")->body, BodyKind::kNone);
  EXPECT_EQ(Plan("Host: a\r\nTransfer-Encoding: Chunked\r\n")->body, BodyKind::kChunked);
  const auto with_length = Plan("Host: a\r\nContent-Length: 9223372036854775807\r\n");
  EXPECT_EQ(with_length->body, BodyKind::kLength);
  EXPECT_EQ(with_length->length, 9223372036854775807u);
}

TEST(PlanRequest, RefusesWhatCouldBeReadInTwoWays) {
  for (const char* fields : {
           "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
           "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
           "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
           "Content-Length: 3\r\nContent-Length: 3\r\n",
           "Content-Length: 3\r\nContent-Length: 4\r\n",
           "Content-Length: 3, 3\r\n",
           "Content-Length: +3\r\n",
           "Content-Length: -3\r\n",
           "Content-Length: 0x3\r\n",
           "Content-Length: 3 3\r\n",
           "Content-Length: 3.0\r\n",
           "Content-Length:\r\n",
           "Content-Length: 9223372036854775808\r\n",
           "Content-Length: 99999999999999999999999\r\n",
           "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
           "Transfer-Encoding: gzip, chunked\r\n",
           "Transfer-Encoding: chunked, gzip\r\n",
           "Transfer-Encoding: identity\r\n",
           "Transfer-Encoding: xchunked\r\n",
           "Transfer-Encoding: \"chunked\"\r\n",
           "Transfer-Encoding: chunked;q=1\r\n",
           "Transfer-Encoding:\r\n",
           "Host: b\r\n",
           "Host: a\r\n",
       }) {
    const auto plan = Plan(std::string("Host: a\r\n") + fields);
    ASSERT_FALSE(plan.has_value()) << fields;
    EXPECT_EQ(plan.error().status, 400) << fields;
  }
  EXPECT_EQ(Plan("").error().status, 400);  // no Host in HTTP/1.1
  EXPECT_EQ(Plan("Host: a b\r\n").error().status, 400);
  EXPECT_EQ(Plan("Host: a/b\r\n").error().status, 400);
  EXPECT_EQ(Plan("Host: u@a\r\n").error().status, 400);
  EXPECT_EQ(Plan("Transfer-Encoding: chunked\r\n", "1.0").error().status, 400);
}

TEST(PlanRequest, KeepsConnectionsAsTheVersionsSay) {
  EXPECT_TRUE(Plan("Host: a\r\n")->keep_alive);
  EXPECT_FALSE(Plan("Host: a\r\nConnection: close\r\n")->keep_alive);
  EXPECT_FALSE(Plan("Host: a\r\nConnection: x, CLOSE\r\n")->keep_alive);
  EXPECT_FALSE(Plan("Host: a\r\nConnection: keep-alive\r\nConnection: close\r\n")->keep_alive);
  EXPECT_FALSE(Plan("", "1.0")->keep_alive);
  EXPECT_TRUE(Plan("Connection: Keep-Alive\r\n", "1.0")->keep_alive);
}

TEST(PlanRequest, TakesOneExpectationOnly) {
  EXPECT_TRUE(Plan("Host: a\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n")->expects_continue);
  EXPECT_FALSE(Plan("Host: a\r\nExpect: 100-continue\r\n")->expects_continue);  // no body to wait for
  EXPECT_FALSE(Plan("Content-Length: 3\r\nExpect: 100-continue\r\n", "1.0")->expects_continue);
  EXPECT_EQ(Plan("Host: a\r\nExpect: x\r\n").error().status, 417);
}

TEST(PlanResponse, KnowsTheBodysLength) {
  EXPECT_EQ(PlanAnswer("HTTP/1.1 200 OK", "Content-Length: 3\r\n")->body, BodyKind::kLength);
  EXPECT_EQ(PlanAnswer("HTTP/1.1 200 OK", "Content-Length: 3\r\nContent-Length: 3\r\n")->length, 3u);
  EXPECT_EQ(PlanAnswer("HTTP/1.1 200 OK", "Content-Length: 0\r\n")->body, BodyKind::kNone);
  EXPECT_EQ(PlanAnswer("HTTP/1.1 200 OK", "Transfer-Encoding: chunked\r\n")->body, BodyKind::kChunked);
  const auto until_close = PlanAnswer("HTTP/1.1 200 OK", "");
  EXPECT_EQ(until_close->body, BodyKind::kUntilClose);
  EXPECT_FALSE(until_close->keep_alive);
}

TEST(PlanResponse, GivesNoBodyWhereThereIsNone) {
  EXPECT_EQ(PlanAnswer("HTTP/1.1 200 OK", "Content-Length: 3\r\n", true)->body, BodyKind::kNone);
  EXPECT_EQ(PlanAnswer("HTTP/1.1 200 OK", "", true)->body, BodyKind::kNone);
  for (const char* status : {"100", "103", "204", "304"}) {
    const auto plan = PlanAnswer(std::string("HTTP/1.1 ") + status + " X", "Content-Length: 3\r\n");
    EXPECT_EQ(plan->body, BodyKind::kNone) << status;
    EXPECT_TRUE(plan->keep_alive);
  }
}

TEST(PlanResponse, RefusesWhatCouldBeReadInTwoWays) {
  for (const char* fields :
       {"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: x\r\n", "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"}) {
    EXPECT_FALSE(PlanAnswer("HTTP/1.1 200 OK", fields).has_value()) << fields;
  }
  EXPECT_FALSE(PlanAnswer("HTTP/1.0 200 OK", "Transfer-Encoding: chunked\r\n").has_value());
}

TEST(IsConnectionOption, NamesFieldsOfThisHopOnly) {
  const std::string text = "GET / HTTP/1.1\r\nConnection: close, X-One\r\nConnection: x-TWO ,\r\n\r\n";
  MessageHead head;
  ASSERT_EQ(ParseRequestHead(text, head), HeadResult::kComplete);
  EXPECT_TRUE(IsConnectionOption(head, "x-one"));
  EXPECT_TRUE(IsConnectionOption(head, "X-Two"));
  EXPECT_FALSE(IsConnectionOption(head, "X-Three"));
  EXPECT_FALSE(IsConnectionOption(head, "X-On"));
}

}  // namespace
}  // namespace junction::ingress
