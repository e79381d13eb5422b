// SPDX-License-Identifier: Apache-2.0
#include "scheduler/daemon_options.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "base/parse_number.h"

namespace junction::scheduler {
namespace {

struct Parsed {
  DaemonOptions options;
  std::string run_dir;
};

// A fault's text, or nothing when the value was taken.
using Problem = std::optional<std::string>;

struct Option {
  std::string_view name;
  std::string_view operand;  // empty: a switch
  std::string_view help;
  Problem (*take)(Parsed&, const std::string&);
};

constexpr uint64_t kMaxTime_ms = 3'600'000;
constexpr uint64_t kMaxHaltpoll_ns = 10'000'000;

Problem TakeNumber(uint64_t& field, const std::string& value, uint64_t low, uint64_t high) {
  const auto number = ParseNumber<uint64_t>(value);
  if (!number || *number < low || *number > high) {
    return "'" + value + "' is not a number from " + std::to_string(low) + " to " + std::to_string(high);
  }
  field = *number;
  return std::nullopt;
}

Problem TakeMechanism(Parsed& parsed, const std::string& value) {
  const auto mechanism = ParseIdleMechanism(value);
  if (!mechanism) {
    return "'" + value + "' is none of auto, cpu_dma_latency, haltpoll, none";
  }
  parsed.options.idle_states.mechanism = *mechanism;
  return std::nullopt;
}

constexpr size_t kMaxDevice_bytes = 15;    // IFNAMSIZ without its end
constexpr uint64_t kMinMtu_bytes = 1280;   // RFC 8200, section 5
constexpr uint64_t kMaxMtu_bytes = 65521;  // a TAP's most: 65535 with the Ethernet header

Problem TakeDevice(Parsed& parsed, const std::string& value) {
  const bool is_fine = !value.empty() && value.size() <= kMaxDevice_bytes && std::ranges::all_of(value, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  parsed.options.uplink.device = value;
  return is_fine ? std::nullopt
                 : std::optional("'" + value + "' is no device name of letters, digits, - and _ (1 to 15)");
}

Problem TakeRange4(Parsed& parsed, const std::string& value) {
  const auto cidr = ParseCidr(value);
  if (!cidr || cidr->is_v6 || cidr->bits < 8 || cidr->bits > 30) {
    return "'" + value + "' is no IPv4 network of 8 to 30 bits";
  }
  parsed.options.uplink.range4 = *cidr;
  return std::nullopt;
}

Problem TakeRange6(Parsed& parsed, const std::string& value) {
  const auto cidr = ParseCidr(value);
  if (!cidr || !cidr->is_v6 || cidr->bits < 16 || cidr->bits > 120) {
    return "'" + value + "' is no IPv6 network of 16 to 120 bits";
  }
  parsed.options.uplink.range6 = *cidr;
  return std::nullopt;
}

template <typename T>
Problem TakeSmaller(T& field, const std::string& value, uint64_t low, uint64_t high) {
  uint64_t number = 0;
  auto problem = TakeNumber(number, value, low, high);
  if (!problem) {
    field = static_cast<T>(number);
  }
  return problem;
}

constexpr Option kOptions[] = {
    {"run_dir", "DIR", "folder of scheduler.sock, scheduler-doorbell and the daemon's own files (required)",
     [](Parsed& p, const std::string& v) -> Problem {
       p.run_dir = v;
       return v.starts_with('/') ? std::nullopt : std::optional("'" + v + "' is not an absolute path");
     }},
    {"idle_states", "NAME", "how idle states are held shallow: auto (default), cpu_dma_latency, haltpoll or none",
     TakeMechanism},
    {"let_go_after_ms", "N", "time without work after which they are let go (default 1000)",
     [](Parsed& p, const std::string& v) { return TakeNumber(p.options.let_go_after_ms, v, 1, kMaxTime_ms); }},
    {"sample_every_ms", "N", "how often activity is looked at while there is work (default 100)",
     [](Parsed& p, const std::string& v) { return TakeNumber(p.options.sample_every_ms, v, 1, kMaxTime_ms); }},
    {"haltpoll_ns", "N", "guest_halt_poll_ns while it is held by haltpoll (default 200000)",
     [](Parsed& p, const std::string& v) {
       return TakeNumber(p.options.idle_states.haltpoll_ns, v, 1, kMaxHaltpoll_ns);
     }},
    {"haltpoll_path", "FILE", "the setting itself (default: that of the haltpoll driver)",
     [](Parsed& p, const std::string& v) -> Problem {
       p.options.idle_states.paths.haltpoll_ns = v;
       return std::nullopt;
     }},
    {"cpu_dma_latency_path", "FILE", "the device (default /dev/cpu_dma_latency)",
     [](Parsed& p, const std::string& v) -> Problem {
       p.options.idle_states.paths.cpu_dma_latency = v;
       return std::nullopt;
     }},
    {"uplink_device", "NAME", "TAP device of the instances' uplink (default: no uplink)", TakeDevice},
    {"uplink_range", "CIDR", "its IPv4 network; the first address is the host's (default 10.62.0.0/16)", TakeRange4},
    {"uplink_range6", "CIDR", "its IPv6 network (default: none)", TakeRange6},
    {"uplink_mtu", "N", "bytes of an IP packet on it (default 1500)",
     [](Parsed& p, const std::string& v) {
       return TakeSmaller(p.options.uplink.mtu_bytes, v, kMinMtu_bytes, kMaxMtu_bytes);
     }},
    {"gateway_port", "N", "functions reach this port of 127.0.0.1 by the uplink's address; 0 (default) = they do not",
     [](Parsed& p, const std::string& v) { return TakeSmaller(p.options.uplink.gateway_port, v, 0, 65535); }},
    {"nft", "FILE", "the program of nftables (default: nft where systems have it)",
     [](Parsed& p, const std::string& v) -> Problem {
       p.options.uplink.nft = v;
       return std::nullopt;
     }},
    {"resolv_conf", "FILE", "who resolves names for instances (default /etc/resolv.conf)",
     [](Parsed& p, const std::string& v) -> Problem {
       p.options.uplink.resolv_conf = v;
       return std::nullopt;
     }},
    {"end_with_parent", "", "end when the process that started it ends",
     [](Parsed& p, const std::string&) -> Problem {
       p.options.ends_with_parent = true;
       return std::nullopt;
     }},
    {"restore", "", "only put back what a killed daemon left of its hold and its uplink, and exit",
     [](Parsed& p, const std::string&) -> Problem {
       p.options.is_restore_only = true;
       return std::nullopt;
     }},
    {"help", "", "print this and exit",
     [](Parsed& p, const std::string&) -> Problem {
       p.options.wants_help = true;
       return std::nullopt;
     }},
};

const Option* FindOption(std::string_view word) {
  for (const Option& option : kOptions) {
    if (word.starts_with("--") && word.substr(2) == option.name) {
      return &option;
    }
  }
  return nullptr;
}

}  // namespace

std::expected<DaemonOptions, std::vector<std::string>> ParseDaemonOptions(const std::vector<std::string>& args) {
  Parsed parsed;
  std::vector<std::string> faults;
  for (size_t next = 0; next < args.size();) {
    const std::string& word = args[next++];
    const Option* option = FindOption(word);
    if (option == nullptr) {
      faults.push_back("unknown option " + word);
      continue;
    }
    const bool has_value = !option->operand.empty();
    if (has_value && next == args.size()) {
      faults.push_back(word + " needs a value (" + std::string(option->operand) + ")");
      break;
    }
    if (auto problem = option->take(parsed, has_value ? args[next++] : "")) {
      faults.push_back(word + ": " + *problem);
    }
  }
  if (parsed.run_dir.empty() && !parsed.options.wants_help) {
    faults.push_back("--run_dir is missing");
  }
  if (!faults.empty()) {
    return std::unexpected(std::move(faults));
  }
  parsed.options.socket_path = parsed.run_dir + "/scheduler.sock";
  parsed.options.doorbell_path = parsed.run_dir + "/scheduler-doorbell";
  parsed.options.registry_path = parsed.run_dir + "/scheduler-registry";
  parsed.options.lock_path = parsed.run_dir + "/scheduler-lock";
  parsed.options.events_path = parsed.run_dir + "/nic-events";
  parsed.options.uplink.device_note = parsed.run_dir + "/scheduler-uplink";
  parsed.options.uplink.settings_note = parsed.run_dir + "/scheduler-uplink-settings";
  parsed.options.idle_states.paths.restore_file = parsed.run_dir + "/scheduler-idle-states";
  return parsed.options;
}

std::string DaemonHelp() {
  std::string text =
      "Usage: junction_scheduler --run_dir DIR [options]\n"
      "Knows the instances of a stack and their activity, keeps idle states shallow while there is work, and "
      "runs the instances' uplink.\n\nOptions:\n";
  for (const Option& option : kOptions) {
    std::string left =
        "  --" + std::string(option.name) + (option.operand.empty() ? "" : " " + std::string(option.operand));
    constexpr size_t kColumn = 34;
    left.resize(std::max(left.size() + 2, kColumn), ' ');
    text += left + std::string(option.help) + "\n";
  }
  return text;
}

}  // namespace junction::scheduler
