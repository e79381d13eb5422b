// SPDX-License-Identifier: Apache-2.0
#include "ingress/body_decoder.h"

#include <gtest/gtest.h>

#include <string>

namespace junction::ingress {
namespace {

struct Outcome {
  ChunkDecoder::Status status = ChunkDecoder::Status::kMore;
  std::string body;
  size_t consumed = 0;

  bool operator==(const Outcome&) const = default;
};

/// Decodes in pieces of `step` bytes, in place as the relay does.
Outcome Decode(std::string text, size_t step) {
  ChunkDecoder decoder;
  Outcome outcome;
  size_t write = 0;
  while (outcome.consumed < text.size() && outcome.status == ChunkDecoder::Status::kMore) {
    size_t consumed = 0;
    size_t produced = 0;
    outcome.status = decoder.Decode(text.data() + outcome.consumed, std::min(step, text.size() - outcome.consumed),
                                    text.data() + write, consumed, produced);
    outcome.consumed += consumed;
    write += produced;
  }
  outcome.body = text.substr(0, write);
  return outcome;
}

TEST(ChunkDecoder, TakesTheFramingOffHoweverTheBytesCome) {
  const std::string text =
      "5\r\nhello\r\n1;name=value; x=\"y\"\r\n,\r\n00006\r\n world\r\n0\r\nSum: 1\r\nB:\r\n\r\nGET /";
  const Outcome expected{.status = ChunkDecoder::Status::kDone, .body = "hello, world", .consumed = text.size() - 5};
  for (size_t step = 1; step <= text.size(); ++step) {
    EXPECT_EQ(Decode(text, step), expected) << step;
  }
}

TEST(ChunkDecoder, WaitsForMoreAtEachCut) {
  const std::string text = "3\r\nabc\r\n0\r\n\r\n";
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_EQ(Decode(text.substr(0, size), 100).status, ChunkDecoder::Status::kMore) << size;
  }
}

TEST(ChunkDecoder, RefusesWhatIsNotExactlyTheFraming) {
  for (const char* text : {
           "\r\n",                          // no size
           " 5\r\nhello\r\n0\r\n\r\n",      // blank before the size
           "+5\r\nhello\r\n0\r\n\r\n",      // sign
           "-1\r\n",                        //
           "0x5\r\nhello\r\n0\r\n\r\n",     // prefix
           "g\r\n",                         // no hexadecimal digit
           "5\nhello\r\n0\r\n\r\n",         // bare LF
           "5\r\nhello\n0\r\n\r\n",         // bare LF behind data
           "5\rhello",                      // bare CR
           "5\r\nhello0\r\n\r\n",           // no CR LF behind data
           "5\r\nhellooo\r\n0\r\n\r\n",     // data longer than said
           "10000000000000000\r\n",         // 17 digits
           "ffffffffffffffff\r\n",          // past 2^60
           "00000000000000005\r\n",         // leading zeros without end
           "5;\x01\r\nhello\r\n0\r\n\r\n",  // control character in an extension
           "5;a\nb\r\nhello\r\n0\r\n\r\n",  // LF in an extension
           "0\r\n : x\r\n\r\n",             // trailer that begins with a blank (obs-fold)
           "0\r\nA b: x\r\n\r\n",           // blank in a trailer's name
           "0\r\nA: x\n\r\n",               // bare LF behind a trailer
           "0\r\n: x\r\n\r\n",              // no name
           "0\r\n\rX",                      // no LF at the end
       }) {
    for (const size_t step : {1, 100}) {
      EXPECT_EQ(Decode(text, step).status, ChunkDecoder::Status::kMalformed) << text;
    }
  }
}

TEST(ChunkDecoder, BoundsExtensionsAndTrailers) {
  const std::string much(kMaxChunkSideBytes + 1, 'x');
  EXPECT_EQ(Decode("1;" + much, 1000).status, ChunkDecoder::Status::kMalformed);
  EXPECT_EQ(Decode("0\r\nA: " + much, 1000).status, ChunkDecoder::Status::kMalformed);
  EXPECT_EQ(Decode("0\r\n" + much, 1000).status, ChunkDecoder::Status::kMalformed);
}

TEST(BodyDecoder, StopsAtTheLength) {
  BodyDecoder decoder(BodyKind::kLength, 5);
  std::string text = "helloGET /";
  size_t consumed = 0;
  size_t produced = 0;
  ASSERT_TRUE(decoder.Decode(text.data(), 3, text.data(), consumed, produced));
  EXPECT_EQ(consumed, 3u);
  EXPECT_FALSE(decoder.done());
  ASSERT_TRUE(decoder.Decode(text.data() + 3, 7, text.data() + 3, consumed, produced));
  EXPECT_EQ(consumed, 2u);
  EXPECT_TRUE(decoder.done());
  ASSERT_TRUE(decoder.Decode(text.data() + 5, 5, text.data() + 5, consumed, produced));
  EXPECT_EQ(consumed, 0u);
}

TEST(BodyDecoder, EndsWithTheConnectionOnlyWhereThatIsTheFraming) {
  BodyDecoder until_close(BodyKind::kUntilClose, 0);
  EXPECT_FALSE(until_close.done());
  EXPECT_TRUE(until_close.Finish());
  BodyDecoder with_length(BodyKind::kLength, 1);
  EXPECT_FALSE(with_length.Finish());
  BodyDecoder chunked(BodyKind::kChunked, 0);
  EXPECT_FALSE(chunked.Finish());
  EXPECT_TRUE(BodyDecoder(BodyKind::kNone, 0).done());
}

}  // namespace
}  // namespace junction::ingress
