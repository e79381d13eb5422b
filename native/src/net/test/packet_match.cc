// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>

#include "net/icmp_types.h"
#include "net/test/icmp_names.h"
#include "net/test/packet_codec.h"

namespace junction::net {
namespace {

std::string TextOf(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.is_v4()) {
    inet_ntop(AF_INET, address.v4(), text, sizeof text);
  } else {
    inet_ntop(AF_INET6, address.bytes, text, sizeof text);
  }
  return text;
}
std::string TextOf(const uint8_t* mac) {
  char text[18];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  return text;
}

std::string FlagsOf(uint8_t bits) {
  constexpr std::string_view kOrder = "FSRP.UEW";
  std::string text;
  for (const size_t bit : {1, 0, 2, 3, 4, 5, 6, 7}) {  // as tcpdump: S before F
    if ((bits >> bit & 1) != 0) {
      text += kOrder[bit];
    }
  }
  return text.empty() ? "none" : text;
}
std::string Sorted(std::string text) {
  std::ranges::sort(text);
  return text;
}

// A signed distance, so that what lies before the beginning is legible.
int64_t Relative(uint32_t number, uint32_t base) { return static_cast<int32_t>(number - base); }

struct TcpView {
  uint16_t source_port, destination_port;
  uint32_t seq, ack;
  uint8_t flags;
  uint16_t window, urgent;
  Bytes options;
  Bytes data;
};
bool ViewTcp(const Bytes& bytes, TcpView& out) {
  const size_t header = bytes.size() < 20 ? 0 : static_cast<size_t>(bytes[12] >> 4) * 4;
  if (header < 20 || header > bytes.size()) {
    return false;
  }
  const uint8_t* const at = bytes.data();
  const auto offset = static_cast<std::ptrdiff_t>(header);
  out = {LoadBig16(at),
         LoadBig16(at + 2),
         LoadBig32(at + 4),
         LoadBig32(at + 8),
         at[13],
         LoadBig16(at + 14),
         LoadBig16(at + 18),
         Bytes(bytes.begin() + 20, bytes.begin() + offset),
         Bytes(bytes.begin() + offset, bytes.end())};
  return true;
}

// TCP options as a script writes them, without padding; timestamps on their own.
struct OptionsView {
  std::vector<std::string> texts;
  bool has_clock = false;
  uint32_t clock = 0;
  uint32_t echo = 0;
  bool is_malformed = false;
};
OptionsView ViewOptions(const Bytes& bytes, uint32_t peer_base) {
  OptionsView view;
  for (size_t at = 0; at < bytes.size();) {
    const uint8_t kind = bytes[at];
    if (kind == 0) {
      break;
    }
    if (kind == 1) {
      ++at;
      continue;
    }
    const size_t length = at + 1 < bytes.size() ? bytes[at + 1] : 0;
    if (length < 2 || at + length > bytes.size()) {
      view.is_malformed = true;
      break;
    }
    const uint8_t* const value = bytes.data() + at + 2;
    if (kind == 2 && length == 4) {
      view.texts.push_back("mss " + std::to_string(LoadBig16(value)));
    } else if (kind == 3 && length == 3) {
      view.texts.push_back("wscale " + std::to_string(value[0]));
    } else if (kind == 4 && length == 2) {
      view.texts.push_back("sackOK");
    } else if (kind == 8 && length == 10) {
      view.has_clock = true;
      view.clock = LoadBig32(value);
      view.echo = LoadBig32(value + 4);
      view.texts.push_back("TS");
    } else if (kind == 5 && length > 2 && (length - 2) % 8 == 0) {
      std::string text = "sack";
      for (size_t block = 0; block < (length - 2) / 8; ++block) {
        text += " " + std::to_string(Relative(LoadBig32(value + 8 * block), peer_base)) + ":" +
                std::to_string(Relative(LoadBig32(value + 8 * block + 4), peer_base));
      }
      view.texts.push_back(text);
    } else {
      view.is_malformed = true;
    }
    at += length;
  }
  return view;
}

std::string Join(const std::vector<std::string>& texts) {
  std::string joined;
  for (const std::string& text : texts) {
    joined += (joined.empty() ? "" : ",") + text;
  }
  return joined;
}

}  // namespace

void PacketCodec::Differs(const std::string& what, const std::string& expected, const std::string& got) {
  differences_ += "\n    " + what + ": expected " + expected + ", got " + got;
}
void PacketCodec::Compare(const char* what, int64_t expected, int64_t got) {
  if (expected != got) {
    Differs(what, std::to_string(expected), std::to_string(got));
  }
}

