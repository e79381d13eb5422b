// SPDX-License-Identifier: Apache-2.0
// Two stacks, back to back: bytes come out as they went in, and memory comes back.
#include <poll.h>

#include <random>

#include "net/tcp/tcp_fixture.h"

namespace junction::net {
namespace {

std::string Pattern(size_t size, uint32_t seed) {
  std::mt19937 random(seed);
  std::string text(size, '\0');
  for (char& c : text) {
    c = static_cast<char>(random());
  }
  return text;
}

// Sends `text` from client to server with whatever the pair does to frames; returns what came.
std::string Transfer(TcpPair& pair, TcpSocket& from, TcpSocket& to, const std::string& text, uint64_t limit_ns) {
  std::string got;
  size_t sent = 0;
  const bool is_done = pair.RunUntil(
      [&] {
        sent += WriteAll(from, text.data() + sent, text.size() - sent, pair.now);
        got += ReadAll(to, pair.now);
        pair.Flush();
        return got.size() >= text.size();
      },
      limit_ns);
  EXPECT_TRUE(is_done) << "came " << got.size() << " of " << text.size() << ", sent " << sent;
  return got;
}

struct Case {
  const char* name;
  WireOptions wire;
  size_t size;
};

class TransferTest : public testing::TestWithParam<Case> {};

TEST_P(TransferTest, BytesArriveIntactBothWaysAndMemoryComesBack) {
  TcpPair pair(GetParam().wire);
  auto [client, server] = pair.Establish();
  const std::string forth = Pattern(GetParam().size, 1), back = Pattern(GetParam().size / 2, 2);
  EXPECT_TRUE(Transfer(pair, *client, *server, forth, 100_s) == forth);
  EXPECT_TRUE(Transfer(pair, *server, *client, back, 100_s) == back);
  CloseTcp(*client, pair.now);
  pair.Run(1_s);
  int error = -1;
  EXPECT_EQ(ReadAll(*server, pair.now, &error), "");
  EXPECT_EQ(error, 0);
  EXPECT_EQ(StateOf(*server), TcpState::kCloseWait);
  CloseTcp(*server, pair.now);
  pair.Run(120_s);
  for (TestHost& host : pair.host) {
    EXPECT_EQ(host.stack->pool.used_blocks(), 0U);
    EXPECT_EQ(host.stack->tcp->sockets.in_use(), 0U);
    EXPECT_EQ(host.stack->tcp->records.in_use(), 0U);
    EXPECT_EQ(host.stack->tcp->time_waits.in_use(), 0U);
    EXPECT_EQ(NextDeadline_ns(*host.stack), kNever);
    EXPECT_EQ(CountersOf(*host.stack).tcp_retransmits, 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Wires, TransferTest,
    testing::Values(Case{"ethernet", {}, 3'000'000}, Case{"small_mtu", {.mtu_bytes = 576}, 300'000},
                    Case{"segments", {.segment_max_bytes = 65000}, 5'000'000},
                    Case{"link", {.mtu_bytes = 65535, .has_blank_checksums = true, .delay_ns = 1000}, 20'000'000},
                    Case{"long_delay", {.delay_ns = 50'000'000}, 10'000'000}, Case{"v6", {.is_v6 = true}, 3'000'000},
                    Case{"v6_min", {.mtu_bytes = 1280, .is_v6 = true}, 300'000}),
    [](const auto& parameter) { return parameter.param.name; });

class LossyTransferTest : public testing::TestWithParam<std::tuple<int, int>> {};

TEST_P(LossyTransferTest, SurvivesLossReorderingAndDuplicates) {
  const auto [seed, loss_percent] = GetParam();
  TcpPair pair(
      {.segment_max_bytes = seed % 2 == 0 ? 0U : 20000U, .delay_ns = 5'000'000, .seed = static_cast<uint64_t>(seed)});
  auto [client, server] = pair.Establish();
  std::mt19937 random(static_cast<uint32_t>(seed));
  pair.filter = [&, loss = loss_percent](int, TestFrame& frame) {
    if (static_cast<int>(random() % 100) < loss) {
      return false;
    }
    if (random() % 20 == 0) {
      frame.due_ns += random() % 10'000'000;
    }
    return true;
  };
  const std::string text = Pattern(1'000'000, static_cast<uint32_t>(seed));
  EXPECT_TRUE(Transfer(pair, *client, *server, text, 2000_s) == text);
  EXPECT_TRUE(Transfer(pair, *server, *client, text, 2000_s) == text);
  CloseTcp(*client, pair.now);
  CloseTcp(*server, pair.now);
  pair.Run(1500_s);
  for (TestHost& host : pair.host) {
    EXPECT_EQ(host.stack->pool.used_blocks(), 0U);
    EXPECT_EQ(host.stack->tcp->sockets.in_use(), 0U);
    EXPECT_EQ(host.stack->tcp->records.in_use(), 0U);
    EXPECT_EQ(host.stack->tcp->runs.in_use(), 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, LossyTransferTest, testing::Combine(testing::Range(1, 7), testing::Values(1, 5, 20)));

TEST(TransferTest, NotifiesEdges) {
  TcpPair pair;
  TcpSocket* const listener = pair.Listen(80);
  Events listening, client_events, server_events;
  listening.Watch(*listener);
  TcpSocket* const client = pair.Connect(80, &client_events);
  pair.Run(10_ms);
  EXPECT_EQ(listening.seen, static_cast<uint32_t>(POLLIN));
  EXPECT_EQ(client_events.seen, static_cast<uint32_t>(POLLOUT));
  TcpSocket* const server = AcceptTcp(*listener);
  server_events.Watch(*server);
  EXPECT_EQ(WriteAll(*client, "hello", 5, pair.now), 5U);
  pair.Run(10_ms);
  EXPECT_EQ(server_events.seen, static_cast<uint32_t>(POLLIN));
  EXPECT_EQ(PollTcp(*server), static_cast<uint32_t>(POLLIN | POLLOUT));
  EXPECT_EQ(ReadAll(*server, pair.now), "hello");
  EXPECT_EQ(PollTcp(*server), static_cast<uint32_t>(POLLOUT));
  server_events.seen = 0;
  EXPECT_EQ(ShutdownTcp(*client, 2, pair.now), 0);
  pair.Run(10_ms);
  EXPECT_EQ(server_events.seen, static_cast<uint32_t>(POLLIN | POLLRDHUP));
  CloseTcp(*listener, pair.now);
  CloseTcp(*client, pair.now);
  CloseTcp(*server, pair.now);
  pair.Run(100_s);
}

}  // namespace
}  // namespace junction::net
