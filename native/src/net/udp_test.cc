// SPDX-License-Identifier: Apache-2.0
#include <poll.h>

#include <cerrno>

#include "net/test/wire_fixture.h"

namespace junction::net {
namespace {

class UdpTest : public WireFixture {
 protected:
  void SetUp() override {
    WireFixture::SetUp();
    KnowPeer();
  }
  void ReceiveUdp(const Endpoint& from, const Endpoint& to, const std::string& text) {
    Receive(UdpPacket(from, to, BytesOf(text)));
  }
  std::string Read(UdpSocket& udp, Datagram* about = nullptr) {
    Bytes payload;
    return ReadFrom(udp, payload, about) ? std::string(payload.begin(), payload.end()) : "(nothing)";
  }
};

TEST_F(UdpTest, ReceivesWithEverythingThatADatagramTells) {
  UdpSocket* const udp = BoundUdp({AnyAddress(false), 53}, false);
  PacketOptions options;
  options.ttl = 33;
  options.type_of_service = 0xb8;
  Receive(UdpPacket({kPeer4, 1000}, {kOwn4, 53}, BytesOf("hello"), options));
  EXPECT_NE(PollUdp(*udp) & POLLIN, 0U);
  EXPECT_EQ(NextDatagram_bytes(*udp), 5U);
  Datagram about;
  EXPECT_EQ(Read(*udp, &about), "hello");
  EXPECT_EQ(about.from, (Endpoint{kPeer4, 1000}));
  EXPECT_EQ(about.to, kOwn4);
  EXPECT_EQ(about.device_index, wire_.device.index);
  EXPECT_EQ(about.ttl, 33);
  EXPECT_EQ(about.type_of_service, 0xb8);
  EXPECT_EQ(PollUdp(*udp) & POLLIN, 0U);
}

TEST_F(UdpTest, SendsWithHeadersAndChecksumOfBothFamilies) {
  for (const bool is_v6 : {false, true}) {
    UdpSocket* const udp = BoundUdp({AnyAddress(is_v6), 7}, is_v6);
    SocketOf(*udp).ttl = 9;
    SocketOf(*udp).type_of_service = 0x20;
    const Endpoint to = {is_v6 ? kFar6 : kFar4, 99};
    ASSERT_EQ(SendTo(*udp, &to, Pattern(333)), 0);
    const ParsedFrame frame = Sent();
    EXPECT_EQ(frame.protocol, kProtocolUdp);
    EXPECT_EQ(frame.ttl, 9);
    EXPECT_EQ(frame.source, is_v6 ? kOwn6 : kOwn4);
    EXPECT_EQ(frame.destination, to.address);
    EXPECT_TRUE(HasGoodSum(frame));
    EXPECT_EQ(LoadBig16(frame.payload.data()), 7);
    EXPECT_EQ(LoadBig16(frame.payload.data() + 2), 99);
    EXPECT_EQ(Bytes(frame.payload.begin() + 8, frame.payload.end()), Pattern(333));
    EXPECT_EQ(frame.meta.flags, 0);
    CloseUdp(*udp);
  }
}

TEST_F(UdpTest, LeavesTheChecksumBlankWhereTheDeviceMay) {
  wire_.device.has_blank_checksums = true;
  UdpSocket* const udp = BoundUdp({AnyAddress(false), 7}, false);
  const Endpoint to = {kPeer4, 99};
  ASSERT_EQ(SendTo(*udp, &to, BytesOf("abc")), 0);
  ParsedFrame frame = Sent();
  EXPECT_EQ(frame.meta.flags, kFrameChecksumBlank);
  EXPECT_EQ(frame.meta.checksum_start, 34);
  EXPECT_EQ(frame.meta.checksum_offset, 6);
  // What the wire's end does (virtio 5.1.6.2): sum from the start, over the pseudo header's sum.
  const auto sum =
      static_cast<uint16_t>(~FoldSum(SumBytes(frame.payload.data(), static_cast<uint32_t>(frame.payload.size()), 0)));
  std::memcpy(frame.payload.data() + 6, &sum, 2);
  EXPECT_TRUE(HasGoodSum(frame));
}

TEST_F(UdpTest, AcceptsUnsummedFramesOnlyFromDevicesThatItTrusts) {
  UdpSocket* const udp = BoundUdp({AnyAddress(false), 53}, false);
  Bytes packet = UdpPacket({kPeer4, 1}, {kOwn4, 53}, BytesOf("x"));
  packet[26] ^= 0x55;
  FrameMeta meta;
  meta.flags = kFrameChecksumBlank;
  Receive(packet, meta);
  EXPECT_EQ(Read(*udp), "(nothing)");
  EXPECT_EQ(counters().udp_malformed, 1U);
  wire_.device.trusts_checksums = true;
  Receive(packet, meta);
  EXPECT_EQ(Read(*udp), "x");
  Receive(packet);  // nobody vouches for this one
  EXPECT_EQ(Read(*udp), "(nothing)");
}

TEST_F(UdpTest, ZeroChecksumMeansNoneInIp4AndIsAnErrorInIp6) {
  UdpSocket* const four = BoundUdp({AnyAddress(false), 53}, false);
  UdpSocket* const six = BoundUdp({kOwn6, 53}, true);
  Bytes packet = UdpPacket({kPeer4, 1}, {kOwn4, 53}, BytesOf("x"));
  packet[26] = packet[27] = 0;
  Receive(packet);
  EXPECT_EQ(Read(*four), "x");
  packet = UdpPacket({kPeer6, 1}, {kOwn6, 53}, BytesOf("x"));
  packet[46] = packet[47] = 0;
  Receive(packet);
  EXPECT_EQ(Read(*six), "(nothing)");
}

TEST_F(UdpTest, DropsMalformedDatagrams) {
  UdpSocket* const udp = BoundUdp({AnyAddress(false), 53}, false);
  for (const uint16_t length : {0, 7, 10, 0xffff}) {
    Bytes datagram = UdpBytes({kPeer4, 1}, {kOwn4, 53}, BytesOf("x"));
    datagram[4] = static_cast<uint8_t>(length >> 8);
    datagram[5] = static_cast<uint8_t>(length);
    datagram[6] = datagram[7] = 0;
    Receive(IpBytes(kProtocolUdp, kPeer4, kOwn4, datagram));
  }
  Receive(IpBytes(kProtocolUdp, kPeer4, kOwn4, Bytes(7)));
  EXPECT_EQ(Read(*udp), "(nothing)");
  EXPECT_EQ(counters().udp_malformed, 5U);
  EXPECT_TRUE(wire_.sent.empty()) << "no errors about what nobody may have sent";
}

TEST_F(UdpTest, PaddingBehindThePacketIsNoPayload) {
  UdpSocket* const udp = BoundUdp({AnyAddress(false), 53}, false);
  Bytes packet = UdpPacket({kPeer4, 1}, {kOwn4, 53}, BytesOf("x"));
  packet.resize(46);
  Receive(packet);
  EXPECT_EQ(Read(*udp), "x");
}

TEST_F(UdpTest, NobodyAtThePortIsToldToTheSender) {
  ReceiveUdp({kPeer4, 1000}, {kOwn4, 54}, "hello");
  ParsedFrame error = Sent();
  EXPECT_EQ(error.protocol, kProtocolIcmp);
  EXPECT_EQ(error.payload[0], 3);
  EXPECT_EQ(error.payload[1], 3);
  EXPECT_TRUE(HasGoodSum(error));
  EXPECT_EQ(error.payload.size(), 8U + 28);
  ReceiveUdp({kPeer6, 1000}, {kOwn6, 54}, "hello");
  error = Sent();
  EXPECT_EQ(error.payload[0], 1);
  EXPECT_EQ(error.payload[1], 4);
  EXPECT_TRUE(HasGoodSum(error));
  Bytes bad = UdpPacket({kPeer4, 1}, {kOwn4, 54}, BytesOf("x"));
  bad.back() ^= 1;
  Receive(bad);
  EXPECT_TRUE(wire_.sent.empty()) << "a broken datagram is not answered";
  EXPECT_EQ(counters().udp_no_port, 2U);
}

TEST_F(UdpTest, TheMostSpecificSocketReceives) {
  UdpSocket* const any = NewUdpSocket(*stack_, false);
  UdpSocket* const own = NewUdpSocket(*stack_, false);
  UdpSocket* const peer = NewUdpSocket(*stack_, false);
  for (UdpSocket* udp : {any, own, peer}) {
    SocketOf(*udp).reuses_address = true;
  }
  ASSERT_EQ(BindUdp(*any, {AnyAddress(false), 53}), 0);
  ASSERT_EQ(BindUdp(*own, {kOwn4, 53}), 0);
  ASSERT_EQ(BindUdp(*peer, {kOwn4, 53}), 0);
  ASSERT_EQ(ConnectUdp(*peer, {kPeer4, 1000}), 0);
  ReceiveUdp({kPeer4, 1000}, {kOwn4, 53}, "connected");
  ReceiveUdp({kPeer4, 1001}, {kOwn4, 53}, "bound");
  EXPECT_EQ(Read(*peer), "connected");
  EXPECT_EQ(Read(*peer), "(nothing)");
  EXPECT_EQ(Read(*own), "bound");
  EXPECT_EQ(Read(*any), "(nothing)");
  ASSERT_EQ(ConnectUdp(*peer, Endpoint{}), 0);  // AF_UNSPEC
  CloseUdp(*own);
  CloseUdp(*peer);
  ReceiveUdp({kPeer4, 1000}, {kOwn4, 53}, "any");
  EXPECT_EQ(Read(*any), "any");
}

TEST_F(UdpTest, AnIp6SocketTakesBothFamiliesUnlessToldNotTo) {
  UdpSocket* const dual = BoundUdp({AnyAddress(true), 53}, true);
  ReceiveUdp({kPeer4, 1}, {kOwn4, 53}, "four");
  ReceiveUdp({kPeer6, 1}, {kOwn6, 53}, "six");
  Datagram about;
  EXPECT_EQ(Read(*dual, &about), "four");
  EXPECT_EQ(about.from.address, kPeer4);
  EXPECT_EQ(Read(*dual), "six");
  const Endpoint to = {kPeer4, 9};
  EXPECT_EQ(SendTo(*dual, &to, BytesOf("x")), 0);
  EXPECT_EQ(Sent().source, kOwn4);
  CloseUdp(*dual);
  UdpSocket* const only = NewUdpSocket(*stack_, true);
  SocketOf(*only).is_v6_only = true;
  ASSERT_EQ(BindUdp(*only, {AnyAddress(true), 53}), 0);
  UdpSocket* const four = BoundUdp({AnyAddress(false), 53}, false);  // does not clash
  ReceiveUdp({kPeer4, 1}, {kOwn4, 53}, "four");
  EXPECT_EQ(Read(*only), "(nothing)");
  EXPECT_EQ(Read(*four), "four");
  EXPECT_EQ(SendTo(*only, &to, BytesOf("x")), -ENETUNREACH);
}

TEST_F(UdpTest, SocketsThatShareAPortByReuseportShareFlows) {
  std::vector<UdpSocket*> group;
  for (int i = 0; i < 4; ++i) {
    group.push_back(NewUdpSocket(*stack_, false));
    SocketOf(*group.back()).reuses_port = true;
    ASSERT_EQ(BindUdp(*group.back(), {AnyAddress(false), 53}), 0);
  }
  for (uint16_t port = 1000; port < 1200; ++port) {
    ReceiveUdp({kPeer4, port}, {kOwn4, 53}, "a");
    ReceiveUdp({kPeer4, port}, {kOwn4, 53}, "b");
  }
  for (UdpSocket* udp : group) {
    int count = 0;
    Datagram first, second;
    while (Read(*udp, &first) == "a") {
      EXPECT_EQ(Read(*udp, &second), "b");
      EXPECT_EQ(first.from, second.from) << "a flow stays at its socket";
      ++count;
    }
    EXPECT_GT(count, 20);
  }
}

TEST_F(UdpTest, BindFollowsTheRulesOfSharing) {
  UdpSocket* const first = BoundUdp({kOwn4, 53}, false);
  UdpSocket* const second = NewUdpSocket(*stack_, false);
  EXPECT_EQ(BindUdp(*second, {kOwn4, 53}), -EADDRINUSE);
  EXPECT_EQ(BindUdp(*second, {AnyAddress(false), 53}), -EADDRINUSE);
  EXPECT_EQ(BindUdp(*second, {kPeer4, 53}), -EADDRNOTAVAIL);
  EXPECT_EQ(BindUdp(*second, {kLoopback4, 53}), 0);
  EXPECT_EQ(BindUdp(*second, {kLoopback4, 54}), -EINVAL);
  SocketOf(*first).reuses_port = true;
  UdpSocket* const stranger = NewUdpSocket(*stack_, false);
  SocketOf(*stranger).reuses_port = true;
  SocketOf(*stranger).owner_uid = 1;
  EXPECT_EQ(BindUdp(*stranger, {kOwn4, 53}), -EADDRINUSE) << "another user's port";
  UdpSocket* const six = NewUdpSocket(*stack_, true);
  EXPECT_EQ(BindUdp(*six, {AnyAddress(true), 53}), -EADDRINUSE) << ":: covers IPv4";
  SocketOf(*six).is_v6_only = true;
  EXPECT_EQ(BindUdp(*six, {AnyAddress(true), 53}), 0);
  CloseUdp(*first);
  EXPECT_EQ(BindUdp(*stranger, {kOwn4, 53}), 0);
}

TEST_F(UdpTest, EphemeralPortsComeFromTheRangeUntilItIsUsedUp) {
  StackOptions options;
  options.ephemeral_low = 40000;
  options.ephemeral_high = 40009;
  Start(options, false);
  std::vector<bool> seen(10);
  for (int i = 0; i < 10; ++i) {
    UdpSocket* const udp = BoundUdp({AnyAddress(false), 0}, false);
    const uint16_t port = SocketOf(*udp).local.port;
    ASSERT_GE(port, 40000);
    ASSERT_LE(port, 40009);
    EXPECT_FALSE(seen[port - 40000]);
    seen[port - 40000] = true;
  }
  UdpSocket* const late = NewUdpSocket(*stack_, false);
  EXPECT_EQ(BindUdp(*late, {AnyAddress(false), 0}), -EAGAIN);
}

TEST_F(UdpTest, ConnectSetsBothEndsAndDisconnectUndoesIt) {
  UdpSocket* const udp = NewUdpSocket(*stack_, false);
  EXPECT_EQ(SendTo(*udp, nullptr, BytesOf("x")), -EDESTADDRREQ);
  ASSERT_EQ(ConnectUdp(*udp, {kFar4, 99}), 0);
  EXPECT_EQ(SocketOf(*udp).local.address, kOwn4);
  EXPECT_NE(SocketOf(*udp).local.port, 0);
  ASSERT_EQ(SendTo(*udp, nullptr, BytesOf("x")), 0);
  EXPECT_EQ(Sent().destination, kFar4);
  ReceiveUdp({kPeer4, 99}, {kOwn4, SocketOf(*udp).local.port}, "from another");
  EXPECT_EQ(Read(*udp), "(nothing)");
  ASSERT_EQ(ConnectUdp(*udp, Endpoint{}), 0);
  EXPECT_EQ(SocketOf(*udp).local.port, 0);
  EXPECT_TRUE(SocketOf(*udp).local.address.is_any());
}

TEST_F(UdpTest, ConnectToAnyReachesThisHost) {
  UdpSocket* const server = BoundUdp({kLoopback4, 53}, false);
  UdpSocket* const client = NewUdpSocket(*stack_, false);
  ASSERT_EQ(ConnectUdp(*client, {AnyAddress(false), 53}), 0);
  EXPECT_EQ(SocketOf(*client).remote.address, kLoopback4);
  ASSERT_EQ(SendTo(*client, nullptr, BytesOf("x")), 0);
  EXPECT_EQ(Read(*server), "x");
}

TEST_F(UdpTest, OwnAddressesAreReachedThroughLoopback) {
  UdpSocket* const server = BoundUdp({AnyAddress(true), 53}, true);
  for (const IpAddress& address : {kOwn4, kOwn6, kLoopback4, kLoopback6, IpAddress::V4(127, 5, 6, 7)}) {
    UdpSocket* const client = NewUdpSocket(*stack_, !address.is_v4());
    const Endpoint to = {address, 53};
    ASSERT_EQ(SendTo(*client, &to, BytesOf("x")), 0);
    Datagram about;
    EXPECT_EQ(Read(*server, &about), "x");
    EXPECT_EQ(about.from.address, address);
    EXPECT_EQ(about.to, address);
    EXPECT_EQ(about.device_index, 1U);
    const Endpoint back = about.from;
    ASSERT_EQ(SendTo(*server, &back, BytesOf("y")), 0);
    EXPECT_EQ(Read(*client), "y");
    CloseUdp(*client);
  }
  EXPECT_TRUE(wire_.sent.empty());
}

TEST_F(UdpTest, ALoopbackDatagramToAClosedPortRefusesTheConnectedSender) {
  UdpSocket* const udp = NewUdpSocket(*stack_, false);
  ASSERT_EQ(ConnectUdp(*udp, {kLoopback4, 53}), 0);
  ASSERT_EQ(SendTo(*udp, nullptr, BytesOf("x")), 0);
  EXPECT_NE(PollUdp(*udp) & POLLERR, 0U);
  EXPECT_EQ(SendTo(*udp, nullptr, BytesOf("x")), -ECONNREFUSED);
  EXPECT_EQ(SendTo(*udp, nullptr, BytesOf("x")), 0) << "an error is reported once";
}

TEST_F(UdpTest, TheReceiveBufferIsBounded) {
  UdpSocket* const udp = BoundUdp({AnyAddress(false), 53}, false);
  SetUdpBuffers(*udp, 1, 1);
  EXPECT_EQ(UdpReceiveBuffer_bytes(*udp), 2304U);
  EXPECT_EQ(UdpSendBuffer_bytes(*udp), 4608U);
  for (int i = 0; i < 100; ++i) {
    Receive(UdpPacket({kPeer4, 1}, {kOwn4, 53}, Pattern(500)));
  }
  Bytes payload;
  uint32_t count = 0;
  while (ReadFrom(*udp, payload)) {
    EXPECT_EQ(payload, Pattern(500));
    ++count;
  }
  EXPECT_EQ(count, 5U);
  EXPECT_EQ(counters().udp_full, 95U);
}

TEST_F(UdpTest, APoolWithoutBlocksDropsWholeDatagrams) {
  StackOptions options;
  options.pool_limit_bytes = kStep_bytes;
  Start(options, false);
  UdpSocket* const udp = BoundUdp({AnyAddress(false), 53}, false);
  SetUdpBuffers(*udp, 1 << 20, 1 << 20);
  for (int i = 0; i < 100; ++i) {
    Receive(UdpPacket({kPeer4, 1}, {kOwn4, 53}, Pattern(1400)));
  }
  Bytes payload;
  uint32_t count = 0;
  while (ReadFrom(*udp, payload)) {
    EXPECT_EQ(payload, Pattern(1400));
    ++count;
  }
  EXPECT_GT(count, 40U);
  EXPECT_EQ(counters().udp_full, 100U - count);
}

TEST_F(UdpTest, AFullDeviceMakesTheSenderWait) {
  UdpSocket* const udp = BoundUdp({AnyAddress(false), 7}, false);
  static uint32_t events;
  events = 0;
  SocketOf(*udp).notify = [](Socket&, uint32_t bits) { events |= bits; };
  wire_.room = 1;
  const Endpoint to = {kPeer4, 99};
  EXPECT_EQ(SendTo(*udp, &to, BytesOf("one")), 0);
  EXPECT_EQ(SendTo(*udp, &to, BytesOf("two")), -EAGAIN);
  EXPECT_EQ(PollUdp(*udp) & POLLOUT, 0U);
  wire_.sent.clear();
  DeviceHasRoom(*stack_, wire_.device, now_);
  EXPECT_NE(events & POLLOUT, 0U);
  EXPECT_NE(PollUdp(*udp) & POLLOUT, 0U);
  EXPECT_EQ(SendTo(*udp, &to, BytesOf("two")), 0);
}

TEST_F(UdpTest, DatagramsLongerThanTheMtuAreFragmented) {
  for (const bool is_v6 : {false, true}) {
    UdpSocket* const udp = BoundUdp({AnyAddress(is_v6), 7}, is_v6);
    const Endpoint to = {is_v6 ? kPeer6 : kPeer4, 99};
    ASSERT_EQ(SendTo(*udp, &to, Pattern(5000)), 0);
    Bytes whole;
    uint32_t id = 0;
    for (int i = 0; i < 4; ++i) {
      const ParsedFrame frame = Sent();
      EXPECT_LE(frame.ip.size(), 1500U);
      const uint32_t offset = is_v6 ? LoadBig16(frame.payload.data() + 2) & 0xfff8U : (frame.fragment & 0x1fffU) * 8;
      const bool has_more = is_v6 ? (frame.payload[3] & 1) != 0 : (frame.fragment & 0x2000) != 0;
      const uint32_t this_id = is_v6 ? LoadBig32(frame.payload.data() + 4) : LoadBig16(frame.ip.data() + 4);
      EXPECT_EQ(frame.protocol, is_v6 ? 44 : kProtocolUdp);
      EXPECT_EQ(offset, whole.size());
      EXPECT_EQ(has_more, i < 3);
      EXPECT_TRUE(i == 0 || this_id == id);
      id = this_id;
      whole.insert(whole.end(), frame.payload.begin() + (is_v6 ? 8 : 0), frame.payload.end());
    }
    EXPECT_TRUE(wire_.sent.empty());
    EXPECT_EQ(FoldSum(SumBytes(whole.data(), 5008, PseudoSum(is_v6 ? kOwn6 : kOwn4, to.address, kProtocolUdp, 5008))),
              0xffff);
    EXPECT_EQ(Bytes(whole.begin() + 8, whole.end()), Pattern(5000));
    OptionsOf(*udp).forbids_fragments = true;
    EXPECT_EQ(SendTo(*udp, &to, Pattern(5000)), -EMSGSIZE);
    EXPECT_EQ(SendTo(*udp, &to, Bytes(65536)), -EMSGSIZE);
    CloseUdp(*udp);
  }
}

TEST_F(UdpTest, TheLargestDatagramGoesOverLoopback) {
  UdpSocket* const server = BoundUdp({AnyAddress(true), 53}, true);
  SetUdpBuffers(*server, 1 << 20, 1 << 20);
  for (const bool is_v6 : {false, true}) {
    UdpSocket* const client = NewUdpSocket(*stack_, is_v6);
    const Endpoint to = {is_v6 ? kLoopback6 : kLoopback4, 53};
    const uint32_t most = is_v6 ? 65527 : 65507;
    EXPECT_EQ(SendTo(*client, &to, Pattern(most + 1)), -EMSGSIZE);
    ASSERT_EQ(SendTo(*client, &to, Pattern(most)), 0);
    Bytes payload;
    ASSERT_TRUE(ReadFrom(*server, payload));
    EXPECT_EQ(payload, Pattern(most));
  }
}

TEST_F(UdpTest, BroadcastNeedsPermissionAndReachesEveryReceiver) {
  UdpSocket* const udp = BoundUdp({AnyAddress(false), 7}, false);
  const Endpoint subnet = {IpAddress::V4(10, 0, 0, 255), 99};
  EXPECT_EQ(SendTo(*udp, &subnet, BytesOf("x")), -EACCES);
  OptionsOf(*udp).may_broadcast = true;
  EXPECT_EQ(SendTo(*udp, &subnet, BytesOf("x")), 0);
  const ParsedFrame frame = Sent();
  EXPECT_EQ(frame.to[0], 0xff);
  EXPECT_TRUE(HasGoodSum(frame));

  UdpSocket* const one = NewUdpSocket(*stack_, false);
  UdpSocket* const two = NewUdpSocket(*stack_, false);
  SocketOf(*one).reuses_address = SocketOf(*two).reuses_address = true;
  ASSERT_EQ(BindUdp(*one, {AnyAddress(false), 99}), 0);
  ASSERT_EQ(BindUdp(*two, {AnyAddress(false), 99}), 0);
  const MacAddress all = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  Receive(wire_, UdpPacket({kPeer4, 1}, subnet, BytesOf("y")), kTypeIp4, {}, all);
  EXPECT_EQ(Read(*one), "y");
  EXPECT_EQ(Read(*two), "y");
  Receive(wire_, UdpPacket({kPeer4, 1}, {IpAddress::V4(255, 255, 255, 255), 98}, BytesOf("y")), kTypeIp4, {}, all);
  EXPECT_TRUE(wire_.sent.empty()) << "no error about a broadcast";
}

TEST_F(UdpTest, GroupsAreReceivedByMembersOnly) {
  const IpAddress group4 = IpAddress::V4(239, 1, 2, 3);
  const IpAddress group6 = Ip6({0xff, 5}, {0x77});
  for (const IpAddress& group : {group4, group6}) {
    const bool is_v6 = !group.is_v4();
    const Endpoint from = {is_v6 ? kPeer6 : kPeer4, 1};
    UdpSocket* const udp = BoundUdp({AnyAddress(is_v6), 99}, is_v6);
    const MacAddress mac4 = {1, 0, 0x5e, 1, 2, 3};
    const MacAddress mac6 = {0x33, 0x33, 0, 0, 0, 0x77};
    const uint8_t* const mac = is_v6 ? mac6 : mac4;
    const uint16_t type = is_v6 ? kTypeIp6 : kTypeIp4;
    const Bytes packet = UdpPacket(from, {group, 99}, BytesOf("x"));
    Receive(wire_, packet, type, {}, mac);
    EXPECT_EQ(Read(*udp), "(nothing)");
    ASSERT_EQ(JoinMulticast(*udp, group, 0), 0);
    EXPECT_EQ(JoinMulticast(*udp, group, wire_.device.index), -EADDRINUSE);
    Receive(wire_, packet, type, {}, mac);
    EXPECT_EQ(Read(*udp), "x");
    // Sending: to the group's MAC, and back to the members of this host unless told not to.
    const Endpoint to = {group, 99};
    ASSERT_EQ(SendTo(*udp, &to, BytesOf("mine")), 0);
    ParsedFrame frame = Sent();
    EXPECT_EQ(std::memcmp(frame.to, mac, 6), 0);
    EXPECT_EQ(frame.ttl, 1);
    EXPECT_TRUE(HasGoodSum(frame));
    EXPECT_EQ(Read(*udp), "mine");
    OptionsOf(*udp).loops_multicast = false;
    ASSERT_EQ(SendTo(*udp, &to, BytesOf("mine")), 0);
    EXPECT_EQ(Read(*udp), "(nothing)");
    Sent();
    ASSERT_EQ(LeaveMulticast(*udp, group, 0), 0);
    EXPECT_EQ(LeaveMulticast(*udp, group, 0), -EADDRNOTAVAIL);
    Receive(wire_, packet, type, {}, mac);
    EXPECT_EQ(Read(*udp), "(nothing)");
    CloseUdp(*udp);
  }
  UdpSocket* const greedy = NewUdpSocket(*stack_, false);
  EXPECT_EQ(JoinMulticast(*greedy, kPeer4, 0), -EINVAL);
  for (uint8_t i = 0; i < 20; ++i) {
    EXPECT_EQ(JoinMulticast(*greedy, IpAddress::V4(239, 0, 0, i), 0), 0);
  }
  EXPECT_EQ(JoinMulticast(*greedy, IpAddress::V4(239, 0, 1, 0), 0), -ENOBUFS);
}

TEST_F(UdpTest, ShutdownStopsEachSide) {
  UdpSocket* const udp = NewUdpSocket(*stack_, false);
  EXPECT_EQ(ShutdownUdp(*udp, 1), -ENOTCONN);
  UdpSocket* const other = NewUdpSocket(*stack_, false);
  ASSERT_EQ(ConnectUdp(*other, {kPeer4, 9}), 0);
  EXPECT_EQ(ShutdownUdp(*other, 2), 0);
  EXPECT_EQ(SendTo(*other, nullptr, BytesOf("x")), -EPIPE);
  EXPECT_EQ(PollUdp(*other) & (POLLHUP | POLLRDHUP), 0U);
  EXPECT_EQ(ShutdownUdp(*other, 1), 0);
  EXPECT_EQ(PollUdp(*other) & (POLLIN | POLLHUP | POLLRDHUP), static_cast<uint32_t>(POLLIN | POLLHUP | POLLRDHUP));
}

TEST_F(UdpTest, ADraftThatIsDroppedLeavesNoTrace) {
  UdpSocket* const udp = BoundUdp({AnyAddress(false), 7}, false);
  const Endpoint to = {kPeer4, 99};
  Span span;
  ASSERT_EQ(BeginUdp(*udp, &to, nullptr, 100, span, now_), 0);
  DropUdp(*udp);
  ASSERT_EQ(BeginUdp(*udp, &to, nullptr, 9000, span, now_), 0);
  DropUdp(*udp);
  EXPECT_EQ(SendUdp(*udp, now_), -EINVAL);
  EXPECT_TRUE(wire_.sent.empty());
}

TEST_F(UdpTest, TheSourceMayBeNamedIfItIsOurs) {
  ASSERT_EQ(AddAddress(*stack_, {wire_.device.index, IpAddress::V4(10, 0, 0, 50), 24}), 0);
  wire_.sent.clear();
  UdpSocket* const udp = BoundUdp({AnyAddress(false), 7}, false);
  const Endpoint to = {kPeer4, 99};
  const IpAddress second = IpAddress::V4(10, 0, 0, 50);
  ASSERT_EQ(SendTo(*udp, &to, BytesOf("x"), &second), 0);
  EXPECT_EQ(Sent().source, second);
  EXPECT_EQ(SendTo(*udp, &to, BytesOf("x"), &kPeer4), -EADDRNOTAVAIL);
}

TEST_F(UdpTest, RemovingTheDeviceEndsItsSocketsAndItsRoutes) {
  UdpSocket* const udp = NewUdpSocket(*stack_, false);
  SocketOf(*udp).device_index = wire_.device.index;
  ASSERT_EQ(ConnectUdp(*udp, {kFar4, 99}), 0);
  RemoveDevice(*stack_, wire_.device, now_);
  EXPECT_EQ(SendTo(*udp, nullptr, BytesOf("x")), -ENETDOWN);
  EXPECT_EQ(SendTo(*udp, nullptr, BytesOf("x")), -EADDRNOTAVAIL) << "neither the cached path nor its source is there";
  UdpSocket* const other = NewUdpSocket(*stack_, false);
  EXPECT_EQ(ConnectUdp(*other, {kFar4, 99}), -ENETUNREACH);
  ASSERT_EQ(AddDevice(*stack_, wire_.device), 0);
}

}  // namespace
}  // namespace junction::net
