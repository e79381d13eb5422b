// SPDX-License-Identifier: Apache-2.0
#include "run/instance_nic.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace junction {
namespace {

void Store(Ipv4Address address, uint8_t (&to)[4]) {
  for (int i = 0; i < 4; ++i) {
    to[i] = static_cast<uint8_t>(address >> (24 - 8 * i));
  }
}

// As macOf in libs/instance-model: locally administered, from the IPv4 address.
MacBytes MacOf(const JunctionConfig& config) {
  if (config.host_mac != MacBytes{}) {
    return config.host_mac;
  }
  const Ipv4Address ip = config.host_addr;
  return {0x02,
          0x6a,
          static_cast<uint8_t>(ip >> 24),
          static_cast<uint8_t>(ip >> 16),
          static_cast<uint8_t>(ip >> 8),
          static_cast<uint8_t>(ip)};
}

}  // namespace

NicSettings NicSettingsOf(const JunctionConfig& config, uint32_t links) {
  NicSettings settings{};
  std::ranges::copy(MacOf(config), settings.instance_mac);
  settings.uplink_mtu_bytes = static_cast<uint16_t>(config.host_mtu_bytes);
  Store(config.host_addr, settings.ip4);
  Store(config.host_gateway, settings.gateway4);
  std::ranges::copy(config.host_addr6, settings.ip6);
  std::ranges::copy(config.host_gateway6, settings.gateway6);
  constexpr uint32_t kAlone_bits = 32;  // without a netmask: no neighbours but the gateway
  settings.prefix4_bits =
      static_cast<uint8_t>(config.host_netmask == 0 ? kAlone_bits : std::popcount(config.host_netmask));
  settings.prefix6_bits = static_cast<uint8_t>(config.host_prefix6_bits);
  for (uint32_t link = 1; link <= links; ++link) {
    const uint8_t last = static_cast<uint8_t>(link);
    const uint8_t mac[6] = {0x02, 0x6a, 0x75, 0x6e, 0x00, last};
    const uint8_t ip4[4] = {169, 254, 254, last};  // RFC 3927: link-local
    const uint8_t ip6[16] = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x6a, 0x75, 0, last};
    std::memcpy(settings.peer_mac[link], mac, sizeof(mac));
    std::memcpy(settings.link_peer4[link], ip4, sizeof(ip4));
    std::memcpy(settings.link_peer6[link], ip6, sizeof(ip6));
  }
  const size_t neighbours = std::min<size_t>(config.static_arp.size(), kMaxStaticNeighbours);
  for (size_t i = 0; i < neighbours; ++i) {
    Store(config.static_arp[i].address, settings.static_neighbours[i].ip4);
    std::ranges::copy(config.static_arp[i].mac, settings.static_neighbours[i].mac);
  }
  settings.static_neighbour_count = static_cast<uint16_t>(neighbours);
  return settings;
}

Result<InstanceNic> MakeInstanceNic(const JunctionConfig& config, const RunOptions& options) {
  InstanceNic nic;
  if (!options.links) {
    return nic;
  }
  if (config.host_addr == 0) {
    return PlainError("--links: the configuration has no host_addr");
  }
  if (config.static_arp.size() > kMaxStaticNeighbours) {
    return PlainError("--links: more than " + std::to_string(kMaxStaticNeighbours) + " static_arp entries");
  }
  const NicGeometry geometry = {.port_count = 1 + *options.links,
                                .queue_pair_count = std::min(config.kthreads, kMaxQueuePairs)};
  auto memory = NicMemory::Make(geometry, NicSettingsOf(config, *options.links));
  if (!memory) {
    return std::unexpected(memory.error());
  }
  nic.memory = std::make_unique<NicMemory>(std::move(*memory));
  auto links = LinkServer::Listen(options.links_path, *nic.memory);
  if (!links) {
    return std::unexpected(links.error());
  }
  nic.links.emplace(std::move(*links));
  return nic;
}

}  // namespace junction
