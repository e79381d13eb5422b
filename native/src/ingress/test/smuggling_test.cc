// SPDX-License-Identifier: Apache-2.0
// What could be read in two ways is refused before anything reaches a function, and the connection ends there.
#include "ingress/test/ingress_fixture.h"

namespace junction::ingress {
namespace {

struct Row {
  const char* name;
  std::string request;
  int status;
};

constexpr char kSecond[] = "GET /function/aes/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

std::vector<Row> Rows() {
  const std::string post = "POST /function/aes HTTP/1.1\r\nHost: a\r\n";
  return {
      {"length and coding", post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"coding and length", post + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400},
      {"two lengths", post + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400},
      {"two equal lengths", post + "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", 400},
      {"a list of lengths", post + "Content-Length: 4, 4\r\n\r\nabcd", 400},
      {"a length with a sign", post + "Content-Length: +4\r\n\r\nabcd", 400},
      {"a negative length", post + "Content-Length: -4\r\n\r\nabcd", 400},
      {"a hexadecimal length", post + "Content-Length: 0x4\r\n\r\nabcd", 400},
      {"an empty length", post + "Content-Length: \r\n\r\n", 400},
      {"a length past 63 bits", post + "Content-Length: 9223372036854775808\r\n\r\n", 400},
      {"another coding", post + "Transfer-Encoding: gzip\r\n\r\n", 400},
      {"a list of codings", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
      {"identity", post + "Transfer-Encoding: identity\r\nContent-Length: 4\r\n\r\nabcd", 400},
      {"two codings", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400},
      {"a vertical tab before the coding",
       post + "Transfer-Encoding: \x0b"
              "chunked\r\n\r\n0\r\n\r\n",
       400},
      {"a blank before the colon", post + "Content-Length : 4\r\n\r\nabcd", 400},
      {"a tab before the colon", post + "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", 400},
      {"a folded field", post + "X: a\r\n Content-Length: 4\r\n\r\nabcd", 400},
      {"a folded field at the start", "POST /function/aes HTTP/1.1\r\n Host: a\r\n\r\n", 400},
      {"bare LF", "GET /function/aes HTTP/1.1\nHost: a\n\n", 400},
      {"bare LF within", post + "X: a\nContent-Length: 4\r\n\r\nabcd", 400},
      {"bare CR", post + "X: a\rContent-Length: 4\r\n\r\nabcd", 400},
      {"NUL", post + std::string("X: a\0b\r\n\r\n", 10), 400},
      {"a name that is no token", post + "X(: a\r\n\r\n", 400},
      {"an empty name", post + ": a\r\n\r\n", 400},
      {"no colon", post + "Content-Length\r\n\r\n", 400},
      {"no host", "GET /function/aes HTTP/1.1\r\n\r\n", 400},
      {"two hosts", post + "Host: b\r\n\r\n", 400},
      {"a host that is none", "GET /function/aes HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
      {"a coding in HTTP/1.0", "POST /function/aes HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"a later version", "GET /function/aes HTTP/1.9\r\nHost: a\r\n\r\n", 505},
      {"HTTP/0.9", "GET /function/aes\r\n", 400},
      {"two blanks", "GET  /function/aes HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"a blank in the target", "GET /function/aes x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"another expectation", post + "Content-Length: 1\r\nExpect: more\r\n\r\nx", 417},
      {"TLS", "\x16\x03\x01\x02\x01\x01\x01\xfc\x03\x03\r\n\r\n", 400},
  };
}

class SmugglingTest : public IngressTest {
 protected:
  void SetUp() override {
    Start();
    Apply({Route("aes.openfaas-fn", {function_.port()})});
  }

  ScriptedServer function_;
};

TEST_F(SmugglingTest, RefusesHeadsThatCouldBeReadInTwoWays) {
  for (const Row& row : Rows()) {
    SCOPED_TRACE(row.name);
    Peer client = Client();
    client.Send(row.request + kSecond);
    const Message answer = client.ReadMessage();
    EXPECT_EQ(answer.Status(), row.status) << answer.body;
    EXPECT_EQ(answer.Field("connection"), "close");
    EXPECT_TRUE(client.IsAtEnd());
    EXPECT_TRUE(function_.HasNobody());
  }
}

TEST_F(SmugglingTest, RefusesTheSameByteByByte) {
  for (const Row& row : Rows()) {
    SCOPED_TRACE(row.name);
    Peer client = Client();
    for (const char c : row.request + kSecond) {
      if (client.SendSome({&c, 1}) == 0) {
        break;  // refused by now
      }
    }
    const Message answer = client.ReadMessage();
    EXPECT_EQ(answer.Status(), row.status);
    EXPECT_TRUE(function_.HasNobody());
  }
}

TEST_F(SmugglingTest, CutsOffAChunkedBodyThatIsMalformed) {
  for (const char* body :
       {"x\r\n", "-1\r\n", "5\nhello", "5\r\nhello!\r\n", "5\r\nhello\n0\r\n\r\n", "11111111111111111\r\n",
        "0\r\nGET / HTTP/1.1\r\n\r\n", "0\r\n a\r\n\r\n", "1;\n\r\nx\r\n"}) {
    SCOPED_TRACE(body);
    Peer client = Client();
    client.Send("POST /function/aes HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n");
    Peer function = function_.Accept();
    const std::string head = function.ReadHead();
    EXPECT_NE(head.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
    EXPECT_EQ(function.ReadChunk(), "ok");
    client.Send(std::string(body) + kSecond);
    EXPECT_EQ(client.ReadMessage().Status(), 400);
    // The function sees a request that is cut off, never one that looks complete.
    const std::string rest = function.ReadToEnd();
    EXPECT_EQ(rest.find("0\r\n\r\n"), std::string::npos) << rest;
    EXPECT_EQ(rest.find("GET"), std::string::npos) << rest;
  }
}

TEST_F(SmugglingTest, WritesChunksAnewWithoutExtensionsAndTrailers) {
  Peer client = Client();
  client.Send(
      "POST /function/aes HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
      "0003;a=\"b;c\"\r\nabc\r\n2\r\nde\r\n0;last\r\nX: y\r\n\r\n" +
      std::string(kSecond));
  Peer function = function_.Accept();
  const std::string head = function.ReadHead();
  EXPECT_EQ(head.find("Trailer"), std::string::npos);
  EXPECT_EQ(function.ReadExactly(15), "5\r\nabcde\r\n0\r\n\r\n");
  function.Send(Ok("one"));
  EXPECT_EQ(client.ReadMessage().body, "one");
  EXPECT_EQ(function.ReadMessage().start, "GET /smuggled HTTP/1.1");  // an ordinary second request
}

}  // namespace
}  // namespace junction::ingress
