// SPDX-License-Identifier: Apache-2.0
// Timers and loss recovery, segment by segment. The peer's window is wide and its MSS 1000, round trips take 100 ms.
#include <poll.h>

#include <cerrno>

#include "net/tcp/tcp_fixture.h"

namespace junction::net {
namespace {

class RecoveryTest : public testing::Test {
 protected:
  void Open(bool has_sack, bool has_timestamps = false) {
    bench_.options = {.max_segment_bytes = static_cast<uint16_t>(has_timestamps ? 1012 : 1000),
                      .has_timestamps = has_timestamps,
                      .permits_sack = has_sack,
                      .timestamp = 1,
                      .sack = {}};
    bench_.listener = bench_.Listen();
    bench_.Inject(kTcpSyn, 1000, 0);
    const SeenSegment answer = bench_.TakeOne();
    iss_ = answer.header.seq;
    bench_.Pass(100_ms);
    bench_.options.timestamp_echo = answer.header.options.timestamp;
    bench_.Inject(kTcpAck, 1001, iss_ + 1);
    socket_ = AcceptTcp(*bench_.listener);
    ASSERT_NE(socket_, nullptr);
    events_.Watch(*socket_);
    OptionsOf(*socket_).has_no_delay = true;
  }
  void TearDown() override {
    if (socket_ != nullptr) {
      CloseTcp(*socket_, bench_.now);
    }
  }
  void Write(size_t size) { EXPECT_EQ(WriteAll(*socket_, std::string(size, 'x').data(), size, bench_.now), size); }
  /// The peer acknowledges up to `offset` bytes of data, and reports blocks.
  void Ack(uint32_t offset, std::initializer_list<SackBlock> blocks = {}) {
    bench_.options.sack_count = 0;
    for (const SackBlock& block : blocks) {
      bench_.options.sack[bench_.options.sack_count++] = {iss_ + 1 + block.begin, iss_ + 1 + block.end};
    }
    bench_.Inject(kTcpAck, 1001, iss_ + 1 + offset);
    bench_.options.sack_count = 0;
  }
  /// Offsets of the data segments that were sent since.
  std::vector<uint32_t> Sent() {
    std::vector<uint32_t> offsets;
    for (const SeenSegment& segment : bench_.Take()) {
      offsets.push_back(segment.header.seq - iss_ - 1);
      last_ = segment;
    }
    return offsets;
  }
  using Offsets = std::vector<uint32_t>;
  const StackCounters& counters() { return CountersOf(*bench_.host.stack); }

