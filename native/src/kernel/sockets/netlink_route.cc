// SPDX-License-Identifier: Apache-2.0
// Devices, addresses and routes by netlink: RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE. Read first: rtnetlink(7); rtnl_fill_ifinfo, inet_fill_ifaddr,
// inet6_fill_ifaddr, fib_dump_info of Linux.
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <cstring>

#include "kernel/sockets/net_device_info.h"
#include "kernel/sockets/net_socket.h"
#include "kernel/sockets/netlink_socket.h"

namespace junction {
namespace {

constexpr uint32_t kForever = 0xffffffff;  // INFINITY_LIFE_TIME
// IF_OPER_* of linux/if.h; Linux does not know of a loopback device.
constexpr uint8_t kOperationalUnknown = 0;
constexpr uint8_t kOperationalDown = 2;
constexpr uint8_t kOperationalUp = 6;

// An attribute of a request, copied; false if it is not there. Its text or number ends within `room_bytes`.
bool FindAttribute(const uint8_t* at, uint32_t size_bytes, uint16_t type, void* out, uint32_t room_bytes,
                   uint32_t& length) {
  while (size_bytes >= sizeof(rtattr)) {
    rtattr attribute;
    std::memcpy(&attribute, at, sizeof(attribute));
    if (attribute.rta_len < sizeof(attribute) || attribute.rta_len > size_bytes) {
      return false;
    }
    const uint32_t data = attribute.rta_len - static_cast<uint32_t>(sizeof(attribute));
    if ((attribute.rta_type & NLA_TYPE_MASK) == type) {
      length = data < room_bytes ? data : room_bytes;
      std::memcpy(out, at + sizeof(attribute), length);
      return true;
    }
    const uint32_t step = (attribute.rta_len + 3U) & ~3U;
    if (step >= size_bytes) {
      return false;
    }
    at += step;
    size_bytes -= step;
  }
  return false;
}

void AddStatistics(NetlinkAnswer& answer, const net::Device& device) {
  rtnl_link_stats64 wide = {};
  wide.rx_packets = device.frames_in;
  wide.tx_packets = device.frames_out;
  wide.rx_bytes = device.bytes_in;
  wide.tx_bytes = device.bytes_out;
  wide.rx_dropped = device.dropped_in;
  wide.tx_dropped = device.dropped_out;
  answer.Attribute(IFLA_STATS64, &wide, sizeof(wide));
  rtnl_link_stats narrow = {};
  narrow.rx_packets = static_cast<uint32_t>(wide.rx_packets);
  narrow.tx_packets = static_cast<uint32_t>(wide.tx_packets);
  narrow.rx_bytes = static_cast<uint32_t>(wide.rx_bytes);
  narrow.tx_bytes = static_cast<uint32_t>(wide.tx_bytes);
  narrow.rx_dropped = static_cast<uint32_t>(wide.rx_dropped);
  narrow.tx_dropped = static_cast<uint32_t>(wide.tx_dropped);
  answer.Attribute(IFLA_STATS, &narrow, sizeof(narrow));
}

uint8_t OperationalState(const net::Device& device) {
  if (device.is_loopback) {
    return kOperationalUnknown;
  }
  return device.is_up ? kOperationalUp : kOperationalDown;
}

void AddLink(NetlinkAnswer& answer, const net::Device& device) {
  ifinfomsg fixed = {};
  fixed.ifi_family = AF_UNSPEC;
  fixed.ifi_type = DeviceType(device);
  fixed.ifi_index = static_cast<int>(device.index);
  fixed.ifi_flags = DeviceFlags(device);
  answer.Begin(RTM_NEWLINK, &fixed, sizeof(fixed));
  answer.AttributeText(IFLA_IFNAME, device.name);
  answer.Attribute32(IFLA_TXQLEN, kTransmitQueue_length);
  answer.Attribute8(IFLA_OPERSTATE, OperationalState(device));
  answer.Attribute8(IFLA_LINKMODE, 0);
  answer.Attribute32(IFLA_MTU, device.mtu_bytes);
  answer.Attribute32(IFLA_GROUP, 0);
  answer.Attribute32(IFLA_PROMISCUITY, 0);
  answer.Attribute32(IFLA_NUM_TX_QUEUES, 1);
  answer.Attribute32(IFLA_NUM_RX_QUEUES, 1);
  answer.Attribute8(IFLA_CARRIER, device.is_up ? 1 : 0);
  answer.AttributeText(IFLA_QDISC, "noqueue");
  answer.Attribute(IFLA_ADDRESS, device.mac, sizeof(device.mac));
  uint8_t broadcast[6];
  std::memset(broadcast, device.is_loopback ? 0 : 0xff, sizeof(broadcast));
  answer.Attribute(IFLA_BROADCAST, broadcast, sizeof(broadcast));
  AddStatistics(answer, device);
  answer.End();
}

uint8_t ScopeOf(const net::IpAddress& address) {
  if (address.is_loopback()) {
    return RT_SCOPE_HOST;
  }
  return address.is_link_local() ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

void AddAddress(NetlinkAnswer& answer, const net::DeviceAddress& own) {
  const net::Device* const device = net::FindDevice(InstanceStack(), own.device_index);
  if (device == nullptr) {
    return;
  }
  const bool is_v4 = own.address.is_v4();
  ifaddrmsg fixed = {};
  fixed.ifa_family = is_v4 ? AF_INET : AF_INET6;
  fixed.ifa_prefixlen = own.prefix_bits;
  fixed.ifa_flags = IFA_F_PERMANENT;
  fixed.ifa_scope = ScopeOf(own.address);
  fixed.ifa_index = own.device_index;
  answer.Begin(RTM_NEWADDR, &fixed, sizeof(fixed));
  const void* const octets = is_v4 ? own.address.v4() : own.address.bytes;
  const uint32_t size = is_v4 ? 4 : 16;
  answer.Attribute(IFA_ADDRESS, octets, size);
  if (is_v4) {
    answer.Attribute(IFA_LOCAL, octets, size);
    if (!device->is_loopback && own.prefix_bits < 31) {
      uint32_t broadcast;
      std::memcpy(&broadcast, octets, sizeof(broadcast));
      broadcast |= ~MaskOf(own.prefix_bits);
      answer.Attribute(IFA_BROADCAST, &broadcast, sizeof(broadcast));
    }
    answer.AttributeText(IFA_LABEL, device->name);
  }
  answer.Attribute32(IFA_FLAGS, IFA_F_PERMANENT);
  const ifa_cacheinfo life = {kForever, kForever, 0, 0};
  answer.Attribute(IFA_CACHEINFO, &life, sizeof(life));
  answer.End();
}

// The address that packets by `device` are sent from, null if there is none of the family.
const net::IpAddress* SourceOn(const AddressList& addresses, uint32_t device_index, bool is_v4) {
  for (uint32_t i = 0; i < addresses.count; ++i) {
    const net::DeviceAddress& entry = addresses.entries[i];
    if (entry.device_index == device_index && entry.address.is_v4() == is_v4 &&
        (is_v4 || !entry.address.is_link_local())) {
      return &entry.address;
    }
  }
  return nullptr;
}

void AddEndpoint(NetlinkAnswer& answer, uint16_t type, const net::IpAddress& address) {
  const bool is_v4 = address.is_v4();
  answer.Attribute(type, is_v4 ? address.v4() : address.bytes, is_v4 ? 4 : 16);
}

void AddRoute(NetlinkAnswer& answer, const net::Route& route, const net::IpAddress* destination) {
  const AddressList addresses;
  const bool is_v4 = route.network.is_v4();
  const bool has_gateway = !route.gateway.is_any();
  rtmsg fixed = {};
  fixed.rtm_family = is_v4 ? AF_INET : AF_INET6;
  const uint8_t whole = is_v4 ? 32 : 128;
  fixed.rtm_dst_len = destination != nullptr ? whole : route.prefix_bits;
  fixed.rtm_table = RT_TABLE_MAIN;
  fixed.rtm_protocol = has_gateway ? RTPROT_BOOT : RTPROT_KERNEL;
  fixed.rtm_scope = has_gateway || !is_v4 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
  fixed.rtm_type = RTN_UNICAST;
  answer.Begin(RTM_NEWROUTE, &fixed, sizeof(fixed));
  answer.Attribute32(RTA_TABLE, RT_TABLE_MAIN);
  if (destination != nullptr) {
    AddEndpoint(answer, RTA_DST, *destination);
  } else if (route.prefix_bits != 0) {
    AddEndpoint(answer, RTA_DST, route.network);
  }
  if (has_gateway) {
    AddEndpoint(answer, RTA_GATEWAY, route.gateway);
  }
  answer.Attribute32(RTA_OIF, route.device_index);
  const net::IpAddress* const source = SourceOn(addresses, route.device_index, is_v4);
  if (source != nullptr && (destination != nullptr || (is_v4 && !has_gateway))) {
    AddEndpoint(answer, RTA_PREFSRC, *source);
  }
  answer.End();
}

bool IsWithin(const net::Route& route, const net::IpAddress& address) {
  if (route.network.is_v4() != address.is_v4()) {
    return false;
  }
  const uint8_t* const a = address.is_v4() ? address.v4() : address.bytes;
  const uint8_t* const b = address.is_v4() ? route.network.v4() : route.network.bytes;
  const uint32_t whole = route.prefix_bits / 8U;
  const uint32_t rest = route.prefix_bits % 8U;
  if (std::memcmp(a, b, whole) != 0) {
    return false;
  }
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

int64_t Links(NetlinkSocket& socket, const nlmsghdr& request, const uint8_t* payload, uint32_t size_bytes) {
  net::Stack& stack = InstanceStack();
  if ((request.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP) {
    NetlinkAnswer answer(socket, request, true);
    for (net::Device* device = net::NextDevice(stack, nullptr); device != nullptr;
         device = net::NextDevice(stack, device)) {
      AddLink(answer, *device);
    }
    answer.Done();
    return answer.has_overflowed() ? -ENOBUFS : 0;
  }
  ifinfomsg fixed;
  if (size_bytes < sizeof(fixed)) {
    return -EINVAL;
  }
  std::memcpy(&fixed, payload, sizeof(fixed));
  uint32_t index = static_cast<uint32_t>(fixed.ifi_index);
  char name[IFNAMSIZ + 1] = {};
  uint32_t length;
  if (index == 0) {
    if (!FindAttribute(payload + sizeof(fixed), size_bytes - static_cast<uint32_t>(sizeof(fixed)), IFLA_IFNAME, name,
                       IFNAMSIZ, length)) {
      return -EINVAL;
    }
    index = DeviceByName(name);
  }
  const net::Device* const device = net::FindDevice(stack, index);
  if (device == nullptr) {
    return -ENODEV;
  }
  NetlinkAnswer answer(socket, request, false);
  AddLink(answer, *device);
  return answer.has_overflowed() ? -ENOBUFS : 0;
}

int64_t Addresses(NetlinkSocket& socket, const nlmsghdr& request, const uint8_t* payload, uint32_t size_bytes) {
  if ((request.nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP) {
    return -EOPNOTSUPP;
  }
  // Either struct ifaddrmsg or the one byte of rtgenmsg; the device counts with NETLINK_GET_STRICT_CHK only.
  ifaddrmsg filter = {};
  if (size_bytes < 1) {
    return -EINVAL;
  }
  const bool is_strict = (socket.option_bits >> NETLINK_GET_STRICT_CHK & 1) != 0 && size_bytes >= sizeof(filter);
  std::memcpy(&filter, payload, is_strict ? sizeof(filter) : 1);
  const AddressList addresses;
  NetlinkAnswer answer(socket, request, true);
  for (uint32_t i = 0; i < addresses.count; ++i) {
    const net::DeviceAddress& entry = addresses.entries[i];
    const uint8_t family = entry.address.is_v4() ? AF_INET : AF_INET6;
    if ((filter.ifa_family == AF_UNSPEC || filter.ifa_family == family) &&
        (filter.ifa_index == 0 || filter.ifa_index == entry.device_index)) {
      AddAddress(answer, entry);
    }
  }
  answer.Done();
  return answer.has_overflowed() ? -ENOBUFS : 0;
}

// The way to one destination, as `ip route get` and resolvers ask.
int64_t RouteTo(NetlinkSocket& socket, const nlmsghdr& request, uint8_t family, const uint8_t* attributes,
                uint32_t size_bytes) {
  uint8_t octets[16] = {};
  uint32_t length = 0;
  if (!FindAttribute(attributes, size_bytes, RTA_DST, octets, sizeof(octets), length) ||
      length != (family == AF_INET ? 4U : 16U)) {
    return -EINVAL;
  }
  const net::IpAddress to = family == AF_INET ? net::IpAddress::V4(octets) : net::IpAddress::V6(octets);
  const RouteList routes;
  net::Route best;
  bool is_found = false;
  for (uint32_t i = 0; i < routes.count; ++i) {
    if (IsWithin(routes.entries[i], to) && (!is_found || routes.entries[i].prefix_bits > best.prefix_bits)) {
      best = routes.entries[i];
      is_found = true;
    }
  }
  const AddressList addresses;
  for (uint32_t i = 0; i < addresses.count; ++i) {  // ours, or a neighbour on a network of ours
    net::Route own;
    own.network = addresses.entries[i].address;
    own.prefix_bits = addresses.entries[i].prefix_bits;
    own.gateway = family == AF_INET ? net::IpAddress::V4(0, 0, 0, 0) : net::IpAddress{};
    own.device_index = addresses.entries[i].device_index;
    if (IsWithin(own, to) && (!is_found || own.prefix_bits > best.prefix_bits)) {
      best = own;
      is_found = true;
    }
  }
  if (!is_found) {
    return -ENETUNREACH;
  }
  NetlinkAnswer answer(socket, request, false);
  AddRoute(answer, best, &to);
  return answer.has_overflowed() ? -ENOBUFS : 0;
}

int64_t Routes(NetlinkSocket& socket, const nlmsghdr& request, const uint8_t* payload, uint32_t size_bytes) {
  if (size_bytes < 1) {
    return -EINVAL;
  }
  const uint8_t family = payload[0];
  if ((request.nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP) {
    if (size_bytes < sizeof(rtmsg)) {
      return -EINVAL;
    }
    if (family != AF_INET && family != AF_INET6) {
      return -EOPNOTSUPP;
    }
    return RouteTo(socket, request, family, payload + sizeof(rtmsg), size_bytes - static_cast<uint32_t>(sizeof(rtmsg)));
  }
  const RouteList routes;
  NetlinkAnswer answer(socket, request, true);
  for (uint32_t i = 0; i < routes.count; ++i) {
    const uint8_t own_family = routes.entries[i].network.is_v4() ? AF_INET : AF_INET6;
    if (family == AF_UNSPEC || family == own_family) {
      AddRoute(answer, routes.entries[i], nullptr);
    }
  }
  answer.Done();
  return answer.has_overflowed() ? -ENOBUFS : 0;
}

}  // namespace

int64_t AnswerRoute(NetlinkSocket& socket, const nlmsghdr& request, const uint8_t* payload, uint32_t size_bytes) {
  switch (request.nlmsg_type) {
    case RTM_GETLINK:
      return Links(socket, request, payload, size_bytes);
    case RTM_GETADDR:
      return Addresses(socket, request, payload, size_bytes);
    case RTM_GETROUTE:
      return Routes(socket, request, payload, size_bytes);
    default:
      break;
  }
  // Of each group of four the third is a question, the others would change something (rtnetlink_rcv_msg).
  constexpr uint16_t kQuestion = 2;
  const bool is_question = ((request.nlmsg_type - RTM_BASE) & 3) == kQuestion;
  return is_question ? -EOPNOTSUPP : -EPERM;
}

}  // namespace junction
