// SPDX-License-Identifier: Apache-2.0
#include "scheduler/uplink/nft_policy.h"

#include <string_view>

namespace junction::scheduler {
namespace {

// Places that no function has business with: link-local (cloud metadata is there), multicast, reserved.
constexpr std::string_view kNoOutside4 = "169.254.0.0/16, 224.0.0.0/3";
constexpr std::string_view kNoOutside6 = "fe80::/10, ff00::/8";

std::string Chain(std::string_view name, std::string_view hook, std::string_view rules) {
  return "  chain " + std::string(name) + " {\n    " + std::string(hook) + "; policy accept;\n" + std::string(rules) +
         "  }\n";
}

std::string Rule(std::string_view text) { return "    " + std::string(text) + "\n"; }

std::string GrantChain(const Ip4& ip) {
  std::string name = "grants";
  for (const uint8_t byte : ip) {
    name += "_" + std::to_string(byte);
  }
  return name;
}

// Chains are jumped to by the sender's address, so that a list costs others nothing. Rules, not a set: entries may overlap.
std::string Grants(const NftPolicy& policy) {
  std::string chains;
  std::string map4;
  std::string map6;
  for (const NftPolicy::Grant& grant : policy.grants) {
    const std::string name = GrantChain(grant.ip4);
    chains += "  chain " + name + " {\n";
    for (const Allow& allow : grant.allow) {
      const std::string to = (allow.to.is_v6 ? "ip6 daddr " : "ip daddr ") + Text(allow.to);
      chains +=
          Rule(allow.port == 0 ? to + " accept"
                               : to + " meta l4proto { tcp, udp } th dport " + std::to_string(allow.port) + " accept");
    }
    chains += "  }\n";
    map4 += (map4.empty() ? "" : ", ") + Text(grant.ip4) + " : jump " + name;
    if (grant.ip6) {
      map6 += (map6.empty() ? "" : ", ") + Text(*grant.ip6) + " : jump " + name;
    }
  }
  chains += "  chain grants {\n";
  chains += map4.empty() ? "" : Rule("ip saddr vmap { " + map4 + " }");
  chains += map6.empty() ? "" : Rule("ip6 saddr vmap { " + map6 + " }");
  return chains + "  }\n";
}

// Before anything else: loopback addresses are the TAP's business only after our own translation (route_localnet is on).
std::string Guard(const std::string& from) {
  return Chain("guard", "type filter hook prerouting priority raw",
               Rule(from + "ip daddr 127.0.0.0/8 drop") + Rule(from + "ip6 daddr ::1 drop"));
}

std::string ToHost(const NftPolicy& policy, const std::string& from) {
  std::string rules;
  const std::string host4 = from + "ip daddr " + Text(policy.range4.first_ip4()) + " ";
  if (!policy.resolvers4.empty()) {
    rules += Rule(host4 + "meta l4proto { tcp, udp } th dport 53 dnat ip to " + Text(policy.resolvers4[0]) + ":53");
  }
  if (policy.range6 && !policy.resolvers6.empty()) {
    rules += Rule(from + "ip6 daddr " + Text(policy.range6->first_ip6()) +
                  " meta l4proto { tcp, udp } th dport 53 dnat ip6 to [" + Text(policy.resolvers6[0]) + "]:53");
  }
  if (policy.gateway_port != 0) {
    const std::string port = std::to_string(policy.gateway_port);
    rules += Rule(host4 + "tcp dport " + port + " dnat ip to 127.0.0.1:" + port);
  }
  return Chain("to_host", "type nat hook prerouting priority dstnat", rules);
}

// What both filters say first.
std::string Known() { return Rule("ct state established,related accept") + Rule("ct state invalid drop"); }

std::string Resolvers(const NftPolicy& policy) {
  std::string rules;
  for (const Ip4& ip : policy.resolvers4) {
    rules += Rule("ip daddr " + Text(ip) + " meta l4proto { tcp, udp } th dport 53 accept");
  }
  for (const Ip6& ip : policy.resolvers6) {
    rules += Rule("ip6 daddr " + Text(ip) + " meta l4proto { tcp, udp } th dport 53 accept");
  }
  return rules;
}

// What to_host led elsewhere, and nothing that others' tables did: a port that a container engine publishes is a service of the host.
std::string Translated(const NftPolicy& policy, uint16_t gateway_port) {
  const std::string ports = gateway_port == 0 ? "53" : "{ 53, " + std::to_string(gateway_port) + " }";
  std::string rules = Rule("ct status dnat ct original ip daddr " + Text(policy.range4.first_ip4()) +
                           " meta l4proto { tcp, udp } ct original proto-dst " + ports + " accept");
  if (policy.range6) {
    rules += Rule("ct status dnat ct original ip6 daddr " + Text(policy.range6->first_ip6()) +
                  " meta l4proto { tcp, udp } ct original proto-dst 53 accept");
  }
  return rules;
}

std::string Refuse() { return Rule("reject with icmpx admin-prohibited"); }

std::string Input(const NftPolicy& policy) {
  std::string rules = Rule("iifname != \"" + policy.device + "\" accept") + Known();
  rules += Rule("icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept");
  rules += Translated(policy, policy.gateway_port);
  rules += Resolvers(policy) + Rule("jump grants") + Refuse();
  return Chain("input", "type filter hook input priority filter", rules);
}

std::string Forward(const NftPolicy& policy) {
  std::string rules =
      Rule("iifname != \"" + policy.device + "\" oifname != \"" + policy.device + "\" accept") + Known();
  rules += Translated(policy, 0) + Resolvers(policy);
  // Others reach instances through the gateway only.
  rules += Rule("iifname != \"" + policy.device + "\" drop") + Rule("jump grants");
  rules += Rule("oifname \"" + policy.device + "\" reject with icmpx admin-prohibited");
  rules += Rule("ip daddr { " + std::string(kNoOutside4) + ", " + Text(policy.range4) +
                " } reject with icmpx admin-prohibited");
  rules += Rule("ip6 daddr { " + std::string(kNoOutside6) + (policy.range6 ? ", " + Text(*policy.range6) : "") +
                " } reject with icmpx admin-prohibited");
  return Chain("forward", "type filter hook forward priority filter", rules);
}

std::string Outside(const NftPolicy& policy) {
  const std::string out = " oifname != \"" + policy.device + "\" masquerade";
  return Chain("outside", "type nat hook postrouting priority srcnat",
               Rule("ip saddr " + Text(policy.range4) + out) +
                   (policy.range6 ? Rule("ip6 saddr " + Text(*policy.range6) + out) : ""));
}

}  // namespace

std::string NftTable(const std::string& device) {
  std::string name = "junction_";
  for (const char c : device) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    name += is_plain ? c : '_';
  }
  return name;
}

std::string NftRemoval(const std::string& device) {
  // Made first, so that the removal finds it.
  const std::string table = "table inet " + NftTable(device) + "\n";
  return table + "delete " + table;
}

std::string NftText(const NftPolicy& policy) {
  const std::string from = "iifname \"" + policy.device + "\" ";
  std::string notes;
  for (const std::string& note : policy.notes) {
    notes += "  chain " + note + " {\n  }\n";
  }
  return NftRemoval(policy.device) + "table inet " + NftTable(policy.device) + " {\n" + notes + Grants(policy) +
         Guard(from) + ToHost(policy, from) + Input(policy) + Forward(policy) + Outside(policy) + "}\n";
}

}  // namespace junction::scheduler
