// SPDX-License-Identifier: Apache-2.0
// The parts of TCP that need no stack.
#include <cmath>
#include <map>
#include <random>

#include "net/tcp/cubic.h"
#include "net/tcp/isn.h"
#include "net/tcp/reassembly.h"
#include "net/tcp/round_trip.h"
#include "net/tcp/sent_records.h"
#include "net/tcp/sequence.h"
#include "net/tcp/syn_cookie.h"
#include "net/tcp/tcp_fixture.h"
#include "net/tcp/tcp_header.h"

namespace junction::net {
namespace {

TEST(SequenceTest, ComparesAcrossTheWrap) {
  EXPECT_TRUE(SeqBefore(0xfffffff0, 0x10));
  EXPECT_FALSE(SeqBefore(0x10, 0xfffffff0));
  EXPECT_TRUE(SeqAtMost(5, 5));
  EXPECT_EQ(SeqMax(0xfffffff0, 0x10), 0x10U);
  EXPECT_EQ(SeqMin(0xfffffff0, 0x10), 0xfffffff0U);
  EXPECT_TRUE(SeqWithin(0x5, 0xfffffff0, 0x10));
  EXPECT_FALSE(SeqWithin(0x11, 0xfffffff0, 0x10));
}

TEST(TcpHeaderTest, WritesAndReadsAllSynOptions) {
  TcpHeader header{
      .source_port = 1, .destination_port = 2, .seq = 3, .ack = 4, .flags = kTcpSyn, .window = 5, .options = {}};
  header.options = {.max_segment_bytes = 1460,
                    .window_scale = 7,
                    .has_window_scale = true,
                    .has_timestamps = true,
                    .permits_sack = true,
                    .timestamp = 77,
                    .timestamp_echo = 88,
                    .sack = {}};
  uint8_t bytes[60];
  header.header_bytes = 20 + WriteTcpOptions(header.options, true, bytes + 20);
  WriteTcpHeader(header, bytes);
  EXPECT_EQ(header.header_bytes, 40U);
  TcpHeader read;
  ASSERT_TRUE(ParseTcpHeader(bytes, 40, read));
  EXPECT_EQ(read.seq, 3U);
  EXPECT_EQ(read.options.max_segment_bytes, 1460);
  EXPECT_TRUE(read.options.permits_sack);
  EXPECT_TRUE(read.options.has_window_scale);
  EXPECT_EQ(read.options.window_scale, 7);
  EXPECT_TRUE(read.options.has_timestamps);
  EXPECT_EQ(read.options.timestamp, 77U);
  EXPECT_EQ(read.options.timestamp_echo, 88U);
}

TEST(TcpHeaderTest, CutsSackBlocksToWhatFitsBesideTimestamps) {
  TcpOptionsSeen options;
  options.has_timestamps = true;
  options.sack_count = 4;
  for (uint32_t i = 0; i < 4; ++i) {
    options.sack[i] = {i * 10, i * 10 + 5};
  }
  uint8_t bytes[60] = {};
  const uint32_t size = WriteTcpOptions(options, false, bytes + 20);
  EXPECT_EQ(size, 40U);
  WriteTcpHeader({.flags = kTcpAck, .header_bytes = 20 + size, .options = {}}, bytes);
  TcpHeader read;
  ASSERT_TRUE(ParseTcpHeader(bytes, 60, read));
  EXPECT_EQ(read.options.sack_count, 3);
  EXPECT_EQ(read.options.sack[2].begin, 20U);
  options.has_timestamps = false;
  EXPECT_EQ(WriteTcpOptions(options, false, bytes + 20), 36U);  // four fit then
}

TEST(TcpHeaderTest, RefusesWhatIsNoHeader) {
  uint8_t bytes[60] = {};
  TcpHeader header;
  EXPECT_FALSE(ParseTcpHeader(bytes, 19, header));
  bytes[12] = 4 << 4;
  EXPECT_FALSE(ParseTcpHeader(bytes, 60, header));  // offset below 5
  bytes[12] = 15 << 4;
  EXPECT_FALSE(ParseTcpHeader(bytes, 59, header));  // longer than the segment
  EXPECT_TRUE(ParseTcpHeader(bytes, 60, header));
}

TEST(TcpHeaderTest, StopsAtOptionsOfIllegalLength) {
  uint8_t bytes[28] = {};
  bytes[12] = 7 << 4;
  bytes[13] = kTcpSyn;
  TcpHeader header;
  for (const uint8_t length : {0, 1, 9, 255}) {
    bytes[20] = 2;
    bytes[21] = length;
    ASSERT_TRUE(ParseTcpHeader(bytes, 28, header));
    EXPECT_EQ(header.options.max_segment_bytes, 0);
  }
  // An unknown option is skipped, what follows is read.
  const uint8_t options[8] = {253, 4, 1, 2, 2, 4, 5, 180};
  std::memcpy(bytes + 20, options, 8);
  ASSERT_TRUE(ParseTcpHeader(bytes, 28, header));
  EXPECT_EQ(header.options.max_segment_bytes, 1460);
  // MSS outside of a SYN means nothing; a shift above 14 is 14.
  bytes[13] = kTcpAck;
  ASSERT_TRUE(ParseTcpHeader(bytes, 28, header));
  EXPECT_EQ(header.options.max_segment_bytes, 0);
  bytes[13] = kTcpSyn;
  const uint8_t scale[8] = {3, 3, 200, 0, 0, 0, 0, 0};
  std::memcpy(bytes + 20, scale, 8);
  ASSERT_TRUE(ParseTcpHeader(bytes, 28, header));
  EXPECT_EQ(header.options.window_scale, 14);
}

TEST(RoundTripTest, FollowsRfc6298) {
  RoundTrip rtt;
  EXPECT_EQ(rtt.Rto_ns(), 1_s);
  rtt.Sample(100_ms, 1_s);
  EXPECT_EQ(rtt.smoothed_ns, 100_ms);
  EXPECT_EQ(rtt.variance_ns, 50_ms);
  EXPECT_EQ(rtt.Rto_ns(), 300_ms);
  rtt.Sample(200_ms, 2_s);
  EXPECT_EQ(rtt.variance_ns, 62'500'000U);   // 3/4 * 50 + 1/4 * 100
  EXPECT_EQ(rtt.smoothed_ns, 112'500'000U);  // 7/8 * 100 + 1/8 * 200
  EXPECT_EQ(rtt.Rto_ns(), 362'500'000U);
  rtt = {};
  rtt.Sample(1000, 1_s);
  EXPECT_EQ(rtt.Rto_ns(), 200'001'000U);  // never below 200 ms
  rtt.Sample(500_s, 2_s);
  EXPECT_EQ(rtt.Rto_ns(), 120_s);
}

TEST(CubicTest, CubeRootsAreExact) {
  for (uint64_t i : {0ULL, 1ULL, 2ULL, 7ULL, 100ULL, 65535ULL, 2642245ULL}) {
    EXPECT_EQ(CubeRoot(i * i * i), i);
    if (i > 1) {
      EXPECT_EQ(CubeRoot(i * i * i - 1), i - 1);
    }
  }
  EXPECT_EQ(CubeRoot(~0ULL), 2642245U);
}

TEST(CubicTest, WindowFollowsTheFormula) {
  const uint32_t mss = 1460;
  for (int ms = -4000; ms <= 4000; ms += 250) {
    const double t = ms / 1000.0;
    const double expected = std::max(0.0, 0.4 * t * t * t + 100) * mss;
    EXPECT_NEAR(CubicWindow_bytes(100 * mss, ms, mss), expected, mss * 0.01) << ms;
  }
}

TEST(CubicTest, GrowsBackToTheOldMaximumInKSeconds) {
  const uint32_t mss = 1460;
  Cubic cubic;
  cubic.Begin(mss);
  EXPECT_EQ(cubic.window_bytes, 10 * mss);
  cubic.window_bytes = 1000 * mss;
  cubic.OnLoss(mss);
  EXPECT_EQ(cubic.threshold_bytes, 700 * mss);
  cubic.window_bytes = cubic.threshold_bytes;
  // K = cbrt(300 / 0.4) = 9.0856 s. A round trip of 100 ms, all of the window acknowledged in each.
  uint64_t now = 1_s;
  uint32_t at_k = 0;
  for (int round = 0; round < 120; ++round, now += 100_ms) {
    const uint32_t window = cubic.window_bytes;
    for (uint32_t acked = 0; acked < window; acked += 2 * mss) {
      cubic.OnAck(2 * mss, mss, 100_ms, now);
    }
    if (round == 90) {
      at_k = cubic.window_bytes;
    }
  }
  EXPECT_NEAR(cubic.k_ms, 9085, 3);
  EXPECT_NEAR(at_k / static_cast<double>(mss), 1000, 15);
  EXPECT_GT(cubic.window_bytes, 1003 * mss);  // and beyond, at last
}

TEST(CubicTest, IsNoSlowerThanReno) {
  // RFC 9438, section 4.3: with a short round trip and a small window the Reno estimate leads.
  const uint32_t mss = 1460;
  Cubic cubic;
  cubic.Begin(mss);
  cubic.window_bytes = 20 * mss;
  cubic.OnLoss(mss);
  cubic.window_bytes = cubic.threshold_bytes;
  uint64_t now = 1_s;
  for (int round = 0; round < 40; ++round, now += 10_ms) {
    for (uint32_t acked = 0, window = cubic.window_bytes; acked < window; acked += mss) {
      cubic.OnAck(mss, mss, 10_ms, now);
    }
  }
  // alpha = 9/17 a round until 20 segments are reached (11.3 rounds), then 1.
  EXPECT_GT(cubic.window_bytes, 30 * mss);
}

TEST(CubicTest, FastConvergenceAndSlowStart) {
  const uint32_t mss = 1000;
  Cubic cubic;
  cubic.Begin(mss);
  cubic.OnAck(5000, mss, 1_ms, 1_s);
  EXPECT_EQ(cubic.window_bytes, 15000U);
  cubic.OnLoss(mss);
  EXPECT_EQ(cubic.max_bytes, 15000U);
  cubic.window_bytes = cubic.threshold_bytes;
  cubic.OnLoss(mss);  // below the last maximum: W_max = cwnd * (1 + beta) / 2
  EXPECT_EQ(cubic.max_bytes, 8925U);
  cubic.window_bytes = 1000;
  cubic.OnLoss(mss);
  EXPECT_EQ(cubic.threshold_bytes, 2000U);  // at least two segments
}

TEST(CubicTest, HyStartLeavesSlowStartWhenDelayGrows) {
  const uint32_t mss = 1000;
  Cubic cubic;
  cubic.Begin(mss);
  uint32_t seq = 0;
  const auto round = [&](uint64_t rtt) {
    for (int i = 0; i < 10; ++i) {
      cubic.OnSlowStartSample(rtt, seq + static_cast<uint32_t>(i), seq + 100);
    }
    seq += 100;
  };
  round(20_ms);
  round(20_ms);
  EXPECT_EQ(cubic.conservative_rounds, 0);
  round(30_ms);  // more than max(4, min(16, 20/8)) ms longer
  EXPECT_EQ(cubic.conservative_rounds, 1);
  const uint32_t window = cubic.window_bytes;
  cubic.OnAck(4000, mss, 30_ms, 1_s);
  EXPECT_EQ(cubic.window_bytes, window + 1000);  // a quarter of the growth
  for (int i = 0; i < 6; ++i) {
    round(30_ms);
  }
  EXPECT_FALSE(cubic.in_slow_start());
}

TEST(CubicTest, InitialWindowFollowsRfc6928) {
  EXPECT_EQ(InitialWindow_bytes(1460), 14600U);
  EXPECT_EQ(InitialWindow_bytes(536), 5360U);
  EXPECT_EQ(InitialWindow_bytes(9000), 18000U);
  EXPECT_EQ(InitialWindow_bytes(65000), 130000U);
}

class RecordsTest : public testing::Test {
 protected:
  void SetUp() override { pool_.Init(memory_.environment(), sizeof(SentRecord), 4096); }
  void TearDown() override {
    records_.Clear(pool_);
    pool_.Trim();
    EXPECT_EQ(memory_.held_bytes, 0U);
  }
  TestMemory memory_;
  ObjectPool pool_;
  SentRecords records_;
};

TEST_F(RecordsTest, BytesSentTogetherShareARecord) {
  EXPECT_TRUE(records_.Append(pool_, 0, 100, 5));
  EXPECT_TRUE(records_.Append(pool_, 100, 200, 5));
  EXPECT_EQ(records_.count, 1U);
  EXPECT_TRUE(records_.Append(pool_, 200, 300, 6));
  EXPECT_EQ(records_.count, 2U);
  records_.TakeBack(pool_, 250);
  EXPECT_EQ(records_.tail->end, 250U);
  records_.TakeBack(pool_, 200);
  EXPECT_EQ(records_.count, 1U);
  EXPECT_EQ(records_.tail->end, 200U);
}

TEST_F(RecordsTest, SumsFollowTheFate) {
  records_.Append(pool_, 0, 1000, 1);
  ASSERT_TRUE(records_.Split(pool_, *records_.head, 400));
  SentRecord& first = *records_.head;
  SentRecord& second = *first.next;
  records_.MarkLost(first);
  EXPECT_EQ(records_.lost_bytes, 400U);
  records_.MarkLost(first);
  EXPECT_EQ(records_.lost_bytes, 400U);
  records_.MarkRetransmitted(first, 2);
  EXPECT_EQ(records_.lost_bytes, 0U);
  EXPECT_TRUE(first.was_retransmitted);
  records_.MarkSacked(second);
  EXPECT_EQ(records_.sacked_bytes, 600U);
  records_.MarkLost(first);
  records_.MarkSacked(first);
  EXPECT_EQ(records_.lost_bytes, 0U);
  EXPECT_EQ(records_.sacked_bytes, 1000U);
  records_.MergeSacked(pool_, first);
  EXPECT_EQ(records_.count, 1U);
  EXPECT_EQ(records_.sacked_bytes, 1000U);
  EXPECT_EQ(records_.head->end, 1000U);
  records_.ForgetSacked();
  EXPECT_EQ(records_.sacked_bytes, 0U);
}

class ReassemblyTest : public testing::Test {
 protected:
  void SetUp() override {
    environment_ = memory_.environment();
    blocks_.Init(environment_, 16 * 1024 * 1024);
    runs_.Init(environment_, sizeof(HeldRun), 4096);
  }
  void TearDown() override {
    held_.Clear(blocks_, runs_);
    EXPECT_EQ(held_.block_count, 0U);
    EXPECT_EQ(held_.run_count, 0U);
    EXPECT_EQ(runs_.in_use(), 0U);
    runs_.Trim();
    out_.Clear(blocks_);
    blocks_.Trim();
    blocks_.Destroy();
    EXPECT_EQ(memory_.held_bytes, 0U);
  }
  TestMemory memory_;
  Environment environment_;
  BlockPool blocks_;
  ObjectPool runs_;
  Reassembly held_;
  ByteChain out_;
};

TEST_F(ReassemblyTest, RandomPiecesMakeTheStream) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    const uint32_t base = static_cast<uint32_t>(random());  // also around the wrap
    std::vector<uint8_t> stream(9000);
    for (uint8_t& byte : stream) {
      byte = static_cast<uint8_t>(random());
    }
    std::vector<bool> have(stream.size());
    for (int i = 0; i < 100; ++i) {
      const uint32_t at = 1 + static_cast<uint32_t>(random() % (stream.size() - 1));
      const auto size = static_cast<uint32_t>(std::min<size_t>(1 + random() % 700, stream.size() - at));
      bool is_new = false;
      for (uint32_t j = at; j < at + size; ++j) {
        is_new |= !have[j];
        have[j] = true;
      }
      const auto result = held_.Add(blocks_, runs_, base + at, stream.data() + at, size, 1 << 30);
      ASSERT_EQ(result, is_new ? Reassembly::AddResult::kHeld : Reassembly::AddResult::kDuplicate) << seed << " " << i;
      uint32_t runs = 0;
      for (size_t j = 1; j < have.size(); ++j) {
        runs += have[j] && !have[j - 1] ? 1 : 0;
      }
      ASSERT_EQ(held_.run_count, runs) << seed << " " << i;
    }
    out_.Append(blocks_, stream.data(), 1);
    uint32_t next = 1;
    while (next < stream.size()) {
      next += held_.Take(blocks_, runs_, base + next, out_);
      if (next < stream.size()) {  // the gap, byte by byte
        out_.Append(blocks_, stream.data() + next, 1);
        ++next;
      }
    }
    std::vector<uint8_t> copy(stream.size());
    ChainCursor cursor;
    CopyFromChain(out_, cursor, base, base, copy.data(), static_cast<uint32_t>(copy.size()));
    ASSERT_EQ(copy, stream) << seed;
    out_.Clear(blocks_);
    ASSERT_TRUE(held_.empty());
  }
}

