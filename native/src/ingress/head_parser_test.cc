// SPDX-License-Identifier: Apache-2.0
#include "ingress/head_parser.h"

#include <gtest/gtest.h>

#include <string>

namespace junction::ingress {
namespace {

constexpr std::string_view kRequest =
    "POST /function/aes?x=1 HTTP/1.1\r\nHost: gateway:8080\r\nEmpty:\r\nX-Blank: \t a b \t\r\nContent-Length: "
    "3\r\n\r\n";

TEST(ParseRequestHead, FindsAllParts) {
  MessageHead head;
  const std::string text = std::string(kRequest) + "abc";
  ASSERT_EQ(ParseRequestHead(text, head), HeadResult::kComplete);
  EXPECT_EQ(head.raw, kRequest);
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.target, "/function/aes?x=1");
  EXPECT_EQ(head.version_minor, 1);
  ASSERT_EQ(head.fields.size(), 4u);
  EXPECT_EQ(head.Name(head.fields[0]), "Host");
  EXPECT_EQ(head.Value(head.fields[0]), "gateway:8080");
  EXPECT_EQ(head.fields[0].id, FieldId::kHost);
  EXPECT_EQ(head.Value(head.fields[1]), "");
  EXPECT_EQ(head.Value(head.fields[2]), "a b");
  EXPECT_EQ(head.fields[3].id, FieldId::kContentLength);
  EXPECT_EQ(text.substr(head.fields_begin, 5), "Host:");
  for (const HeadField& field : head.fields) {
    EXPECT_EQ(text.substr(field.line_end - 2, 2), "\r\n");
    EXPECT_EQ(text.substr(field.line_begin, field.name_end - field.line_begin), head.Name(field));
  }
  EXPECT_EQ(head.fields[3].line_end + 2, kRequest.size());
}

TEST(ParseRequestHead, WaitsForMoreAtEachCut) {
  MessageHead head;
  for (size_t size = 1; size < kRequest.size(); ++size) {
    EXPECT_EQ(ParseRequestHead(kRequest.substr(0, size), head), HeadResult::kIncomplete) << size;
  }
}

TEST(ParseRequestHead, TakesAHeadWithoutFields) {
  MessageHead head;
  ASSERT_EQ(ParseRequestHead("GET / HTTP/1.0\r\n\r\n", head), HeadResult::kComplete);
  EXPECT_TRUE(head.fields.empty());
  EXPECT_EQ(head.version_minor, 0);
}

TEST(ParseRequestHead, RefusesWhatIsMalformed) {
  MessageHead head;
  for (const char* text : {
           "GET / HTTP/1.1\nHost: a\n\n",                       // bare LF
           "GET / HTTP/1.1\r\nHost: a\n\r\n",                   //
           "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",              // bare CR
           "GET / HTTP/1.1\r\nHost : a\r\n\r\n",                // blank before the colon
           "GET / HTTP/1.1\r\n Host: a\r\n\r\n",                // blank before the name
           "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",           // obs-fold
           "GET / HTTP/1.1\r\nHost: a\r\n\tb\r\nC: d\r\n\r\n",  //
           "GET / HTTP/1.1\r\nA:\r\n b\r\n\r\n",                // obs-fold behind an empty line
           "GET / HTTP/1.1\r\nA: \r\n \r\n b\r\n\r\n",          //
           "GET / HTTP/1.1\r\nA(b): c\r\n\r\n",                 // no token
           "GET / HTTP/1.1\r\nA\x80: c\r\n\r\n",                //
           "GET / HTTP/1.1\r\n: c\r\n\r\n",                     // no name
           "GET / HTTP/1.1\r\nA\r\n\r\n",                       // no colon
           "GET / HTTP/1.1\r\nA: b\x01\r\n\r\n",                // control character
           "GET / HTTP/1.1\r\nA: b\x7f\r\n\r\n",                //
           "GET  / HTTP/1.1\r\n\r\n",                           // two blanks
           "GET / HTTP/1.1 \r\n\r\n",                           // blank behind the version
           "GET /a b HTTP/1.1\r\n\r\n",                         // blank in the target
           "GET HTTP/1.1\r\n\r\n",                              // no target
           "G(T / HTTP/1.1\r\n\r\n",                            // no token
           " GET / HTTP/1.1\r\n\r\n",                           //
           "GET / HTTX/1.1\r\n\r\n",                            // another protocol
           "GET / HTTP/11\r\n\r\n",                             //
           "GET /\r\n\r\n",                                     // HTTP/0.9
           "\x16\x03\x01\x02\x01\x01",                          // a TLS client
       }) {
    EXPECT_EQ(ParseRequestHead(text, head), HeadResult::kMalformed) << text;
  }
  using namespace std::string_view_literals;
  EXPECT_EQ(ParseRequestHead("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n"sv, head), HeadResult::kMalformed);
}

TEST(ParseRequestHead, TellsAForeignVersionApart) {
  MessageHead head;
  for (const char* text : {"GET / HTTP/1.2\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}) {
    EXPECT_EQ(ParseRequestHead(text, head), HeadResult::kBadVersion) << text;
  }
}

TEST(ParseRequestHead, BoundsTheNumberOfFields) {
  MessageHead head;
  std::string text = "GET / HTTP/1.1\r\n";
  for (size_t i = 0; i < kMaxFields; ++i) {
    text += "a:\r\n";
  }
  EXPECT_EQ(ParseRequestHead(text + "\r\n", head), HeadResult::kComplete);
  EXPECT_EQ(head.fields.size(), kMaxFields);
  EXPECT_EQ(ParseRequestHead(text + "a:\r\n\r\n", head), HeadResult::kTooManyFields);
}

TEST(ParseResponseHead, FindsAllParts) {
  MessageHead head;
  ASSERT_EQ(ParseResponseHead("HTTP/1.1 404 Not \xc3\xa4 Found\r\nDate: x\r\n\r\nrest", head), HeadResult::kComplete);
  EXPECT_EQ(head.status, 404);
  EXPECT_EQ(head.reason, "Not \xc3\xa4 Found");
  ASSERT_EQ(head.fields.size(), 1u);
  EXPECT_EQ(head.fields[0].id, FieldId::kDate);
  ASSERT_EQ(ParseResponseHead("HTTP/1.0 200 \r\n\r\n", head), HeadResult::kComplete);
  EXPECT_EQ(head.reason, "");
}

TEST(ParseResponseHead, RefusesWhatIsMalformed) {
  MessageHead head;
  for (const char* text : {
           "HTTP/1.1 99 Low\r\n\r\n",
           "HTTP/1.1 099 Low\r\n\r\n",
           "HTTP/1.1 2000 Long\r\n\r\n",
           "HTTP/2.0 200 OK\r\n\r\n",
           "http/1.1 200 OK\r\n\r\n",
           "hello world, this is not HTTP\r\n\r\n",
           "HTTP/1.1 200 OK\n\n",
           "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
           "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
           "HTTP/1.1 200 O\x01K\r\n\r\n",
       }) {
    EXPECT_EQ(ParseResponseHead(text, head), HeadResult::kMalformed) << text;
  }
}

TEST(HeadEndFinder, FindsTheEndHoweverTheBytesCome) {
  for (size_t step = 1; step < kRequest.size(); ++step) {
    HeadEndFinder finder;
    size_t size = 0;
    HeadEndFinder::Result result = HeadEndFinder::Result::kIncomplete;
    while (result == HeadEndFinder::Result::kIncomplete && size < kRequest.size()) {
      size = std::min(size + step, kRequest.size());
      result = finder.Find(kRequest.substr(0, size));
    }
    EXPECT_EQ(result, HeadEndFinder::Result::kFound);
    EXPECT_EQ(size, kRequest.size());
  }
}

TEST(HeadEndFinder, SeesALineThatEndsWrongly) {
  EXPECT_EQ(HeadEndFinder().Find("GET / HTTP/1.1\nHost"), HeadEndFinder::Result::kMalformed);
  EXPECT_EQ(HeadEndFinder().Find("GET / HTTP/1.1\r\n\n"), HeadEndFinder::Result::kMalformed);
}

TEST(IdentifyField, IgnoresCase) {
  EXPECT_EQ(IdentifyField("cOnTeNt-LeNgTh"), FieldId::kContentLength);
  EXPECT_EQ(IdentifyField("TRANSFER-ENCODING"), FieldId::kTransferEncoding);
  EXPECT_EQ(IdentifyField("X-Forwarded-Host"), FieldId::kXForwardedHost);
  EXPECT_EQ(IdentifyField("Proxy-Connection"), FieldId::kProxyConnection);
  EXPECT_EQ(IdentifyField("tracestate"), FieldId::kTracestate);
  EXPECT_EQ(IdentifyField("content_length"), FieldId::kOther);
  EXPECT_EQ(IdentifyField("X-Other"), FieldId::kOther);
  EXPECT_EQ(IdentifyField(""), FieldId::kOther);
}

}  // namespace
}  // namespace junction::ingress
