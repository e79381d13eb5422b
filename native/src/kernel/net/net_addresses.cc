// SPDX-License-Identifier: Apache-2.0
// What NicSettings mean for the stack. Read first: nic/nic_layout.h; RFC 4291, 2.5.6 and appendix A (link-local addresses, EUI-64).
#include "kernel/net/net_addresses.h"

#include <cstring>

namespace junction {
namespace {

// Of IP packets: as long as one frame can be.
constexpr uint16_t kLinkMtu_bytes = 65535;
// TCP payload of a frame that is cut later: with the longest headers (IPv6 or IPv4 with options, TCP with options) below 64 KiB.
constexpr uint32_t kSegmentMax_bytes = 65535 - 60 - 60;
constexpr uint16_t kUsualMtu_bytes = 1500;
constexpr uint16_t kLeastMtu_bytes = 1280;  // RFC 8200, section 5

bool IsZero(const uint8_t* bytes, size_t size_bytes) {
  for (size_t i = 0; i < size_bytes; ++i) {
    if (bytes[i] != 0) {
      return false;
    }
  }
  return true;
}

// The stack gives one to devices with neighbours by itself.
net::IpAddress LinkLocalOf(const MacAddress& mac) {
  const uint8_t bytes[16] = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, static_cast<uint8_t>(mac[0] ^ 2), mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
  return net::IpAddress::V6(bytes);
}

// Collects the first error of several calls.
class Errors {
 public:
  void Note(int64_t result) { first_ = first_ == 0 && result < 0 ? result : first_; }
  int64_t first() const { return first_; }

 private:
  int64_t first_ = 0;
};

void EnterUplink(net::Stack& stack, uint32_t device_index, const NicSettings& settings, Errors& errors) {
  const net::IpAddress any;
  if (!IsZero(settings.ip4, 4)) {
    errors.Note(net::AddAddress(stack, {device_index, net::IpAddress::V4(settings.ip4), settings.prefix4_bits}));
  }
  if (!IsZero(settings.gateway4, 4)) {
    errors.Note(net::AddRoute(stack, {net::IpAddress::V4(0, 0, 0, 0), 0, net::IpAddress::V4(settings.gateway4), device_index}));
  }
  if (!IsZero(settings.ip6, 16)) {
    errors.Note(net::AddAddress(stack, {device_index, net::IpAddress::V6(settings.ip6), settings.prefix6_bits}));
  }
  if (!IsZero(settings.gateway6, 16)) {
    errors.Note(net::AddRoute(stack, {any, 0, net::IpAddress::V6(settings.gateway6), device_index}));
  }
  const uint32_t count = settings.static_neighbour_count < kMaxStaticNeighbours ? settings.static_neighbour_count : kMaxStaticNeighbours;
  for (uint32_t i = 0; i < count; ++i) {
    const auto& neighbour = settings.static_neighbours[i];
    errors.Note(net::AddStaticNeighbour(stack, device_index, net::IpAddress::V4(neighbour.ip4), neighbour.mac));
  }
}

void EnterLink(net::Stack& stack, uint32_t device_index, uint32_t port, const NicSettings& settings, Errors& errors) {
  const net::IpAddress any;
  if (!IsZero(settings.ip4, 4)) {
    errors.Note(net::AddAddress(stack, {device_index, net::IpAddress::V4(settings.ip4), 32}));
  }
  if (!IsZero(settings.ip6, 16)) {
    errors.Note(net::AddAddress(stack, {device_index, net::IpAddress::V6(settings.ip6), 128}));
  }
  if (!IsZero(settings.link_peer4[port], 4)) {
    errors.Note(net::AddRoute(stack, {net::IpAddress::V4(settings.link_peer4[port]), 32, net::IpAddress::V4(0, 0, 0, 0), device_index}));
  }
  if (!IsZero(settings.link_peer6[port], 16)) {
    errors.Note(net::AddRoute(stack, {net::IpAddress::V6(settings.link_peer6[port]), 128, any, device_index}));
    errors.Note(net::AddAddress(stack, {device_index, LinkLocalOf(settings.instance_mac), 128}));
  }
}

}  // namespace

void DescribeDevice(NetPort& port, const NicSettings& settings) {
  net::Device& device = port.device;
  const bool is_uplink = port.index == kUplinkPort;
  std::memcpy(device.mac, settings.instance_mac, sizeof(device.mac));
  std::memcpy(device.peer_mac, settings.peer_mac[port.index], sizeof(device.peer_mac));
  device.is_point_to_point = !is_uplink;
  const uint16_t asked_bytes = settings.uplink_mtu_bytes == 0 ? kUsualMtu_bytes : settings.uplink_mtu_bytes;
  const uint16_t uplink_bytes = asked_bytes < kLeastMtu_bytes ? kLeastMtu_bytes : asked_bytes;
  device.mtu_bytes = is_uplink ? uplink_bytes : kLinkMtu_bytes;
  device.segment_max_bytes = is_uplink ? kSegmentMax_bytes : 0;
  device.has_blank_checksums = true;
  device.trusts_checksums = true;
  std::memcpy(device.name, is_uplink ? "eth0" : "link0", is_uplink ? 5 : 6);
  if (!is_uplink) {
    device.name[4] = static_cast<char>('0' + port.index);
  }
}

int64_t EnterAddresses(net::Stack& stack, const NetPort& port, const NicSettings& settings) {
  Errors errors;
  const uint32_t device_index = port.device.index;
  if (port.index == kUplinkPort) {
    EnterUplink(stack, device_index, settings, errors);
  } else {
    EnterLink(stack, device_index, port.index, settings, errors);
  }
  return errors.first();
}

}  // namespace junction
