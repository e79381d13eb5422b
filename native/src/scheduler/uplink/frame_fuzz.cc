// SPDX-License-Identifier: Apache-2.0
// Fuzz target of what the switch does with an instance's frame: eight bytes of wishes, then the frame. Whatever comes in, what passes is the instance's own
// and its wishes fit.
#include <algorithm>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "scheduler/uplink/frame_check.h"
#include "scheduler/uplink/vnet_header.h"

namespace junction::scheduler {
namespace {

constexpr uint32_t kMtu_bytes = 1500;

UplinkIdentity Identity(uint8_t last) {
  const Ip4 ip4 = {10, 62, 0, last};
  UplinkIdentity identity{.mac = MacOf(ip4), .ip4 = ip4, .ip6 = ParseCidr("fd62::/64")->first_ip6(), .allow = {}};
  (*identity.ip6)[15] = last;
  return identity;
}

void CheckPassed(const UplinkIdentity& from, const std::vector<uint8_t>& head, const FrameHeaders& headers,
                 uint32_t length_bytes) {
  JUNCTION_CHECK(SourceMac(head) == from.mac);
  JUNCTION_CHECK(headers.end <= length_bytes && headers.end > kNetworkOffset);
  if (headers.kind == FrameKind::kIp4) {
    JUNCTION_CHECK(SourceIp4(head) == from.ip4);
    JUNCTION_CHECK(DestinationIp4(head)[0] != 127);
  } else if (headers.kind == FrameKind::kIp6) {
    JUNCTION_CHECK(SourceIp6(head) == *from.ip6 || SourceIp6(head) == LinkLocalOf(from.mac));
  } else {
    JUNCTION_CHECK(headers.kind == FrameKind::kArp);
  }
}

void CheckWishes(const VnetHeader& vnet, const FrameHeaders& headers) {
  const uint32_t packet_bytes = headers.end - kNetworkOffset;
  if ((vnet.flags & kVnetNeedsChecksum) != 0) {
    JUNCTION_CHECK(vnet.checksum_start + vnet.checksum_offset + 2U <= headers.end && !headers.is_fragment);
  }
  if (vnet.gso_type == kVnetGsoNone) {
    JUNCTION_CHECK(packet_bytes <= kMtu_bytes);
  } else {
    JUNCTION_CHECK(headers.protocol == kProtocolTcp && (vnet.flags & kVnetNeedsChecksum) != 0);
    JUNCTION_CHECK(vnet.segment_bytes >= kMinSegment_bytes && vnet.header_bytes < headers.end);
    JUNCTION_CHECK(vnet.header_bytes - kNetworkOffset + vnet.segment_bytes <= kMtu_bytes);
    JUNCTION_CHECK((vnet.gso_type == kVnetGsoTcp6) == (headers.kind == FrameKind::kIp6));
  }
}

}  // namespace
}  // namespace junction::scheduler

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace junction;
  using namespace junction::scheduler;
  FrameMeta meta;
  if (size < sizeof(meta)) {
    return 0;
  }
  std::memcpy(&meta, data, sizeof(meta));
  const auto length_bytes = static_cast<uint32_t>(size - sizeof(meta));
  // On the heap and no longer than it is: ASan sees each read behind it.
  std::vector<uint8_t> head(data + sizeof(meta),
                            data + sizeof(meta) + std::min<size_t>(length_bytes, kHeaderCopy_bytes));
  const UplinkIdentity a = Identity(5);
  UplinkIdentity b = Identity(6);
  b.allow = {{.to = *ParseCidr("10.62.0.0/16"), .port = 80}, {.to = *ParseCidr("fd62::/64"), .port = 0}};
  const UplinkHost host = {.mac = MacOf({10, 62, 0, 1}), .ip4 = {10, 62, 0, 1}, .ip6 = ParseIp6("fd62::1")};
  const FrameHeaders headers = ParseFrame(head, length_bytes);
  (void)SoughtByHost(head, headers);
  const FrameRoute route = CheckFromInstance(a, host, head, headers);
  if (route.kind == FrameRoute::Kind::kDrop) {
    return 0;
  }
  CheckPassed(a, head, headers, length_bytes);
  if (const auto vnet = VnetFromMeta(meta, head, headers, kMtu_bytes)) {
    CheckWishes(*vnet, headers);
    CheckPassed(a, head, headers, length_bytes);  // the sum went where it belongs
  }
  if (route.kind == FrameRoute::Kind::kInstance && MayReach(a, b, head, headers)) {
    JUNCTION_CHECK(headers.kind == FrameKind::kIp6 || headers.kind == FrameKind::kArp || headers.has_ports);
  }
  return 0;
}
