// SPDX-License-Identifier: Apache-2.0
#include "run/junction_config.h"

#include <arpa/inet.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include "base/parse_number.h"

namespace junction {
namespace {

using Words = std::vector<std::string_view>;
// A fault's text, or nothing when the value was taken.
using Problem = std::optional<std::string>;

struct Key {
  std::string_view name;
  size_t values;    // words after the key
  bool repeatable;  // may stand on several lines
  Problem (*take)(JunctionConfig&, const Words&);
};

std::optional<Ipv4Address> ParseIpv4(std::string_view text) {
  Ipv4Address address = 0;
  for (int part = 0; part < 4; ++part) {
    const size_t dot = part < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos) {
      return std::nullopt;
    }
    const auto value = ParseNumber<uint8_t>(text.substr(0, dot));
    if (!value || dot > 3) {
      return std::nullopt;
    }
    address = (address << 8) | *value;
    text.remove_prefix(std::min(dot + 1, text.size()));
  }
  return address;
}

std::optional<MacBytes> ParseMac(std::string_view text) {
  MacBytes mac{};
  if (text.size() != 17) {
    return std::nullopt;
  }
  for (size_t i = 0; i < mac.size(); ++i) {
    const char* first = text.data() + 3 * i;
    const auto [end, code] = std::from_chars(first, first + 2, mac[i], 16);
    if (code != std::errc{} || end != first + 2 || (i < 5 && first[2] != ':')) {
      return std::nullopt;
    }
  }
  return mac;
}

std::string Quoted(std::string_view word) { return "'" + std::string(word.substr(0, 64)) + "'"; }

template <Ipv4Address JunctionConfig::* field>
Problem TakeAddress(JunctionConfig& config, const Words& words) {
  const auto address = ParseIpv4(words[1]);
  if (!address) {
    return Quoted(words[1]) + " is not an IPv4 address";
  }
  config.*field = *address;
  return std::nullopt;
}

template <Ipv6Address JunctionConfig::* field>
Problem TakeAddress6(JunctionConfig& config, const Words& words) {
  if (inet_pton(AF_INET6, std::string(words[1]).c_str(), (config.*field).data()) != 1) {
    return Quoted(words[1]) + " is not an IPv6 address";
  }
  return std::nullopt;
}

Problem TakeHostMac(JunctionConfig& config, const Words& words) {
  const auto mac = ParseMac(words[1]);
  // IEEE 802: the lowest bit of the first byte is a group's.
  if (!mac || ((*mac)[0] & 1) != 0 || *mac == MacBytes{}) {
    return Quoted(words[1]) + " is not the MAC address of one station";
  }
  config.host_mac = *mac;
  return std::nullopt;
}

template <uint32_t JunctionConfig::* field, uint32_t low, uint32_t high>
Problem TakeNumber(JunctionConfig& config, const Words& words) {
  const auto value = ParseNumber<uint32_t>(words[1]);
  if (!value || *value < low || *value > high) {
    return Quoted(words[1]) + " is not a number from " + std::to_string(low) + " to " + std::to_string(high);
  }
  config.*field = *value;
  return std::nullopt;
}

Problem TakePriority(JunctionConfig& config, const Words& words) {
  if (words[1] != "lc" && words[1] != "be") {
    return Quoted(words[1]) + " is neither lc (latency critical) nor be (best effort)";
  }
  config.priority = words[1] == "lc" ? RuntimePriority::kLatencyCritical : RuntimePriority::kBestEffort;
  return std::nullopt;
}

Problem TakeStaticArp(JunctionConfig& config, const Words& words) {
  const auto address = ParseIpv4(words[1]);
  const auto mac = ParseMac(words[2]);
  if (!address) {
    return Quoted(words[1]) + " is not an IPv4 address";
  }
  if (!mac) {
    return Quoted(words[2]) + " is not a MAC address";
  }
  config.static_arp.push_back({.address = *address, .mac = *mac});
  return std::nullopt;
}

constexpr uint32_t kMaxTime_us = 10'000'000;  // 10 s: above it a scheduling time is a mistake

constexpr Key kKeys[] = {
    {"host_addr", 1, false, TakeAddress<&JunctionConfig::host_addr>},
    {"host_netmask", 1, false, TakeAddress<&JunctionConfig::host_netmask>},
    {"host_gateway", 1, false, TakeAddress<&JunctionConfig::host_gateway>},
    {"host_addr6", 1, false, TakeAddress6<&JunctionConfig::host_addr6>},
    {"host_prefix6", 1, false, TakeNumber<&JunctionConfig::host_prefix6_bits, 1, 128>},
    {"host_gateway6", 1, false, TakeAddress6<&JunctionConfig::host_gateway6>},
    {"host_mac", 1, false, TakeHostMac},
    {"host_mtu", 1, false, TakeNumber<&JunctionConfig::host_mtu_bytes, 68, 65535>},  // RFC 791: 68 is the least
    {"runtime_kthreads", 1, false, TakeNumber<&JunctionConfig::kthreads, 1, kMaxKthreads>},
    {"runtime_spinning_kthreads", 1, false, TakeNumber<&JunctionConfig::spinning_kthreads, 0, kMaxKthreads>},
    {"runtime_guaranteed_kthreads", 1, false, TakeNumber<&JunctionConfig::guaranteed_kthreads, 0, kMaxKthreads>},
    {"runtime_priority", 1, false, TakePriority},
    {"runtime_ht_punish_us", 1, false, TakeNumber<&JunctionConfig::ht_punish_us, 0, kMaxTime_us>},
    {"runtime_qdelay_us", 1, false, TakeNumber<&JunctionConfig::qdelay_us, 0, kMaxTime_us>},
    {"runtime_quantum_us", 1, false, TakeNumber<&JunctionConfig::quantum_us, 0, kMaxTime_us>},
    {"static_arp", 2, true, TakeStaticArp},
    {"log_level", 1, false, TakeNumber<&JunctionConfig::log_level, 0, 7>},
};

Words SplitWords(std::string_view line) {
  Words words;
  constexpr std::string_view kBlanks = " \t\r\v\f";
  line = line.substr(0, line.find('#'));
  for (;;) {
    const size_t start = line.find_first_not_of(kBlanks);
    if (start == std::string_view::npos) {
      return words;
    }
    line.remove_prefix(start);
    const size_t length = std::min(line.find_first_of(kBlanks), line.size());
    words.push_back(line.substr(0, length));
    line.remove_prefix(length);
  }
}

// Where each key stood first, for faults that concern two keys.
using Lines = std::map<std::string_view, int>;

Problem TakeLine(JunctionConfig& config, Lines& lines, const Words& words, int line) {
  const auto* key = std::find_if(std::begin(kKeys), std::end(kKeys), [&](const Key& k) { return k.name == words[0]; });
  if (key == std::end(kKeys)) {
    return "unknown key " + Quoted(words[0]);
  }
  const auto [first, is_new] = lines.emplace(key->name, line);
  if (!is_new && !key->repeatable) {
    return std::string(key->name) + " stands in line " + std::to_string(first->second) + " already";
  }
  if (words.size() - 1 != key->values) {
    return std::string(key->name) + " takes " + std::to_string(key->values) + " value" + (key->values == 1 ? "" : "s") +
           ", not " + std::to_string(words.size() - 1);
  }
  auto problem = key->take(config, words);
  if (problem) {
    *problem = std::string(key->name) + ": " + *problem;
  }
  return problem;
}

bool IsLinkLocal(const Ipv6Address& address) { return address[0] == 0xfe && (address[1] & 0xc0) == 0x80; }

bool IsSameNetwork(const Ipv6Address& a, const Ipv6Address& b, uint32_t prefix_bits) {
  for (uint32_t bit = 0; bit < prefix_bits; ++bit) {
    if (((a[bit / 8] ^ b[bit / 8]) >> (7 - bit % 8) & 1) != 0) {
      return false;
    }
  }
  return true;
}

void CheckTogether(const JunctionConfig& config, const Lines& lines, std::vector<ConfigFault>& faults) {
  const auto line_of = [&](std::string_view key) {
    const auto found = lines.find(key);
    return found == lines.end() ? 0 : found->second;
  };
  const auto above_limit = [&](std::string_view key, uint32_t value) {
    if (value > config.kthreads) {
      faults.push_back({line_of(key), std::string(key) + " is " + std::to_string(value) + ", but runtime_kthreads is " +
                                          std::to_string(config.kthreads)});
    }
  };
  above_limit("runtime_spinning_kthreads", config.spinning_kthreads);
  above_limit("runtime_guaranteed_kthreads", config.guaranteed_kthreads);
  const Ipv4Address mask = config.host_netmask;
  if (lines.contains("host_netmask") && (mask == 0 || std::countl_one(mask) + std::countr_zero(mask) != 32)) {
    faults.push_back({line_of("host_netmask"), "host_netmask: its one bits are not together at the left"});
  } else if (config.host_gateway != 0 && config.host_addr != 0 && mask != 0 &&
             (config.host_gateway & mask) != (config.host_addr & mask)) {
    faults.push_back({line_of("host_gateway"), "host_gateway: not in the network of host_addr and host_netmask"});
  }
  const Ipv6Address none = {};
  if (config.host_gateway6 != none && config.host_addr6 == none) {
    faults.push_back({line_of("host_gateway6"), "host_gateway6: there is no host_addr6"});
  } else if (config.host_gateway6 != none && !IsLinkLocal(config.host_gateway6) &&
             !IsSameNetwork(config.host_gateway6, config.host_addr6, config.host_prefix6_bits)) {
    faults.push_back({line_of("host_gateway6"), "host_gateway6: neither in the network of host_addr6 nor link-local"});
  }
}

}  // namespace

std::expected<JunctionConfig, std::vector<ConfigFault>> ParseJunctionConfig(std::string_view text) {
  if (text.size() > kMaxConfigSize_bytes) {
    return std::unexpected(std::vector{ConfigFault{0, "larger than 64 KiB"}});
  }
  JunctionConfig config;
  Lines lines;
  std::vector<ConfigFault> faults;
  int line = 0;
  while (!text.empty()) {
    ++line;
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view content = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (content.find('\0') != std::string_view::npos) {
      faults.push_back({line, "holds a NUL byte"});
      continue;
    }
    const Words words = SplitWords(content);
    if (words.empty()) {
      continue;
    }
    if (auto problem = TakeLine(config, lines, words, line)) {
      faults.push_back({line, std::move(*problem)});
    }
  }
  CheckTogether(config, lines, faults);
  if (!faults.empty()) {
    std::stable_sort(faults.begin(), faults.end(), [](const auto& a, const auto& b) { return a.line < b.line; });
    return std::unexpected(std::move(faults));
  }
  return config;
}

}  // namespace junction