TEST_F(ReassemblyTest, ReportsTheNewestFirst) {
  const uint8_t data[10] = {};
  for (uint32_t seq : {100U, 300U, 200U, 400U}) {
    held_.Add(blocks_, runs_, seq, data, 10, 1 << 20);
  }
  SackBlock blocks[4];
  ASSERT_EQ(held_.Report(blocks, 3), 3U);
  EXPECT_EQ(blocks[0].begin, 400U);
  EXPECT_EQ(blocks[1].begin, 200U);
  EXPECT_EQ(blocks[2].begin, 300U);
  held_.Add(blocks_, runs_, 110, data, 10, 1 << 20);
  ASSERT_EQ(held_.Report(blocks, 4), 4U);
  EXPECT_EQ(blocks[0].begin, 100U);
  EXPECT_EQ(blocks[0].end, 120U);
}

TEST_F(ReassemblyTest, TinySegmentsCannotTakeMoreThanTheLimit) {
  const uint8_t data[1] = {};
  uint32_t refused = 0;
  for (uint32_t i = 0; i < 1000; ++i) {
    refused += held_.Add(blocks_, runs_, 2 + 2 * i, data, 1, 64 * 1024) == Reassembly::AddResult::kRefused ? 1 : 0;
  }
  EXPECT_EQ(held_.run_count, 16U);  // a block each
  EXPECT_EQ(refused, 984U);
  held_.Prune(blocks_, runs_, 8 * 4096);
  EXPECT_EQ(held_.run_count, 8U);
  EXPECT_EQ(held_.first->seq, 2U);  // the far end goes first
}

