// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>

#include "net/icmp_types.h"
#include "net/test/icmp_names.h"
#include "net/test/packet_codec.h"

namespace junction::net {
namespace {

void Put16(Bytes& bytes, size_t at, uint16_t value) { StoreBig16(bytes.data() + at, value); }

uint8_t FlagBits(const PacketSpec& spec) {
  constexpr std::string_view kOrder = "FSRP.UEW";
  uint8_t bits = 0;
  for (const char flag : spec.flags) {
    bits = static_cast<uint8_t>(bits | 1U << kOrder.find(flag));
  }
  return bits;
}

std::pair<int64_t, int64_t> ParseRange(const std::string& word) {
  const size_t colon = word.find(':', 1);
  if (colon == std::string::npos) {
    throw ScriptError("not a range: " + word);
  }
  return {ParseNumber(word.substr(0, colon)), ParseNumber(word.substr(colon + 1))};
}

}  // namespace

IpAddress PacketCodec::AddressOf(const std::string& name) const {
  struct Named {
    const char* name;
    IpAddress v4;
    IpAddress v6;
  };
  static const Named kNames[] = {
      {"own", kOwn4, kOwn6},
      {"peer", kPeer4, kPeer6},
      {"far", kFar4, kFar6},
      {"other", IpAddress::V4(10, 0, 0, 3), Ip6({0xfd, 0}, {3})},
      {"stranger", IpAddress::V4(10, 9, 0, 1), Ip6({0xfd, 9}, {1})},  // not ours
      {"broadcast", IpAddress::V4(10, 0, 0, 255), Ip6({0xff, 2}, {1})},
      {"everybody", IpAddress::V4(255, 255, 255, 255), Ip6({0xff, 2}, {1})},
      {"all", IpAddress::V4(224, 0, 0, 1), Ip6({0xff, 2}, {1})},
      {"group", IpAddress::V4(224, 0, 0, 251), Ip6({0xff, 2}, {0xfb})},
      {"lo", kLoopback4, kLoopback6},
      {"any", IpAddress::V4(0, 0, 0, 0), IpAddress()},
  };
  for (const Named& named : kNames) {
    if (name == named.name) {
      return is_v6_ ? named.v6 : named.v4;
    }
  }
  uint8_t bytes[16];
  if (inet_pton(AF_INET, name.c_str(), bytes) == 1) {
    return IpAddress::V4(bytes);
  }
  if (inet_pton(AF_INET6, name.c_str(), bytes) == 1) {
    return IpAddress::V6(bytes);
  }
  throw ScriptError("not an address: " + name);
}

PacketCodec::Ends PacketCodec::EndsOf(const PacketSpec& spec) const {
  Ends ends{{AddressOf("own"), own_port}, {AddressOf("peer"), peer_port}};
  const auto end = [&](const char* address, const char* port, Endpoint& of) {
    if (const auto found = spec.modifiers.find(address); found != spec.modifiers.end()) {
      of.address = AddressOf(found->second);
    }
    of.port = static_cast<uint16_t>(spec.number(port, of.port));
  };
  end("from", "sport", spec.is_outgoing ? ends.own : ends.peer);
  end("to", "dport", spec.is_outgoing ? ends.peer : ends.own);
  return ends;
}

FlowState& PacketCodec::Flow(const IpAddress& own, uint16_t own_port_of, const IpAddress& peer, uint16_t peer_port_of) {
  const auto text = [](const IpAddress& address) { return std::string(address.bytes, address.bytes + 16); };
  return flows_[{text(own), own_port_of, text(peer), peer_port_of}];
}

FlowState& PacketCodec::FlowOf(const PacketSpec& spec) {
  const Ends ends = EndsOf(spec);
  return Flow(ends.own.address, ends.own.port, ends.peer.address, ends.peer.port);
}

Bytes PacketCodec::EncodeOptions(const PacketSpec& spec, FlowState& flow, uint64_t now_ns) {
  Bytes out;
  bool has_clock = spec.has("nots");
  const auto clock = [&](uint32_t value, uint32_t echo) {
    Append(out, {8, 10});
    Append32(out, value);
    Append32(out, echo);
    flow.peer_clock = value;
    flow.peer_clock_at_ns = now_ns;
    has_clock = true;
  };
  for (const OptionSpec& option : spec.options) {
    const auto value = [&](size_t index) { return static_cast<uint32_t>(ParseNumber(option.values.at(index))); };
    if (option.name == "mss") {
      Append(out, {2, 4});
      Append16(out, static_cast<uint16_t>(value(0)));
    } else if (option.name == "wscale") {
      Append(out, {3, 3, static_cast<uint8_t>(value(0))});
    } else if (option.name == "sackOK") {
      Append(out, {4, 2});
    } else if (option.name == "TS") {
      clock(value(0), option.values.at(1) == "*" ? flow.own_clock_last : value(1) + flow.own_clock_base);
    } else if (option.name == "sack") {
      Append(out, {5, static_cast<uint8_t>(2 + 8 * option.values.size())});
      for (const std::string& block : option.values) {
        const auto [begin, end] = ParseRange(block);
        Append32(out, flow.own_base + static_cast<uint32_t>(begin));
        Append32(out, flow.own_base + static_cast<uint32_t>(end));
      }
    } else if (option.name == "nop") {
      Append(out, {1});
    } else if (option.name == "eol") {
      Append(out, {0});
    } else if (option.name == "raw") {  // anything: kind, length, bytes
      for (size_t i = 0; i < option.values.size(); ++i) {
        Append(out, {static_cast<uint8_t>(value(i))});
      }
    } else {
      throw ScriptError("not a TCP option: " + option.name);
    }
  }
  if (!has_clock && flow.uses_clock() && !spec.has_flag('S') && !spec.has_flag('R')) {
    clock(flow.peer_clock + static_cast<uint32_t>((now_ns - flow.peer_clock_at_ns) / 1000000), flow.own_clock_last);
  }
  while (out.size() % 4 != 0) {
    Append(out, {1});
  }
  return out;
}

Bytes PacketCodec::EncodeTcp(const PacketSpec& spec, const Ends& ends, uint64_t now_ns) {
  FlowState& flow = Flow(ends.own.address, ends.own.port, ends.peer.address, ends.peer.port);
  if (spec.has_flag('S')) {
    if (spec.has("isn")) {
      flow.peer_base = spec.number("isn", 0);
    }
    for (const OptionSpec& option : spec.options) {
      flow.peer_offers_clock = flow.peer_offers_clock || option.name == "TS";
    }
  }
  flow.window = spec.number("win", flow.window);
  const Bytes options = EncodeOptions(spec, flow, now_ns);
  Bytes out;
  Append16(out, ends.peer.port);
  Append16(out, ends.own.port);
  Append32(out, flow.peer_base + static_cast<uint32_t>(spec.seq));
  Append32(out, spec.ack.has_value() ? flow.own_base + static_cast<uint32_t>(*spec.ack) : 0);
  Append(out, {static_cast<uint8_t>((20 + options.size()) / 4 << 4), FlagBits(spec)});
  Append16(out, static_cast<uint16_t>(flow.window));
  Append16(out, 0);
  Append16(out, static_cast<uint16_t>(spec.number("urg", 0)));
  Append(out, options);
  const uint32_t salt = spec.number("data", kPeerSalt);
  for (uint32_t i = 0; i < spec.size_bytes; ++i) {
    out.push_back(StreamByte(static_cast<uint32_t>(spec.seq) - 1 + i, salt));
  }
  if (spec.has("badlen")) {
    out[12] = 0xf0;  // a header of 60 bytes
  }
  return out;
}

Bytes PacketCodec::EncodeUdp(const PacketSpec& spec, const Ends& ends) const {
  Bytes payload;
  for (uint32_t i = 0; i < spec.size_bytes; ++i) {
    payload.push_back(StreamByte(i, spec.number("data", kPeerSalt)));
  }
  Bytes udp = UdpBytes(ends.peer, ends.own, payload);
  if (spec.has("length")) {
    Put16(udp, 4, static_cast<uint16_t>(spec.number("length", 0)));
    FixSum(udp, 6, PseudoSum(ends.peer.address, ends.own.address, kProtocolUdp, static_cast<uint32_t>(udp.size())));
  }
  return udp;
}

Bytes PacketCodec::EncodeEcho(const PacketSpec& spec, const Ends& ends, bool is_reply) const {
  static_cast<void>(ends);
  Bytes icmp = {is_v6_ ? static_cast<uint8_t>(is_reply ? kEchoReply6 : kEchoRequest6)
                       : static_cast<uint8_t>(is_reply ? kEchoReply4 : kEchoRequest4),
                0, 0, 0};
  Append16(icmp, static_cast<uint16_t>(spec.number("content", 77)));
  Append16(icmp, static_cast<uint16_t>(spec.number("seq", 1)));
  for (uint32_t i = 0; i < spec.size_bytes; ++i) {
    icmp.push_back(StreamByte(i, kPeerSalt));
  }
  return icmp;
}

Bytes PacketCodec::EncodeIcmpError(const PacketSpec& spec, const Ends& ends) {
  const FlowState& flow =
      Flow(ends.own.address, ends.own.port, spec.has("from") ? AddressOf("peer") : ends.peer.address, ends.peer.port);
  const IcmpName& name = FindIcmpName(spec.name);
  Bytes quoted = flow.last_out;
  if (quoted.empty()) {
    throw ScriptError("there is no packet to quote");
  }
  const size_t header = is_v6_ ? 40 : 20;
  quoted.resize(std::min<size_t>(quoted.size(), spec.number("quote", static_cast<uint32_t>(header + 8))));
  if (spec.has("about")) {
    StoreBig32(quoted.data() + header + 4, flow.own_base + spec.number("about", 0));
  }
  Bytes icmp = {is_v6_ ? name.type6 : name.type4, is_v6_ ? name.code6 : name.code4, 0, 0};
  icmp[0] = static_cast<uint8_t>(spec.number("type", icmp[0]));
  icmp[1] = static_cast<uint8_t>(spec.number("code", icmp[1]));
  Append32(icmp, spec.has("mtu") ? MtuOf(spec.number("mtu", 0)) : 0);
  Append(icmp, quoted);
  return icmp;
}

Bytes PacketCodec::EncodeNeighbour(const PacketSpec& spec, const Device& device, uint16_t& type, MacAddress& to) {
  const IpAddress target = AddressOf(spec.target);
  const IpAddress from = AddressOf(spec.has("from")                ? spec.modifiers.at("from")
                                   : spec.kind == PacketKind::kAsk ? "peer"
                                                                   : spec.target);
  const bool asks = spec.kind == PacketKind::kAsk;
  MacAddress mac;
  std::memcpy(mac, kPeerMac, 6);
  mac[5] = static_cast<uint8_t>(spec.number("mac", mac[5]));
  const bool to_all = asks ? !spec.has("unicast") : spec.kind == PacketKind::kAnnounce;
  std::memcpy(to, device.mac, 6);
  if (!is_v6_) {
    type = kTypeArp;
    if (to_all) {
      std::memset(to, 0xff, 6);
    }
    const IpAddress second = asks ? target : spec.kind == PacketKind::kAnnounce ? from : AddressOf("own");
    Bytes arp = {0, 1, 8, 0, 6, 4, 0, static_cast<uint8_t>(asks ? 1 : 2)};
    Append(arp, Bytes(mac, mac + 6));
    Append(arp, Bytes(from.v4(), from.v4() + 4));
    Append(arp, asks ? Bytes(6) : Bytes(device.mac, device.mac + 6));
    Append(arp, Bytes(second.v4(), second.v4() + 4));
    return arp;
  }
  type = kTypeIp6;
  IpAddress destination = asks ? target : AddressOf("own");
  if (to_all) {
    destination = asks ? SolicitedNode(target) : AddressOf("all");
  }
  if (to_all) {
    GroupMac(destination, to);
  }
  Bytes icmp = {asks ? kNeighbourSolicitation : kNeighbourAdvertisement, 0, 0, 0};
  uint32_t flags = asks ? 0 : 0x60000000;  // solicited, override
  flags = spec.has("unsolicited") || spec.kind == PacketKind::kAnnounce ? 0x20000000 : flags;
  Append32(icmp, flags);
  Append(icmp, Bytes(target.bytes, target.bytes + 16));
  if (!from.is_any()) {
    Append(icmp, {static_cast<uint8_t>(asks ? 1 : 2), 1});
    Append(icmp, Bytes(mac, mac + 6));
  }
  FixSum(icmp, 2, PseudoSum(from, destination, kProtocolIcmp6, static_cast<uint32_t>(icmp.size())));
  PacketOptions options;
  options.ttl = static_cast<uint8_t>(spec.number("ttl", 255));
  return IpBytes(kProtocolIcmp6, from, destination, icmp, options);
}

namespace {

// Extension headers for IPv6 in front of `payload`; returns the number that names the first of them.
uint8_t AddExtensions(const PacketSpec& spec, uint8_t protocol, Bytes& payload) {
  const auto add = [&](uint8_t number, std::initializer_list<uint8_t> rest) {
    Bytes header = {protocol, 0};
    Append(header, rest);
    Append(header, payload);
    payload = header;
    protocol = number;
  };
  if (spec.has("destopts")) {
    add(60, {1, 4, 0, 0, 0, 0});  // PadN
  }
  if (spec.has("weird")) {
    add(60, {0xc7, 4, 0, 0, 0, 0});  // unknown, action bits 11
  }
  if (spec.has("routing")) {
    add(43, {0, 1, 0, 0, 0, 0});  // type 0, one segment left
  }
  if (spec.has("hopbyhop")) {
    add(0, {1, 4, 0, 0, 0, 0});
  }
  if (spec.has("unknown")) {
    add(253, {0, 0, 0, 0, 0, 0});
  }
  return protocol;
}

}  // namespace

Bytes PacketCodec::WrapIp(const PacketSpec& spec, const Ends& ends, uint8_t protocol, Bytes transport,
                          FrameMeta& meta) const {
  PacketOptions options;
  options.ttl = static_cast<uint8_t>(spec.number("ttl", 64));
  options.type_of_service = static_cast<uint8_t>(spec.number("tos", 0));
  options.id = static_cast<uint16_t>(spec.number("id", next_id_));
  options.breaks_header = spec.has("badipsum");
  if (spec.has("options")) {
    options.options = {1, 1, 1, 0};
  }
  if (spec.has("routing") && !is_v6_) {
    options.options = {131, 7, 4, 10, 0, 0, 9, 0};  // loose source route
  }
  meta.checksum_start = static_cast<uint16_t>(kEthernetHeader_bytes + (is_v6_ ? 40 : 20 + options.options.size()));
  const auto found = spec.modifiers.find("frag");
  if (found != spec.modifiers.end()) {
    std::string range = found->second;
    const bool has_more = range.back() == '+';
    range.resize(range.size() - (has_more ? 1 : 0));
    const auto [begin, end] = ParseRange(range);
    if (begin < 0 || end < begin) {
      throw ScriptError("not a fragment: " + range);
    }
    Bytes whole = transport;
    whole.resize(std::max<size_t>(whole.size(), static_cast<size_t>(end)));
    transport.assign(whole.begin() + begin, whole.begin() + end);
    const auto field = static_cast<uint16_t>(begin);
    if (is_v6_) {
      Bytes fragment = {protocol, 0};
      Append16(fragment, static_cast<uint16_t>(field | (has_more ? 1 : 0)));
      Append32(fragment, options.id);
      Append(fragment, transport);
      transport = fragment;
      protocol = 44;
    } else {
      options.fragment = static_cast<uint16_t>(field / 8 | (has_more ? 0x2000 : 0));
    }
  } else if (!is_v6_ && protocol == kProtocolTcp) {
    options.fragment = 0x4000;
  }
  if (is_v6_) {
    protocol = AddExtensions(spec, protocol, transport);
  }
  return IpBytes(protocol, ends.peer.address, ends.own.address, transport, options);
}

WireFrame PacketCodec::Encode(const PacketSpec& spec, const Device& device, uint64_t now_ns) {
  const Ends ends = EndsOf(spec);
  WireFrame frame;
  uint16_t type = is_v6_ ? kTypeIp6 : kTypeIp4;
  MacAddress to;
  std::memcpy(to, device.mac, 6);
  Bytes packet;
  ++next_id_;
  if (spec.kind == PacketKind::kAsk || spec.kind == PacketKind::kAnswer || spec.kind == PacketKind::kAnnounce) {
    packet = EncodeNeighbour(spec, device, type, to);
  } else {
    uint8_t protocol = Icmp();
    uint32_t sum_at = 2;
    Bytes transport;
    switch (spec.kind) {
      case PacketKind::kTcp:
        protocol = kProtocolTcp;
        sum_at = 16;
        transport = EncodeTcp(spec, ends, now_ns);
        break;
      case PacketKind::kUdp:
        protocol = kProtocolUdp;
        sum_at = 6;
        transport = EncodeUdp(spec, ends);
        break;
      case PacketKind::kIcmpError:
        transport = EncodeIcmpError(spec, ends);
        break;
      case PacketKind::kEcho:
      case PacketKind::kEchoReply:
        transport = EncodeEcho(spec, ends, spec.kind == PacketKind::kEchoReply);
        break;
      default:
        protocol = static_cast<uint8_t>(spec.protocol);
        sum_at = ~0U;
        transport = Pattern(spec.size_bytes);
        break;
    }
    if (sum_at != ~0U) {
      const auto size = static_cast<uint32_t>(transport.size());
      const uint64_t pseudo =
          protocol == kProtocolIcmp ? 0 : PseudoSum(ends.peer.address, ends.own.address, protocol, size);
      FixSum(transport, sum_at, pseudo);
      if (spec.has("badsum")) {
        transport[sum_at] ^= 0x40;
      }
      if (spec.has("nosum")) {
        Put16(transport, sum_at, 0);
      }
      if (spec.has("blank") || spec.has("gso")) {
        const uint16_t folded = FoldSum(pseudo);
        std::memcpy(transport.data() + sum_at, &folded, 2);
        frame.meta.flags = kFrameChecksumBlank;
        frame.meta.checksum_offset = static_cast<uint16_t>(sum_at);
      }
      if (spec.has("good")) {
        Put16(transport, sum_at, 0x1234);
        frame.meta.flags = kFrameChecksumGood;
      }
    }
    packet = WrapIp(spec, ends, protocol, transport, frame.meta);
    if (frame.meta.flags != kFrameChecksumBlank) {
      frame.meta.checksum_start = 0;
    }
    if (spec.has("gso")) {
      frame.meta.flags |= is_v6_ ? kFrameSegmentTcp6 : kFrameSegmentTcp4;
      frame.meta.segment_bytes = static_cast<uint16_t>(spec.number("gso", 0));
    }
    if (ends.own.address.is_multicast()) {
      GroupMac(ends.own.address, to);
    } else if (ends.own.address.is_limited_broadcast() || ends.own.address == AddressOf("broadcast")) {
      std::memset(to, 0xff, 6);
    }
    if (spec.kind == PacketKind::kTcp || spec.kind == PacketKind::kUdp || spec.kind == PacketKind::kProtocol) {
      Flow(ends.own.address, ends.own.port, ends.peer.address, ends.peer.port).last_in = packet;
    }
  }
  if (spec.has("dst")) {  // another MAC than it should be
    std::memset(to, 4, 6);
  }
  if (spec.has("short")) {
    packet.resize(packet.size() - 4);
  }
  if (spec.has("pad")) {
    packet.resize(packet.size() + spec.number("pad", 0));
  }
  Append(frame.bytes, Bytes(to, to + 6));
  Append(frame.bytes, Bytes(kPeerMac, kPeerMac + 6));
  Append16(frame.bytes, type);
  Append(frame.bytes, packet);
  return frame;
}

}  // namespace junction::net
