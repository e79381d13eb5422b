// SPDX-License-Identifier: Apache-2.0
// One packet of a script as it is written: `S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK>`, `udp 100`, `icmp port`, `ask peer` … with modifiers
// (`from far`, `ttl 1`, `sum bad` …) behind it. The language is described in ../scripts/README.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace junction::net {

/// A script went wrong, or is wrong. The message has no line number; the runner adds it.
struct ScriptError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class PacketKind : uint8_t {
  kTcp,
  kUdp,
  kIcmpError,  // by name, about the flow's last packet
  kEcho,
  kEchoReply,
  kAsk,       // ARP request, neighbour solicitation
  kAnswer,    // ARP reply, neighbour advertisement
  kAnnounce,  // gratuitous ARP, unsolicited advertisement
  kProtocol,  // an IP packet of a protocol by number
};

struct OptionSpec {
  std::string name;  // mss, sackOK, TS, wscale, sack
  std::vector<std::string> values;
};

struct PacketSpec {
  PacketKind kind = PacketKind::kTcp;
  bool is_outgoing = false;
  // TCP: numbers relative to the flow's initial ones
  std::string flags;  // of "SFRPUEW" and '.' for ACK
  int64_t seq = 0;
  uint32_t size_bytes = 0;  // also of UDP and echo payloads
  std::optional<int64_t> ack;
  bool has_options = false;
  bool has_any_options = false;  // <...>
  std::vector<OptionSpec> options;
  std::string name;    // of the ICMP error
  std::string target;  // of ask, answer, announce
  uint32_t protocol = 0;
  std::map<std::string, std::string> modifiers;
  std::string text;  // as written

  bool has(const std::string& modifier) const { return modifiers.contains(modifier); }
  bool has_flag(char flag) const { return flags.find(flag) != std::string::npos; }
  uint32_t number(const std::string& modifier, uint32_t otherwise) const;
};

/// Splits at blanks; `<…>` that does not begin the line is one word. `#` begins a comment.
std::vector<std::string> SplitWords(const std::string& line);
/// "12", "0x10", "40000+3".
int64_t ParseNumber(const std::string& word);
PacketSpec ParsePacket(const std::vector<std::string>& words, size_t from);

}  // namespace junction::net