std::string PacketCodec::DescribeTcp(const ParsedFrame& frame) {
  TcpView tcp;
  if (!ViewTcp(frame.payload, tcp)) {
    return "malformed TCP";
  }
  const FlowState& flow = Flow(frame.source, tcp.source_port, frame.destination, tcp.destination_port);
  const OptionsView options = ViewOptions(tcp.options, flow.peer_base);
  const int64_t seq = (tcp.flags & 2) != 0 && !flow.knows_own ? 0 : Relative(tcp.seq, flow.own_base);
  std::string text = FlagsOf(tcp.flags) + " " + std::to_string(seq) + ":" +
                     std::to_string(seq + static_cast<int64_t>(tcp.data.size())) + "(" +
                     std::to_string(tcp.data.size()) + ")";
  if ((tcp.flags & 0x10) != 0) {
    text += " ack " + std::to_string(Relative(tcp.ack, flow.peer_base));
  }
  text += " win " + std::to_string(tcp.window);
  if (!options.texts.empty()) {
    std::string list = Join(options.texts);
    if (options.has_clock) {
      list.replace(list.find("TS"), 2,
                   "TS " + std::to_string(options.clock - flow.own_clock_base) + " " + std::to_string(options.echo));
    }
    text += " <" + list + ">";
  }
  if (tcp.source_port != own_port || tcp.destination_port != peer_port) {
    text += " sport " + std::to_string(tcp.source_port) + " dport " + std::to_string(tcp.destination_port);
  }
  return text;
}

std::string PacketCodec::Describe(const WireFrame& wire) {
  const ParsedFrame frame = Parse(wire);
  if (frame.type == kTypeArp && frame.ip.size() >= 28) {
    const uint8_t* const arp = frame.ip.data();
    return std::string(arp[7] == 1 ? "ask " : "answer ") + TextOf(IpAddress::V4(arp + 24)) + " from " +
           TextOf(IpAddress::V4(arp + 14)) + " (ARP, to " + TextOf(frame.to) + ")";
  }
  std::string text;
  const bool is_fragment = is_v6_ ? frame.protocol == 44 : (frame.fragment & 0x3fff) != 0;
  if (is_fragment) {
    text = "fragment " +
           (is_v6_ && frame.payload.size() >= 8 ? std::to_string(LoadBig16(frame.payload.data() + 2))
                                                : std::to_string(frame.fragment)) +
           " of " + std::to_string(frame.payload.size()) + " bytes";
  } else if (frame.protocol == kProtocolTcp) {
    text = DescribeTcp(frame);
  } else if (frame.protocol == kProtocolUdp && frame.payload.size() >= 8) {
    text = "udp " + std::to_string(frame.payload.size() - 8) + " sport " +
           std::to_string(LoadBig16(frame.payload.data())) + " dport " +
           std::to_string(LoadBig16(frame.payload.data() + 2));
  } else if (frame.protocol == Icmp() && frame.payload.size() >= 4) {
    text = "icmp type " + std::to_string(frame.payload[0]) + " code " + std::to_string(frame.payload[1]);
  } else {
    text = "protocol " + std::to_string(frame.protocol);
  }
  if (frame.meta.segment_bytes != 0) {
    text += " gso " + std::to_string(frame.meta.segment_bytes);
  }
  return text + " (" + TextOf(frame.source) + " to " + TextOf(frame.destination) + ")";
}

