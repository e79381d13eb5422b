// SPDX-License-Identifier: Apache-2.0
// Which groups a stack receives. No IGMP or MLD is sent: the NIC's other ends are ours, and none of them snoops.
#include <cerrno>

#include "net/ethernet.h"
#include "net/udp_state.h"

namespace junction::net {
namespace {

// RFC 1112 section 4; RFC 4291 section 2.7.1: all nodes, of the interface and of the link.
bool IsAllNodes(const IpAddress& group) {
  if (group.is_v4()) {
    return group == IpAddress::V4(224, 0, 0, 1);
  }
  return group.bytes[0] == 0xff && (group.bytes[1] == 1 || group.bytes[1] == 2) && (group.high() >> 16) == 0 &&
         group.low() == 1ULL << 56;
}

// RFC 4291, section 2.7.1: ff02::1:ffXX:XXXX of one of the device's addresses.
bool IsSolicitedNode(const Device& device, const IpAddress& group) {
  static constexpr uint8_t kPrefix[13] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
  if (std::memcmp(group.bytes, kPrefix, sizeof(kPrefix)) != 0) {
    return false;
  }
  for (ListNode* node = device.addresses.first(); node != nullptr; node = device.addresses.Next(node)) {
    const IpAddress& own = JUNCTION_OWNER(node, AddressEntry, device_node)->value.address;
    if (!own.is_v4() && std::memcmp(own.bytes + 13, group.bytes + 13, 3) == 0) {
      return true;
    }
  }
  return false;
}

Membership* Find(const UdpSocket& udp, const IpAddress& group, uint32_t device_index) {
  for (uint32_t i = 0; i < udp.membership_count; ++i) {
    Membership& membership = udp.memberships[i];
    if (membership.group == group && (device_index == 0 || membership.device_index == device_index)) {
      return &membership;
    }
  }
  return nullptr;
}

}  // namespace

bool IsMember(const Stack& stack, const Device& device, const IpAddress& group) {
  if (IsAllNodes(group) || IsSolicitedNode(device, group)) {
    return true;
  }
  for (ListNode* node = stack.udp.members.first(); node != nullptr; node = stack.udp.members.Next(node)) {
    // What was looped back was sent by another device.
    if (Find(*JUNCTION_OWNER(node, UdpSocket, member_node), group, device.is_loopback ? 0 : device.index) != nullptr) {
      return true;
    }
  }
  return false;
}

int JoinMulticast(UdpSocket& udp, const IpAddress& group, uint32_t device_index) {
  Stack& stack = *udp.socket.stack;
  if (!group.is_multicast()) {
    return -EINVAL;
  }
  uint32_t index = device_index;
  if (index == 0) {
    Path path;
    if (FindPath(stack, group, AnyAddress(!group.is_v4()), 0, path) != 0) {
      return -ENODEV;
    }
    index = path.device->index;
  }
  if (FindDevice(stack, index) == nullptr) {
    return -ENODEV;
  }
  if (Find(udp, group, index) != nullptr) {
    return -EADDRINUSE;
  }
  if (udp.membership_count == kMaxMemberships) {
    return -ENOBUFS;
  }
  if (udp.memberships == nullptr) {
    const Environment& environment = stack.environment;
    udp.memberships =
        static_cast<Membership*>(environment.allocate(environment.context, kMaxMemberships * sizeof(Membership)));
    if (udp.memberships == nullptr) {
      return -ENOMEM;
    }
    stack.udp.members.PushBack(udp.member_node);
  }
  udp.memberships[udp.membership_count++] = {group, index};
  return 0;
}

int LeaveMulticast(UdpSocket& udp, const IpAddress& group, uint32_t device_index) {
  Membership* const membership = Find(udp, group, device_index);
  if (membership == nullptr) {
    return -EADDRNOTAVAIL;
  }
  *membership = udp.memberships[--udp.membership_count];
  if (udp.membership_count == 0) {
    DropMemberships(udp);
  }
  return 0;
}

void DropMemberships(UdpSocket& udp) {
  if (udp.memberships == nullptr) {
    return;
  }
  const Environment& environment = udp.socket.stack->environment;
  environment.free(environment.context, udp.memberships, kMaxMemberships * sizeof(Membership));
  udp.memberships = nullptr;
  udp.membership_count = 0;
  udp.member_node.Unlink();
}

}  // namespace junction::net
