// SPDX-License-Identifier: Apache-2.0
// Options of IP and IPv6. Read first: ip(7), ipv6(7), RFC 3493, RFC 3542; do_ip_setsockopt and do_ipv6_setsockopt of Linux.
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <netinet/in.h>

#include <cstring>

#include "kernel/sockets/net_option_value.h"
#include "kernel/sockets/net_socket.h"

namespace junction {
namespace {

constexpr int32_t kHighestTtl = 255;
constexpr int32_t kDefaultTtl = 64;
constexpr int kLastDiscovery = IP_PMTUDISC_OMIT;

bool IsBetween(int32_t number, int32_t lowest, int32_t highest) { return number >= lowest && number <= highest; }

struct FlagOption {
  int option;
  NetFlag flag;
};
constexpr FlagOption kFlags4[] = {
    {IP_PKTINFO, NetFlag::kPacketInfo},
    {IP_RECVTTL, NetFlag::kReceiveTtl},
    {IP_RECVTOS, NetFlag::kReceiveTos},
    {IP_RECVERR, NetFlag::kReceiveError},
    {IP_FREEBIND, NetFlag::kFreeBind},
    {IP_BIND_ADDRESS_NO_PORT, NetFlag::kBindAddressNoPort},
    {IP_MULTICAST_ALL, NetFlag::kMulticastAll},
    {IP_RECVORIGDSTADDR, NetFlag::kOriginalDestination},
    {IP_RECVFRAGSIZE, NetFlag::kReceiveFragmentSize},
};
constexpr FlagOption kFlags6[] = {
    {IPV6_RECVPKTINFO, NetFlag::kPacketInfo6},     {IPV6_RECVHOPLIMIT, NetFlag::kHopLimit},
    {IPV6_RECVTCLASS, NetFlag::kTrafficClass},     {IPV6_RECVERR, NetFlag::kReceiveError6},
    {IPV6_MULTICAST_ALL, NetFlag::kMulticastAll6}, {IPV6_AUTOFLOWLABEL, NetFlag::kAutoFlowLabel},
    {IPV6_FREEBIND, NetFlag::kFreeBind},
};

template <size_t kCount>
const FlagOption* FindFlag(const FlagOption (&table)[kCount], int option) {
  for (const FlagOption& entry : table) {
    if (entry.option == option) {
      return &entry;
    }
  }
  return nullptr;
}

void ApplyFlag(NetSocket& socket, NetFlag flag, bool is_on) {
  socket.Set(flag, is_on);
  if (!socket.is_tcp() && (flag == NetFlag::kReceiveError || flag == NetFlag::kReceiveError6)) {
    net::OptionsOf(*socket.udp).receives_errors =
        socket.Has(NetFlag::kReceiveError) || socket.Has(NetFlag::kReceiveError6);
  }
}

void ApplyDiscovery(NetSocket& socket, int32_t mode) {
  if (!socket.is_tcp()) {
    net::OptionsOf(*socket.udp).forbids_fragments = mode == IP_PMTUDISC_DO || mode == IP_PMTUDISC_PROBE;
  }
}

// IP_MULTICAST_TTL and IPV6_MULTICAST_HOPS; -1 = one hop.
void ApplyMulticastTtl(NetSocket& socket, int32_t ttl) {
  if (!socket.is_tcp()) {
    net::OptionsOf(*socket.udp).multicast_ttl = static_cast<uint8_t>(ttl < 0 ? 1 : ttl);
  }
}

void ApplyMulticastDevice(NetSocket& socket, uint32_t device) {
  socket.multicast_device = device;
  if (!socket.is_tcp()) {
    net::OptionsOf(*socket.udp).multicast_device = device;
  }
}

void ApplyMulticastLoop(NetSocket& socket) {
  if (!socket.is_tcp()) {
    net::OptionsOf(*socket.udp).loops_multicast =
        socket.is_v6() ? socket.has_multicast_loop6 : socket.has_multicast_loop4;
  }
}

// The device of an address of ours; 0 = it is not ours.
uint32_t DeviceOf(const net::IpAddress& address) {
  constexpr uint32_t kRoom = 32;
  net::DeviceAddress addresses[kRoom];
  const uint32_t all = net::ListAddresses(InstanceStack(), 0, addresses, kRoom);
  for (uint32_t i = 0; i < all && i < kRoom; ++i) {
    if (addresses[i].address == address) {
      return addresses[i].device_index;
    }
  }
  return 0;
}

net::IpAddress AddressFrom(const in_addr& address) {
  uint8_t octets[4];
  std::memcpy(octets, &address, sizeof(octets));
  return net::IpAddress::V4(octets);
}

// Which device a membership is for: by index, by an address of ours, or the first that is no loopback.
uint32_t ChooseDevice(int32_t index, const in_addr& address) {
  if (index != 0) {
    return static_cast<uint32_t>(index);
  }
  if (address.s_addr != 0) {
    return DeviceOf(AddressFrom(address));
  }
  const net::Device* device = net::NextDevice(InstanceStack(), nullptr);
  while (device != nullptr && device->is_loopback) {
    device = net::NextDevice(InstanceStack(), device);
  }
  return device == nullptr ? 1 : device->index;
}

// struct ip_mreqn, or the older ip_mreq without the index.
int64_t LoadMembership(uint64_t value, int32_t size, ip_mreqn& out) {
  out = {};
  if (size < static_cast<int32_t>(sizeof(ip_mreq))) {
    return -EINVAL;
  }
  const auto length = static_cast<size_t>(size) >= sizeof(out) ? sizeof(out) : sizeof(ip_mreq);
  return CopyFromGuest(&out, value, length) ? 0 : -EFAULT;
}

int64_t ChangeMembership(NetSocket& socket, bool joins, const net::IpAddress& group, uint32_t device) {
  if (socket.is_tcp()) {
    return -EPROTO;
  }
  if (!group.is_multicast()) {
    return -EINVAL;
  }
  if (device == 0 || net::FindDevice(InstanceStack(), device) == nullptr) {
    return -ENODEV;
  }
  return joins ? net::JoinMulticast(*socket.udp, group, device) : net::LeaveMulticast(*socket.udp, group, device);
}

int64_t SetMembership4(NetSocket& socket, bool joins, uint64_t value, int32_t size) {
  ip_mreqn request;
  if (const int64_t error = LoadMembership(value, size, request); error != 0) {
    return error;
  }
  return ChangeMembership(socket, joins, AddressFrom(request.imr_multiaddr),
                          ChooseDevice(request.imr_ifindex, request.imr_address));
}

int64_t SetMembership6(NetSocket& socket, bool joins, uint64_t value, int32_t size) {
  ipv6_mreq request;
  if (size < static_cast<int32_t>(sizeof(request))) {
    return -EINVAL;
  }
  if (!CopyFromGuest(&request, value, sizeof(request))) {
    return -EFAULT;
  }
  uint8_t octets[16];
  std::memcpy(octets, &request.ipv6mr_multiaddr, sizeof(octets));
  const net::IpAddress group = net::IpAddress::V6(octets);
  return ChangeMembership(socket, joins, group, ChooseDevice(static_cast<int32_t>(request.ipv6mr_ifindex), in_addr{}));
}

// MCAST_JOIN_GROUP, MCAST_LEAVE_GROUP: a device's index and an address of either family.
int64_t SetGroup(NetSocket& socket, bool joins, uint64_t value, int32_t size) {
  group_req request;
  if (size < static_cast<int32_t>(sizeof(request))) {
    return -EINVAL;
  }
  if (!CopyFromGuest(&request, value, sizeof(request))) {
    return -EFAULT;
  }
  net::IpAddress group;
  if (request.gr_group.ss_family == AF_INET) {
    sockaddr_in address;
    std::memcpy(&address, &request.gr_group, sizeof(address));
    group = AddressFrom(address.sin_addr);
  } else if (request.gr_group.ss_family == AF_INET6) {
    sockaddr_in6 address;
    std::memcpy(&address, &request.gr_group, sizeof(address));
    std::memcpy(group.bytes, &address.sin6_addr, sizeof(group.bytes));
  } else {
    return -EINVAL;
  }
  return ChangeMembership(socket, joins, group, ChooseDevice(static_cast<int32_t>(request.gr_interface), in_addr{}));
}

// IP_MULTICAST_IF: a structure, or an address alone.
int64_t SetMulticastDevice4(NetSocket& socket, uint64_t value, int32_t size) {
  ip_mreqn request = {};
  if (size >= static_cast<int32_t>(sizeof(ip_mreq))) {
    if (const int64_t error = LoadMembership(value, size, request); error != 0) {
      return error;
    }
  } else if (size < static_cast<int32_t>(sizeof(in_addr)) ||
             !CopyFromGuest(&request.imr_address, value, sizeof(in_addr))) {
    return size < static_cast<int32_t>(sizeof(in_addr)) ? -EINVAL : -EFAULT;
  }
  if (request.imr_ifindex == 0 && request.imr_address.s_addr == 0) {
    ApplyMulticastDevice(socket, 0);
    return 0;
  }
  const uint32_t device = ChooseDevice(request.imr_ifindex, request.imr_address);
  if (device == 0 || net::FindDevice(InstanceStack(), device) == nullptr) {
    return -EADDRNOTAVAIL;
  }
  ApplyMulticastDevice(socket, device);
  return 0;
}

int64_t SetTtl(NetSocket& socket, int32_t number) {
  if (number != -1 && !IsBetween(number, 1, kHighestTtl)) {
    return -EINVAL;
  }
  socket.ttl4 = number;
  if (!socket.is_v6()) {
    socket.socket().ttl = static_cast<uint8_t>(number == -1 ? kDefaultTtl : number);
  }
  return 0;
}

int64_t SetInt4(NetSocket& socket, int option, int32_t number) {
  if (const FlagOption* const entry = FindFlag(kFlags4, option); entry != nullptr) {
    ApplyFlag(socket, entry->flag, number != 0);
    return 0;
  }
  switch (option) {
    case IP_TTL:
      return SetTtl(socket, number);
    case IP_TOS: {
      // The ECN bits of a stream are TCP's own.
      constexpr int32_t kEcnMask = 3;
      const int32_t kept = socket.is_tcp() ? socket.socket().type_of_service & kEcnMask : 0;
      socket.socket().type_of_service = static_cast<uint8_t>(socket.is_tcp() ? (number & ~kEcnMask) | kept : number);
      return 0;
    }
    case IP_MTU_DISCOVER:
      if (!IsBetween(number, IP_PMTUDISC_DONT, kLastDiscovery)) {
        return -EINVAL;
      }
      socket.mtu_discover4 = number;
      ApplyDiscovery(socket, number);
      return 0;
    case IP_MULTICAST_TTL:
      if (socket.is_tcp() || number < -1 || number > kHighestTtl) {
        return -EINVAL;
      }
      ApplyMulticastTtl(socket, number);
      return 0;
    case IP_MULTICAST_LOOP:
      socket.has_multicast_loop4 = number != 0;
      ApplyMulticastLoop(socket);
      return 0;
    case IP_TRANSPARENT:
    case IP_IPSEC_POLICY:
    case IP_XFRM_POLICY:
      return -EPERM;
    case IP_RECVOPTS:
    case IP_RETOPTS:
    case IP_PASSSEC:
    case IP_CHECKSUM:
      return 0;  // no packet has such things
    default:
      return -ENOPROTOOPT;
  }
}

// The path's MTU, of connected sockets.
int64_t PathMtu(const NetSocket& socket, int32_t& out) {
  if (socket.socket().remote.port == 0) {
    return -ENOTCONN;
  }
  if (socket.is_tcp()) {
    out = static_cast<int32_t>(net::InfoOf(*socket.tcp, NetNow_ns()).path_mtu_bytes);
    return 0;
  }
  const net::Device* const device = net::FindDevice(InstanceStack(), socket.socket().device_index);
  const net::Device* const any = device != nullptr ? device : net::NextDevice(InstanceStack(), nullptr);
  out = any == nullptr ? 0 : any->mtu_bytes;
  return 0;
}

int64_t GetInt4(const NetSocket& socket, int option, int32_t& out) {
  if (const FlagOption* const entry = FindFlag(kFlags4, option); entry != nullptr) {
    out = socket.Has(entry->flag) ? 1 : 0;
    return 0;
  }
  switch (option) {
    case IP_TTL:
      out = socket.ttl4 == -1 ? kDefaultTtl : socket.ttl4;
      return 0;
    case IP_TOS:
      out = socket.socket().type_of_service;
      return 0;
    case IP_MTU_DISCOVER:
      out = socket.mtu_discover4;
      return 0;
    case IP_MTU:
      return PathMtu(socket, out);
    case IP_MULTICAST_TTL:
      out = socket.is_tcp() ? 1 : net::OptionsOf(*socket.udp).multicast_ttl;
      return 0;
    case IP_MULTICAST_LOOP:
      out = socket.has_multicast_loop4 ? 1 : 0;
      return 0;
    case IP_HDRINCL:
    case IP_TRANSPARENT:
    case IP_RECVOPTS:
    case IP_RETOPTS:
    case IP_PASSSEC:
    case IP_CHECKSUM:
    case IP_MINTTL:
      out = 0;
      return 0;
    default:
      return -ENOPROTOOPT;
  }
}

int64_t SetV6Only(NetSocket& socket, int32_t number) {
  if (socket.socket().local.port != 0) {
    return -EINVAL;  // too late
  }
  socket.socket().is_v6_only = number != 0;
  return 0;
}

int64_t SetHops(NetSocket& socket, int32_t number) {
  if (!IsBetween(number, -1, kHighestTtl)) {
    return -EINVAL;
  }
  socket.unicast_hops6 = number;
  socket.socket().ttl = static_cast<uint8_t>(number == -1 ? kDefaultTtl : number);
  return 0;
}

int64_t SetMulticastDevice6(NetSocket& socket, int32_t number) {
  if (socket.is_tcp()) {
    return -ENOPROTOOPT;
  }
  if (number != 0 && net::FindDevice(InstanceStack(), static_cast<uint32_t>(number)) == nullptr) {
    return -ENODEV;
  }
  ApplyMulticastDevice(socket, static_cast<uint32_t>(number));
  return 0;
}

int64_t SetInt6(NetSocket& socket, int option, int32_t number) {
  if (const FlagOption* const entry = FindFlag(kFlags6, option); entry != nullptr) {
    ApplyFlag(socket, entry->flag, number != 0);
    return 0;
  }
  switch (option) {
    case IPV6_V6ONLY:
      return SetV6Only(socket, number);
    case IPV6_UNICAST_HOPS:
      return SetHops(socket, number);
    case IPV6_TCLASS:
      if (!IsBetween(number, -1, kHighestTtl)) {
        return -EINVAL;
      }
      socket.socket().type_of_service = static_cast<uint8_t>(number < 0 ? 0 : number);
      return 0;
    case IPV6_MULTICAST_HOPS:
      if (socket.is_tcp()) {
        return -ENOPROTOOPT;
      }
      if (!IsBetween(number, -1, kHighestTtl)) {
        return -EINVAL;
      }
      socket.multicast_hops6 = number == -1 ? 1 : number;
      ApplyMulticastTtl(socket, number);
      return 0;
    case IPV6_MULTICAST_LOOP:
      if (!IsBetween(number, 0, 1)) {
        return -EINVAL;
      }
      socket.has_multicast_loop6 = number != 0;
      ApplyMulticastLoop(socket);
      return 0;
    case IPV6_MULTICAST_IF:
      return SetMulticastDevice6(socket, number);
    case IPV6_MTU_DISCOVER:
      if (!IsBetween(number, IPV6_PMTUDISC_DONT, IPV6_PMTUDISC_OMIT)) {
        return -EINVAL;
      }
      socket.mtu_discover6 = number;
      ApplyDiscovery(socket, number);
      return 0;
    case IPV6_DONTFRAG:
      if (!socket.is_tcp()) {
        net::OptionsOf(*socket.udp).forbids_fragments = number != 0;
      }
      return 0;
    case IPV6_TRANSPARENT:
    case IPV6_IPSEC_POLICY:
    case IPV6_XFRM_POLICY:
      return -EPERM;
    case IPV6_ADDR_PREFERENCES:
    case IPV6_RECVFRAGSIZE:
    case IPV6_RECVRTHDR:
    case IPV6_RECVHOPOPTS:
    case IPV6_RECVDSTOPTS:
      return 0;  // no packet has such things, and there is one address a device
    default:
      return -ENOPROTOOPT;
  }
}

int64_t GetInt6(const NetSocket& socket, int option, int32_t& out) {
  if (const FlagOption* const entry = FindFlag(kFlags6, option); entry != nullptr) {
    out = socket.Has(entry->flag) ? 1 : 0;
    return 0;
  }
  switch (option) {
    case IPV6_V6ONLY:
      out = socket.socket().is_v6_only ? 1 : 0;
      return 0;
    case IPV6_UNICAST_HOPS:
      out = socket.unicast_hops6 == -1 ? kDefaultTtl : socket.unicast_hops6;
      return 0;
    case IPV6_TCLASS:
      out = socket.socket().type_of_service;
      return 0;
    case IPV6_MULTICAST_HOPS:
      out = socket.multicast_hops6;
      return 0;
    case IPV6_MULTICAST_LOOP:
      out = socket.has_multicast_loop6 ? 1 : 0;
      return 0;
    case IPV6_MULTICAST_IF:
      out = static_cast<int32_t>(socket.multicast_device);
      return 0;
    case IPV6_MTU_DISCOVER:
      out = socket.mtu_discover6;
      return 0;
    case IPV6_MTU:
      return PathMtu(socket, out);
    case IPV6_DONTFRAG:
      out = !socket.is_tcp() && net::OptionsOf(*socket.udp).forbids_fragments ? 1 : 0;
      return 0;
    case IPV6_TRANSPARENT:
    case IPV6_RECVRTHDR:
    case IPV6_RECVHOPOPTS:
    case IPV6_RECVDSTOPTS:
    case IPV6_RECVFRAGSIZE:
    case IPV6_ADDR_PREFERENCES:
      out = 0;
      return 0;
    default:
      return -ENOPROTOOPT;
  }
}

int64_t StoreMulticastDevice4(const NetSocket& socket, uint64_t value, uint64_t room) {
  in_addr address = {};
  constexpr uint32_t kRoom = 32;
  net::DeviceAddress addresses[kRoom];
  const uint32_t all = net::ListAddresses(InstanceStack(), 0, addresses, kRoom);
  for (uint32_t i = 0; socket.multicast_device != 0 && i < all && i < kRoom; ++i) {
    if (addresses[i].device_index == socket.multicast_device && addresses[i].address.is_v4()) {
      std::memcpy(&address, addresses[i].address.v4(), sizeof(address));
      break;
    }
  }
  return StoreOption(&address, sizeof(address), value, room);
}

}  // namespace

int64_t SetIpOption(NetSocket& socket, int option, uint64_t value, int32_t size_bytes) {
  switch (option) {
    case IP_ADD_MEMBERSHIP:
    case IP_DROP_MEMBERSHIP:
      return SetMembership4(socket, option == IP_ADD_MEMBERSHIP, value, size_bytes);
    case MCAST_JOIN_GROUP:
    case MCAST_LEAVE_GROUP:
      return SetGroup(socket, option == MCAST_JOIN_GROUP, value, size_bytes);
    case IP_MULTICAST_IF:
      return SetMulticastDevice4(socket, value, size_bytes);
    default:
      break;
  }
  int32_t number;
  const int64_t error = LoadShortOption(value, size_bytes, number);
  return error != 0 ? error : SetInt4(socket, option, number);
}

int64_t GetIpOption(NetSocket& socket, int option, uint64_t value, uint64_t room) {
  if (option == IP_MULTICAST_IF) {
    return StoreMulticastDevice4(socket, value, room);
  }
  int32_t number = 0;
  const int64_t error = GetInt4(socket, option, number);
  return error != 0 ? error : StoreShortOption(number, value, room);
}

int64_t SetIp6Option(NetSocket& socket, int option, uint64_t value, int32_t size_bytes) {
  switch (option) {
    case IPV6_ADD_MEMBERSHIP:
    case IPV6_DROP_MEMBERSHIP:
      return SetMembership6(socket, option == IPV6_ADD_MEMBERSHIP, value, size_bytes);
    case MCAST_JOIN_GROUP:
    case MCAST_LEAVE_GROUP:
      return SetGroup(socket, option == MCAST_JOIN_GROUP, value, size_bytes);
    default:
      break;
  }
  int32_t number;
  const int64_t error = LoadIntOption(value, size_bytes, number);
  return error != 0 ? error : SetInt6(socket, option, number);
}

int64_t GetIp6Option(NetSocket& socket, int option, uint64_t value, uint64_t room) {
  int32_t number = 0;
  const int64_t error = GetInt6(socket, option, number);
  return error != 0 ? error : StoreIntOption(number, value, room);
}

}  // namespace junction