TEST(ByteChainTest, CursorReadsWhatWasWritten) {
  TestMemory memory;
  const Environment environment = memory.environment();
  BlockPool pool;
  pool.Init(environment, 1 << 20);
  ByteChain chain;
  std::vector<uint8_t> data(30'000);
  for (size_t i = 0; i < data.size(); ++i) {
    data[i] = static_cast<uint8_t>(i * 7 + i / 256);
  }
  ASSERT_EQ(chain.Append(pool, data.data(), 30'000), 30'000U);
  ChainCursor cursor;
  uint32_t head = 0xfffff000;
  const uint32_t first = head;
  uint8_t out[5000];
  for (const auto& [from, count] :
       {std::pair{0U, 5000U}, {5000U, 5000U}, {4080U, 1U}, {29'000U, 1000U}, {12'000U, 3000U}}) {
    CopyFromChain(chain, cursor, head, first + from, out, count);
    EXPECT_EQ(std::memcmp(out, data.data() + from, count), 0) << from;
  }
  chain.DropFront(pool, 6000);
  head += 6000;
  cursor = {};
  CopyFromChain(chain, cursor, head, head + 100, out, 5000);
  EXPECT_EQ(std::memcmp(out, data.data() + 6100, 5000), 0);
  chain.DropFront(pool, 100);  // the front of the cursor's block
  head += 100;
  CopyFromChain(chain, cursor, head, head, out, 10);
  EXPECT_EQ(std::memcmp(out, data.data() + 6100, 10), 0);
  chain.Clear(pool);
  EXPECT_EQ(pool.used_blocks(), 0U);
  pool.Trim();
  pool.Destroy();
}

TEST(ObjectPoolTest, GivesSlabsBack) {
  TestMemory memory;
  ObjectPool pool;
  pool.Init(memory.environment(), 40, 4096);
  std::vector<void*> objects;
  for (int i = 0; i < 1000; ++i) {
    objects.push_back(pool.Allocate());
    ASSERT_NE(objects.back(), nullptr);
    std::memset(objects.back(), i, 40);
  }
  for (size_t i = 0; i < objects.size(); ++i) {
    EXPECT_EQ(*static_cast<uint8_t*>(objects[i]), static_cast<uint8_t>(i));
  }
  void* const last = objects.back();
  pool.Free(last);
  EXPECT_EQ(pool.Allocate(), last);  // the warmest
  for (void* object : objects) {
    pool.Free(object);
  }
  EXPECT_EQ(pool.in_use(), 0U);
  EXPECT_LE(memory.held_bytes, 4096U);
  pool.Trim();
  EXPECT_EQ(memory.held_bytes, 0U);
  memory.is_exhausted = true;
  EXPECT_EQ(pool.Allocate(), nullptr);
}

TEST(SynCookieTest, HoldsForTwoMinutesAndForOneConnection) {
  TestHost host;
  host.Start(5, IpAddress::V4(10, 0, 0, 1), false);
  const TcpLayer& tcp = *host.stack->tcp;
  const Endpoint local{IpAddress::V4(10, 0, 0, 1), 80}, remote{IpAddress::V4(10, 0, 0, 2), 5555};
  const uint64_t now = 1000_s;
  const uint32_t cookie = MakeSynCookie(tcp, local, remote, 42, 1460, now);
  EXPECT_EQ(CheckSynCookie(tcp, local, remote, 42, cookie, now), 1460U);
  EXPECT_EQ(CheckSynCookie(tcp, local, remote, 42, cookie, now + 64_s), 1460U);
  EXPECT_EQ(CheckSynCookie(tcp, local, remote, 42, cookie, now + 128_s), 0U);
  EXPECT_EQ(CheckSynCookie(tcp, local, remote, 43, cookie, now), 0U);
  EXPECT_EQ(CheckSynCookie(tcp, local, {remote.address, 5556}, 42, cookie, now), 0U);
  EXPECT_EQ(CheckSynCookie(tcp, local, remote, 42, cookie ^ 1, now), 0U);
  EXPECT_EQ(CheckSynCookie(tcp, local, remote, 42, cookie ^ 1 << 24, now), 0U);
  EXPECT_EQ(CheckSynCookie(tcp, local, remote, 42, MakeSynCookie(tcp, local, remote, 42, 1459, now), now), 1440U);
  EXPECT_EQ(CheckSynCookie(tcp, local, remote, 42, MakeSynCookie(tcp, local, remote, 42, 100, now), now), 536U);
  RenewSecrets(*host.stack);
  EXPECT_EQ(CheckSynCookie(tcp, local, remote, 42, cookie, now), 0U);
}

TEST(SynCookieTest, TimestampsCarryOptionsAndStayInThePast) {
  for (uint32_t clock : {1000U, 31U, 0x12345678U}) {
    TcpOptionsSeen offered{.window_scale = 9, .has_window_scale = true, .permits_sack = true, .sack = {}};
    const uint32_t stamp = MakeCookieTimestamp(clock, offered);
    EXPECT_LE(clock - stamp, 63U);
    TcpOptionsSeen read;
    ReadCookieTimestamp(stamp, read);
    EXPECT_TRUE(read.permits_sack);
    EXPECT_TRUE(read.has_window_scale);
    EXPECT_EQ(read.window_scale, 9);
    ReadCookieTimestamp(MakeCookieTimestamp(clock, {}), read);
    EXPECT_FALSE(read.permits_sack);
    EXPECT_FALSE(read.has_window_scale);
  }
}

TEST(IsnTest, GrowsWithTimeAndDiffersByTuple) {
  TestHost host;
  host.Start(5, IpAddress::V4(10, 0, 0, 1), false);
  const TcpLayer& tcp = *host.stack->tcp;
  const Endpoint local{IpAddress::V4(10, 0, 0, 1), 80}, remote{IpAddress::V4(10, 0, 0, 2), 5555};
  const uint32_t first = InitialSequence(tcp, local, remote, 1_s);
  EXPECT_EQ(InitialSequence(tcp, local, remote, 1_s + 64'000) - first, 1000U);
  EXPECT_NE(InitialSequence(tcp, local, {remote.address, 5556}, 1_s), first);
  RenewSecrets(*host.stack);
  EXPECT_NE(InitialSequence(tcp, local, remote, 1_s), first);
}

}  // namespace
}  // namespace junction::net
