// SPDX-License-Identifier: Apache-2.0
#include <poll.h>

#include <cerrno>

#include "net/raw_socket.h"
#include "net/test/wire_fixture.h"

namespace junction::net {
namespace {

class IcmpTest : public WireFixture {
 protected:
  void SetUp() override {
    WireFixture::SetUp();
    KnowPeer();
  }
  // What a router or peer quotes of a datagram of ours.
  Bytes Quoted(const Endpoint& from, const Endpoint& to, uint32_t payload = 100) {
    Bytes packet = UdpPacket(from, to, Bytes(payload));
    packet.resize((from.address.is_v4() ? 20 : 40) + 8);
    return packet;
  }
  void ReceiveError(const IpAddress& from, uint8_t type, uint8_t code, uint32_t word, const Bytes& quoted) {
    Receive(IcmpPacket(from, from.is_v4() ? kOwn4 : kOwn6, type, code, word, quoted));
  }
  uint32_t MtuTo(const IpAddress& destination) {
    Path path;
    EXPECT_EQ(FindPath(*stack_, destination, AnyAddress(!destination.is_v4()), 0, path), 0);
    return path.mtu_bytes;
  }
};

TEST_F(IcmpTest, AnswersEchoOfBothFamilies) {
  for (const bool is_v6 : {false, true}) {
    const IpAddress peer = is_v6 ? kPeer6 : kPeer4;
    const IpAddress own = is_v6 ? kOwn6 : kOwn4;
    for (const uint32_t size : {0U, 1U, 56U, 1400U}) {
      Receive(IcmpPacket(peer, own, is_v6 ? 128 : 8, 0, 0x12340007, Pattern(size)));
      const ParsedFrame answer = Sent();
      EXPECT_EQ(answer.source, own);
      EXPECT_EQ(answer.destination, peer);
      EXPECT_EQ(answer.payload[0], is_v6 ? 129 : 0);
      EXPECT_EQ(LoadBig32(answer.payload.data() + 4), 0x12340007U);
      EXPECT_EQ(Bytes(answer.payload.begin() + 8, answer.payload.end()), Pattern(size));
      EXPECT_TRUE(HasGoodSum(answer));
    }
  }
}

TEST_F(IcmpTest, AnEchoThatCameInFragmentsIsAnsweredInFragments) {
  const Bytes packet = IcmpPacket(kPeer4, kOwn4, 8, 0, 1, Pattern(3000));
  const Bytes message(packet.begin() + 20, packet.end());
  PacketOptions options;
  options.fragment = 0x2000;
  Receive(IpBytes(kProtocolIcmp, kPeer4, kOwn4, Bytes(message.begin(), message.begin() + 1480), options));
  options.fragment = 0x2000 | 185;
  Receive(IpBytes(kProtocolIcmp, kPeer4, kOwn4, Bytes(message.begin() + 1480, message.begin() + 2960), options));
  options.fragment = 370;
  Receive(IpBytes(kProtocolIcmp, kPeer4, kOwn4, Bytes(message.begin() + 2960, message.end()), options));
  Bytes answer;
  for (int i = 0; i < 3; ++i) {
    const ParsedFrame frame = Sent();
    EXPECT_EQ((frame.fragment & 0x1fffU) * 8, answer.size());
    Append(answer, frame.payload);
  }
  ASSERT_EQ(answer.size(), 3008U);
  EXPECT_EQ(answer[0], 0);
  EXPECT_EQ(FoldSum(SumBytes(answer.data(), 3008, 0)), 0xffff);
  EXPECT_EQ(Bytes(answer.begin() + 8, answer.end()), Pattern(3000));
}

TEST_F(IcmpTest, DoesNotAnswerBrokenOrBroadcastEchoNorIfToldNotTo) {
  Bytes bad = IcmpPacket(kPeer4, kOwn4, 8, 0, 1, Pattern(8));
  bad.back() ^= 1;
  Receive(bad);
  bad = IcmpPacket(kPeer6, kOwn6, 128, 0, 1, Pattern(8));
  bad.back() ^= 1;
  Receive(bad);
  EXPECT_EQ(counters().icmp_malformed, 2U);
  const MacAddress all = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  Receive(wire_, IcmpPacket(kPeer4, IpAddress::V4(10, 0, 0, 255), 8, 0, 1, {}), kTypeIp4, {}, all);
  Receive(IpBytes(kProtocolIcmp, kPeer4, kOwn4, Bytes(7)));
  EXPECT_TRUE(wire_.sent.empty());
  StackOptions options;
  options.answers_echo = false;
  Start(options, true);
  Receive(IcmpPacket(kPeer4, kOwn4, 8, 0, 1, {}));
  EXPECT_TRUE(wire_.sent.empty());
}

TEST_F(IcmpTest, EchoToAllNodesIsAnsweredFromAUnicastAddress) {
  const MacAddress mac = {0x33, 0x33, 0, 0, 0, 1};
  Receive(wire_, IcmpPacket(kPeer6, Ip6({0xff, 2}, {1}), 128, 0, 1, {}), kTypeIp6, {}, mac);
  EXPECT_EQ(Sent().source, kOwn6);
}

struct ErrorCase {
  uint8_t type, code;
  int error;
  bool is_hard;
};

TEST_F(IcmpTest, ErrorsBecomeTheErrnoThatLinuxGives) {
  const ErrorCase cases4[] = {{3, 0, ENETUNREACH, false},  {3, 1, EHOSTUNREACH, false},  {3, 2, ENOPROTOOPT, true},
                              {3, 3, ECONNREFUSED, true},  {3, 5, EOPNOTSUPP, false},    {3, 7, EHOSTDOWN, true},
                              {3, 13, EHOSTUNREACH, true}, {11, 0, EHOSTUNREACH, false}, {12, 0, EPROTO, true}};
  const ErrorCase cases6[] = {{1, 0, ENETUNREACH, false}, {1, 1, EACCES, true},        {1, 3, EHOSTUNREACH, false},
                              {1, 4, ECONNREFUSED, true}, {3, 0, EHOSTUNREACH, false}, {4, 0, EPROTO, true}};
  for (const bool is_v6 : {false, true}) {
    UdpSocket* const udp = NewUdpSocket(*stack_, is_v6);
    const Endpoint to = {is_v6 ? kFar6 : kFar4, 99};
    ASSERT_EQ(ConnectUdp(*udp, to), 0);
    const auto check = [&](const ErrorCase& row) {
      for (const bool wants_all : {false, true}) {
        OptionsOf(*udp).receives_errors = wants_all;
        ReceiveError(is_v6 ? kPeer6 : kPeer4, row.type, row.code, 0, Quoted(SocketOf(*udp).local, to));
        EXPECT_EQ(TakeError(SocketOf(*udp)), wants_all || row.is_hard ? -row.error : 0)
            << int{row.type} << " " << int{row.code};
      }
    };
    for (const ErrorCase& row : cases4) {
      if (!is_v6) {
        check(row);
      }
    }
    for (const ErrorCase& row : cases6) {
      if (is_v6) {
        check(row);
      }
    }
  }
}

TEST_F(IcmpTest, ErrorsAboutOthersPacketsChangeNothing) {
  UdpSocket* const udp = NewUdpSocket(*stack_, false);
  const Endpoint to = {kFar4, 99};
  ASSERT_EQ(ConnectUdp(*udp, to), 0);
  const Endpoint local = SocketOf(*udp).local;
  ReceiveError(kPeer4, 3, 3, 0, Quoted({kFar4, local.port}, to));       // not ours
  ReceiveError(kPeer4, 3, 3, 0, Quoted({kLoopback4, local.port}, to));  // not the address it was told to
  ReceiveError(kPeer4, 3, 3, 0, Quoted(local, {kFar4, 98}));            // another flow
  ReceiveError(kPeer4, 3, 3, 0, Quoted({local.address, 1}, to));
  ReceiveError(kPeer4, 3, 16, 0, Quoted(local, to));
  ReceiveError(kPeer4, 4, 0, 0, Quoted(local, to));           // source quench
  ReceiveError(kPeer4, 5, 1, 0x0a000009, Quoted(local, to));  // redirect
  Bytes quoted = Quoted(local, to);
  quoted.resize(27);
  ReceiveError(kPeer4, 3, 3, 0, quoted);
  quoted = Quoted(local, to);
  quoted[0] = 0x4f;
  ReceiveError(kPeer4, 3, 3, 0, quoted);
  quoted = Quoted(local, to);
  quoted[7] = 1;  // a later fragment
  ReceiveError(kPeer4, 3, 3, 0, quoted);
  Bytes broken = IcmpPacket(kPeer4, kOwn4, 3, 3, 0, Quoted(local, to));
  broken.back() ^= 1;
  Receive(broken);
  EXPECT_EQ(SocketOf(*udp).error, 0);
  EXPECT_TRUE(wire_.sent.empty()) << "no error about an error";
  ReceiveError(kPeer4, 3, 3, 0, Quoted(local, to));
  EXPECT_EQ(SocketOf(*udp).error, ECONNREFUSED) << "the test's errors do arrive";
}

TEST_F(IcmpTest, QuotesBehindIp6ExtensionsAreFound) {
  UdpSocket* const udp = NewUdpSocket(*stack_, true);
  const Endpoint to = {kFar6, 99};
  ASSERT_EQ(ConnectUdp(*udp, to), 0);
  Bytes payload = {17, 0, 0, 1, 0, 0, 0, 9};
  Append(payload, UdpBytes(SocketOf(*udp).local, to, Bytes(10)));
  ReceiveError(kPeer6, 1, 4, 0, IpBytes(44, kOwn6, kFar6, payload));
  EXPECT_EQ(TakeError(SocketOf(*udp)), -ECONNREFUSED);
  payload[3] = 9;  // a later fragment has no ports
  ReceiveError(kPeer6, 1, 4, 0, IpBytes(44, kOwn6, kFar6, payload));
  ReceiveError(kPeer6, 1, 4, 0, IpBytes(60, kOwn6, kFar6, {17, 99, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(SocketOf(*udp).error, 0);
}

TEST_F(IcmpTest, APathMtuIsLearnedUsedAndForgotten) {
  for (const bool is_v6 : {false, true}) {
    UdpSocket* const udp = NewUdpSocket(*stack_, is_v6);
    const Endpoint to = {is_v6 ? kFar6 : kFar4, 99};
    ASSERT_EQ(ConnectUdp(*udp, to), 0);
    EXPECT_EQ(MtuTo(to.address), 1500U);
    const Bytes quoted = Quoted(SocketOf(*udp).local, to, 1400);
    ReceiveError(is_v6 ? kPeer6 : kPeer4, is_v6 ? 2 : 3, is_v6 ? 0 : 4, 1300, quoted);
    EXPECT_EQ(MtuTo(to.address), 1300U);
    EXPECT_EQ(SocketOf(*udp).error, 0) << "the next datagram is fragmented";
    ASSERT_EQ(SendTo(*udp, nullptr, Pattern(1400)), 0);
    EXPECT_LE(Sent().ip.size(), 1300U);
    EXPECT_EQ(Sent().payload.size() > 0, true);
    ReceiveError(is_v6 ? kPeer6 : kPeer4, is_v6 ? 2 : 3, is_v6 ? 0 : 4, 1400, quoted);
    EXPECT_EQ(MtuTo(to.address), 1300U) << "nobody raises it";
    OptionsOf(*udp).forbids_fragments = true;
    EXPECT_EQ(SendTo(*udp, nullptr, Pattern(1400)), -EMSGSIZE);
    ReceiveError(is_v6 ? kPeer6 : kPeer4, is_v6 ? 2 : 3, is_v6 ? 0 : 4, 1290, quoted);
    EXPECT_EQ(TakeError(SocketOf(*udp)), -EMSGSIZE);
    ReceiveError(is_v6 ? kPeer6 : kPeer4, is_v6 ? 2 : 3, is_v6 ? 0 : 4, 5, quoted);
    EXPECT_EQ(MtuTo(to.address), is_v6 ? 1290U : 68U) << "the least that there is; below it is discarded (RFC 8201, section 4)";
    EXPECT_EQ(MtuTo(is_v6 ? kPeer6 : kPeer4), 1500U) << "other destinations keep theirs";
    Advance(600 * kSecond);
    EXPECT_EQ(MtuTo(to.address), 1500U);
  }
  EXPECT_EQ(NextDeadline_ns(*stack_), ~0ULL);
}

TEST_F(IcmpTest, ARouterThatNamesNoMtuMeansTheNextPlateau) {
  UdpSocket* const udp = NewUdpSocket(*stack_, false);
  const Endpoint to = {kFar4, 99};
  ASSERT_EQ(ConnectUdp(*udp, to), 0);
  ReceiveError(kPeer4, 3, 4, 0, Quoted(SocketOf(*udp).local, to, 1400));
  EXPECT_EQ(MtuTo(kFar4), 1006U);
}

TEST_F(IcmpTest, PathMtusAreBounded) {
  UdpSocket* const udp = BoundUdp({AnyAddress(false), 7}, false);
  (void)udp;
  const uint64_t before = heap_.held_bytes;
  for (uint32_t i = 0; i < 1000; ++i) {
    const IpAddress far = IpAddress::V4(198, 51, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i));
    ReceiveError(kPeer4, 3, 4, 1000, Quoted({kOwn4, 7}, {far, 9}));
  }
  EXPECT_LT(heap_.held_bytes - before, 128U * 200);
  EXPECT_EQ(MtuTo(IpAddress::V4(198, 51, 3, 0xe7)), 1000U);
}

TEST_F(IcmpTest, ErrorsAreRateLimited) {
  for (int i = 0; i < 200; ++i) {
    Receive(UdpPacket({kPeer4, 1}, {kOwn4, 54}, BytesOf("x")));
  }
  EXPECT_EQ(wire_.sent.size(), 50U);
  EXPECT_EQ(counters().icmp_limited, 150U);
  wire_.sent.clear();
  Advance(10 * kMs);
  for (int i = 0; i < 200; ++i) {
    Receive(UdpPacket({kPeer4, 1}, {kOwn4, 54}, BytesOf("x")));
  }
  EXPECT_EQ(wire_.sent.size(), 10U);
}

TEST_F(IcmpTest, PingSocketsSendRequestsAndGetTheirAnswers) {
  for (const bool is_v6 : {false, true}) {
    UdpSocket* const ping = NewPingSocket(*stack_, is_v6);
    const IpAddress own = is_v6 ? kOwn6 : kOwn4;
    const Endpoint to = {is_v6 ? kFar6 : kFar4, 0};
    Bytes message = {static_cast<uint8_t>(is_v6 ? 128 : 8), 0, 0xde, 0xad, 0xbe, 0xef, 0, 1};
    Append(message, Pattern(56));
    ASSERT_EQ(SendTo(*ping, &to, message), 0);
    const ParsedFrame frame = Sent();
    EXPECT_EQ(frame.protocol, is_v6 ? kProtocolIcmp6 : kProtocolIcmp);
    EXPECT_TRUE(HasGoodSum(frame));
    const uint16_t id = LoadBig16(frame.payload.data() + 4);
    EXPECT_EQ(id, SocketOf(*ping).local.port);
    EXPECT_NE(id, 0);
    Receive(IcmpPacket(to.address, own, is_v6 ? 129 : 0, 0, static_cast<uint32_t>(id) << 16 | 1, Pattern(56)));
    Bytes answer;
    Datagram about;
    ASSERT_TRUE(ReadFrom(*ping, answer, &about));
    EXPECT_EQ(about.from.address, to.address);
    EXPECT_EQ(answer[0], is_v6 ? 129 : 0);
    EXPECT_EQ(Bytes(answer.begin() + 8, answer.end()), Pattern(56));
    Receive(IcmpPacket(to.address, own, is_v6 ? 129 : 0, 0, (id + 1U) << 16 | 1, Pattern(56)));
    EXPECT_FALSE(ReadFrom(*ping, answer)) << "another's identifier";
    Bytes broken = IcmpPacket(to.address, own, is_v6 ? 129 : 0, 0, static_cast<uint32_t>(id) << 16 | 1, Pattern(56));
    broken.back() ^= 1;
    Receive(broken);
    EXPECT_FALSE(ReadFrom(*ping, answer));
    message[0] = is_v6 ? 129 : 0;
    EXPECT_EQ(SendTo(*ping, &to, message), -EINVAL) << "requests only";
    EXPECT_EQ(SendTo(*ping, &to, Bytes(7)), -EINVAL);
    ASSERT_EQ(ConnectUdp(*ping, to), 0);
    Bytes quoted = IcmpPacket(own, to.address, is_v6 ? 128 : 8, 0, static_cast<uint32_t>(id) << 16 | 1, {});
    ReceiveError(is_v6 ? kPeer6 : kPeer4, is_v6 ? 1 : 3, is_v6 ? 1 : 13, 0, quoted);
    EXPECT_EQ(TakeError(SocketOf(*ping)), is_v6 ? -EACCES : -EHOSTUNREACH);
    CloseUdp(*ping);
  }
}

TEST_F(IcmpTest, PingingOneselfWorks) {
  UdpSocket* const ping = NewPingSocket(*stack_, false);
  const Endpoint to = {kLoopback4, 0};
  ASSERT_EQ(SendTo(*ping, &to, {8, 0, 0, 0, 0, 0, 0, 1}), 0);
  Bytes answer;
  ASSERT_TRUE(ReadFrom(*ping, answer));
  EXPECT_EQ(answer[0], 0);
}

class DiscoveryTest : public IcmpTest {
 protected:
  void SetUp() override { WireFixture::SetUp(); }
  static Bytes Discovery(const IpAddress& target, uint8_t option, const uint8_t* mac) {
    Bytes rest(target.bytes, target.bytes + 16);
    if (mac != nullptr) {
      Append(rest, {option, 1});
      Append(rest, Bytes(mac, mac + 6));
    }
    return rest;
  }
  void Solicit(const IpAddress& from, const IpAddress& to, const IpAddress& target, bool has_mac, uint8_t ttl = 255) {
    PacketOptions options;
    options.ttl = ttl;
    Receive(IcmpPacket(from, to, 135, 0, 0, Discovery(target, 1, has_mac ? kPeerMac : nullptr), options));
  }
  void Advertise(const IpAddress& target, uint32_t flags, const uint8_t* mac, const IpAddress& to = kOwn6) {
    PacketOptions options;
    options.ttl = 255;
    Receive(IcmpPacket(target, to, 136, 0, flags, Discovery(target, 2, mac), options));
  }
  void ExpectSolicitation(const IpAddress& target, bool is_unicast) {
    const ParsedFrame frame = Sent();
    EXPECT_EQ(frame.protocol, kProtocolIcmp6);
    EXPECT_EQ(frame.ttl, 255);
    EXPECT_TRUE(HasGoodSum(frame));
    ASSERT_EQ(frame.payload.size(), 32U);
    EXPECT_EQ(frame.payload[0], 135);
    EXPECT_EQ(IpAddress::V6(frame.payload.data() + 8), target);
    EXPECT_EQ(std::memcmp(frame.payload.data() + 26, wire_.device.mac, 6), 0);
    EXPECT_EQ(frame.destination,
              is_unicast ? target : Ip6({0xff, 2}, {1, 0xff, target.bytes[13], target.bytes[14], target.bytes[15]}));
    EXPECT_EQ(frame.to[0], is_unicast ? kPeerMac[0] : 0x33);
  }
  const Endpoint to_ = {kPeer6, 9};
  const IpAddress solicited_ = Ip6({0xff, 2}, {1, 0xff, 0, 0, 1});
};

TEST_F(DiscoveryTest, ALinkLocalAddressComesFromTheMac) {
  DeviceAddress addresses[8];
  const uint32_t count = ListAddresses(*stack_, 0, addresses, 8);
  ASSERT_EQ(count, 5U);  // two of lo, link-local, ours
  EXPECT_EQ(addresses[2].address, Ip6({0xfe, 0x80}, {0, 0, 0, 0xff, 0xfe, 0, 0, 1}));
}

TEST_F(DiscoveryTest, AnswersSolicitationsToGroupAndToOneself) {
  const MacAddress group = {0x33, 0x33, 0xff, 0, 0, 1};
  PacketOptions options;
  options.ttl = 255;
  Receive(wire_, IcmpPacket(kPeer6, solicited_, 135, 0, 0, Discovery(kOwn6, 1, kPeerMac), options), kTypeIp6, {},
          group);
  const ParsedFrame answer = Sent();
  EXPECT_EQ(answer.payload[0], 136);
  EXPECT_EQ(LoadBig32(answer.payload.data() + 4), 0x60000000U);
  EXPECT_EQ(answer.destination, kPeer6);
  EXPECT_EQ(std::memcmp(answer.to, kPeerMac, 6), 0);
  EXPECT_EQ(std::memcmp(answer.payload.data() + 26, wire_.device.mac, 6), 0);
  EXPECT_TRUE(HasGoodSum(answer));
  Solicit(kPeer6, kOwn6, kOwn6, false);  // known by now
  EXPECT_EQ(Sent().payload[0], 136);
  Solicit(kPeer6, kOwn6, kPeer6, true);
  EXPECT_TRUE(wire_.sent.empty()) << "not ours";
}

TEST_F(DiscoveryTest, AnswersADuplicateCheckToAllNodes) {
  Solicit(IpAddress(), solicited_, kOwn6, false);
  const ParsedFrame answer = Sent();
  EXPECT_EQ(answer.destination, Ip6({0xff, 2}, {1}));
  EXPECT_EQ(LoadBig32(answer.payload.data() + 4), 0x20000000U);
  Solicit(IpAddress(), solicited_, kOwn6, true);  // RFC 4861 7.1.1: must not carry an address
  Solicit(IpAddress(), kOwn6, kOwn6, false);
  EXPECT_TRUE(wire_.sent.empty());
}

TEST_F(DiscoveryTest, MessagesFromOffTheLinkOrMalformedChangeNothing) {
  Solicit(kPeer6, kOwn6, kOwn6, true, 254);
  PacketOptions options;
  options.ttl = 255;
  Receive(IcmpPacket(kPeer6, kOwn6, 135, 1, 0, Discovery(kOwn6, 1, kPeerMac), options));
  Bytes rest = Discovery(kOwn6, 1, kPeerMac);
  rest[17] = 0;
  Receive(IcmpPacket(kPeer6, kOwn6, 135, 0, 0, rest, options));
  rest[17] = 2;
  Receive(IcmpPacket(kPeer6, kOwn6, 135, 0, 0, rest, options));
  rest.resize(17);
  Receive(IcmpPacket(kPeer6, kOwn6, 135, 0, 0, rest, options));
  rest.resize(8);
  Receive(IcmpPacket(kPeer6, kOwn6, 135, 0, 0, rest, options));
  Receive(IcmpPacket(kPeer6, kOwn6, 135, 0, 0, Discovery(Ip6({0xff, 2}, {9}), 1, kPeerMac), options));
  EXPECT_TRUE(wire_.sent.empty());
  EXPECT_EQ(counters().icmp_malformed, 7U);
}

TEST_F(DiscoveryTest, LooksUpANeighbourAndFailsAfterThreeQuestions) {
  UdpSocket* const udp = NewUdpSocket(*stack_, true);
  ASSERT_EQ(ConnectUdp(*udp, to_), 0);
  ASSERT_EQ(SendTo(*udp, nullptr, BytesOf("x")), 0);
  ExpectSolicitation(kPeer6, false);
  Advertise(kPeer6, 0x60000000, kPeerMac);
  EXPECT_EQ(Sent().protocol, kProtocolUdp);
  Advance(31 * kSecond);
  ASSERT_EQ(SendTo(*udp, nullptr, BytesOf("x")), 0);
  EXPECT_EQ(Sent().protocol, kProtocolUdp);
  Advance(5 * kSecond);
  ExpectSolicitation(kPeer6, true);
  Advance(3 * kSecond);
  wire_.sent.clear();
  ASSERT_EQ(SendTo(*udp, nullptr, BytesOf("x")), 0);
  ExpectSolicitation(kPeer6, false);
  Advance(3 * kSecond);
  EXPECT_EQ(SendTo(*udp, nullptr, BytesOf("x")), -EHOSTUNREACH);
}

TEST_F(DiscoveryTest, AdvertisementsFollowTheRulesOfOverriding) {
  UdpSocket* const udp = NewUdpSocket(*stack_, true);
  const MacAddress other = {2, 9, 9, 9, 9, 9};
  Advertise(kPeer6, 0x60000000, other);  // nobody asked
  ASSERT_EQ(SendTo(*udp, &to_, BytesOf("x")), 0);
  ExpectSolicitation(kPeer6, false);
  Advertise(kPeer6, 0x40000000, nullptr);  // says nothing
  EXPECT_TRUE(wire_.sent.empty());
  Advertise(kPeer6, 0x60000000, kPeerMac, Ip6({0xff, 2}, {1}));  // solicited, but to a group
  EXPECT_TRUE(wire_.sent.empty());
  Advertise(kPeer6, 0x60000000, kPeerMac);
  EXPECT_EQ(std::memcmp(Sent().to, kPeerMac, 6), 0);
  Advertise(kPeer6, 0x40000000, other);  // no override: only a doubt
  ASSERT_EQ(SendTo(*udp, &to_, BytesOf("x")), 0);
  EXPECT_EQ(std::memcmp(Sent().to, kPeerMac, 6), 0);
  Advertise(kPeer6, 0x20000000, other);
  ASSERT_EQ(SendTo(*udp, &to_, BytesOf("x")), 0);
  EXPECT_EQ(std::memcmp(Sent().to, other, 6), 0);
}

TEST_F(DiscoveryTest, RouterAdvertisementsAreIgnored) {
  PacketOptions options;
  options.ttl = 255;
  Route before[16], after[16];
  const uint32_t count = ListRoutes(*stack_, 0, before, 16);
  Receive(IcmpPacket(Ip6({0xfe, 0x80}, {9}), kOwn6, 134, 0, 0x40000708, Bytes(24), options));
  EXPECT_EQ(ListRoutes(*stack_, 0, after, 16), count);
  EXPECT_TRUE(wire_.sent.empty());
}

}  // namespace
}  // namespace junction::net