void PacketCodec::MatchOptions(const PacketSpec& spec, FlowState& flow, const Bytes& options, bool is_syn,
                               bool is_reset) {
  const OptionsView view = ViewOptions(options, flow.peer_base);
  if (view.is_malformed) {
    Differs("options", "well-formed ones", "others");
  }
  const OptionSpec* clock = nullptr;
  std::vector<std::string> expected;
  for (const OptionSpec& option : spec.options) {
    std::string text = option.name;
    if (option.name == "TS") {
      clock = &option;
    } else {
      for (const std::string& value : option.values) {
        text += " " + value;
      }
    }
    expected.push_back(text);
  }
  const bool wants_clock = clock != nullptr || (!is_syn && flow.uses_clock());
  if (!spec.has_any_options && !is_reset && wants_clock != view.has_clock) {
    Differs("timestamps", wants_clock ? "there" : "none", view.has_clock ? "there" : "none");
  }
  std::vector<std::string> got = view.texts;
  if (clock == nullptr && !is_syn) {
    std::erase(got, "TS");
  }
  if (!spec.has_any_options && expected != got) {
    Differs("options", "<" + Join(expected) + ">", "<" + Join(got) + ">");
  }
  if (!view.has_clock) {
    return;
  }
  if (!flow.knows_own_clock) {
    flow.knows_own_clock = true;
    flow.own_clock_base = flow.own_clock_last = view.clock;
  }
  if (Relative(view.clock, flow.own_clock_last) < 0 &&
      Relative(view.clock, flow.own_clock_last) > -1000000000) {  // else days have passed
    Differs("timestamp", "none before the last one", std::to_string(Relative(view.clock, flow.own_clock_base)));
  }
  flow.own_clock_last = view.clock;
  if (clock != nullptr) {
    if (clock->values.size() != 2) {
      throw ScriptError("TS has two numbers");
    }
    if (clock->values[0] != "*") {
      Compare("timestamp", ParseNumber(clock->values[0]), Relative(view.clock, flow.own_clock_base));
    }
    if (clock->values[1] != "*") {
      Compare("timestamp echo", ParseNumber(clock->values[1]), view.echo);
    }
  }
}

void PacketCodec::MatchTcp(const PacketSpec& spec, const ParsedFrame& frame, const Ends& ends) {
  TcpView tcp;
  if (!ViewTcp(frame.payload, tcp)) {
    Differs("TCP header", "one", "none");
    return;
  }
  Compare("source port", ends.own.port, tcp.source_port);
  Compare("destination port", ends.peer.port, tcp.destination_port);
  FlowState& flow = Flow(ends.own.address, ends.own.port, ends.peer.address, ends.peer.port);
  const bool is_syn = (tcp.flags & 2) != 0;
  if (is_syn && (!flow.knows_own || spec.has("new"))) {
    flow.knows_own = true;
    flow.own_base = tcp.seq;
  }
  if (Sorted(spec.flags) != Sorted(FlagsOf(tcp.flags))) {
    Differs("flags", spec.flags, FlagsOf(tcp.flags));
  }
  Compare("sequence number", spec.seq, Relative(tcp.seq, flow.own_base));
  Compare("length", spec.size_bytes, static_cast<int64_t>(tcp.data.size()));
  if (spec.ack.has_value() && (tcp.flags & 0x10) != 0) {
    Compare("acknowledgement", *spec.ack, Relative(tcp.ack, flow.peer_base));
  }
  if ((tcp.flags & 0x10) == 0 && (tcp.flags & 4) == 0) {
    Compare("acknowledgement field without ACK", 0, tcp.ack);
  }
  if (spec.has("win")) {
    Compare("window", spec.number("win", 0), tcp.window);
  }
  Compare("urgent pointer", 0, tcp.urgent);
  for (size_t i = 0; i < tcp.data.size(); ++i) {
    const uint32_t offset = tcp.seq - flow.own_base - 1 + static_cast<uint32_t>(i);
    if (tcp.data[i] != StreamByte(offset, kOwnSalt)) {
      Differs("data at " + std::to_string(i), std::to_string(StreamByte(offset, kOwnSalt)),
              std::to_string(tcp.data[i]));
      break;
    }
  }
  MatchOptions(spec, flow, tcp.options, is_syn, (tcp.flags & 4) != 0);
  if (is_syn) {
    flow.own_offers_clock = ViewOptions(tcp.options, 0).has_clock;
  }
}

