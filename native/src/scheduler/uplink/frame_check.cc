// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 826, RFC 4861 sections 4 and 7.1. Hot path: no allocation, no host call.
#include "scheduler/uplink/frame_check.h"

namespace junction::scheduler {
namespace {

constexpr uint32_t kArpOperation = kNetworkOffset + 6;
constexpr uint32_t kArpSenderMac = kNetworkOffset + 8;
constexpr uint32_t kArpSenderIp = kNetworkOffset + 14;
constexpr uint32_t kArpTargetIp = kNetworkOffset + 24;
constexpr uint16_t kArpRequest = 1;
constexpr uint16_t kArpReply = 2;

constexpr uint8_t kNeighbourSolicitation = 135;
constexpr uint8_t kNeighbourAdvertisement = 136;
constexpr uint32_t kNeighbourMessage_bytes = 24;  // before its options
constexpr uint8_t kOptionSourceMac = 1;
constexpr uint8_t kOptionTargetMac = 2;

bool IsMulticast(const Mac& mac) { return (mac[0] & 1) != 0; }
bool IsMulticast(const Ip6& ip) { return ip[0] == 0xff; }
bool IsLinkLocal(const Ip6& ip) { return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80; }

FrameRoute Drop(DropReason reason) { return {.kind = FrameRoute::Kind::kDrop, .reason = reason}; }

FrameRoute ToHost() { return {.kind = FrameRoute::Kind::kHost}; }

FrameRoute To(const UplinkHost& host, const Ip4& ip) {
  return ip == host.ip4 ? ToHost() : FrameRoute{.kind = FrameRoute::Kind::kInstance, .ip4 = ip};
}

FrameRoute To(const UplinkHost& host, const Ip6& ip) {
  return ip == host.ip6 || ip == LinkLocalOf(host.mac)
             ? ToHost()
             : FrameRoute{.kind = FrameRoute::Kind::kInstance, .is_v6 = true, .ip6 = ip};
}

bool IsOwn(const UplinkIdentity& from, const Ip6& ip) {
  return from.ip6 && (ip == *from.ip6 || ip == LinkLocalOf(from.mac));
}

FrameRoute CheckArp(const UplinkIdentity& from, const UplinkHost& host, std::span<const uint8_t> copy) {
  const Ip4 sender = ReadAt<Ip4>(copy, kArpSenderIp);
  const uint16_t operation = ReadU16(copy, kArpOperation);
  const bool is_probe = sender == Ip4{} && operation == kArpRequest;  // RFC 5227
  if (ReadAt<Mac>(copy, kArpSenderMac) != from.mac || (sender != from.ip4 && !is_probe)) {
    return Drop(DropReason::kSpoofed);
  }
  if (operation != kArpRequest && operation != kArpReply) {
    return Drop(DropReason::kUnsupported);
  }
  const Ip4 target = ReadAt<Ip4>(copy, kArpTargetIp);
  // For itself: an announcement or a probe. Nobody else has the address, and nobody is to be told.
  return target == from.ip4 ? Drop(DropReason::kMulticast) : To(host, target);
}

// Whether all link-layer address options of a neighbour message are the instance's own. Bounded: options are 8 bytes at least.
bool HasOwnOptions(const UplinkIdentity& from, std::span<const uint8_t> options) {
  while (!options.empty()) {
    const size_t size = options.size() >= 2 ? size_t{options[1]} * 8 : 0;
    if (size == 0 || size > options.size()) {
      return false;
    }
    const bool is_mac = options[0] == kOptionSourceMac || options[0] == kOptionTargetMac;
    if (is_mac && ReadAt<Mac>(options, 2) != from.mac) {
      return false;
    }
    options = options.subspan(size);
  }
  return true;
}

// Neighbour discovery. Router messages and redirects are no business of an instance's.
FrameRoute CheckNeighbour(const UplinkIdentity& from, const UplinkHost& host, std::span<const uint8_t> copy,
                          const FrameHeaders& headers) {
  constexpr uint32_t kHopLimit = kNetworkOffset + 7;
  if (headers.end > copy.size() || headers.end - headers.transport < kNeighbourMessage_bytes ||
      copy[kHopLimit] != 255 || copy[headers.transport + 1] != 0) {
    return Drop(DropReason::kMalformed);
  }
  const auto options = copy.subspan(headers.transport + kNeighbourMessage_bytes,
                                    headers.end - headers.transport - kNeighbourMessage_bytes);
  const Ip6 target = ReadAt<Ip6>(copy, headers.transport + 8);
  if (!HasOwnOptions(from, options)) {
    return Drop(DropReason::kSpoofed);
  }
  if (copy[headers.transport] == kNeighbourAdvertisement) {
    const Ip6 destination = DestinationIp6(copy);
    if (!IsOwn(from, target)) {
      return Drop(DropReason::kSpoofed);
    }
    return IsMulticast(destination) ? Drop(DropReason::kMulticast) : To(host, destination);
  }
  return IsOwn(from, target) ? Drop(DropReason::kMulticast) : To(host, target);
}

bool IsNeighbourMessage(std::span<const uint8_t> copy, const FrameHeaders& headers) {
  return headers.kind == FrameKind::kIp6 && headers.protocol == kProtocolIcmp6 && headers.transport != 0 &&
         headers.transport < copy.size() &&
         (copy[headers.transport] == kNeighbourSolicitation || copy[headers.transport] == kNeighbourAdvertisement);
}

FrameRoute CheckIp6(const UplinkIdentity& from, const UplinkHost& host, std::span<const uint8_t> copy,
                    const FrameHeaders& headers) {
  const Ip6 source = SourceIp6(copy);
  const Ip6 destination = DestinationIp6(copy);
  if (IsNeighbourMessage(copy, headers)) {
    if (headers.is_fragment) {
      return Drop(DropReason::kMalformed);  // RFC 6980
    }
    if (source == Ip6{}) {
      return Drop(DropReason::kMulticast);  // duplicate address detection: nobody else may have the address
    }
    return IsOwn(from, source) ? CheckNeighbour(from, host, copy, headers) : Drop(DropReason::kSpoofed);
  }
  if (IsMulticast(destination)) {
    return Drop(DropReason::kMulticast);
  }
  if (!IsOwn(from, source)) {
    return Drop(DropReason::kSpoofed);
  }
  if (headers.protocol == kProtocolIcmp6 && (headers.transport == 0 || headers.transport >= headers.end ||
                                             (copy[headers.transport] >= 130 && copy[headers.transport] <= 137))) {
    return Drop(DropReason::kForbidden);  // router messages, redirects, listener reports; and what a fragment hides
  }
  if (IsLinkLocal(source)) {
    return Drop(DropReason::kForbidden);
  }
  return DestinationMac(copy) == host.mac
             ? ToHost()
             : FrameRoute{.kind = FrameRoute::Kind::kInstance, .is_v6 = true, .ip6 = destination};
}

FrameRoute CheckIp4(const UplinkIdentity& from, const UplinkHost& host, std::span<const uint8_t> copy) {
  const Ip4 destination = DestinationIp4(copy);
  if (SourceIp4(copy) != from.ip4) {
    return Drop(DropReason::kSpoofed);
  }
  if (destination[0] >= 224) {
    return Drop(DropReason::kMulticast);  // and 240/4, broadcast
  }
  if (destination[0] == 0 || destination[0] == 127) {
    return Drop(DropReason::kForbidden);  // the TAP has route_localnet: nothing for 127/8 may get there
  }
  return DestinationMac(copy) == host.mac ? ToHost()
                                          : FrameRoute{.kind = FrameRoute::Kind::kInstance, .ip4 = destination};
}

bool OpensConnection(std::span<const uint8_t> copy, const FrameHeaders& headers) {
  constexpr uint8_t kSyn = 2;
  constexpr uint8_t kAck = 16;
  return headers.protocol == kProtocolTcp && (copy[headers.transport + 13] & (kSyn | kAck)) == kSyn;
}

template <typename Ip>
bool MayReachIp(const UplinkIdentity& from, const UplinkIdentity& to, const Ip& source, const Ip& destination,
                std::span<const uint8_t> copy, const FrameHeaders& headers) {
  if (IsNeighbourMessage(copy, headers)) {
    return AllowsSome(from.allow, destination) || AllowsSome(to.allow, source);
  }
  const uint16_t port = headers.has_ports ? headers.destination_port : uint16_t{0};
  if (Allows(from.allow, destination, port)) {
    return true;
  }
  const uint16_t answers_from = headers.has_ports ? headers.source_port : uint16_t{0};
  return Allows(to.allow, source, answers_from) && !(headers.has_ports && OpensConnection(copy, headers));
}

}  // namespace

FrameRoute CheckFromInstance(const UplinkIdentity& from, const UplinkHost& host, std::span<const uint8_t> copy,
                             const FrameHeaders& headers) {
  if (headers.kind == FrameKind::kMalformed) {
    return Drop(DropReason::kMalformed);
  }
  if (headers.kind == FrameKind::kUnsupported) {
    return Drop(DropReason::kUnsupported);
  }
  if (SourceMac(copy) != from.mac) {
    return Drop(DropReason::kSpoofed);
  }
  if (headers.kind == FrameKind::kArp) {
    return CheckArp(from, host, copy);
  }
  if (IsMulticast(DestinationMac(copy)) && !IsNeighbourMessage(copy, headers)) {
    return Drop(DropReason::kMulticast);
  }
  return headers.kind == FrameKind::kIp4 ? CheckIp4(from, host, copy) : CheckIp6(from, host, copy, headers);
}

bool MayReach(const UplinkIdentity& from, const UplinkIdentity& to, std::span<const uint8_t> copy,
              const FrameHeaders& headers) {
  switch (headers.kind) {
    case FrameKind::kArp:
      return AllowsSome(from.allow, to.ip4) || AllowsSome(to.allow, from.ip4);
    case FrameKind::kIp4:
      return DestinationMac(copy) == to.mac && MayReachIp(from, to, from.ip4, to.ip4, copy, headers);
    case FrameKind::kIp6:
      return to.ip6 && from.ip6 && (DestinationMac(copy) == to.mac || IsNeighbourMessage(copy, headers)) &&
             MayReachIp(from, to, *from.ip6, *to.ip6, copy, headers);
    default:
      return false;
  }
}

std::optional<SoughtAddress> SoughtByHost(std::span<const uint8_t> copy, const FrameHeaders& headers) {
  if (headers.kind == FrameKind::kArp) {
    return SoughtAddress{.ip4 = ReadAt<Ip4>(copy, kArpTargetIp)};
  }
  if (IsNeighbourMessage(copy, headers) && copy[headers.transport] == kNeighbourSolicitation &&
      headers.transport + kNeighbourMessage_bytes <= copy.size()) {
    return SoughtAddress{.is_v6 = true, .ip6 = ReadAt<Ip6>(copy, headers.transport + 8)};
  }
  return std::nullopt;
}

}  // namespace junction::scheduler