  Bench bench_;
  TcpSocket* socket_ = nullptr;
  Events events_;
  uint32_t iss_ = 0;
  SeenSegment last_;
};

TEST_F(RecoveryTest, SlowStartDoublesEachRound) {
  Open(true);
  Write(60'000);
  EXPECT_EQ(Sent().size(), 10U);
  bench_.Pass(100_ms);
  Ack(10'000);
  EXPECT_EQ(Sent().size(), 20U);
  bench_.Pass(100_ms);
  Ack(30'000);
  EXPECT_EQ(Sent().size(), 30U);  // all there is
}

TEST_F(RecoveryTest, TimeoutBacksOffAndKarnIgnoresTheAnswer) {
  Open(false);
  Write(500);
  EXPECT_EQ(Sent(), Offsets{0});
  const uint64_t rto = 300_ms;  // 100 + max(200, 4 * 50)
  bench_.Pass(rto - 1);
  EXPECT_EQ(Sent(), Offsets{});
  bench_.Pass(1);
  EXPECT_EQ(Sent(), Offsets{0});
  bench_.Pass(2 * rto);
  EXPECT_EQ(Sent(), Offsets{0});
  bench_.Pass(4 * rto);
  EXPECT_EQ(Sent(), Offsets{0});
  EXPECT_EQ(counters().tcp_timeouts, 3U);
  const uint64_t smoothed = socket_->round_trip.smoothed_ns;
  bench_.Pass(50_ms);
  Ack(500);
  EXPECT_EQ(socket_->round_trip.smoothed_ns, smoothed);  // no sample from what was sent again
  Write(500);
  EXPECT_EQ(Sent(), Offsets{500});
  bench_.Pass(8 * rto - 1);  // the backoff holds until a round trip was measured
  EXPECT_EQ(Sent(), Offsets{});
  bench_.Pass(1);
  EXPECT_EQ(Sent(), Offsets{500});
  Ack(1000);
  Write(500);
  Sent();
  bench_.Pass(100_ms);
  Ack(1500);
  EXPECT_EQ(socket_->backoff, 0);
}

TEST_F(RecoveryTest, GivesUpAfterFifteenRetransmissions) {
  Open(true);
  Write(10);
  bench_.Pass(3000_s);
  EXPECT_EQ(Sent().size(), 16U);
  EXPECT_EQ(StateOf(*socket_), TcpState::kClosed);
  EXPECT_EQ(TakeError(SocketOf(*socket_)), -ETIMEDOUT);
  EXPECT_NE(events_.seen & POLLERR, 0U);
}

TEST_F(RecoveryTest, UserTimeoutEndsSooner) {
  Open(true);
  OptionsOf(*socket_).user_timeout_ms = 2000;
  Write(10);
  bench_.Pass(5_s);
  EXPECT_EQ(StateOf(*socket_), TcpState::kClosed);
  EXPECT_EQ(TakeError(SocketOf(*socket_)), -ETIMEDOUT);
}

TEST_F(RecoveryTest, TimeoutSendsOnlyOneSegmentAndSlowStarts) {
  Open(false);
  Write(10'000);
  EXPECT_EQ(Sent().size(), 10U);
  bench_.Pass(300_ms);
  EXPECT_EQ(Sent(), Offsets{0});
  EXPECT_EQ(socket_->cubic.window_bytes, 1000U);
  EXPECT_EQ(socket_->cubic.threshold_bytes, 7000U);
  Ack(1000);
  EXPECT_EQ(Sent(), (Offsets{1000, 2000}));
  Ack(3000);
  EXPECT_EQ(Sent(), (Offsets{3000, 4000, 5000, 6000}));
}

TEST_F(RecoveryTest, FastRetransmitWithSackAfterThreeSegments) {
  Open(true);
  Write(10'000);
  Sent();
  bench_.Pass(100_ms);
  Ack(0, {{1000, 2000}});
  EXPECT_EQ(Sent(), Offsets{});
  Ack(0, {{1000, 3000}});
  EXPECT_EQ(Sent(), Offsets{});
  Ack(0, {{1000, 4000}});
  EXPECT_EQ(Sent(), Offsets{0});
  EXPECT_EQ(socket_->congestion, CongestionState::kRecovery);
  EXPECT_EQ(socket_->cubic.window_bytes, 7000U);
  EXPECT_EQ(counters().tcp_fast_retransmits, 1U);
  bench_.Pass(50_ms);
  Ack(10'000);
  EXPECT_EQ(socket_->congestion, CongestionState::kOpen);
  EXPECT_EQ(socket_->cubic.window_bytes, 7000U);
}

TEST_F(RecoveryTest, AllHolesAreSentAgain) {
  Open(true);
  Write(10'000);
  Sent();
  bench_.Pass(100_ms);
  // 0, 2 and 5 are lost.
  Ack(0, {{1000, 2000}});
  Ack(0, {{3000, 5000}, {1000, 2000}});
  Ack(0, {{6000, 10'000}, {3000, 5000}, {1000, 2000}});
  EXPECT_EQ(Sent(), (Offsets{0, 2000, 5000}));
  bench_.Pass(100_ms);
  Ack(10'000);
  EXPECT_EQ(Sent(), Offsets{});
  EXPECT_EQ(socket_->records.count, 0U);
}

TEST_F(RecoveryTest, RackToleratesSmallReordering) {
  Open(true);
  Write(3000);
  Sent();
  bench_.Pass(100_ms);
  Ack(0, {{1000, 2000}});
  bench_.Pass(20_ms);  // within a quarter of the round trip
  Ack(3000);
  EXPECT_EQ(Sent(), Offsets{});
  EXPECT_EQ(counters().tcp_retransmits, 0U);
  EXPECT_TRUE(socket_->is_reordering_seen);
}

TEST_F(RecoveryTest, RackTimerFindsWhatDuplicatesDoNot) {
  Open(true);
  Write(2000);
  Sent();
  bench_.Pass(100_ms);
  Ack(0, {{1000, 2000}});
  bench_.Pass(24_ms);
  EXPECT_EQ(Sent(), Offsets{});
  bench_.Pass(2_ms);
  EXPECT_EQ(Sent(), Offsets{0});  // a quarter of the round trip later
}

TEST_F(RecoveryTest, RackFindsALostRetransmission) {
  Open(true);
  Write(10'000);
  Sent();
  bench_.Pass(100_ms);
  Ack(0, {{1000, 6000}});
  EXPECT_EQ(Sent(), Offsets{0});
  Write(4000);
  bench_.Pass(50_ms);
  Ack(0, {{1000, 10'000}});
  const Offsets fresh = Sent();
  ASSERT_FALSE(fresh.empty());
  EXPECT_EQ(fresh[0], 10'000U);
  bench_.Pass(100_ms);
  Ack(0, {{10'000, 14'000}, {1000, 10'000}});  // sent behind the retransmission, and arrived
  bench_.Pass(30_ms);
  EXPECT_EQ(Sent(), Offsets{0});
  EXPECT_EQ(counters().tcp_timeouts, 0U);
}

TEST_F(RecoveryTest, NewRenoWithoutSack) {
  Open(false);
  Write(14'000);
  EXPECT_EQ(Sent().size(), 10U);
  bench_.Pass(100_ms);
  Ack(0);
  Ack(0);
  EXPECT_EQ(Sent(), (Offsets{10'000, 11'000}));  // limited transmit (RFC 3042)
  Ack(0);
  EXPECT_EQ(Sent(), Offsets{0});
  EXPECT_EQ(socket_->congestion, CongestionState::kRecovery);
  bench_.Pass(100_ms);
  Ack(5000);  // partial: the next hole at once
  ASSERT_EQ(Sent().front(), 5000U);
  EXPECT_EQ(socket_->congestion, CongestionState::kRecovery);
  bench_.Pass(100_ms);
  Ack(12'000);
  EXPECT_EQ(socket_->congestion, CongestionState::kOpen);
}

TEST_F(RecoveryTest, TailProbeFindsALostTail) {
  Open(true);
  Write(3000);
  Sent();
  bench_.Pass(199_ms);
  EXPECT_EQ(Sent(), Offsets{});
  bench_.Pass(2_ms);  // 2 * SRTT
  EXPECT_EQ(Sent(), Offsets{2000});
  EXPECT_EQ(counters().tcp_tail_probes, 1U);
  EXPECT_EQ(counters().tcp_timeouts, 0U);
  bench_.Pass(100_ms);
  Ack(2000, {{2000, 3000}});
  Ack(3000);
}

TEST_F(RecoveryTest, TailProbeIsNewDataIfThereIsSome) {
  Open(true);
  bench_.window = 2000;
  Ack(0);
  Write(2000);
  Sent();
  bench_.window = 3000;
  socket_->snd_wnd = 3000;  // as if an update had come that moved nothing else
  socket_->cubic.window_bytes = 3000;
  bench_.Pass(1_ms);
  OptionsOf(*socket_).is_corked = true;
  Write(500);
  EXPECT_EQ(Sent(), Offsets{});
  bench_.Pass(210_ms);
  EXPECT_EQ(Sent(), Offsets{2000});
}

TEST_F(RecoveryTest, ATailProbeThatRepairsALossReducesTheWindow) {
  Open(true);
  Write(3000);
  Sent();
  bench_.Pass(201_ms);
  EXPECT_EQ(Sent(), Offsets{2000});
  Write(1000);
  Sent();
  bench_.Pass(100_ms);
  Ack(4000);
  EXPECT_EQ(socket_->cubic.window_bytes, 7000U);
}

TEST_F(RecoveryTest, ADuplicateReportTellsThatTheProbeWasNotNeeded) {
  Open(true);
  Write(3000);
  Sent();
  bench_.Pass(201_ms);
  EXPECT_EQ(Sent(), Offsets{2000});
  bench_.Pass(10_ms);
  Ack(3000);
  Ack(3000, {{2000, 3000}});
  EXPECT_FALSE(socket_->is_tail_probe_out);
  EXPECT_EQ(socket_->cubic.window_bytes, 10'000U);
}

TEST_F(RecoveryTest, EifelUndoesASpuriousTimeout) {
  Open(true, true);
  Write(10'000);
  EXPECT_EQ(Sent().size(), 10U);
  const uint32_t first_stamp = last_.header.options.timestamp;
  bench_.Pass(1000_ms);  // the probe, the timeout
  Sent();
  EXPECT_EQ(socket_->congestion, CongestionState::kLoss);
  bench_.options.timestamp_echo = first_stamp;  // an answer to the first transmission
  bench_.options.timestamp = 2;
  Ack(1000);
  EXPECT_EQ(socket_->congestion, CongestionState::kOpen);
  EXPECT_GE(socket_->cubic.window_bytes, 10'000U);
  EXPECT_EQ(socket_->records.lost_bytes, 0U);
}

TEST_F(RecoveryTest, RenegedSacksAreForgottenAtTheTimeout) {
  Open(true);
  Write(5000);
  Sent();
  bench_.Pass(100_ms);
  Ack(0, {{1000, 5000}});
  EXPECT_EQ(Sent(), Offsets{0});
  Ack(1000);  // but the rest is said to be missing now
  bench_.Pass(2_s);
  const Offsets sent = Sent();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0], 1000U);
  Ack(5000);
  EXPECT_TRUE(socket_->records.empty());
}

TEST_F(RecoveryTest, ZeroWindowIsProbedWithBackoff) {
  Open(true);
  bench_.window = 0;
  Ack(0);
  Write(100);
  EXPECT_EQ(Sent(), Offsets{});
  bench_.Pass(300_ms);
  EXPECT_EQ(Sent(), Offsets{static_cast<uint32_t>(-1)});  // SND.UNA - 1
  EXPECT_TRUE(last_.payload.empty());
  Ack(0);
  bench_.Pass(600_ms);
  EXPECT_EQ(Sent().size(), 1U);
  Ack(0);
  bench_.Pass(1200_ms);
  EXPECT_EQ(Sent().size(), 1U);
  EXPECT_EQ(counters().tcp_zero_window_probes, 3U);
  bench_.Pass(3600_s);  // as long as the peer answers nothing it goes on
  EXPECT_EQ(StateOf(*socket_), TcpState::kEstablished);
  Sent();
  bench_.window = 1000;
  Ack(0);
  EXPECT_EQ(Sent(), Offsets{0});
  Ack(100);
}

TEST_F(RecoveryTest, SillyWindowsAreNotFilled) {
  Open(true);
  bench_.window = 5000;
  Ack(0);
  Write(10'000);
  EXPECT_EQ(Sent().size(), 5U);
  bench_.window = 300;
  Ack(5000);
  EXPECT_EQ(Sent(), Offsets{});  // not worth it
  bench_.Pass(340_ms);
  EXPECT_EQ(Sent(), Offsets{5000});  // the persist timer's
  EXPECT_EQ(last_.payload.size(), 300U);
}

TEST_F(RecoveryTest, KeepAliveProbesAndGivesUp) {
  Open(true);
  TcpOptions& options = OptionsOf(*socket_);
  options.has_keep_alive = true;
  options.keep_idle_s = 10;
  options.keep_interval_s = 2;
  options.keep_count = 3;
  TcpOptionsChanged(*socket_, bench_.now);
  bench_.Pass(9_s);
  EXPECT_EQ(Sent(), Offsets{});
  bench_.Pass(1_s);
  EXPECT_EQ(Sent(), Offsets{static_cast<uint32_t>(-1)});
  Ack(0);
  bench_.Pass(9_s);
  EXPECT_EQ(Sent(), Offsets{});
  bench_.Pass(2_s);
  EXPECT_EQ(Sent().size(), 1U);
  bench_.Pass(4_s);
  EXPECT_EQ(Sent().size(), 2U);
  bench_.Pass(2_s);
  EXPECT_EQ(bench_.Take().size(), 1U);  // the reset
  EXPECT_EQ(StateOf(*socket_), TcpState::kClosed);
  EXPECT_EQ(TakeError(SocketOf(*socket_)), -ETIMEDOUT);
}

TEST_F(RecoveryTest, DelayedAcksAndEverySecondSegment) {
  Open(true);
  socket_->quick_acks = 0;
  bench_.Inject(kTcpAck, 1001, iss_ + 1, std::string(1000, 'a'));
  bench_.ExpectSilence();
  bench_.Pass(39_ms);
  bench_.ExpectSilence();
  bench_.Pass(1_ms);
  EXPECT_EQ(bench_.TakeOne().header.ack, 2001U);
  bench_.Inject(kTcpAck, 2001, iss_ + 1, std::string(1000, 'a'));
  bench_.ExpectSilence();
  bench_.Inject(kTcpAck, 3001, iss_ + 1, std::string(1000, 'a'));
  EXPECT_EQ(bench_.TakeOne().header.ack, 4001U);
  bench_.Inject(kTcpAck, 4001, iss_ + 1, "q");
  Write(1);  // the answer carries it
  EXPECT_EQ(bench_.TakeOne().header.ack, 4002U);
  bench_.Pass(100_ms);
  bench_.ExpectSilence();
  ReadAll(*socket_, bench_.now);
}

TEST_F(RecoveryTest, QuickAcksAtTheBeginning) {
  Open(true);
  bench_.Inject(kTcpAck, 1001, iss_ + 1, "a");
  EXPECT_EQ(bench_.TakeOne().header.ack, 1002U);
  Write(1);
  bench_.Take();
  bench_.Inject(kTcpAck, 1002, iss_ + 2, "b");  // turns are taken: no more
  bench_.ExpectSilence();
  OptionsOf(*socket_).has_quick_ack = true;
  TcpOptionsChanged(*socket_, bench_.now);
  EXPECT_EQ(bench_.TakeOne().header.ack, 1003U);
  ReadAll(*socket_, bench_.now);
}

TEST_F(RecoveryTest, NagleHoldsASecondPartialSegment) {
  Open(true);
  OptionsOf(*socket_).has_no_delay = false;
  Write(10);
  EXPECT_EQ(Sent(), Offsets{0});
  Write(10);
  Write(10);
  EXPECT_EQ(Sent(), Offsets{});
  Ack(10);
  EXPECT_EQ(Sent(), Offsets{10});
  EXPECT_EQ(last_.payload.size(), 20U);
  EXPECT_NE(last_.header.flags & kTcpPsh, 0);
  Write(1500);
  EXPECT_EQ(Sent(), Offsets{30});  // full segments go
  Ack(1030);
  EXPECT_EQ(Sent(), Offsets{1030});
  Write(5);
  OptionsOf(*socket_).has_no_delay = true;
  TcpOptionsChanged(*socket_, bench_.now);
  EXPECT_EQ(Sent(), Offsets{1530});
}

TEST_F(RecoveryTest, CorkHoldsFor200Milliseconds) {
  Open(true);
  OptionsOf(*socket_).is_corked = true;
  Write(10);
  EXPECT_EQ(Sent(), Offsets{});
  Write(995);
  EXPECT_EQ(Sent(), Offsets{0});
  EXPECT_EQ(last_.payload.size(), 1000U);
  Ack(1000);
  bench_.Pass(199_ms);
  EXPECT_EQ(Sent(), Offsets{});
  bench_.Pass(1_ms);
  EXPECT_EQ(Sent(), Offsets{1000});
  Ack(1005);
  Write(3);
  OptionsOf(*socket_).is_corked = false;
  TcpOptionsChanged(*socket_, bench_.now);
  EXPECT_EQ(Sent(), Offsets{1005});
}

TEST_F(RecoveryTest, ADeviceWithoutRoomCostsNothing) {
  Open(true);
  bench_.host.wire.room_frames = 0;
  Write(3000);
  EXPECT_EQ(Sent(), Offsets{});
  EXPECT_TRUE(SocketOf(*socket_).waiting_node.is_linked());
  bench_.Pass(2_s);
  EXPECT_EQ(socket_->backoff, 0);
  bench_.host.wire.room_frames = ~0U;
  DeviceHasRoom(*bench_.host.stack, bench_.host.wire.device, bench_.now);
  EXPECT_EQ(Sent(), (Offsets{0, 1000, 2000}));
  // The same for an acknowledgement.
  bench_.host.wire.room_frames = 0;
  bench_.Inject(kTcpAck, 1001, iss_ + 3001, "x");
  bench_.Pass(100_ms);
  bench_.host.wire.room_frames = ~0U;
  DeviceHasRoom(*bench_.host.stack, bench_.host.wire.device, bench_.now);
  EXPECT_EQ(bench_.TakeOne().header.ack, 1002U);
  ReadAll(*socket_, bench_.now);
}

TEST_F(RecoveryTest, PacketTooBigIsBelievedForWhatIsUnderWay) {
  Open(true);
  Write(5000);
  Sent();
  const auto too_big = [&](uint32_t seq, uint32_t mtu) {
    uint8_t transport[8];
    StoreBig16(transport, 80);
    StoreBig16(transport + 2, 4000);
    StoreBig32(transport + 4, seq);
    kTcpOps.icmp_error(*bench_.host.stack,
                       {.source = bench_.host.address,
                        .destination = bench_.peer,
                        .protocol = kProtocolTcp,
                        .transport = transport,
                        .transport_bytes = 8,
                        .error = EMSGSIZE,
                        .is_hard = false,
                        .mtu_bytes = mtu,
                        .type = 3,
                        .code = 4},
                       bench_.now);
  };
  too_big(iss_ - 1000, 600);
  EXPECT_EQ(socket_->send_mss_bytes, 1000U);  // not ours
  too_big(iss_ + 1, 600);
  EXPECT_EQ(socket_->send_mss_bytes, 560U);
  const Offsets sent = Sent();
  ASSERT_GE(sent.size(), 3U);
  EXPECT_EQ(sent[0], 0U);
  EXPECT_EQ(sent[1], 560U);
  Ack(5000);
}

TEST_F(RecoveryTest, IdleWindowsStartOver) {
  Open(true);
  Write(30'000);
  Sent();
  bench_.Pass(100_ms);
  Ack(10'000);
  Sent();
  bench_.Pass(100_ms);
  Ack(30'000);
  EXPECT_GT(socket_->cubic.window_bytes, 20'000U);
  bench_.Pass(10_s);
  Write(30'000);
  EXPECT_EQ(Sent().size(), 10U);
}

TEST_F(RecoveryTest, IdleConnectionsWakeNobody) {
  Open(true);
  Write(10);
  bench_.Pass(100_ms);
  Ack(10);
  EXPECT_NE(NextDeadline_ns(*bench_.host.stack), kNever);  // the timer's place is kept for the next exchange
  Trim(*bench_.host.stack);
  EXPECT_EQ(NextDeadline_ns(*bench_.host.stack), kNever);  // until the owner is about to sleep
}

}  // namespace
}  // namespace junction::net