void PacketCodec::MatchUdp(const PacketSpec& spec, const ParsedFrame& frame, const Ends& ends) {
  Bytes payload;
  for (uint32_t i = 0; i < spec.size_bytes; ++i) {
    payload.push_back(StreamByte(i, kOwnSalt));
  }
  Bytes expected = UdpBytes(ends.own, ends.peer, payload);
  Bytes got = frame.payload;
  const auto found = spec.modifiers.find("frag");
  if (found != spec.modifiers.end()) {
    const std::string& range = found->second;
    const auto begin = static_cast<uint32_t>(ParseNumber(range.substr(0, range.find(':'))));
    const bool has_more = range.back() == '+';
    const auto end = static_cast<uint32_t>(
        ParseNumber(range.substr(range.find(':') + 1, range.size() - range.find(':') - 1 - (has_more ? 1 : 0))));
    uint16_t field = static_cast<uint16_t>((frame.fragment & 0x1fff) * 8 | (frame.fragment >> 13 & 1));
    uint16_t id = LoadBig16(frame.ip.data() + 4);
    if (is_v6_) {
      if (frame.protocol != 44 || got.size() < 8) {
        Differs("fragment header", "one", "none");
        return;
      }
      Compare("protocol of the fragment", kProtocolUdp, got[0]);
      field = LoadBig16(got.data() + 2);
      id = LoadBig16(got.data() + 6);
      got.erase(got.begin(), got.begin() + 8);
    }
    Compare("offset", begin, field & ~7);
    Compare("more fragments", has_more ? 1 : 0, field & 1);
    if (begin == 0) {
      if (id == last_fragment_id_) {
        Differs("identification", "a new one", std::to_string(id));
      }
    } else {
      Compare("identification", last_fragment_id_, id);
    }
    last_fragment_id_ = id;
    expected = Bytes(expected.begin() + begin, expected.begin() + std::min<size_t>(end, expected.size()));
  }
  if (got.size() >= 8 && !spec.has("frag")) {
    Compare("source port", ends.own.port, LoadBig16(got.data()));
    Compare("destination port", ends.peer.port, LoadBig16(got.data() + 2));
  }
  Compare("length", static_cast<int64_t>(expected.size()), static_cast<int64_t>(got.size()));
  if (frame.meta.flags == kFrameChecksumBlank && got.size() >= 8 && expected.size() >= 8) {
    std::copy(got.begin() + 6, got.begin() + 8, expected.begin() + 6);  // checked by itself
  }
  if (expected.size() == got.size() && expected != got) {
    Differs("bytes", "the datagram's", "others");
  }
}

void PacketCodec::MatchIcmpError(const PacketSpec& spec, const ParsedFrame& frame, const Ends& ends) {
  const IcmpName& name = FindIcmpName(spec.name);
  const FlowState& flow = Flow(ends.own.address, ends.own.port, ends.peer.address, ends.peer.port);
  const Bytes& icmp = frame.payload;
  if (icmp.size() < 8) {
    Differs("ICMP message", "8 bytes", std::to_string(icmp.size()));
    return;
  }
  Compare("type", spec.number("type", is_v6_ ? name.type6 : name.type4), icmp[0]);
  Compare("code", spec.number("code", is_v6_ ? name.code6 : name.code4), icmp[1]);
  Compare("second word", spec.number("offset", 0), LoadBig32(icmp.data() + 4));
  const Bytes quoted(icmp.begin() + 8, icmp.end());
  const size_t least = std::min<size_t>(flow.last_in.size(), is_v6_ ? 48 : 28);
  if (quoted.size() < least || quoted.size() > flow.last_in.size() ||
      !std::equal(quoted.begin(), quoted.end(), flow.last_in.begin())) {
    Differs("quoted packet", "the beginning of the last one that came in",
            std::to_string(quoted.size()) + " other bytes");
  }
  if (frame.ip.size() > (is_v6_ ? 1280U : 576U)) {  // RFC 4443, section 2.4 (c); RFC 1812, section 4.3.2.3
    Differs("size", "the least MTU at most", std::to_string(frame.ip.size()));
  }
}

void PacketCodec::MatchEcho(const PacketSpec& spec, const ParsedFrame& frame, const Ends& ends, bool is_reply) {
  Bytes expected = EncodeEcho(spec, ends, is_reply);
  for (uint32_t i = 0; i < spec.size_bytes; ++i) {
    expected[8 + i] = StreamByte(i, is_reply ? kPeerSalt : kOwnSalt);
  }
  Bytes got = frame.payload;
  if (got.size() >= 8) {
    got[2] = got[3] = 0;
    if (!is_reply && !spec.has("content")) {
      std::copy(got.begin() + 4, got.begin() + 6, expected.begin() + 4);  // the identifier is drawn
    }
  }
  if (expected != got) {
    Differs("echo message", "type, identifier, number and data as written", "others");
  }
}

