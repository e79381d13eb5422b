// SPDX-License-Identifier: Apache-2.0
#include "scheduler/uplink/resolvers.h"

#include <algorithm>

namespace junction::scheduler {
namespace {

constexpr size_t kMostServers = 3;  // MAXNS, resolv.conf(5)
constexpr Ip4 kSystemdStub = {127, 0, 0, 53};
constexpr Ip4 kLoopback4 = {127, 0, 0, 1};
constexpr Ip6 kLoopback6 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

std::string_view NextWord(std::string_view& line) {
  const size_t start = std::min(line.find_first_not_of(" \t\r"), line.size());
  const size_t end = std::min(line.find_first_of(" \t\r", start), line.size());
  const std::string_view word = line.substr(start, end - start);
  line.remove_prefix(end);
  return word;
}

bool IsLoopback(const Ip4& ip) { return ip[0] == 127; }

bool HasRealServer(const Resolvers& resolvers) {
  return !resolvers.ip6.empty() || std::ranges::any_of(resolvers.ip4, [](const Ip4& ip) { return !IsLoopback(ip); });
}

}  // namespace

Resolvers ReadResolvers(std::string_view resolv_conf) {
  Resolvers resolvers;
  size_t count = 0;
  while (!resolv_conf.empty() && count < kMostServers) {
    const size_t end = std::min(resolv_conf.find('\n'), resolv_conf.size());
    std::string_view line = resolv_conf.substr(0, end);
    resolv_conf.remove_prefix(std::min(end + 1, resolv_conf.size()));
    if (NextWord(line) != "nameserver") {
      continue;
    }
    const std::string_view server = NextWord(line);
    ++count;
    if (const auto ip4 = ParseIp4(server)) {
      resolvers.ip4.push_back(*ip4);
    } else if (const auto ip6 = ParseIp6(server)) {
      resolvers.ip6.push_back(*ip6);
    }
  }
  return resolvers;
}

Resolvers ChooseResolvers(std::string_view host, std::string_view upstream) {
  Resolvers resolvers = ReadResolvers(host);
  const bool has_stub = std::ranges::find(resolvers.ip4, kSystemdStub) != resolvers.ip4.end();
  if (Resolvers real = ReadResolvers(upstream); has_stub && HasRealServer(real)) {
    return real;
  }
  if (std::erase(resolvers.ip6, kLoopback6) > 0 &&
      std::ranges::find(resolvers.ip4, kLoopback4) == resolvers.ip4.end()) {
    resolvers.ip4.push_back(kLoopback4);
  }
  return resolvers;
}

}  // namespace junction::scheduler
