// SPDX-License-Identifier: Apache-2.0
// What a host takes from the wire, both families, and what it refuses.
#include <cerrno>

#include "net/fragments.h"
#include "net/test/wire_fixture.h"

namespace junction::net {
namespace {

class IpInputTest : public WireFixture {
 protected:
  void SetUp() override {
    WireFixture::SetUp();
    KnowPeer();
    udp_ = BoundUdp({AnyAddress(true), 53}, true);
  }
  bool Takes(const Bytes& ip) {
    Receive(ip);
    Bytes payload;
    return ReadFrom(*udp_, payload);
  }
  Bytes Udp4(const PacketOptions& options) { return UdpPacket({kPeer4, 1}, {kOwn4, 53}, BytesOf("x"), options); }
  // A UDP datagram behind extension headers, the first of which is of type `first`.
  Bytes Udp6(uint8_t first, const Bytes& extensions) {
    Bytes payload = extensions;
    Append(payload, UdpBytes({kPeer6, 1}, {kOwn6, 53}, BytesOf("x")));
    return IpBytes(first, kPeer6, kOwn6, payload);
  }
  UdpSocket* udp_ = nullptr;
};

TEST_F(IpInputTest, TakesWellFormedPackets) {
  EXPECT_TRUE(Takes(Udp4({})));
  EXPECT_TRUE(Takes(Udp6(17, {})));
  EXPECT_EQ(counters().ip_in, 2U);
}

TEST_F(IpInputTest, RefusesMalformedIp4Headers) {
  Bytes good = Udp4({});
  PacketOptions broken;
  broken.breaks_header = true;
  EXPECT_FALSE(Takes(Udp4(broken)));
  Bytes bad = good;
  bad[0] = 0x44;  // header shorter than a header
  FixSum(bad, 10, 0, 0);
  EXPECT_FALSE(Takes(bad));
  bad = good;
  bad[0] = 0x4f;  // longer than the packet
  EXPECT_FALSE(Takes(bad));
  bad = good;
  bad[0] = 0x55;
  Receive(wire_, bad, kTypeIp4);
  bad = good;
  bad[3] = 200;  // longer than the frame
  EXPECT_FALSE(Takes(bad));
  bad = good;
  bad[3] = 19;
  EXPECT_FALSE(Takes(bad));
  for (size_t size = 0; size < 20; ++size) {
    Receive(wire_, Bytes(good.begin(), good.begin() + static_cast<long>(size)), kTypeIp4);
  }
  Bytes payload;
  EXPECT_FALSE(ReadFrom(*udp_, payload));
  EXPECT_EQ(counters().ip_malformed, 26U);
}

TEST_F(IpInputTest, IgnoresIp4OptionsButRefusesSourceRoutesAndMalformedOnes) {
  PacketOptions options;
  options.options = {1, 1, 1, 0};
  EXPECT_TRUE(Takes(Udp4(options)));
  options.options = {7, 7, 4, 0, 0, 0, 0, 0};  // record route
  EXPECT_TRUE(Takes(Udp4(options)));
  options.options = Bytes(40, 1);
  EXPECT_TRUE(Takes(Udp4(options)));
  options.options = {131, 3, 4, 0};
  EXPECT_FALSE(Takes(Udp4(options)));
  options.options = {137, 7, 4, 1, 2, 3, 4, 0};
  EXPECT_FALSE(Takes(Udp4(options)));
  options.options = {7, 0, 0, 0};
  EXPECT_FALSE(Takes(Udp4(options)));
  options.options = {7, 9, 0, 0};
  EXPECT_FALSE(Takes(Udp4(options)));
  options.options = {1, 1, 1, 7};
  EXPECT_FALSE(Takes(Udp4(options)));
}

TEST_F(IpInputTest, RefusesWhatIsNotForThisHost) {
  EXPECT_FALSE(Takes(UdpPacket({kPeer4, 1}, {kFar4, 53}, BytesOf("x"))));
  EXPECT_FALSE(Takes(UdpPacket({kPeer6, 1}, {kFar6, 53}, BytesOf("x"))));
  EXPECT_FALSE(Takes(UdpPacket({kPeer4, 1}, {kLoopback4, 53}, BytesOf("x"))));
  EXPECT_FALSE(Takes(UdpPacket({kPeer6, 1}, {kLoopback6, 53}, BytesOf("x"))));
  EXPECT_EQ(counters().ip_bad_address, 4U);
  EXPECT_TRUE(wire_.sent.empty());
}

TEST_F(IpInputTest, RefusesMartianSources) {
  const IpAddress martians4[] = {IpAddress::V4(0, 0, 0, 0),
                                 IpAddress::V4(224, 0, 0, 1),
                                 IpAddress::V4(255, 255, 255, 255),
                                 IpAddress::V4(240, 0, 0, 1),
                                 kLoopback4,
                                 IpAddress::V4(10, 0, 0, 255),
                                 kOwn4};
  for (const IpAddress& source : martians4) {
    EXPECT_FALSE(Takes(UdpPacket({source, 1}, {kOwn4, 53}, BytesOf("x"))));
  }
  const IpAddress mapped = IpAddress::V4(1, 2, 3, 4);
  for (const IpAddress& source : {Ip6({0xff, 2}, {1}), kLoopback6, kOwn6}) {
    EXPECT_FALSE(Takes(UdpPacket({source, 1}, {kOwn6, 53}, BytesOf("x"))));
  }
  Bytes packet = UdpPacket({kPeer6, 1}, {kOwn6, 53}, BytesOf("x"));
  std::memcpy(packet.data() + 8, mapped.bytes, 16);
  EXPECT_FALSE(Takes(packet));
  EXPECT_EQ(counters().ip_bad_address, 11U);
}

TEST_F(IpInputTest, TakesFramesForItsMacOnly) {
  const MacAddress other = {2, 9, 9, 9, 9, 9};
  Bytes payload;
  Receive(wire_, Udp4({}), kTypeIp4, {}, other);
  EXPECT_FALSE(ReadFrom(*udp_, payload));
  const MacAddress all = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  // RFC 1122, 3.3.6: a link-layer broadcast for a unicast address would be dropped silently; it is delivered, but never answered.
  Receive(wire_, UdpPacket({kPeer4, 1}, {kOwn4, 54}, BytesOf("x")), kTypeIp4, {}, all);
  EXPECT_TRUE(wire_.sent.empty());
  Bytes frame(13);
  InputExact(wire_, frame);
  frame.resize(14);
  InputExact(wire_, frame);
  EXPECT_EQ(wire_.device.dropped_in, 3U);
}

TEST_F(IpInputTest, UnknownProtocolsAreToldToTheSender) {
  Receive(IpBytes(99, kPeer4, kOwn4, Bytes(16)));
  ParsedFrame error = Sent();
  EXPECT_EQ(error.payload[0], 3);
  EXPECT_EQ(error.payload[1], 2);
  Receive(IpBytes(99, kPeer6, kOwn6, Bytes(16)));
  error = Sent();
  EXPECT_EQ(error.payload[0], 4);
  EXPECT_EQ(error.payload[1], 1);
  EXPECT_EQ(LoadBig32(error.payload.data() + 4), 6U);
  Receive(IpBytes(kProtocolIcmp, kPeer6, kOwn6, Bytes(16)));  // IPv4's over IPv6
  EXPECT_EQ(Sent().payload[0], 4);
}

TEST_F(IpInputTest, RefusesMalformedIp6Headers) {
  Bytes good = Udp6(17, {});
  Bytes bad = good;
  bad[5] = 200;
  EXPECT_FALSE(Takes(bad));
  bad = good;
  bad[0] = 0x40;
  Receive(wire_, bad, kTypeIp6);
  for (size_t size = 0; size < 40; ++size) {
    Receive(wire_, Bytes(good.begin(), good.begin() + static_cast<long>(size)), kTypeIp6);
  }
  EXPECT_EQ(counters().ip_malformed, 42U);
}

TEST_F(IpInputTest, WalksOverExtensionHeaders) {
  // hop-by-hop with padding, destination options, routing with no segments left
  EXPECT_TRUE(Takes(Udp6(0, {60, 0, 1, 4, 0, 0, 0, 0, 43, 0, 1, 4, 0, 0, 0, 0, 17, 0, 4, 0, 0, 0, 0, 0})));
  EXPECT_TRUE(Takes(Udp6(60, {17, 0, 5, 2, 0, 0, 0, 0})));  // router alert: unknown to us, may be skipped
  EXPECT_TRUE(Takes(Udp6(44, {17, 0, 0, 0, 1, 2, 3, 4})));  // an atomic fragment
  EXPECT_FALSE(Takes(Udp6(59, {})));
}

TEST_F(IpInputTest, BoundsExtensionHeaders) {
  Bytes nine;
  for (int i = 0; i < 9; ++i) {
    Append(nine, {static_cast<uint8_t>(i == 8 ? 17 : 60), 0, 1, 4, 0, 0, 0, 0});
  }
  EXPECT_FALSE(Takes(Udp6(60, nine)));
  Bytes eight(nine.begin() + 8, nine.end());
  EXPECT_TRUE(Takes(Udp6(60, eight)));
  EXPECT_FALSE(Takes(Udp6(60, {0, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0}))) << "hop-by-hop comes first only";
  EXPECT_FALSE(Takes(IpBytes(60, kPeer6, kOwn6, {17, 9, 1, 4, 0, 0, 0, 0}))) << "longer than the packet";
  EXPECT_FALSE(Takes(IpBytes(60, kPeer6, kOwn6, {17, 0, 1, 4})));
  EXPECT_FALSE(Takes(Udp6(60, {17, 0, 1, 5, 0, 0, 0, 0}))) << "an option beyond its header";
  Bytes many = {17, 3};
  for (int i = 0; i < 15; ++i) {
    Append(many, {1, 0});
  }
  EXPECT_FALSE(Takes(Udp6(60, many))) << "more options than we look at";
}

TEST_F(IpInputTest, UnknownOptionsAreTreatedAsTheirBitsSay) {
  EXPECT_TRUE(Takes(Udp6(60, {17, 0, 0x1e, 4, 0, 0, 0, 0})));   // 00: skip
  EXPECT_FALSE(Takes(Udp6(60, {17, 0, 0x5e, 4, 0, 0, 0, 0})));  // 01: drop
  EXPECT_TRUE(wire_.sent.empty());
  for (const uint8_t type : {0x9e, 0xde}) {  // 10, 11: tell
    EXPECT_FALSE(Takes(Udp6(60, {17, 0, type, 4, 0, 0, 0, 0})));
    const ParsedFrame error = Sent();
    EXPECT_EQ(error.payload[0], 4);
    EXPECT_EQ(error.payload[1], 2);
    EXPECT_EQ(LoadBig32(error.payload.data() + 4), 42U);
  }
  EXPECT_FALSE(Takes(Udp6(43, {17, 0, 0, 1, 0, 0, 0, 0}))) << "segments left, and we are no router";
  EXPECT_EQ(LoadBig32(Sent().payload.data() + 4), 42U);
}

TEST_F(IpInputTest, ADeviceThatIsDownTakesNothing) {
  wire_.device.is_up = false;
  EXPECT_FALSE(Takes(Udp4({})));
}

class FragmentTest : public IpInputTest {
 protected:
  // One fragment of `whole` (a UDP datagram), [from, to).
  void Piece(const Bytes& whole, uint32_t from, uint32_t to, uint16_t id = 9, bool is_v6 = false,
             bool is_last = false) {
    const Bytes bytes(whole.begin() + from, whole.begin() + std::min<size_t>(to, whole.size()));
    const bool has_more = !is_last && to < whole.size();
    if (is_v6) {
      Bytes payload = {17, 0};
      Append16(payload, static_cast<uint16_t>(from | (has_more ? 1 : 0)));
      Append32(payload, id);
      Append(payload, bytes);
      Receive(IpBytes(44, kPeer6, kOwn6, payload));
    } else {
      PacketOptions options;
      options.id = id;
      options.fragment = static_cast<uint16_t>(from / 8 | (has_more ? 0x2000 : 0));
      Receive(IpBytes(17, kPeer4, kOwn4, bytes, options));
    }
  }
  Bytes Whole(bool is_v6, uint32_t size) {
    return UdpBytes({is_v6 ? kPeer6 : kPeer4, 1}, {is_v6 ? kOwn6 : kOwn4, 53}, Pattern(size));
  }
  bool Arrived(uint32_t size) {
    Bytes payload;
    const bool has = ReadFrom(*udp_, payload);
    EXPECT_TRUE(!has || payload == Pattern(size));
    return has;
  }
};

TEST_F(FragmentTest, PutsThemTogetherInAnyOrder) {
  for (const bool is_v6 : {false, true}) {
    const Bytes whole = Whole(is_v6, 5000);
    const uint32_t cuts[] = {0, 1400, 2800, 4200, 5600};
    int order[] = {0, 1, 2, 3};
    uint16_t id = 1;
    do {
      for (const int i : order) {
        EXPECT_FALSE(Arrived(5000));
        Piece(whole, cuts[i], cuts[i + 1], id, is_v6);
      }
      ASSERT_TRUE(Arrived(5000));
      ++id;
    } while (std::next_permutation(order, order + 4));
  }
  EXPECT_EQ(counters().reassembled, 48U);
  EXPECT_EQ(NextDeadline_ns(*stack_), ~0ULL);
}

TEST_F(FragmentTest, DuplicatesAreIgnoredAndOverlapsRefuseThePacket) {
  for (const bool is_v6 : {false, true}) {
    const Bytes whole = Whole(is_v6, 3000);
    Piece(whole, 0, 1400, 1, is_v6);
    Piece(whole, 0, 1400, 1, is_v6);
    Piece(whole, 8, 800, 1, is_v6);  // within what has come: the same to us
    Piece(whole, 1400, 9999, 1, is_v6);
    EXPECT_TRUE(Arrived(3000));

    Piece(whole, 0, 1400, 2, is_v6);
    Piece(whole, 1392, 2800, 2, is_v6);  // overlaps: all of it is gone (RFC 5722)
    Piece(whole, 1400, 9999, 2, is_v6);
    EXPECT_FALSE(Arrived(3000));
    Piece(whole, 0, 1400, 2, is_v6);  // a new packet begins with what comes then
    EXPECT_TRUE(Arrived(3000));

    Piece(whole, 1400, 9999, 3, is_v6);
    Piece(whole, 0, 2800, 3, is_v6);
    EXPECT_FALSE(Arrived(3000));
  }
  EXPECT_EQ(counters().reassembly_failed, 4U);
}

TEST_F(FragmentTest, ContradictoryEndsRefuseThePacket) {
  const Bytes whole = Whole(false, 3000);
  Piece(whole, 1400, 2800, 1);
  Piece(whole, 8, 1400, 1, false, true);  // "last", but there is more already
  EXPECT_EQ(counters().reassembly_failed, 1U);
  Piece(whole, 8, 1400, 2, false, true);
  Piece(whole, 0, 8, 2);
  EXPECT_EQ(counters().reassembled, 1U) << "whole for IP, nonsense for UDP";
  EXPECT_FALSE(Arrived(3000));
  Piece(whole, 8, 1400, 3, false, true);
  Piece(whole, 1400, 2800, 3);
  EXPECT_EQ(counters().reassembly_failed, 2U);
}

TEST_F(FragmentTest, RefusesPiecesThatCannotBe) {
  const Bytes whole = Whole(false, 3000);
  PacketOptions options;
  options.fragment = 0x2000;
  Receive(IpBytes(17, kPeer4, kOwn4, Bytes(1401), options));  // not a multiple of 8
  Receive(IpBytes(17, kPeer4, kOwn4, {}, options));
  options.fragment = 0x1fff;
  Receive(IpBytes(17, kPeer4, kOwn4, Bytes(16), options));  // beyond 65535
  EXPECT_EQ(counters().ip_malformed, 3U);
  EXPECT_EQ(NextDeadline_ns(*stack_), ~0ULL);
}

TEST_F(FragmentTest, IncompletePacketsTimeOutAndSayIt) {
  const Bytes whole4 = Whole(false, 3000);
  const Bytes whole6 = Whole(true, 3000);
  Piece(whole4, 0, 1400, 1);
  Piece(whole4, 1400, 2800, 2);  // without the first: nothing to tell
  Piece(whole6, 0, 1400, 1, true);
  Advance(30 * kSecond - 1);
  EXPECT_TRUE(wire_.sent.empty());
  Advance(1);
  ParsedFrame error = Sent();
  EXPECT_EQ(error.payload[0], 11);
  EXPECT_EQ(error.payload[1], 1);
  EXPECT_TRUE(wire_.sent.empty());
  Advance(30 * kSecond);
  error = Sent();
  EXPECT_EQ(error.payload[0], 3);
  EXPECT_EQ(error.payload[1], 1);
  EXPECT_EQ(counters().reassembly_failed, 3U);
}

TEST_F(FragmentTest, NumberAndMemoryAreBoundedUnderAFlood) {
  const Bytes whole = Whole(false, 60000);
  const uint64_t before = heap_.held_bytes;
  for (uint16_t id = 0; id < 3000; ++id) {
    Piece(whole, 48000, 49400, id);
    ASSERT_LT(heap_.held_bytes - before, FragmentTable::kMaxData_bytes + 64 * sizeof(PartialPacket) + 4096);
  }
  // New ones still get through.
  for (uint32_t from = 0; from < whole.size(); from += 1400) {
    Piece(whole, from, from + 1400, 5000);
  }
  EXPECT_TRUE(Arrived(60000));
}

TEST_F(FragmentTest, AMissingMemoryIsALoss) {
  const Bytes whole = Whole(false, 3000);
  heap_.limit_bytes = heap_.held_bytes + 2000;
  Piece(whole, 0, 1400);
  Piece(whole, 1400, 9999);
  heap_.limit_bytes = ~0ULL;
  EXPECT_FALSE(Arrived(3000));
}

TEST_F(FragmentTest, TheChecksumIsVerifiedWhateverTheDeviceSays) {
  wire_.device.trusts_checksums = true;
  Bytes whole = Whole(false, 3000);
  whole[2000] ^= 1;
  Piece(whole, 0, 1400);
  Piece(whole, 1400, 9999);
  EXPECT_FALSE(Arrived(3000));
  EXPECT_EQ(counters().udp_malformed, 1U);
}

}  // namespace
}  // namespace junction::net