void PacketCodec::MatchNeighbour(const PacketSpec& spec, const ParsedFrame& frame, const Device& device) {
  const IpAddress target = AddressOf(spec.target);
  const IpAddress from = AddressOf(spec.has("from") ? spec.modifiers.at("from") : "own");
  const bool asks = spec.kind == PacketKind::kAsk;
  const bool to_all = spec.kind == PacketKind::kAnnounce || (asks && !spec.has("unicast"));
  const auto compare_bytes = [&](const char* what, const Bytes& expected, const Bytes& got) {
    if (expected != got) {
      Differs(what, "as RFC 826 and RFC 4861 say", "something else");
    }
  };
  const Bytes own_mac(device.mac, device.mac + 6);
  Bytes to(kPeerMac, kPeerMac + 6);
  if (!is_v6_) {
    if (frame.type != kTypeArp) {
      Differs("type", "ARP", std::to_string(frame.type));
      return;
    }
    const IpAddress other = asks || spec.kind == PacketKind::kAnnounce
                                ? target
                                : AddressOf(spec.has("to") ? spec.modifiers.at("to") : "peer");
    const uint8_t operation = frame.ip.size() > 7 && spec.kind == PacketKind::kAnnounce ? frame.ip[7]
                              : asks                                                    ? 1
                                                                                        : 2;  // RFC 5227: either
    Bytes expected = {0, 1, 8, 0, 6, 4, 0, operation};
    Append(expected, own_mac);
    const IpAddress& sender = asks ? from : target;
    Append(expected, Bytes(sender.v4(), sender.v4() + 4));
    Bytes got = frame.ip;
    const bool hides_mac = asks || spec.kind == PacketKind::kAnnounce;
    Append(expected, hides_mac && got.size() >= 24 ? Bytes(got.begin() + 18, got.begin() + 24) : to);
    Append(expected, Bytes(other.v4(), other.v4() + 4));
    compare_bytes("ARP packet", expected, got);
    compare_bytes("destination MAC", to_all ? Bytes(6, 0xff) : to, Bytes(frame.to, frame.to + 6));
    return;
  }
  if (frame.protocol != kProtocolIcmp6) {
    Differs("protocol", "58", std::to_string(frame.protocol));
    return;
  }
  const IpAddress peer = AddressOf(spec.has("to") ? spec.modifiers.at("to") : "peer");
  const IpAddress destination = to_all ? (asks ? SolicitedNode(target) : AddressOf("all")) : asks ? target : peer;
  Bytes expected = {asks ? kNeighbourSolicitation : kNeighbourAdvertisement, 0, 0, 0};
  const uint32_t flags = asks                                                            ? 0
                         : spec.kind == PacketKind::kAnnounce || spec.has("unsolicited") ? 0x20000000
                                                                                         : 0x60000000;
  Append32(expected, flags);
  Append(expected, Bytes(target.bytes, target.bytes + 16));
  Append(expected, {static_cast<uint8_t>(asks ? 1 : 2), 1});
  Append(expected, own_mac);
  const IpAddress source = asks ? from : spec.kind == PacketKind::kAnnounce ? frame.source : target;
  FixSum(expected, 2, PseudoSum(source, destination, kProtocolIcmp6, static_cast<uint32_t>(expected.size())));
  compare_bytes("neighbour discovery message", expected, frame.payload);
  Compare("hop limit", 255, frame.ttl);
  if (!(frame.destination == destination)) {
    Differs("destination", TextOf(destination), TextOf(frame.destination));
  }
  if (to_all) {
    MacAddress mac;
    GroupMac(destination, mac);
    to.assign(mac, mac + 6);
  }
  compare_bytes("destination MAC", to, Bytes(frame.to, frame.to + 6));
}

void PacketCodec::MatchChecksum(const PacketSpec& spec, const ParsedFrame& frame, const Device& device) {
  const bool may_be_blank =
      device.has_blank_checksums && (frame.protocol == kProtocolTcp || frame.protocol == kProtocolUdp);
  const bool is_blank = (frame.meta.flags & kFrameChecksumBlank) != 0;
  if (spec.has("frag") && frame.protocol != 44) {
    return;  // the whole's, compared with the bytes
  }
  Compare("blank checksum", may_be_blank && !spec.has("frag") ? 1 : 0, is_blank ? 1 : 0);
  if (is_blank) {
    const uint32_t at = frame.protocol == kProtocolTcp ? 16 : 6;
    const uint16_t pseudo = FoldSum(
        PseudoSum(frame.source, frame.destination, frame.protocol, static_cast<uint32_t>(frame.payload.size())));
    uint16_t got = 0;
    if (frame.payload.size() >= at + 2) {
      std::memcpy(&got, frame.payload.data() + at, 2);
    }
    Compare("sum of the pseudo header", pseudo, got);
    Compare("where the checksum begins", kEthernetHeader_bytes + (is_v6_ ? 40 : 20), frame.meta.checksum_start);
    Compare("where it goes", at, frame.meta.checksum_offset);
  } else if (!spec.has("frag") && !HasGoodSum(frame)) {
    Differs("checksum", "a good one", "a bad one");
  }
}

