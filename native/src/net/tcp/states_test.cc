// SPDX-License-Identifier: Apache-2.0
// RFC 9293's states and their transitions, segment by segment.
#include <poll.h>

#include <cerrno>

#include "net/tcp/tcp_fixture.h"

namespace junction::net {
namespace {

TEST(HandshakeTest, PassiveOpenNegotiatesWhatThePeerOffers) {
  Bench bench;
  bench.listener = bench.Listen();
  bench.options = {.max_segment_bytes = 1400,
                   .window_scale = 3,
                   .has_window_scale = true,
                   .has_timestamps = true,
                   .permits_sack = true,
                   .timestamp = 500,
                   .sack = {}};
  bench.Inject(kTcpSyn, 1000, 0);
  const SeenSegment answer = bench.TakeOne();
  EXPECT_EQ(answer.header.ack, 1001U);
  EXPECT_EQ(answer.header.window, 65535);
  EXPECT_EQ(answer.header.options.max_segment_bytes, 1460);
  EXPECT_EQ(answer.header.options.timestamp_echo, 500U);
  EXPECT_TRUE(answer.header.options.permits_sack);
  EXPECT_EQ(answer.header.options.window_scale, 7);
  bench.window = 1000;
  bench.Inject(kTcpAck, 1001, answer.header.seq + 1);
  TcpSocket* const socket = AcceptTcp(*bench.listener);
  ASSERT_NE(socket, nullptr);
  EXPECT_EQ(socket->snd_wnd, 8000U);
  EXPECT_EQ(socket->send_mss_bytes, 1388U);
  EXPECT_EQ(SocketOf(*socket).remote.port, 4000);
}

TEST(HandshakeTest, WithoutOptionsTheDefaultsHold) {
  Bench bench;
  bench.listener = bench.Listen();
  bench.options.max_segment_bytes = 1;
  TcpSocket* const socket = bench.Accept(*bench.listener);
  EXPECT_EQ(socket->send_mss_bytes, 60U);  // not less, however little is offered
  EXPECT_FALSE(socket->uses_timestamps);
  EXPECT_FALSE(socket->uses_window_scale);
  EXPECT_EQ(socket->receive_window_scale, 0);
}

TEST(HandshakeTest, SynAckIsSentAgainAndGivenUp) {
  Bench bench;
  bench.listener = bench.Listen();
  bench.Inject(kTcpSyn, 1000, 0);
  bench.TakeOne();
  uint64_t wait = 1_s;
  for (int i = 0; i < 5; ++i, wait *= 2) {
    bench.Pass(wait - 1);
    bench.ExpectSilence();
    bench.Pass(1);
    EXPECT_EQ(bench.TakeOne().header.flags, kTcpSyn | kTcpAck) << i;
  }
  bench.Pass(40_s);
  bench.ExpectSilence();
  EXPECT_EQ(bench.host.stack->tcp->requests.in_use(), 0U);
  EXPECT_EQ(NextDeadline_ns(*bench.host.stack), kNever);
}

TEST(HandshakeTest, ARequestAnswersSynAgainAndWrongAckByReset) {
  Bench bench;
  bench.listener = bench.Listen();
  bench.Inject(kTcpSyn, 1000, 0);
  const uint32_t iss = bench.TakeOne().header.seq;
  bench.Inject(kTcpSyn, 1000, 0);
  EXPECT_EQ(bench.TakeOne().header.seq, iss);
  bench.Inject(kTcpAck, 1001, iss + 7);
  const SeenSegment reset = bench.TakeOne();
  EXPECT_EQ(reset.header.flags, kTcpRst);
  EXPECT_EQ(reset.header.seq, iss + 7);
  bench.Inject(kTcpRst, 1002, 0);  // in the window, not at its left edge
  EXPECT_EQ(bench.host.stack->tcp->requests.in_use(), 1U);
  bench.Inject(kTcpRst, 1001, 0);
  EXPECT_EQ(bench.host.stack->tcp->requests.in_use(), 0U);
}

TEST(HandshakeTest, ActiveOpenRetriesAndTimesOut) {
  Bench bench;
  TcpSocket* const socket = NewTcpSocket(*bench.host.stack, false);
  Events events;
  events.Watch(*socket);
  OptionsOf(*socket).syn_retries = 2;
  EXPECT_EQ(ConnectTcp(*socket, {bench.peer, 4000}, bench.now), -EINPROGRESS);
  EXPECT_EQ(ConnectTcp(*socket, {bench.peer, 4000}, bench.now), -EALREADY);
  const SeenSegment syn = bench.TakeOne();
  EXPECT_EQ(syn.header.flags, kTcpSyn);
  EXPECT_TRUE(syn.header.options.has_timestamps && syn.header.options.permits_sack &&
              syn.header.options.has_window_scale);
  bench.Pass(1_s);
  EXPECT_EQ(bench.TakeOne().header.seq, syn.header.seq);
  bench.Pass(2_s);
  EXPECT_EQ(bench.TakeOne().header.seq, syn.header.seq);
  bench.Pass(4_s);
  bench.ExpectSilence();
  EXPECT_EQ(StateOf(*socket), TcpState::kClosed);
  EXPECT_TRUE((events.seen & (POLLERR | POLLHUP)) == (POLLERR | POLLHUP));
  EXPECT_EQ(TakeError(SocketOf(*socket)), -ETIMEDOUT);
  // It may be tried again.
  EXPECT_EQ(ConnectTcp(*socket, {bench.peer, 4000}, bench.now), -EINPROGRESS);
  CloseTcp(*socket, bench.now);
}

TEST(HandshakeTest, ActiveOpenIsRefused) {
  Bench bench;
  TcpSocket* const socket = NewTcpSocket(*bench.host.stack, false);
  ConnectTcp(*socket, {bench.peer, 4000}, bench.now);
  const SeenSegment syn = bench.TakeOne();
  bench.port = syn.header.source_port;
  bench.Inject(kTcpRst, 0, 0);  // without ACK: anybody could send it
  EXPECT_EQ(StateOf(*socket), TcpState::kSynSent);
  bench.Inject(kTcpRst | kTcpAck, 0, syn.header.seq + 2);
  EXPECT_EQ(StateOf(*socket), TcpState::kSynSent);
  bench.ExpectSilence();
  bench.Inject(kTcpRst | kTcpAck, 0, syn.header.seq + 1);
  EXPECT_EQ(StateOf(*socket), TcpState::kClosed);
  int error = 0;
  ReadSpan(*socket, 0, error);
  EXPECT_EQ(error, -ECONNREFUSED);
  ReadSpan(*socket, 0, error);
  EXPECT_EQ(error, 0);  // as Linux after tcp_done
  CloseTcp(*socket, bench.now);
}

TEST(HandshakeTest, AWrongAckOfOurSynIsReset) {
  Bench bench;
  TcpSocket* const socket = NewTcpSocket(*bench.host.stack, false);
  ConnectTcp(*socket, {bench.peer, 4000}, bench.now);
  const SeenSegment syn = bench.TakeOne();
  bench.port = syn.header.source_port;
  bench.Inject(kTcpSyn | kTcpAck, 500, syn.header.seq + 9);
  const SeenSegment reset = bench.TakeOne();
  EXPECT_EQ(reset.header.flags, kTcpRst);
  EXPECT_EQ(reset.header.seq, syn.header.seq + 9);
  EXPECT_EQ(StateOf(*socket), TcpState::kSynSent);
  CloseTcp(*socket, bench.now);
}

TEST(HandshakeTest, SimultaneousOpen) {
  Bench bench;
  TcpSocket* const socket = NewTcpSocket(*bench.host.stack, false);
  Events events;
  events.Watch(*socket);
  ConnectTcp(*socket, {bench.peer, 4000}, bench.now);
  const SeenSegment syn = bench.TakeOne();
  bench.port = syn.header.source_port;
  bench.Inject(kTcpSyn, 500, 0);
  EXPECT_EQ(StateOf(*socket), TcpState::kSynReceived);
  const SeenSegment answer = bench.TakeOne();
  EXPECT_EQ(answer.header.flags, kTcpSyn | kTcpAck);
  EXPECT_EQ(answer.header.seq, syn.header.seq);
  EXPECT_EQ(answer.header.ack, 501U);
  bench.Inject(kTcpSyn | kTcpAck, 500, syn.header.seq + 1);
  EXPECT_EQ(StateOf(*socket), TcpState::kEstablished);
  EXPECT_NE(events.seen & POLLOUT, 0U);
  bench.Inject(kTcpAck, 501, syn.header.seq + 1, "hi");
  EXPECT_EQ(ReadAll(*socket, bench.now), "hi");
  AbortTcp(*socket, ECONNABORTED, bench.now);
  CloseTcp(*socket, bench.now);
}

TEST(HandshakeTest, TwoStacksOpenAtTheSameTime) {
  TcpPair pair;
  TcpSocket* ends[2];
  for (int i = 0; i < 2; ++i) {
    ends[i] = NewTcpSocket(*pair.host[i].stack, false);
    ASSERT_EQ(BindTcp(*ends[i], {AnyAddress(false), static_cast<uint16_t>(100 + i)}), 0);
  }
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(ConnectTcp(*ends[i], {pair.host[1 - i].address, static_cast<uint16_t>(101 - i)}, pair.now), -EINPROGRESS);
  }
  pair.Run(10_ms);
  EXPECT_EQ(StateOf(*ends[0]), TcpState::kEstablished);
  EXPECT_EQ(StateOf(*ends[1]), TcpState::kEstablished);
  WriteAll(*ends[0], "a", 1, pair.now);
  WriteAll(*ends[1], "b", 1, pair.now);
  pair.Run(10_ms);
  EXPECT_EQ(ReadAll(*ends[0], pair.now), "b");
  EXPECT_EQ(ReadAll(*ends[1], pair.now), "a");
  // … and close at the same time.
  CloseTcp(*ends[0], pair.now);
  EXPECT_EQ(ShutdownTcp(*ends[1], 2, pair.now), 0);
  EXPECT_EQ(StateOf(*ends[1]), TcpState::kFinWait1);
  pair.Run(1_ms);
  EXPECT_EQ(StateOf(*ends[1]), TcpState::kClosing);
  pair.Run(10_ms);
  EXPECT_EQ(StateOf(*ends[1]), TcpState::kClosed);
  CloseTcp(*ends[1], pair.now);
  for (TestHost& host : pair.host) {
    EXPECT_EQ(host.stack->tcp->time_waits.in_use(), 1U);
    EXPECT_EQ(host.stack->tcp->sockets.in_use(), 0U);
  }
  pair.Run(60_s);
  for (TestHost& host : pair.host) {
    EXPECT_EQ(host.stack->tcp->time_waits.in_use(), 0U);
  }
}

TEST(HandshakeTest, SelfConnectOverLoopback) {
  TestHost host;
  host.Start(3, IpAddress::V4(10, 0, 0, 1), false);
  TcpSocket* const socket = NewTcpSocket(*host.stack, false);
  ASSERT_EQ(BindTcp(*socket, {IpAddress::V4(127, 0, 0, 1), 777}), 0);
  EXPECT_EQ(ConnectTcp(*socket, {IpAddress::V4(127, 0, 0, 1), 777}, 1_s), -EINPROGRESS);
  Flush(*host.stack, 1_s);
  EXPECT_EQ(StateOf(*socket), TcpState::kEstablished);
  WriteAll(*socket, "echo", 4, 1_s);
  Flush(*host.stack, 1_s);
  EXPECT_EQ(ReadAll(*socket, 1_s), "echo");
  CloseTcp(*socket, 1_s);
  Flush(*host.stack, 1_s);
}

TEST(ListenTest, BacklogBoundsWhoIsNotAccepted) {
  Bench bench;
  bench.listener = bench.Listen(1);
  for (uint16_t i = 0; i < 2; ++i) {
    bench.peer_port = static_cast<uint16_t>(4000 + i);
    bench.Inject(kTcpSyn, 1000, 0);
    bench.Inject(kTcpAck, 1001, bench.TakeOne().header.seq + 1);
  }
  EXPECT_EQ(AcceptQueue_length(*bench.listener), 2U);  // one more than the backlog, as in Linux
  bench.peer_port = 4002;
  bench.Inject(kTcpSyn, 1000, 0);
  bench.ExpectSilence();
  EXPECT_EQ(CountersOf(*bench.host.stack).tcp_listen_overflows, 1U);
  CloseTcp(*AcceptTcp(*bench.listener), bench.now);
  bench.Take();
  bench.Inject(kTcpSyn, 1000, 0);
  bench.TakeOne();
}

TEST(ListenTest, AnAckThatFindsTheQueueFullIsTriedAgain) {
  Bench bench;
  bench.listener = bench.Listen(0);
  uint32_t iss[2];
  for (uint16_t i = 0; i < 1; ++i) {
    bench.Inject(kTcpSyn, 1000, 0);
    iss[i] = bench.TakeOne().header.seq;
  }
  bench.Inject(kTcpAck, 1001, iss[0] + 1);
  EXPECT_EQ(AcceptQueue_length(*bench.listener), 1U);
  TcpSocket* const first = AcceptTcp(*bench.listener);
  // Two requests; the first that is acknowledged fills the queue.
  bench.peer_port = 4001;
  bench.Inject(kTcpSyn, 1000, 0);
  iss[0] = bench.TakeOne().header.seq;
  ASSERT_EQ(ListenTcp(*bench.listener, 1), 0);
  bench.peer_port = 4002;
  bench.Inject(kTcpSyn, 1000, 0);
  iss[1] = bench.TakeOne().header.seq;
  ASSERT_EQ(ListenTcp(*bench.listener, 0), 0);
  bench.peer_port = 4001;
  bench.Inject(kTcpAck, 1001, iss[0] + 1);
  bench.peer_port = 4002;
  bench.Inject(kTcpAck, 1001, iss[1] + 1);
  EXPECT_EQ(AcceptQueue_length(*bench.listener), 1U);
  EXPECT_EQ(CountersOf(*bench.host.stack).tcp_listen_overflows, 1U);
  CloseTcp(*AcceptTcp(*bench.listener), bench.now);
  bench.Take();
  bench.Pass(1_s);  // SYN-ACK again
  const auto again = bench.Take();
  ASSERT_FALSE(again.empty());
  bench.Inject(kTcpAck, 1001, iss[1] + 1);
  EXPECT_EQ(AcceptQueue_length(*bench.listener), 1U);
  CloseTcp(*first, bench.now);
}

TEST(ListenTest, AFloodIsAnsweredByCookies) {
  Bench bench;
  bench.listener = bench.Listen(4);
  bench.options = {.max_segment_bytes = 1460,
                   .window_scale = 5,
                   .has_window_scale = true,
                   .has_timestamps = true,
                   .permits_sack = true,
                   .timestamp = 10,
                   .sack = {}};
  uint32_t last = 0;
  SeenSegment answer;
  for (uint16_t i = 0; i < 1000; ++i) {
    bench.peer_port = static_cast<uint16_t>(10'000 + i);
    bench.Inject(kTcpSyn, 1000, 0);
    answer = bench.TakeOne();
    last = answer.header.seq;
  }
  EXPECT_EQ(bench.host.stack->tcp->requests.in_use(), 5U);
  EXPECT_EQ(CountersOf(*bench.host.stack).tcp_cookies_sent, 995U);
  bench.options.timestamp = 11;
  bench.options.timestamp_echo = answer.header.options.timestamp;
  bench.Inject(kTcpAck, 1001, last + 2);  // wrong
  EXPECT_EQ(bench.TakeOne().header.flags, kTcpRst);
  bench.Inject(kTcpAck, 1001, last + 1, "data at once");
  TcpSocket* const socket = AcceptTcp(*bench.listener);
  ASSERT_NE(socket, nullptr);
  EXPECT_TRUE(socket->uses_sack);
  EXPECT_EQ(socket->send_window_scale, 5);
  EXPECT_EQ(socket->send_mss_bytes, 1448U);
  EXPECT_EQ(ReadAll(*socket, bench.now), "data at once");
  EXPECT_EQ(CountersOf(*bench.host.stack).tcp_cookies_good, 1U);
  bench.Take();
  CloseTcp(*socket, bench.now);
}

TEST(ListenTest, WithoutFloodAnAckForNobodyIsReset) {
  Bench bench;
  bench.listener = bench.Listen();
  bench.Inject(kTcpAck, 1001, 77);
  EXPECT_EQ(bench.TakeOne().header.flags, kTcpRst);
  bench.Inject(kTcpRst, 1001, 0);
  bench.ExpectSilence();
  bench.port = 81;
  bench.Inject(kTcpSyn, 1000, 0);
  const SeenSegment reset = bench.TakeOne();
  EXPECT_EQ(reset.header.flags, kTcpRst | kTcpAck);
  EXPECT_EQ(reset.header.ack, 1001U);
}

TEST(ListenTest, DeferAcceptWaitsForData) {
  Bench bench;
  bench.listener = bench.Listen();
  OptionsOf(*bench.listener).defer_accept_s = 5;
  bench.Inject(kTcpSyn, 1000, 0);
  const uint32_t iss = bench.TakeOne().header.seq;
  bench.Inject(kTcpAck, 1001, iss + 1);
  EXPECT_EQ(AcceptTcp(*bench.listener), nullptr);
  bench.Pass(3_s);
  bench.ExpectSilence();  // acknowledged: no SYN-ACK again
  bench.Inject(kTcpAck, 1001, iss + 1, "x");
  TcpSocket* const socket = AcceptTcp(*bench.listener);
  ASSERT_NE(socket, nullptr);
  EXPECT_EQ(ReadAll(*socket, bench.now), "x");
  CloseTcp(*socket, bench.now);
}

TEST(ListenTest, DeferralEnds) {
  Bench bench;
  bench.listener = bench.Listen();
  OptionsOf(*bench.listener).defer_accept_s = 2;
  bench.Inject(kTcpSyn, 1000, 0);
  const uint32_t iss = bench.TakeOne().header.seq;
  bench.Inject(kTcpAck, 1001, iss + 1);
  bench.Pass(3_s);
  EXPECT_EQ(bench.TakeOne().header.flags, kTcpSyn | kTcpAck);  // asks once more
  bench.Inject(kTcpAck, 1001, iss + 1);
  TcpSocket* const socket = AcceptTcp(*bench.listener);
  ASSERT_NE(socket, nullptr);
  CloseTcp(*socket, bench.now);
}

TEST(ListenTest, ClosingResetsWhoWaits) {
  Bench bench;
  bench.listener = bench.Listen();
  bench.Inject(kTcpSyn, 1000, 0);
  bench.Inject(kTcpAck, 1001, bench.TakeOne().header.seq + 1);
  bench.peer_port = 4001;
  bench.Inject(kTcpSyn, 1000, 0);
  bench.TakeOne();
  CloseTcp(*bench.listener, bench.now);
  EXPECT_EQ(bench.TakeOne().header.flags, kTcpRst | kTcpAck);
  EXPECT_EQ(bench.host.stack->tcp->sockets.in_use(), 0U);
  EXPECT_EQ(bench.host.stack->tcp->requests.in_use(), 0U);
  bench.Inject(kTcpSyn, 1000, 0);
  EXPECT_EQ(bench.TakeOne().header.flags, kTcpRst | kTcpAck);
}

TEST(ListenTest, MostSpecificListenerWins) {
  Bench bench;
  TcpSocket* const any = bench.Listen();
  TcpSocket* const exact = NewTcpSocket(*bench.host.stack, false);
  SocketOf(*exact).reuses_address = SocketOf(*any).reuses_address = true;
  // Two listeners at overlapping places are refused (socket(7)), unless both reuse the port.
  EXPECT_EQ(BindTcp(*exact, {bench.host.address, 80}), -EADDRINUSE);
  SocketOf(*exact).reuses_port = SocketOf(*any).reuses_port = true;
  EXPECT_EQ(BindTcp(*exact, {bench.host.address, 80}), 0);
  EXPECT_EQ(ListenTcp(*exact, 5), 0);
  bench.Inject(kTcpSyn, 1000, 0);
  bench.Inject(kTcpAck, 1001, bench.TakeOne().header.seq + 1);
  EXPECT_EQ(AcceptQueue_length(*exact), 1U);
  EXPECT_EQ(AcceptQueue_length(*any), 0U);
}

TEST(ListenTest, ReusePortSharesFlows) {
  Bench bench;
  TcpSocket* group[4];
  for (TcpSocket*& member : group) {
    member = NewTcpSocket(*bench.host.stack, false);
    SocketOf(*member).reuses_port = true;
    ASSERT_EQ(BindTcp(*member, {AnyAddress(false), 80}), 0);
    ASSERT_EQ(ListenTcp(*member, 1000), 0);
  }
  for (uint16_t i = 0; i < 400; ++i) {
    bench.peer_port = static_cast<uint16_t>(2000 + i);
    bench.Inject(kTcpSyn, 1000, 0);
    bench.Inject(kTcpAck, 1001, bench.TakeOne().header.seq + 1);
  }
  for (TcpSocket* const member : group) {
    EXPECT_GT(AcceptQueue_length(*member), 60U);
  }
}

TEST(ReceiveTest, WindowCutsWhatLiesBeyond) {
  Bench bench;
  TcpSocket* socket = bench.Established();
  SetTcpReceiveBuffer(*socket, 2000);
  const uint32_t edge = socket->rcv_adv;
  const uint32_t room = edge - 1001;
  bench.Inject(kTcpAck, 1001, bench.iss + 1, std::string(1000, 'a'));
  bench.Inject(kTcpAck | kTcpPsh, edge - 10, bench.iss + 1, std::string(100, 'z'));
  EXPECT_EQ(socket->out_of_order.first->end, edge);
  EXPECT_GT(room, 2000U);
  bench.Take();
  bench.Inject(kTcpAck, edge + 5, bench.iss + 1, "beyond");
  EXPECT_EQ(bench.TakeOne().header.ack, 2001U);
  CloseTcp(*socket, bench.now);
}

TEST(ReceiveTest, UrgentDataIsPartOfTheStream) {
  Bench bench;
  TcpSocket* const socket = bench.Established();
  bench.Inject(kTcpAck | kTcpUrg, 1001, bench.iss + 1, "abc");
  EXPECT_EQ(ReadAll(*socket, bench.now), "abc");
  CloseTcp(*socket, bench.now);
}

TEST(ReceiveTest, OutOfOrderIsReportedAndJoined) {
  Bench bench;
  bench.options.permits_sack = true;
  bench.options.max_segment_bytes = 1460;
  TcpSocket* const socket = bench.Established();
  bench.Inject(kTcpAck, 1004, bench.iss + 1, "def");
  SeenSegment answer = bench.TakeOne();
  EXPECT_EQ(answer.header.ack, 1001U);
  ASSERT_EQ(answer.header.options.sack_count, 1);
  EXPECT_EQ(answer.header.options.sack[0].begin, 1004U);
  EXPECT_EQ(answer.header.options.sack[0].end, 1007U);
  bench.Inject(kTcpAck | kTcpFin, 1010, bench.iss + 1, "jk");
  answer = bench.TakeOne();
  ASSERT_EQ(answer.header.options.sack_count, 2);
  EXPECT_EQ(answer.header.options.sack[0].begin, 1010U);
  bench.Inject(kTcpAck, 1001, bench.iss + 1, "abc");
  EXPECT_EQ(bench.TakeOne().header.ack, 1007U);
  bench.Inject(kTcpAck, 1007, bench.iss + 1, "ghi");
  EXPECT_EQ(bench.TakeOne().header.ack, 1013U);  // with the FIN
  EXPECT_EQ(ReadAll(*socket, bench.now), "abcdefghijk");
  EXPECT_EQ(StateOf(*socket), TcpState::kCloseWait);
  // A duplicate is reported (RFC 2883).
  bench.Inject(kTcpAck, 1004, bench.iss + 1, "def");
  answer = bench.TakeOne();
  ASSERT_EQ(answer.header.options.sack_count, 1);
  EXPECT_EQ(answer.header.options.sack[0].begin, 1004U);
  EXPECT_EQ(answer.header.options.sack[0].end, 1007U);
  CloseTcp(*socket, bench.now);
}

TEST(AttackTest, ResetsNeedTheExactNumber) {
  Bench bench;
  TcpSocket* const socket = bench.Established();
  Events events;
  events.Watch(*socket);
  bench.Inject(kTcpRst, 1002, 0);
  EXPECT_EQ(bench.TakeOne().header.flags, kTcpAck);  // challenge
  EXPECT_EQ(StateOf(*socket), TcpState::kEstablished);
  bench.Inject(kTcpRst, 1001 + 100'000'000, 0);  // outside: not even that
  bench.ExpectSilence();
  bench.Inject(kTcpRst, 1001, 0);
  EXPECT_EQ(StateOf(*socket), TcpState::kClosed);
  EXPECT_EQ(events.seen, static_cast<uint32_t>(POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR));
  int error = 0;
  WriteSpan(*socket, error);
  EXPECT_EQ(error, -ECONNRESET);
  WriteSpan(*socket, error);
  EXPECT_EQ(error, -EPIPE);
  ReadSpan(*socket, 0, error);
  EXPECT_EQ(error, 0);
  CloseTcp(*socket, bench.now);
}

TEST(AttackTest, ASynInTheConnectionIsChallenged) {
  Bench bench;
  TcpSocket* const socket = bench.Established();
  bench.Inject(kTcpSyn, 1001, 0);
  SeenSegment answer = bench.TakeOne();
  EXPECT_EQ(answer.header.flags, kTcpAck);
  EXPECT_EQ(answer.header.ack, 1001U);
  EXPECT_EQ(StateOf(*socket), TcpState::kEstablished);
  CloseTcp(*socket, bench.now);
}

TEST(AttackTest, AcknowledgementsOutsideTheRangeAreChallenged) {
  Bench bench;
  TcpSocket* const socket = bench.Established();
  bench.Inject(kTcpAck, 1001, bench.iss + 2, "evil");
  EXPECT_EQ(bench.TakeOne().header.flags, kTcpAck);
  bench.Inject(kTcpAck, 1001, bench.iss + 1 - 100'000, "evil");
  EXPECT_EQ(bench.TakeOne().header.flags, kTcpAck);
  EXPECT_EQ(Readable_bytes(*socket), 0U);
  EXPECT_EQ(CountersOf(*bench.host.stack).tcp_challenge_acks, 2U);
  CloseTcp(*socket, bench.now);
}

TEST(AttackTest, ChallengesAreLimited) {
  Bench bench;
  TcpSocket* const socket = bench.Established();
  for (int i = 0; i < 10; ++i) {
    bench.Inject(kTcpRst, 1002, 0);
  }
  EXPECT_EQ(bench.Take().size(), 1U);  // one in half a second for this connection
  bench.Pass(500_ms);
  bench.Inject(kTcpRst, 1002, 0);
  EXPECT_EQ(bench.Take().size(), 1U);
  for (int i = 0; i < 3000; ++i) {
    bench.Inject(kTcpSyn, 1001, 0);
  }
  const size_t count = bench.Take().size();  // and so many a second for the stack
  EXPECT_GE(count, 498U);
  EXPECT_LT(count, 1000U);
  CloseTcp(*socket, bench.now);
}

TEST(AttackTest, PawsDropsOldTimestamps) {
  Bench bench;
  bench.options = {.max_segment_bytes = 1460, .has_timestamps = true, .timestamp = 1000, .sack = {}};
  TcpSocket* const socket = bench.Established();
  bench.options.timestamp = 1010;
  bench.Inject(kTcpAck, 1001, bench.iss + 1, "a");
  bench.options.timestamp = 1009;
  bench.Take();
  bench.Inject(kTcpAck, 1002, bench.iss + 1, "b");
  EXPECT_EQ(bench.TakeOne().header.ack, 1002U);
  EXPECT_EQ(Readable_bytes(*socket), 1U);
  bench.options.has_timestamps = false;
  bench.Inject(kTcpAck, 1002, bench.iss + 1, "b");  // RFC 7323, section 3.2
  EXPECT_EQ(Readable_bytes(*socket), 1U);
  bench.Inject(kTcpRst, 1002, 0);  // but a reset needs none
  EXPECT_EQ(StateOf(*socket), TcpState::kClosed);
  CloseTcp(*socket, bench.now);
}

TEST(CloseTest, ActiveCloseGoesThroughAllStates) {
  Bench bench;
  TcpSocket* const socket = bench.Established();
  Events events;
  events.Watch(*socket);
  EXPECT_EQ(ShutdownTcp(*socket, 2, bench.now), 0);
  EXPECT_EQ(StateOf(*socket), TcpState::kFinWait1);
  EXPECT_EQ(bench.TakeOne().header.flags, kTcpFin | kTcpAck);
  bench.Inject(kTcpAck, 1001, bench.iss + 2);
  EXPECT_EQ(StateOf(*socket), TcpState::kFinWait2);
  bench.Inject(kTcpAck, 1001, bench.iss + 2, "late");  // half closed: we still read
  EXPECT_EQ(ReadAll(*socket, bench.now), "late");
  int error = 0;
  WriteSpan(*socket, error);
  EXPECT_EQ(error, -EPIPE);
  bench.Take();
  bench.Inject(kTcpFin | kTcpAck, 1005, bench.iss + 2);
  EXPECT_EQ(bench.TakeOne().header.ack, 1006U);
  EXPECT_EQ(StateOf(*socket), TcpState::kClosed);  // TIME_WAIT is not the socket's any more, as in Linux
  EXPECT_NE(events.seen & POLLHUP, 0U);
  EXPECT_EQ(bench.host.stack->tcp->time_waits.in_use(), 1U);
  CloseTcp(*socket, bench.now);
}

TEST(CloseTest, PassiveClose) {
  Bench bench;
  TcpSocket* const socket = bench.Established();
  bench.Inject(kTcpFin | kTcpAck, 1001, bench.iss + 1, "last");
  EXPECT_EQ(StateOf(*socket), TcpState::kCloseWait);
  EXPECT_EQ(bench.TakeOne().header.ack, 1006U);
  EXPECT_EQ(ReadAll(*socket, bench.now), "last");
  WriteAll(*socket, "answer", 6, bench.now);
  EXPECT_EQ(bench.TakeOne().payload.size(), 6U);
  CloseTcp(*socket, bench.now);
  EXPECT_EQ(bench.TakeOne().header.flags, kTcpFin | kTcpAck);
  EXPECT_EQ(bench.host.stack->tcp->sockets.in_use(), 2U);
  bench.Inject(kTcpAck, 1006, bench.iss + 8);
  EXPECT_EQ(bench.host.stack->tcp->sockets.in_use(), 1U);  // the listener
}

TEST(CloseTest, UnreadDataAndLingerZeroReset) {
  for (const bool lingers : {false, true}) {
    Bench bench;
    TcpSocket* const socket = bench.Established();
    if (lingers) {
      OptionsOf(*socket).lingers = true;
    } else {
      bench.Inject(kTcpAck, 1001, bench.iss + 1, "unread");
    }
    bench.Take();
    CloseTcp(*socket, bench.now);
    EXPECT_EQ(bench.TakeOne().header.flags, kTcpRst | kTcpAck);
    EXPECT_EQ(bench.host.stack->tcp->sockets.in_use(), 1U);
  }
}

TEST(CloseTest, DataForAnOrphanIsReset) {
  Bench bench;
  TcpSocket* const socket = bench.Established();
  CloseTcp(*socket, bench.now);
  bench.Take();
  bench.Inject(kTcpAck, 1001, bench.iss + 2, "nobody reads this");
  EXPECT_EQ(bench.TakeOne().header.flags, kTcpRst | kTcpAck);
  EXPECT_EQ(bench.host.stack->tcp->sockets.in_use(), 1U);
}

TEST(CloseTest, FinWait2OfAnOrphanEnds) {
  Bench bench;
  TcpSocket* const socket = bench.Established();
  CloseTcp(*socket, bench.now);
  bench.Take();
  bench.Inject(kTcpAck, 1001, bench.iss + 2);
  bench.Pass(59_s);
  EXPECT_EQ(bench.host.stack->tcp->sockets.in_use(), 2U);
  bench.Pass(2_s);
  EXPECT_EQ(bench.host.stack->tcp->sockets.in_use(), 1U);
}

TEST(CloseTest, UnsentDataLeaveBeforeTheFin) {
  Bench bench;
  bench.window = 2;
  TcpSocket* const socket = bench.Established();
  WriteAll(*socket, "abcdef", 6, bench.now);
  CloseTcp(*socket, bench.now);
  auto first = bench.Take();
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].payload.size(), 2U);
  EXPECT_EQ(first[0].header.flags & kTcpFin, 0);
  bench.window = 100;
  bench.Inject(kTcpAck, 1001, bench.iss + 3);
  const SeenSegment rest = bench.TakeOne();
  EXPECT_EQ(rest.payload.size(), 4U);
  EXPECT_NE(rest.header.flags & kTcpFin, 0);
  bench.Inject(kTcpFin | kTcpAck, 1001, bench.iss + 8);
  EXPECT_EQ(bench.TakeOne().header.ack, 1002U);
  EXPECT_EQ(bench.host.stack->tcp->sockets.in_use(), 1U);
}

class TimeWaitTest : public testing::Test {
 protected:
  void Enter(bool has_timestamps) {
    if (has_timestamps) {
      bench_.options = {.max_segment_bytes = 1460, .has_timestamps = true, .timestamp = 1000, .sack = {}};
    }
    TcpSocket* const socket = bench_.Established();
    CloseTcp(*socket, bench_.now);
    bench_.Take();
    bench_.Inject(kTcpFin | kTcpAck, 1001, bench_.iss + 2);
    bench_.Take();
    EXPECT_EQ(Count(), 1U);
  }
  uint32_t Count() { return bench_.host.stack->tcp->time_waits.in_use(); }
  Bench bench_;
};

TEST_F(TimeWaitTest, AnswersTheFinAgainAndStartsOver) {
  Enter(false);
  bench_.Pass(59_s);
  bench_.Inject(kTcpFin | kTcpAck, 1001, bench_.iss + 2);
  const SeenSegment answer = bench_.TakeOne();
  EXPECT_EQ(answer.header.ack, 1002U);
  EXPECT_EQ(answer.header.seq, bench_.iss + 2);
  bench_.Pass(59_s);
  EXPECT_EQ(Count(), 1U);
  bench_.Pass(1_s);
  EXPECT_EQ(Count(), 0U);
}

TEST_F(TimeWaitTest, IgnoresResets) {
  Enter(false);
  bench_.Inject(kTcpRst, 1002, 0);
  EXPECT_EQ(Count(), 1U);
}

TEST_F(TimeWaitTest, IsReusedByANewerSyn) {
  Enter(false);
  bench_.Inject(kTcpSyn, 900, 0);  // older numbers
  EXPECT_EQ(bench_.TakeOne().header.flags, kTcpAck);
  EXPECT_EQ(Count(), 1U);
  bench_.Inject(kTcpSyn, 5000, 0);
  const SeenSegment answer = bench_.TakeOne();
  EXPECT_EQ(answer.header.flags, kTcpSyn | kTcpAck);
  EXPECT_TRUE(SeqAfter(answer.header.seq, bench_.iss + 2));
  EXPECT_EQ(Count(), 0U);
}

TEST_F(TimeWaitTest, TimestampsDecideWhereTheyAreUsed) {
  Enter(true);
  bench_.options.timestamp = 999;
  bench_.Inject(kTcpSyn, 5000, 0);
  EXPECT_EQ(bench_.TakeOne().header.flags, kTcpAck);
  bench_.options.timestamp = 1001;
  bench_.Inject(kTcpSyn, 10, 0);  // RFC 6191: older number, newer timestamp
  EXPECT_EQ(bench_.TakeOne().header.flags, kTcpSyn | kTcpAck);
}

TEST_F(TimeWaitTest, KeepsItsPort) {
  Enter(false);
  CloseTcp(*bench_.listener, bench_.now);
  TcpSocket* const again = NewTcpSocket(*bench_.host.stack, false);
  EXPECT_EQ(BindTcp(*again, {AnyAddress(false), 80}), -EADDRINUSE);
  bench_.Pass(60_s);
  EXPECT_EQ(BindTcp(*again, {AnyAddress(false), 80}), 0);
  CloseTcp(*again, bench_.now);
}

TEST(TimeWaitReuseTest, OurConnectTakesThePlaceAfterASecond) {
  TcpPair pair;
  TcpSocket* const listener = pair.Listen(80);
  const auto connect = [&](int expected) {
    TcpSocket* const client = NewTcpSocket(*pair.host[0].stack, false);
    SocketOf(*client).reuses_address = true;
    EXPECT_EQ(BindTcp(*client, {AnyAddress(false), 5000}), 0);
    EXPECT_EQ(ConnectTcp(*client, {pair.host[1].address, 80}, pair.now), expected);
    pair.Run(10_ms);
    return client;
  };
  TcpSocket* client = connect(-EINPROGRESS);
  CloseTcp(*client, pair.now);
  pair.Run(10_ms);
  CloseTcp(*AcceptTcp(*listener), pair.now);
  pair.Run(10_ms);
  EXPECT_EQ(pair.host[0].stack->tcp->time_waits.in_use(), 1U);
  client = connect(-EADDRNOTAVAIL);
  CloseTcp(*client, pair.now);
  pair.Run(1_s);
  client = connect(-EINPROGRESS);
  EXPECT_EQ(StateOf(*client), TcpState::kEstablished);
  CloseTcp(*client, pair.now);
}

TEST(CallsTest, RefuseWhatMakesNoSense) {
  Bench bench;
  Stack& stack = *bench.host.stack;
  TcpSocket* const socket = NewTcpSocket(stack, false);
  int error = 0;
  ReadSpan(*socket, 0, error);
  EXPECT_EQ(error, -ENOTCONN);
  WriteSpan(*socket, error);
  EXPECT_EQ(error, -EPIPE);
  EXPECT_EQ(ShutdownTcp(*socket, 3, bench.now), -ENOTCONN);
  EXPECT_EQ(PollTcp(*socket), static_cast<uint32_t>(POLLHUP | POLLOUT));
  EXPECT_EQ(BindTcp(*socket, {IpAddress::V4(1, 2, 3, 4), 80}), -EADDRNOTAVAIL);
  EXPECT_EQ(BindTcp(*socket, {AnyAddress(false), 80}), 0);
  EXPECT_EQ(BindTcp(*socket, {AnyAddress(false), 81}), -EINVAL);
  EXPECT_EQ(ConnectTcp(*socket, {IpAddress::V4(9, 9, 9, 9), 80}, bench.now), -ENETUNREACH);
  EXPECT_EQ(ConnectTcp(*socket, {IpAddress::V4(224, 0, 0, 1), 80}, bench.now), -ENETUNREACH);
  EXPECT_EQ(ListenTcp(*socket, 5), 0);
  EXPECT_EQ(ConnectTcp(*socket, {bench.peer, 80}, bench.now), -EISCONN);
  EXPECT_EQ(AcceptTcp(*socket), nullptr);
  EXPECT_EQ(PollTcp(*socket), 0U);
  CloseTcp(*socket, bench.now);
  // Memory is short.
  bench.host.memory.is_exhausted = true;
  TcpSocket* made = nullptr;
  while (TcpSocket* const more = NewTcpSocket(stack, false)) {
    made = more;
  }
  (void)made;
  bench.host.memory.is_exhausted = false;
}

}  // namespace
}  // namespace junction::net
