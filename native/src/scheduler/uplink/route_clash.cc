// SPDX-License-Identifier: Apache-2.0
// Read first: proc(5), /proc/net/route; Linux, net/ipv6/route.c for the columns of ipv6_route (destination, its bits, source, its bits,
// next hop, metric, references, uses, flags, device).
#include "scheduler/uplink/route_clash.h"

#include <bit>
#include <charconv>
#include <cstring>
#include <vector>

namespace junction::scheduler {
namespace {

constexpr uint32_t kReject = 0x0200;  // RTF_REJECT: the unreachable default that Linux has by itself

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  for (size_t at = 0; (at = line.find_first_not_of(" \t", at)) != std::string_view::npos;) {
    const size_t end = std::min(line.find_first_of(" \t", at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end;
  }
  return words;
}

std::optional<uint32_t> Hex(std::string_view text) {
  uint32_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return code == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

struct Route {
  Cidr to;
  std::string_view device;
  uint32_t flags = 0;
};

std::optional<Route> ReadRoute4(std::string_view line) {
  const auto words = Words(line);
  if (words.size() < 8) {
    return std::nullopt;
  }
  const auto to = Hex(words[1]);  // in memory order
  const auto flags = Hex(words[3]);
  const auto mask = Hex(words[7]);
  if (!to || !flags || !mask) {
    return std::nullopt;
  }
  Route route{.to = {}, .device = words[0], .flags = *flags};
  std::memcpy(route.to.bytes.data(), &*to, 4);
  route.to.bits = static_cast<uint8_t>(std::popcount(*mask));
  return route;
}

std::optional<Route> ReadRoute6(std::string_view line) {
  const auto words = Words(line);
  if (words.size() < 10 || words[0].size() != 32) {
    return std::nullopt;
  }
  const auto bits = Hex(words[1]);
  const auto flags = Hex(words[8]);
  if (!bits || *bits > 128 || !flags) {
    return std::nullopt;
  }
  Route route{.to = {}, .device = words[9], .flags = *flags};
  route.to.is_v6 = true;
  route.to.bits = static_cast<uint8_t>(*bits);
  for (size_t i = 0; i < 16; ++i) {
    const auto byte = Hex(words[0].substr(i * 2, 2));
    if (!byte) {
      return std::nullopt;
    }
    route.to.bytes[i] = static_cast<uint8_t>(*byte);
  }
  return route;
}

bool Overlap(const Cidr& a, const Cidr& b) {
  const Cidr& wide = a.bits < b.bits ? a : b;
  const Cidr& narrow = a.bits < b.bits ? b : a;
  if (wide.is_v6) {
    return wide.Contains(narrow.bytes);
  }
  return wide.Contains(Ip4{narrow.bytes[0], narrow.bytes[1], narrow.bytes[2], narrow.bytes[3]});
}

template <typename See>
void EachRoute(bool is_v6, std::string_view routes, See see) {
  while (!routes.empty()) {
    const size_t end = std::min(routes.find('\n'), routes.size());
    const std::string_view line = routes.substr(0, end);
    if (const auto route = is_v6 ? ReadRoute6(line) : ReadRoute4(line)) {
      see(*route);
    }
    routes.remove_prefix(std::min(end + 1, routes.size()));
  }
}

}  // namespace

std::optional<std::string> FindRouteClash(const Cidr& range, std::string_view device, std::string_view routes) {
  std::optional<std::string> clash;
  EachRoute(range.is_v6, routes, [&](const Route& route) {
    // Multicast and "all of it" are everybody's.
    if (!clash && route.device != device && route.to.bits != 0 && Overlap(range, route.to)) {
      clash = "the range " + Text(range) + " clashes with the host's route to " + Text(route.to) + " by " +
              std::string(route.device);
    }
  });
  return clash;
}

bool HasDefaultRoute6(std::string_view routes) {
  bool has = false;
  EachRoute(true, routes, [&](const Route& route) {
    has = has || (route.to.bits == 0 && (route.flags & kReject) == 0 && route.device != "lo");
  });
  return has;
}

}  // namespace junction::scheduler
