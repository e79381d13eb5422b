// SPDX-License-Identifier: Apache-2.0
#include "nic/rss.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace junction {
namespace {

RssKey KeyOf(uint64_t seed) {
  std::mt19937_64 random(seed);
  RssKey key;
  for (uint32_t& word : key.words) {
    word = static_cast<uint32_t>(random());
  }
  key.spread = random();
  return key;
}

using Frame = std::vector<uint8_t>;

Frame TcpFrame4(uint32_t source, uint16_t source_port, uint16_t fragment = 0, uint8_t protocol = 6) {
  Frame frame(14 + 20 + 20);
  frame[12] = 0x08;
  uint8_t* const packet = frame.data() + 14;
  packet[0] = 0x45;
  packet[6] = static_cast<uint8_t>(fragment >> 8);
  packet[7] = static_cast<uint8_t>(fragment);
  packet[9] = protocol;
  std::memcpy(packet + 12, &source, 4);
  packet[16] = 10;
  packet[20] = static_cast<uint8_t>(source_port >> 8);
  packet[21] = static_cast<uint8_t>(source_port);
  packet[23] = 80;
  return frame;
}

Frame TcpFrame6(uint8_t last, uint16_t source_port, uint8_t next_header = 6) {
  Frame frame(14 + 40 + 20);
  frame[12] = 0x86;
  frame[13] = 0xdd;
  uint8_t* const packet = frame.data() + 14;
  packet[6] = next_header;
  packet[8] = 0xfd;
  packet[23] = last;
  packet[40] = static_cast<uint8_t>(source_port >> 8);
  packet[41] = static_cast<uint8_t>(source_port);
  return frame;
}

uint32_t Pair(const RssKey& key, const Frame& frame, uint32_t active, uint32_t count = 64) {
  return QueuePairOf(key, frame.data(), static_cast<uint32_t>(frame.size()), active, count);
}

TEST(Rss, AFlowStaysTogetherAndOthersSpread) {
  const RssKey key = KeyOf(1);
  for (const uint32_t active : {2U, 3U, 8U}) {
    std::vector<int> hits4(active);
    std::vector<int> hits6(active);
    constexpr int kFlows = 8192;
    for (uint16_t port = 0; port < kFlows; ++port) {
      Frame frame = TcpFrame4(0x0100000a, port);
      const uint32_t pair = Pair(key, frame, active);
      ASSERT_LT(pair, active);
      frame[14 + 20 + 13] = 0x10;  // another segment of the flow
      frame.resize(1000);
      ASSERT_EQ(Pair(key, frame, active), pair);
      ++hits4[pair];
      ++hits6[Pair(key, TcpFrame6(1, port), active)];
    }
    for (uint32_t pair = 0; pair < active; ++pair) {
      const int fair = kFlows / static_cast<int>(active);
      EXPECT_GT(hits4[pair], fair * 3 / 4) << active;
      EXPECT_LT(hits4[pair], fair * 5 / 4) << active;
      EXPECT_GT(hits6[pair], fair * 3 / 4) << active;
      EXPECT_LT(hits6[pair], fair * 5 / 4) << active;
    }
  }
}

TEST(Rss, AddressesCountAsWell) {
  const RssKey key = KeyOf(2);
  std::vector<int> hits(8);
  for (uint32_t i = 0; i < 4096; ++i) {
    ++hits[Pair(key, TcpFrame4(__builtin_bswap32(0x0a000000 + i), 1000), 8)];
  }
  for (const int count : hits) {
    EXPECT_GT(count, 384);
    EXPECT_LT(count, 640);
  }
}

TEST(Rss, ThePlaceHangsOnTheKey) {
  int moved = 0;
  for (uint16_t port = 0; port < 1000; ++port) {
    moved += Pair(KeyOf(1), TcpFrame4(1, port), 8) != Pair(KeyOf(3), TcpFrame4(1, port), 8) ? 1 : 0;
  }
  EXPECT_GT(moved, 700);
}

TEST(Rss, FragmentsGoByTheirAddresses) {
  const RssKey key = KeyOf(4);
  constexpr uint16_t kMore = 0x2000;
  for (uint16_t port = 0; port < 100; ++port) {
    const uint32_t first = Pair(key, TcpFrame4(7, port, kMore), 64);
    EXPECT_EQ(first, Pair(key, TcpFrame4(7, 999, 185), 64)) << "a later one, whose bytes there are no ports";
    EXPECT_EQ(Pair(key, TcpFrame4(7, port, 0x4000), 64), Pair(key, TcpFrame4(7, port), 64)) << "don't fragment";
  }
}

TEST(Rss, OnlyTcpAndUdpHavePorts) {
  const RssKey key = KeyOf(5);
  for (uint16_t port = 1; port < 100; ++port) {
    EXPECT_EQ(Pair(key, TcpFrame4(7, port, 0, 1), 64), Pair(key, TcpFrame4(7, 0, 0, 1), 64));
    EXPECT_EQ(Pair(key, TcpFrame6(7, port, 44), 64), Pair(key, TcpFrame6(7, 0, 44), 64));
  }
}

TEST(Rss, WhatIsNoIpPacketGoesToTheFirst) {
  const RssKey key = KeyOf(6);
  Frame arp(42);
  arp[12] = 0x08;
  arp[13] = 0x06;
  EXPECT_EQ(Pair(key, arp, 64), 0U);
  EXPECT_EQ(Pair(key, Frame(14), 64), 0U);
}

TEST(Rss, HostileCountsAreBroughtIntoRange) {
  const RssKey key = KeyOf(7);
  for (uint16_t port = 0; port < 1000; ++port) {
    const Frame frame = TcpFrame4(1, port);
    EXPECT_EQ(Pair(key, frame, 0, 4), 0U);
    EXPECT_LT(Pair(key, frame, UINT32_MAX, 4), 4U);
    EXPECT_EQ(Pair(key, frame, 5, 1), 0U);
  }
}

// Under AddressSanitizer: no byte behind the frame is read, whatever it says of itself.
TEST(Rss, StaysInsideOfShortAndLyingFrames) {
  const RssKey key = KeyOf(8);
  std::mt19937 random(9);
  for (int i = 0; i < 100'000; ++i) {
    Frame frame(kMinFrame_bytes + random() % 60);
    for (uint8_t& byte : frame) {
      byte = static_cast<uint8_t>(random());
    }
    frame.shrink_to_fit();
    frame[12] = random() % 2 == 0 ? 0x08 : 0x86;
    frame[13] = frame[12] == 0x08 ? 0x00 : 0xdd;
    if (frame.size() > 23) {
      frame[23] = random() % 2 == 0 ? 6 : 17;
    }
    ASSERT_LT(Pair(key, frame, 64), 64U);
  }
}

}  // namespace
}  // namespace junction
