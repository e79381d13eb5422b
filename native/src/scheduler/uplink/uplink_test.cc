// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "base/test_files.h"
#include "scheduler/uplink/frame_buffers.h"
#include "scheduler/uplink/frame_check.h"
#include "scheduler/uplink/host_settings.h"
#include "scheduler/uplink/nft_policy.h"
#include "scheduler/uplink/resolvers.h"
#include "scheduler/uplink/route_clash.h"
#include "scheduler/uplink/test_frames.h"
#include "scheduler/uplink/vnet_header.h"

namespace junction::scheduler {
namespace {

using Kind = FrameRoute::Kind;

const Ip4 kIpA = {10, 62, 0, 5};
const Ip4 kIpB = {10, 62, 0, 6};
const Ip4 kFar = {198, 51, 100, 2};
const Mac kMacA = MacOf(kIpA);
const Mac kMacB = MacOf(kIpB);
const Mac kAll = {255, 255, 255, 255, 255, 255};
const Ip6 kIp6A = *ParseIp6("fd62::5");
const Ip6 kIp6B = *ParseIp6("fd62::6");
const Ip6 kFar6 = *ParseIp6("2001:db8::2");
const UplinkIdentity kA = {.mac = kMacA, .ip4 = kIpA, .ip6 = kIp6A, .allow = {}};
const UplinkIdentity kB = {.mac = kMacB, .ip4 = kIpB, .ip6 = kIp6B, .allow = {}};
const UplinkHost kHost = {.mac = MacOf({10, 62, 0, 1}), .ip4 = {10, 62, 0, 1}, .ip6 = ParseIp6("fd62::1")};

std::span<const uint8_t> Head(const Frame& frame) {
  return std::span(frame).first(std::min<size_t>(frame.size(), kHeaderCopy_bytes));
}

FrameHeaders Parse(const Frame& frame) { return ParseFrame(Head(frame), static_cast<uint32_t>(frame.size())); }

FrameRoute Check(const Frame& frame, const UplinkIdentity& from = kA) {
  return CheckFromInstance(from, kHost, Head(frame), Parse(frame));
}

bool Reaches(const UplinkIdentity& from, const UplinkIdentity& to, const Frame& frame) {
  return MayReach(from, to, Head(frame), Parse(frame));
}

void ExpectDrop(const Frame& frame, DropReason reason, const char* what) {
  const FrameRoute route = Check(frame);
  EXPECT_EQ(route.kind, Kind::kDrop) << what;
  EXPECT_EQ(Name(route.reason), Name(reason)) << what;
}

Frame TcpA(const Ip4& to) { return Ip4Frame(kHost.mac, kMacA, kIpA, to, PortsHeader(4000, 80)); }

TEST(FrameCheckTest, OwnPacketsGoToTheHost) {
  EXPECT_EQ(Check(TcpA(kFar)).kind, Kind::kHost);
  EXPECT_EQ(Check(Ip6Frame(kHost.mac, kMacA, kIp6A, kFar6, kProtocolTcp, PortsHeader(1, 2))).kind, Kind::kHost);
  EXPECT_EQ(Check(ArpFrame(kAll, kMacA, 1, kMacA, kIpA, kHost.ip4)).kind, Kind::kHost);
  EXPECT_EQ(Check(ArpFrame(kHost.mac, kMacA, 2, kMacA, kIpA, kHost.ip4)).kind, Kind::kHost);
}

TEST(FrameCheckTest, SpoofedSendersAreFound) {
  ExpectDrop(Ip4Frame(kHost.mac, kMacA, kIpB, kFar, PortsHeader(1, 2)), DropReason::kSpoofed, "IPv4");
  ExpectDrop(Ip4Frame(kHost.mac, kMacA, {}, kFar, PortsHeader(1, 2)), DropReason::kSpoofed, "no address");
  ExpectDrop(Ip4Frame(kHost.mac, kMacB, kIpA, kFar, PortsHeader(1, 2)), DropReason::kSpoofed, "MAC");
  ExpectDrop(Ip6Frame(kHost.mac, kMacA, kIp6B, kFar6, 6, PortsHeader(1, 2)), DropReason::kSpoofed, "IPv6");
  ExpectDrop(Ip6Frame(kHost.mac, kMacA, LinkLocalOf(kMacB), kFar6, 6, PortsHeader(1, 2)), DropReason::kSpoofed, "fe80");
  ExpectDrop(ArpFrame(kAll, kMacA, 1, kMacB, kIpA, kHost.ip4), DropReason::kSpoofed, "ARP MAC");
  ExpectDrop(ArpFrame(kAll, kMacA, 1, kMacA, kIpB, kHost.ip4), DropReason::kSpoofed, "ARP request");
  ExpectDrop(ArpFrame(kHost.mac, kMacA, 2, kMacA, kHost.ip4, kIpA), DropReason::kSpoofed, "ARP reply");
  ExpectDrop(ArpFrame(kHost.mac, kMacA, 2, kMacA, {}, kHost.ip4), DropReason::kSpoofed, "ARP reply of nobody");
  UplinkIdentity no_ip6 = kA;
  no_ip6.ip6.reset();
  EXPECT_EQ(Check(Ip6Frame(kHost.mac, kMacA, kIp6A, kFar6, 6, PortsHeader(1, 2)), no_ip6).reason, DropReason::kSpoofed);
}

TEST(FrameCheckTest, NeighbourMessagesSpeakForTheirSenderOnly) {
  const Ip6 solicited = *ParseIp6("ff02::1:ff00:1");
  const Mac group = {0x33, 0x33, 0xff, 0, 0, 1};
  const auto ask = [&](const Ip6& from, const Ip6& target, const Mac& mac) {
    return Ip6Frame(group, kMacA, from, solicited, kProtocolIcmp6, NeighbourMessage(135, target, 1, mac));
  };
  const auto tell = [&](const Ip6& to, const Ip6& target, const Mac& mac) {
    return Ip6Frame(kHost.mac, kMacA, kIp6A, to, kProtocolIcmp6, NeighbourMessage(136, target, 2, mac));
  };
  EXPECT_EQ(Check(ask(kIp6A, *kHost.ip6, kMacA)).kind, Kind::kHost);
  EXPECT_EQ(Check(ask(LinkLocalOf(kMacA), *kHost.ip6, kMacA)).kind, Kind::kHost);
  EXPECT_EQ(Check(ask(kIp6A, kIp6B, kMacA)).kind, Kind::kInstance);
  EXPECT_EQ(Check(tell(*kHost.ip6, kIp6A, kMacA)).kind, Kind::kHost);
  EXPECT_EQ(Check(tell(LinkLocalOf(kHost.mac), kIp6A, kMacA)).kind, Kind::kHost);
  ExpectDrop(ask(kIp6A, *kHost.ip6, kMacB), DropReason::kSpoofed, "asks with another's MAC");
  ExpectDrop(ask(kIp6B, *kHost.ip6, kMacA), DropReason::kSpoofed, "asks with another's address");
  ExpectDrop(ask({}, *kHost.ip6, kMacA), DropReason::kMulticast, "duplicate address detection");
  ExpectDrop(tell(*kHost.ip6, kIp6B, kMacA), DropReason::kSpoofed, "tells of another's address");
  ExpectDrop(tell(*kHost.ip6, kIp6A, kMacB), DropReason::kSpoofed, "tells another's MAC");
  ExpectDrop(tell(*ParseIp6("ff02::1"), kIp6A, kMacA), DropReason::kMulticast, "tells everybody");
  Frame far = tell(*kHost.ip6, kIp6A, kMacA);
  far[kNetworkOffset + 7] = 254;
  ExpectDrop(far, DropReason::kMalformed, "hop limit");
  Frame endless = tell(*kHost.ip6, kIp6A, kMacA);
  endless[endless.size() - 7] = 0;  // an option of no length
  ExpectDrop(endless, DropReason::kSpoofed, "option of no length");
  for (const uint8_t type : {130, 133, 134, 137}) {
    ExpectDrop(Ip6Frame(kHost.mac, kMacA, kIp6A, *kHost.ip6, kProtocolIcmp6, NeighbourMessage(type, kIp6A, 1, kMacA)),
               DropReason::kForbidden, "router messages and redirects");
  }
  Frame fragment = {kProtocolIcmp6, 0, 0, 1, 0, 0, 0, 1};
  Append(fragment, NeighbourMessage(136, kIp6A, 2, kMacA));
  ExpectDrop(Ip6Frame(kHost.mac, kMacA, kIp6A, *kHost.ip6, 44, fragment), DropReason::kMalformed, "RFC 6980");
}

TEST(FrameCheckTest, OddFramesAreDropped) {
  ExpectDrop(EthernetFrame(kHost.mac, kMacA, 0x8100), DropReason::kUnsupported, "VLAN");
  ExpectDrop(EthernetFrame(kHost.mac, kMacA, 0x0800), DropReason::kMalformed, "no header");
  Frame frame = TcpA(kFar);
  frame[kNetworkOffset] = 0x46;  // with options, among them source routes
  frame.resize(frame.size() + 4);
  frame[kNetworkOffset + 3] = static_cast<uint8_t>(frame.size() - kNetworkOffset);
  ExpectDrop(frame, DropReason::kUnsupported, "options");
  frame = TcpA(kFar);
  frame[kNetworkOffset] = 0x44;
  ExpectDrop(frame, DropReason::kMalformed, "short header");
  frame = TcpA(kFar);
  frame[kNetworkOffset + 2] = 0xff;
  ExpectDrop(frame, DropReason::kMalformed, "longer than the frame");
  frame = TcpA(kFar);
  frame[kNetworkOffset] = 0x65;
  ExpectDrop(frame, DropReason::kMalformed, "version");
  ExpectDrop(TcpA({127, 0, 0, 1}), DropReason::kForbidden, "loopback");
  ExpectDrop(TcpA({0, 1, 2, 3}), DropReason::kForbidden, "this network");
  ExpectDrop(TcpA({224, 0, 0, 251}), DropReason::kMulticast, "multicast");
  ExpectDrop(TcpA({255, 255, 255, 255}), DropReason::kMulticast, "broadcast");
  ExpectDrop(Ip4Frame(kAll, kMacA, kIpA, kFar, PortsHeader(1, 2)), DropReason::kMulticast, "to all MACs");
  ExpectDrop(Ip6Frame(kHost.mac, kMacA, kIp6A, kFar6, 0, Frame(40)), DropReason::kUnsupported, "hop by hop");
  ExpectDrop(Ip6Frame(kHost.mac, kMacA, kIp6A, kFar6, 43, Frame(40)), DropReason::kUnsupported, "routing header");
  ExpectDrop(Ip6Frame(kHost.mac, kMacA, kIp6A, kFar6, 44, {60, 0, 0, 0, 0, 0, 0, 1, 0, 0}), DropReason::kUnsupported,
             "options behind a fragment header");
  ExpectDrop(Ip6Frame(kHost.mac, kMacA, kIp6A, kFar6, 6, {}), DropReason::kMalformed, "no payload");
}

TEST(FrameCheckTest, OtherInstancesAreReachedByAllowListsOnly) {
  const Frame open = Ip4Frame(kMacB, kMacA, kIpA, kIpB, PortsHeader(4000, 80, 2));
  const Frame answer = Ip4Frame(kMacA, kMacB, kIpB, kIpA, PortsHeader(80, 4000));
  EXPECT_EQ(Check(open).kind, Kind::kInstance);
  EXPECT_FALSE(Reaches(kA, kB, open));
  UplinkIdentity friendly = kA;
  friendly.allow = {{.to = *ParseCidr("10.62.0.6"), .port = 80}};
  EXPECT_TRUE(Reaches(friendly, kB, open));
  EXPECT_TRUE(Reaches(kB, friendly, answer));
  EXPECT_FALSE(Reaches(kB, friendly, Ip4Frame(kMacA, kMacB, kIpB, kIpA, PortsHeader(80, 4000, 2)))) << "opens one";
  EXPECT_FALSE(Reaches(kB, friendly, Ip4Frame(kMacA, kMacB, kIpB, kIpA, PortsHeader(81, 4000)))) << "another port";
  EXPECT_FALSE(Reaches(friendly, kB, Ip4Frame(kMacB, kMacA, kIpA, kIpB, PortsHeader(80, 81)))) << "another port";
  EXPECT_FALSE(Reaches(friendly, kB, Ip4Frame(kHost.mac, kMacA, kIpA, kIpB, PortsHeader(1, 80)))) << "another MAC";
  EXPECT_FALSE(Reaches(friendly, kB, Ip4Frame(kMacB, kMacA, kIpA, kIpB, PortsHeader(1, 80), {.fragment = 0x2000})))
      << "a fragment could hide its port";
  EXPECT_TRUE(Reaches(friendly, kB, ArpFrame(kAll, kMacA, 1, kMacA, kIpA, kIpB)));
  EXPECT_TRUE(Reaches(kB, friendly, ArpFrame(kMacA, kMacB, 2, kMacB, kIpB, kIpA)));
  EXPECT_FALSE(Reaches(kA, kB, ArpFrame(kAll, kMacA, 1, kMacA, kIpA, kIpB)));
  friendly.allow[0].port = 0;
  EXPECT_TRUE(Reaches(friendly, kB, Ip4Frame(kMacB, kMacA, kIpA, kIpB, PortsHeader(1, 80), {.fragment = 0x2000})));
  EXPECT_TRUE(Reaches(friendly, kB, Ip4Frame(kMacB, kMacA, kIpA, kIpB, Frame(8), {.protocol = 1})));
}

class VnetTest : public testing::Test {
 protected:
  std::expected<VnetHeader, DropReason> Make(Frame& frame, const FrameMeta& meta, uint32_t mtu_bytes = 1500) {
    const std::span<uint8_t> head(frame.data(), std::min<size_t>(frame.size(), kHeaderCopy_bytes));
    return VnetFromMeta(meta, head, Parse(frame), mtu_bytes);
  }
  Frame Tcp(size_t payload_bytes) {
    Frame segment = PortsHeader(4000, 80);
    segment.resize(20 + payload_bytes);
    return Ip4Frame(kHost.mac, kMacA, kIpA, kFar, segment);
  }
  const FrameMeta blank_ = {.flags = kFrameChecksumBlank, .checksum_start = 34, .checksum_offset = 16};
};

TEST_F(VnetTest, ABlankChecksumGetsThePseudoHeadersSum) {
  Frame frame = Tcp(100);
  frame[50] = 0xaa;  // whatever the instance left there
  const auto vnet = Make(frame, blank_);
  ASSERT_TRUE(vnet.has_value());
  EXPECT_EQ(vnet->flags, kVnetNeedsChecksum);
  EXPECT_EQ(vnet->checksum_start, 34);
  EXPECT_EQ(vnet->checksum_offset, 16);
  // 0a3e+0005 + c633+6402 + 6 + 120, RFC 9293 section 3.1
  EXPECT_EQ(ReadU16(frame, 50), (0x0a3e + 0x0005 + 0xc633 + 0x6402 + 6 + 120 - 0x10000 + 1));
}

TEST_F(VnetTest, WishesThatDoNotFitThePacketAreRefused) {
  const auto refused = [&](FrameMeta meta, Frame frame) {
    const auto vnet = Make(frame, meta);
    return !vnet && vnet.error() == DropReason::kOffload;
  };
  EXPECT_TRUE(refused({.flags = kFrameChecksumBlank, .checksum_start = 33, .checksum_offset = 16}, Tcp(100)));
  EXPECT_TRUE(refused({.flags = kFrameChecksumBlank, .checksum_start = 34, .checksum_offset = 6}, Tcp(100)));
  EXPECT_TRUE(refused({.flags = kFrameChecksumBlank, .checksum_start = 65535, .checksum_offset = 65535}, Tcp(100)));
  EXPECT_TRUE(refused(blank_, Ip4Frame(kHost.mac, kMacA, kIpA, kFar, Frame(10)))) << "no room for a checksum";
  EXPECT_TRUE(refused(blank_, Ip4Frame(kHost.mac, kMacA, kIpA, kFar, Frame(40), {.fragment = 0x2000})));
  EXPECT_TRUE(refused(blank_, Ip4Frame(kHost.mac, kMacA, kIpA, kFar, Frame(40), {.protocol = 1}))) << "ICMP has none";
  EXPECT_TRUE(refused(blank_, ArpFrame(kAll, kMacA, 1, kMacA, kIpA, kHost.ip4)));
  FrameMeta segmented = blank_;
  segmented.flags |= kFrameSegmentTcp4;
  segmented.segment_bytes = 1448;
  EXPECT_FALSE(refused(segmented, Tcp(4000)));
  for (const uint16_t segment_bytes : {0, 1, 47, 1461, 65535}) {
    FrameMeta odd = segmented;
    odd.segment_bytes = segment_bytes;
    EXPECT_TRUE(refused(odd, Tcp(4000))) << segment_bytes;
  }
  FrameMeta both = segmented;
  both.flags |= kFrameSegmentTcp6;
  EXPECT_TRUE(refused(both, Tcp(4000)));
  FrameMeta six = blank_;
  six.flags |= kFrameSegmentTcp6;
  six.segment_bytes = 1448;
  EXPECT_TRUE(refused(six, Tcp(4000))) << "the other version";
  FrameMeta unsummed = segmented;
  unsummed.flags = kFrameSegmentTcp4;
  EXPECT_TRUE(refused(unsummed, Tcp(4000)));
  Frame odd_header = Tcp(4000);
  odd_header[46] = 4 << 4;
  EXPECT_TRUE(refused(segmented, odd_header));
  Frame udp = Tcp(4000);
  udp[kNetworkOffset + 9] = kProtocolUdp;
  FrameMeta udp_meta = segmented;
  udp_meta.checksum_offset = 6;
  EXPECT_TRUE(refused(udp_meta, udp));
}

TEST_F(VnetTest, LongFramesGoInSegmentsOrNotAtAll) {
  Frame frame = Tcp(4000);
  EXPECT_EQ(Make(frame, blank_).error(), DropReason::kTooLong);
  FrameMeta meta = blank_;
  meta.flags |= kFrameSegmentTcp4;
  meta.segment_bytes = 1448;
  const auto vnet = Make(frame, meta);
  ASSERT_TRUE(vnet.has_value());
  EXPECT_EQ(vnet->gso_type, kVnetGsoTcp4);
  EXPECT_EQ(vnet->segment_bytes, 1448);
  EXPECT_EQ(vnet->header_bytes, 54);
  const FrameMeta back = MetaFromVnet(*vnet);
  EXPECT_EQ(back.flags, meta.flags);
  EXPECT_EQ(back.segment_bytes, meta.segment_bytes);
  Frame small = Tcp(1448);
  EXPECT_EQ(Make(small, meta)->gso_type, kVnetGsoNone) << "one segment is none to cut";
}

TEST(AddressesTest, AreReadStrictly) {
  EXPECT_EQ(Text(*ParseCidr("10.0.0.0/8")), "10.0.0.0/8");
  EXPECT_EQ(Text(*ParseCidr("10.0.0.1")), "10.0.0.1/32");
  EXPECT_EQ(Text(*ParseCidr("fd00::/8")), "fd00::/8");
  for (const char* bad : {"", "10.0.0.0/33", "10.0.0.1/8", "fd00::1/64", "10.0.0/8", "10.0.0.0/", "10.0.0.0/8/", "x"}) {
    EXPECT_FALSE(ParseCidr(bad)) << bad;
  }
  EXPECT_EQ(Text(*ParseMac("02:00:0a:3E:00:05")), "02:00:0a:3e:00:05");
  for (const char* bad : {"", "02:00:0a:3e:00", "02:00:0a:3e:00:5", "02-00-0a-3e-00-05", "02:00:0a:3e:00:0g"}) {
    EXPECT_FALSE(ParseMac(bad)) << bad;
  }
  EXPECT_EQ(MacOfLinkLocal(LinkLocalOf(kMacA)), kMacA);
  EXPECT_FALSE(MacOfLinkLocal(kIp6A));
}

TEST(RouteClashTest, FindsOverlapsBothWays) {
  const std::string routes =
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
      "eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
      "eth0\t0000000A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
      "jn-x\t00003E0A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
  EXPECT_FALSE(FindRouteClash(*ParseCidr("10.62.0.0/16"), "jn-x", routes));
  EXPECT_EQ(FindRouteClash(*ParseCidr("10.62.0.0/16"), "jn-y", routes),
            "the range 10.62.0.0/16 clashes with the host's route to 10.62.0.0/16 by jn-x");
  EXPECT_TRUE(FindRouteClash(*ParseCidr("10.0.128.0/24"), "jn-x", routes));
  EXPECT_TRUE(FindRouteClash(*ParseCidr("10.0.0.0/8"), "jn-y", routes));
  EXPECT_FALSE(FindRouteClash(*ParseCidr("10.0.0.0/8"), "jn-x", "garbage\n\n\t\t\n"));
  const std::string routes6 =
      "00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 "
      "ffffffff "
      "00000001 00000000 00200200       lo\n"
      "fd620000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 "
      "00000100 "
      "00000001 00000000 00000001     eth0\n";
  EXPECT_TRUE(FindRouteClash(*ParseCidr("fd62::/48"), "jn-x", routes6));
  EXPECT_FALSE(FindRouteClash(*ParseCidr("fd63::/64"), "jn-x", routes6));
  EXPECT_FALSE(HasDefaultRoute6(routes6)) << "Linux's own unreachable default is none";
}

TEST(ResolversTest, AreThoseThatInstancesCanReach) {
  const auto first = [](const Resolvers& resolvers) { return resolvers.ip4.empty() ? "" : Text(resolvers.ip4[0]); };
  EXPECT_EQ(first(ChooseResolvers("# x\nsearch a\nnameserver 10.1.1.1 \nnameserver fe80::1%eth0\n", "")), "10.1.1.1");
  EXPECT_EQ(first(ChooseResolvers("nameserver 127.0.0.53", "nameserver 192.0.2.1\n")), "192.0.2.1");
  EXPECT_EQ(first(ChooseResolvers("nameserver 127.0.0.53", "")), "127.0.0.53");
  EXPECT_EQ(first(ChooseResolvers("nameserver 127.0.0.1", "nameserver 192.0.2.1\n")), "127.0.0.1");
  EXPECT_EQ(first(ChooseResolvers("nameserver ::1", "")), "127.0.0.1");
  EXPECT_TRUE(ChooseResolvers("nameserver", "").empty());
}

TEST(HostSettingsTest, WriteNothingButSettings) {
  const TempDir dir;
  dir.Write("victim", "before");
  dir.Write("note",
            dir.File("victim") + " after\n/proc/sys/../../" + dir.File("victim") + " after\n/proc/sys/none 1\nodd");
  HostSettings settings(dir.File("note"));
  EXPECT_TRUE(settings.Restore().has_value());
  EXPECT_EQ(Slurp(dir.File("victim")), "before");
  EXPECT_FALSE(std::filesystem::exists(dir.File("note")));
}

TEST(NftPolicyTest, IsTheGoldenText) {
  const NftPolicy policy = {
      .device = "jn-demo",
      .range4 = *ParseCidr("10.62.0.0/16"),
      .range6 = *ParseCidr("fd62::/64"),
      .resolvers4 = {{127, 0, 0, 53}},
      .resolvers6 = {*ParseIp6("2001:db8::53")},
      .gateway_port = 8080,
      .grants = {{.ip4 = kIpA,
                  .ip6 = kIp6A,
                  .allow = {{.to = *ParseCidr("10.62.0.1"), .port = 6379}, {.to = *ParseCidr("fd00::/8"), .port = 0}}}},
      .notes = {"forwarding4_was_off"}};
  const std::string path = std::string(JUNCTION_SOURCE_DIR) + "/golden/nft_policy.txt";
  if (getenv("JUNCTION_WRITE_GOLDEN") != nullptr) {
    std::FILE* file = std::fopen(path.c_str(), "w");
    ASSERT_NE(file, nullptr);
    std::fputs(NftText(policy).c_str(), file);
    std::fclose(file);
  }
  EXPECT_EQ(NftText(policy), Slurp(path));
}

TEST(FrameBuffersTest, KeepsBothPartsOfAFrameInOrder) {
  FrameBuffers buffers;
  const std::vector<uint8_t> head = {1, 2};
  const std::vector<uint8_t> rest = {3, 4, 5};
  EXPECT_EQ(buffers.Copy(head, rest), (FrameBuffers::Buffer{1, 2, 3, 4, 5}));
}

TEST(FrameBuffersTest, GivesNothingBeyondItsBudgetUntilSomethingComesBack) {
  FrameBuffers buffers;
  const std::vector<uint8_t> frame(kMaxFrame_bytes);
  std::vector<FrameBuffers::Buffer> taken;
  for (;;) {
    auto buffer = buffers.Copy(frame, {});
    if (buffer.empty()) {
      break;
    }
    taken.push_back(std::move(buffer));
  }
  EXPECT_LE(buffers.used_bytes(), FrameBuffers::kBudget_bytes);
  EXPECT_GT(buffers.used_bytes() + kMaxFrame_bytes, FrameBuffers::kBudget_bytes);
  buffers.Return(std::move(taken.back()));
  taken.pop_back();
  taken.push_back(buffers.Copy(frame, {}));
  EXPECT_EQ(taken.back().size(), frame.size());
  for (auto& buffer : taken) {
    buffers.Return(std::move(buffer));
  }
  EXPECT_EQ(buffers.used_bytes(), 0U);
  EXPECT_EQ(buffers.spare_count(), FrameBuffers::kMostSpare);
}

}  // namespace
}  // namespace junction::scheduler
