// SPDX-License-Identifier: Apache-2.0
// What programs ask about the instance's network devices, by ioctl, netlink and /proc/net alike.
#pragma once

#include <cstdint>

#include "net/stack.h"

namespace junction {

/// IFF_* as netdevice(7) has them, with those of netlink (IFF_LOWER_UP).
uint32_t DeviceFlags(const net::Device& device);
/// ARPHRD_*.
uint16_t DeviceType(const net::Device& device);
inline constexpr uint32_t kTransmitQueue_length = 1000;  // as Linux shows it of Ethernet devices

/// All addresses and routes: few, as they are configured and never learned. `kMax` of them are shown.
inline constexpr uint32_t kMaxShownEntries = 64;
struct AddressList {
  AddressList();
  net::DeviceAddress entries[kMaxShownEntries];
  uint32_t count;
};
struct RouteList {
  RouteList();
  net::Route entries[kMaxShownEntries];
  uint32_t count;
};

/// The mask of a prefix within four bytes, network byte order; prefixes over 32 count as 32.
uint32_t MaskOf(uint8_t prefix_bits);

}  // namespace junction
