// SPDX-License-Identifier: Apache-2.0
// Between packets as scripts write them and frames: makes those that come in, compares and describes those that went out. All numbers of a
// connection are relative, so it keeps what they refer to.
#pragma once

#include <map>
#include <tuple>

#include "net/test/packet_spec.h"
#include "net/test/wire_fixture.h"

namespace junction::net {

/// What a connection's relative numbers refer to, and what both sides have agreed on.
struct FlowState {
  bool knows_own = false;
  uint32_t own_base = 0;
  uint32_t peer_base = 0xfffffc00;  // wraps within the first KiB of data
  bool knows_own_clock = false;
  uint32_t own_clock_base = 0;
  uint32_t own_clock_last = 0;
  bool own_offers_clock = false;
  bool peer_offers_clock = false;
  uint32_t peer_clock = 0;
  uint64_t peer_clock_at_ns = 0;
  uint32_t window = 65535;
  Bytes last_out;  // IP packets
  Bytes last_in;

  bool uses_clock() const { return own_offers_clock && peer_offers_clock; }
};

/// Bytes of a stream by their place; `salt` tells directions (and forged data) apart.
inline constexpr uint32_t kOwnSalt = 0;
inline constexpr uint32_t kPeerSalt = 101;
inline uint8_t StreamByte(uint32_t offset, uint32_t salt) {
  return static_cast<uint8_t>(offset * 7 + offset / 251 + salt);
}

/// RFC 4291, section 2.7.1.
inline IpAddress SolicitedNode(const IpAddress& address) {
  return Ip6({0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff}, {address.bytes[13], address.bytes[14], address.bytes[15]});
}

class PacketCodec {
 public:
  /// `is_dual`: the script runs for both families; then MTUs in it are IPv4's, IPv6's are 20 more, so that segments have one size.
  PacketCodec(bool is_v6, bool is_dual) : is_v6_(is_v6), is_dual_(is_dual) {}

  IpAddress AddressOf(const std::string& name) const;
  uint32_t MtuOf(uint32_t written_bytes) const { return written_bytes + (is_dual_ && is_v6_ ? 20 : 0); }
  /// A frame that comes in.
  WireFrame Encode(const PacketSpec& spec, const Device& device, uint64_t now_ns);
  /// Throws ScriptError with all differences.
  void Match(const PacketSpec& spec, const WireFrame& frame, const Device& device);
  /// A line for a person; never throws.
  std::string Describe(const WireFrame& frame);

  /// Ports of packets that name none.
  uint16_t own_port = 8080;
  uint16_t peer_port = 40000;
  FlowState& Flow(const IpAddress& own, uint16_t own_port_of, const IpAddress& peer, uint16_t peer_port_of);
  FlowState& FlowOf(const PacketSpec& spec);
  void ForgetFlows() { flows_.clear(); }

 private:
  struct Ends {
    Endpoint own;
    Endpoint peer;
  };
  Ends EndsOf(const PacketSpec& spec) const;
  Bytes EncodeTcp(const PacketSpec& spec, const Ends& ends, uint64_t now_ns);
  Bytes EncodeOptions(const PacketSpec& spec, FlowState& flow, uint64_t now_ns);
  Bytes EncodeUdp(const PacketSpec& spec, const Ends& ends) const;
  Bytes EncodeIcmpError(const PacketSpec& spec, const Ends& ends);
  Bytes EncodeEcho(const PacketSpec& spec, const Ends& ends, bool is_reply) const;
  Bytes EncodeNeighbour(const PacketSpec& spec, const Device& device, uint16_t& type, MacAddress& to);
  Bytes WrapIp(const PacketSpec& spec, const Ends& ends, uint8_t protocol, Bytes transport, FrameMeta& meta) const;
  uint8_t Icmp() const { return is_v6_ ? kProtocolIcmp6 : kProtocolIcmp; }

  void MatchTcp(const PacketSpec& spec, const ParsedFrame& frame, const Ends& ends);
  void MatchOptions(const PacketSpec& spec, FlowState& flow, const Bytes& options, bool is_syn, bool is_reset);
  void MatchUdp(const PacketSpec& spec, const ParsedFrame& frame, const Ends& ends);
  void MatchIcmpError(const PacketSpec& spec, const ParsedFrame& frame, const Ends& ends);
  void MatchEcho(const PacketSpec& spec, const ParsedFrame& frame, const Ends& ends, bool is_reply);
  void MatchNeighbour(const PacketSpec& spec, const ParsedFrame& frame, const Device& device);
  void MatchIp(const PacketSpec& spec, const ParsedFrame& frame, const Ends& ends, const Device& device);
  void MatchChecksum(const PacketSpec& spec, const ParsedFrame& frame, const Device& device);
  std::string DescribeTcp(const ParsedFrame& frame);
  void Differs(const std::string& what, const std::string& expected, const std::string& got);
  void Compare(const char* what, int64_t expected, int64_t got);

  bool is_v6_;
  bool is_dual_;
  using Key = std::tuple<std::string, uint16_t, std::string, uint16_t>;
  std::map<Key, FlowState> flows_;
  std::string differences_;
  uint16_t next_id_ = 1;
  uint16_t last_fragment_id_ = 0;
};

}  // namespace junction::net
