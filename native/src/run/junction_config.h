// SPDX-License-Identifier: Apache-2.0
// Junction's configuration file: a `key value` pair a line, `#` starts a comment (anywhere in a line), blank lines are free.
// The keys and their defaults are those of the original, so that its users' files work here; those for IPv6 and host_mac are our own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace junction {

inline constexpr size_t kMaxConfigSize_bytes = 64 * 1024;
inline constexpr uint32_t kMaxKthreads = 256;

enum class RuntimePriority { kLatencyCritical, kBestEffort };

/// An IPv4 address in host byte order.
using Ipv4Address = uint32_t;
/// In network byte order.
using Ipv6Address = std::array<uint8_t, 16>;
using MacBytes = std::array<uint8_t, 6>;

struct StaticArpEntry {
  Ipv4Address address = 0;
  MacBytes mac = {};
};

/// What one configuration file says. Addresses are 0 where the file has none.
struct JunctionConfig {
  Ipv4Address host_addr = 0;
  Ipv4Address host_netmask = 0;
  Ipv4Address host_gateway = 0;
  Ipv6Address host_addr6 = {};  // this and the next three are keys of ours
  uint32_t host_prefix6_bits = 64;
  Ipv6Address host_gateway6 = {};
  MacBytes host_mac = {};  // zeros: made from host_addr
  uint32_t host_mtu_bytes = 1500;
  uint32_t kthreads = 1;             // the core limit
  uint32_t spinning_kthreads = 0;    // at most kthreads
  uint32_t guaranteed_kthreads = 0;  // at most kthreads
  RuntimePriority priority = RuntimePriority::kBestEffort;
  uint32_t ht_punish_us = 0;
  uint32_t qdelay_us = 10;
  uint32_t quantum_us = 100;
  std::vector<StaticArpEntry> static_arp;
  uint32_t log_level = 0;  // 0 (off) to 7 (all)
};

/// Something wrong with a configuration: which line (from 1; 0 = the file as a whole) and what.
struct ConfigFault {
  int line = 0;
  std::string message;
};

/// Reads a whole configuration. Any bytes may come in: the file is outside input. All faults are reported together, in the
/// order of their lines; no half-read configuration is ever returned.
std::expected<JunctionConfig, std::vector<ConfigFault>> ParseJunctionConfig(std::string_view text);

}  // namespace junction
