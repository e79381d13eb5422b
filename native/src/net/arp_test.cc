// SPDX-License-Identifier: Apache-2.0
#include <poll.h>
#include <cerrno>

#include "net/test/wire_fixture.h"

namespace junction::net {
namespace {

constexpr MacAddress kBroadcastMac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

Bytes Arp(uint16_t operation, const uint8_t* sender_mac, const IpAddress& sender, const IpAddress& target) {
  Bytes arp = {0, 1, 8, 0, 6, 4};
  Append16(arp, operation);
  Append(arp, Bytes(sender_mac, sender_mac + 6));
  Append(arp, Bytes(sender.v4(), sender.v4() + 4));
  Append(arp, Bytes(6));
  Append(arp, Bytes(target.v4(), target.v4() + 4));
  return arp;
}

class ArpTest : public WireFixture {
 protected:
  void ReceiveArp(const Bytes& arp, bool is_broadcast = false) {
    Receive(wire_, arp, kTypeArp, {}, is_broadcast ? kBroadcastMac : nullptr);
  }
  void ExpectQuestion(const IpAddress& target, const uint8_t* to) {
    const ParsedFrame frame = Sent();
    EXPECT_EQ(frame.type, kTypeArp);
    EXPECT_EQ(std::memcmp(frame.to, to, 6), 0);
    ASSERT_EQ(frame.ip.size(), 28U);
    EXPECT_EQ(LoadBig16(frame.ip.data() + 6), 1);
    EXPECT_EQ(IpAddress::V4(frame.ip.data() + 14), kOwn4);
    EXPECT_EQ(IpAddress::V4(frame.ip.data() + 24), target);
  }
  UdpSocket* udp_ = nullptr;
  const Endpoint to_ = {kPeer4, 9};
};

TEST_F(ArpTest, AnswersWhoAsksForUsAndRemembersThem) {
  ReceiveArp(Arp(1, kPeerMac, kPeer4, kOwn4), true);
  const ParsedFrame answer = Sent();
  EXPECT_EQ(answer.type, kTypeArp);
  EXPECT_EQ(std::memcmp(answer.to, kPeerMac, 6), 0);
  EXPECT_EQ(LoadBig16(answer.ip.data() + 6), 2);
  EXPECT_EQ(std::memcmp(answer.ip.data() + 8, wire_.device.mac, 6), 0);
  EXPECT_EQ(IpAddress::V4(answer.ip.data() + 14), kOwn4);
  EXPECT_EQ(IpAddress::V4(answer.ip.data() + 24), kPeer4);
  udp_ = BoundUdp({kOwn4, 5}, false);
  EXPECT_EQ(SendTo(*udp_, &to_, BytesOf("x")), 0);
  EXPECT_EQ(Sent().type, kTypeIp4) << "no question: the asker is known";
}

TEST_F(ArpTest, DoesNotAnswerForOthers) {
  ReceiveArp(Arp(1, kPeerMac, kPeer4, IpAddress::V4(10, 0, 0, 77)), true);
  EXPECT_TRUE(wire_.sent.empty());
}

TEST_F(ArpTest, AnswersAProbeWithoutRememberingIt) {
  ReceiveArp(Arp(1, kPeerMac, IpAddress::V4(0, 0, 0, 0), kOwn4), true);
  EXPECT_EQ(Sent().type, kTypeArp);
}

TEST_F(ArpTest, DatagramsWaitForTheAnswerAndGoOutInOrder) {
  udp_ = BoundUdp({kOwn4, 5}, false);
  EXPECT_EQ(SendTo(*udp_, &to_, BytesOf("one")), 0);
  EXPECT_EQ(SendTo(*udp_, &to_, BytesOf("two")), 0);
  ExpectQuestion(kPeer4, kBroadcastMac);
  EXPECT_TRUE(wire_.sent.empty());
  ReceiveArp(Arp(2, kPeerMac, kPeer4, kOwn4));
  const ParsedFrame first = Sent();
  EXPECT_EQ(std::memcmp(first.to, kPeerMac, 6), 0);
  EXPECT_TRUE(HasGoodSum(first));
  EXPECT_EQ(Bytes(first.payload.begin() + 8, first.payload.end()), BytesOf("one"));
  const ParsedFrame second = Sent();
  EXPECT_EQ(Bytes(second.payload.begin() + 8, second.payload.end()), BytesOf("two"));
  EXPECT_EQ(NextDeadline_ns(*stack_), ~0ULL) << "no timer is left";
}

TEST_F(ArpTest, AsksThreeTimesASecondApartThenFailsConnectedSockets) {
  udp_ = BoundUdp({kOwn4, 5}, false);
  ASSERT_EQ(ConnectUdp(*udp_, to_), 0);
  EXPECT_EQ(SendTo(*udp_, nullptr, BytesOf("x")), 0);
  ExpectQuestion(kPeer4, kBroadcastMac);
  Advance(kSecond - 1);
  EXPECT_TRUE(wire_.sent.empty());
  Advance(1);
  ExpectQuestion(kPeer4, kBroadcastMac);
  Advance(kSecond);
  ExpectQuestion(kPeer4, kBroadcastMac);
  EXPECT_EQ(PollUdp(*udp_) & POLLERR, 0U);
  Advance(kSecond);
  EXPECT_TRUE(wire_.sent.empty());
  EXPECT_NE(PollUdp(*udp_) & POLLERR, 0U);
  EXPECT_EQ(SendTo(*udp_, nullptr, BytesOf("y")), -EHOSTUNREACH);
  EXPECT_EQ(counters().neighbour_failures, 1U);
  EXPECT_EQ(NextDeadline_ns(*stack_), ~0ULL);
}

TEST_F(ArpTest, ADatagramForAnotherNeighbourDoesNotWaitForTheFirst) {
  udp_ = BoundUdp({kOwn4, 5}, false);
  const Endpoint other = {IpAddress::V4(10, 0, 0, 3), 9};
  EXPECT_EQ(SendTo(*udp_, &to_, BytesOf("one")), 0);
  EXPECT_EQ(SendTo(*udp_, &other, BytesOf("two")), 0);
  ExpectQuestion(kPeer4, kBroadcastMac);
  ExpectQuestion(other.address, kBroadcastMac);
  ReceiveArp(Arp(2, kPeerMac, other.address, kOwn4));
  EXPECT_EQ(Sent().destination, other.address);
  EXPECT_TRUE(wire_.sent.empty());
}

TEST_F(ArpTest, ClosingASocketForgetsWhatItHadWaiting) {
  udp_ = BoundUdp({kOwn4, 5}, false);
  EXPECT_EQ(SendTo(*udp_, &to_, BytesOf("x")), 0);
  wire_.sent.clear();
  CloseUdp(*udp_);
  ReceiveArp(Arp(2, kPeerMac, kPeer4, kOwn4));
  EXPECT_TRUE(wire_.sent.empty());
}

TEST_F(ArpTest, AnOldEntryIsUsedAndConfirmedByUnicast) {
  udp_ = BoundUdp({kOwn4, 5}, false);
  SendTo(*udp_, &to_, BytesOf("x"));
  ReceiveArp(Arp(2, kPeerMac, kPeer4, kOwn4));
  wire_.sent.clear();
  Advance(31 * kSecond);
  EXPECT_EQ(NextDeadline_ns(*stack_), ~0ULL) << "ageing alone wakes nobody";
  SendTo(*udp_, &to_, BytesOf("y"));
  EXPECT_EQ(Sent().type, kTypeIp4);
  Advance(5 * kSecond);
  ExpectQuestion(kPeer4, kPeerMac);
  ReceiveArp(Arp(2, kPeerMac, kPeer4, kOwn4));
  Advance(10 * kSecond);
  EXPECT_TRUE(wire_.sent.empty());
}

TEST_F(ArpTest, ANeighbourThatStaysAwayIsForgotten) {
  udp_ = BoundUdp({kOwn4, 5}, false);
  SendTo(*udp_, &to_, BytesOf("x"));
  ReceiveArp(Arp(2, kPeerMac, kPeer4, kOwn4));
  Advance(31 * kSecond);
  SendTo(*udp_, &to_, BytesOf("y"));
  wire_.sent.clear();
  Advance(9 * kSecond);
  EXPECT_EQ(wire_.sent.size(), 3U);
  wire_.sent.clear();
  SendTo(*udp_, &to_, BytesOf("z"));
  ExpectQuestion(kPeer4, kBroadcastMac);
}

TEST_F(ArpTest, AStaticNeighbourIsNeverAskedNorReplaced) {
  KnowPeer();
  const MacAddress liar = {2, 9, 9, 9, 9, 9};
  Bytes frame(kBroadcastMac, kBroadcastMac + 6);
  Append(frame, Bytes(liar, liar + 6));
  Append16(frame, kTypeArp);
  Append(frame, Arp(2, liar, kPeer4, kOwn4));
  InputExact(wire_, frame);
  udp_ = BoundUdp({kOwn4, 5}, false);
  SendTo(*udp_, &to_, BytesOf("x"));
  EXPECT_EQ(std::memcmp(Sent().to, kPeerMac, 6), 0);
}

TEST_F(ArpTest, ConflictsAreCountedAndIgnored) {
  ReceiveArp(Arp(1, kPeerMac, kOwn4, kOwn4), true);
  EXPECT_EQ(counters().arp_conflicts, 1U);
  EXPECT_TRUE(wire_.sent.empty());
}

TEST_F(ArpTest, MessagesThatLieOrAreMalformedChangeNothing) {
  const MacAddress other = {2, 9, 9, 9, 9, 9};
  ReceiveArp(Arp(1, other, kPeer4, kOwn4), true);  // sent by kPeerMac
  Bytes arp = Arp(1, kPeerMac, kPeer4, kOwn4);
  arp[4] = 7;
  ReceiveArp(arp, true);
  arp = Arp(3, kPeerMac, kPeer4, kOwn4);
  ReceiveArp(arp, true);
  arp = Arp(1, kPeerMac, kPeer4, kOwn4);
  arp.pop_back();
  ReceiveArp(arp, true);
  ReceiveArp(Arp(1, kPeerMac, IpAddress::V4(224, 0, 0, 9), kOwn4), true);
  ReceiveArp(Arp(1, kPeerMac, IpAddress::V4(10, 0, 0, 255), kOwn4), true);
  EXPECT_TRUE(wire_.sent.empty());
  EXPECT_EQ(wire_.device.dropped_in, 6U);
}

TEST_F(ArpTest, UnaskedAnswersMakeNoEntry) {
  ReceiveArp(Arp(2, kPeerMac, kPeer4, kOwn4));
  udp_ = BoundUdp({kOwn4, 5}, false);
  SendTo(*udp_, &to_, BytesOf("x"));
  EXPECT_EQ(Sent().type, kTypeArp);
}

TEST_F(ArpTest, AddressesAreAnnounced) {
  ASSERT_EQ(AddAddress(*stack_, {wire_.device.index, IpAddress::V4(10, 9, 0, 1), 16}), 0);
  const ParsedFrame frame = Sent();
  EXPECT_EQ(std::memcmp(frame.to, kBroadcastMac, 6), 0);
  EXPECT_EQ(IpAddress::V4(frame.ip.data() + 14), IpAddress::V4(10, 9, 0, 1));
  EXPECT_EQ(IpAddress::V4(frame.ip.data() + 24), IpAddress::V4(10, 9, 0, 1));
}

TEST_F(ArpTest, TheTableIsBoundedUnderAFloodOfAskers) {
  const uint64_t before = heap_.held_bytes;
  for (uint32_t i = 0; i < 5000; ++i) {
    const IpAddress asker = IpAddress::V4(10, 0, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i));
    if (!(asker == kOwn4)) {
      ReceiveArp(Arp(1, kPeerMac, asker, kOwn4), true);
    }
    wire_.sent.clear();
  }
  EXPECT_LT(heap_.held_bytes - before, 256 * 320U);
}

TEST_F(ArpTest, GatewayIsTheNeighbourOfFarDestinations) {
  udp_ = BoundUdp({kOwn4, 5}, false);
  const Endpoint far = {kFar4, 9};
  SendTo(*udp_, &far, BytesOf("x"));
  ExpectQuestion(kPeer4, kBroadcastMac);
}

TEST_F(ArpTest, APointToPointDeviceAsksNobody) {
  Start({}, true);
  udp_ = BoundUdp({kOwn4, 5}, false);
  const Endpoint far = {kFar4, 9};
  SendTo(*udp_, &far, BytesOf("x"));
  const ParsedFrame frame = Sent();
  EXPECT_EQ(frame.type, kTypeIp4);
  EXPECT_EQ(std::memcmp(frame.to, kPeerMac, 6), 0);
}

}  // namespace
}  // namespace junction::net