void PacketCodec::MatchIp(const PacketSpec& spec, const ParsedFrame& frame, const Ends& ends, const Device& device) {
  Compare("Ethernet type", is_v6_ ? kTypeIp6 : kTypeIp4, frame.type);
  if (!(frame.source == ends.own.address)) {
    Differs("source", TextOf(ends.own.address), TextOf(frame.source));
  }
  if (!(frame.destination == ends.peer.address)) {
    Differs("destination", TextOf(ends.peer.address), TextOf(frame.destination));
  }
  Bytes to(kPeerMac, kPeerMac + 6);
  if (ends.peer.address.is_multicast()) {
    MacAddress mac;
    GroupMac(ends.peer.address, mac);
    to.assign(mac, mac + 6);
  } else if (ends.peer.address.is_limited_broadcast() || (!is_v6_ && ends.peer.address == AddressOf("broadcast"))) {
    to.assign(6, 0xff);
  }
  to[5] = static_cast<uint8_t>(spec.number("mac", to[5]));
  if (to != Bytes(frame.to, frame.to + 6)) {
    Differs("destination MAC", TextOf(to.data()), TextOf(frame.to));
  }
  Compare("TTL", spec.number("ttl", 64), frame.ttl);
  const uint32_t tos = is_v6_ ? LoadBig16(frame.ip.data()) >> 4 & 0xff : frame.ip[1];
  Compare("type of service", spec.number("tos", 0), tos);
  if (!is_v6_ && frame.protocol == kProtocolTcp) {
    Compare("don't fragment", spec.has("nodf") ? 0 : 1, frame.fragment >> 14 & 1);
  }
  if (frame.ip.size() > device.mtu_bytes && !spec.has("gso")) {
    Differs("size", "the MTU at most", std::to_string(frame.ip.size()));
  }
  Compare("segment size of the frame", spec.number("gso", 0), frame.meta.segment_bytes);
  const uint16_t segments = frame.meta.flags & (kFrameSegmentTcp4 | kFrameSegmentTcp6);
  Compare("segmentation flag", spec.has("gso") ? (is_v6_ ? kFrameSegmentTcp6 : kFrameSegmentTcp4) : 0, segments);
  MatchChecksum(spec, frame, device);
}

void PacketCodec::Match(const PacketSpec& spec, const WireFrame& wire, const Device& device) {
  differences_.clear();
  const ParsedFrame frame = Parse(wire);
  const Ends ends = EndsOf(spec);
  if (std::memcmp(frame.from, device.mac, 6) != 0) {
    Differs("source MAC", TextOf(device.mac), TextOf(frame.from));
  }
  const auto wants = [&](uint8_t protocol) {
    if (frame.protocol != protocol && !(spec.has("frag") && is_v6_)) {
      Differs("protocol", std::to_string(protocol), std::to_string(frame.protocol));
      return false;
    }
    MatchIp(spec, frame, ends, device);
    return true;
  };
  switch (spec.kind) {
    case PacketKind::kTcp:
      if (wants(kProtocolTcp)) {
        MatchTcp(spec, frame, ends);
      }
      break;
    case PacketKind::kUdp:
      if (wants(kProtocolUdp)) {
        MatchUdp(spec, frame, ends);
      }
      break;
    case PacketKind::kIcmpError:
      if (wants(Icmp())) {
        MatchIcmpError(spec, frame, ends);
      }
      break;
    case PacketKind::kEcho:
    case PacketKind::kEchoReply:
      if (wants(Icmp())) {
        MatchEcho(spec, frame, ends, spec.kind == PacketKind::kEchoReply);
      }
      break;
    case PacketKind::kAsk:
    case PacketKind::kAnswer:
    case PacketKind::kAnnounce:
      MatchNeighbour(spec, frame, device);
      break;
    case PacketKind::kProtocol:
      throw ScriptError("such packets can only come in");
  }
  if (!differences_.empty()) {
    throw ScriptError("expected > " + spec.text + "\n  got      > " + Describe(wire) + differences_);
  }
  if (spec.kind == PacketKind::kTcp || spec.kind == PacketKind::kUdp || spec.kind == PacketKind::kEcho) {
    FlowOf(spec).last_out = frame.ip;
  }
}

}  // namespace junction::net
