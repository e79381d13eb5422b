// SPDX-License-Identifier: Apache-2.0
// Our addresses, and where packets go. Host routes (one for each link) are found by hash; the few networks lie in a list, longest first.
#include <cerrno>

#include "net/ethernet.h"
#include "net/stack_state.h"

namespace junction::net {
namespace {

constexpr uint32_t kMaxEntries = 1U << 16;
constexpr uint32_t kLoopbackMtu_bytes = 65535;

AddressEntry* FindAddress(const Stack& stack, const IpAddress& address, uint32_t device_index) {
  for (HashNode* node = stack.address_table.First(HashAddress(stack.secret, address, 0)); node != nullptr;
       node = HashTable::Next(node)) {
    auto* const entry = JUNCTION_HASH_OWNER(node, AddressEntry, hash);
    if (entry->value.address == address && (device_index == 0 || entry->value.device_index == device_index)) {
      return entry;
    }
  }
  return nullptr;
}

IpAddress Masked(IpAddress address, uint32_t bits) {
  for (uint32_t i = 0; i < 16; ++i) {
    const uint32_t kept = bits > 8 * i ? bits - 8 * i : 0;
    if (kept < 8) {
      address.bytes[i] = static_cast<uint8_t>(address.bytes[i] & ~(0xffU >> kept));
    }
  }
  return address;
}

// As it is kept: host bits cleared, and one way to say that there is no gateway.
Route Canonical(Route route) {
  route.network = Masked(route.network, PrefixBits128(route.network, route.prefix_bits));
  route.gateway = route.gateway.is_any() ? AnyAddress(!route.network.is_v4()) : route.gateway;
  return route;
}

bool IsSameRoute(const Route& a, const Route& b) {
  return a.network == b.network && a.prefix_bits == b.prefix_bits && a.gateway == b.gateway &&
         a.device_index == b.device_index;
}

RouteEntry* NextRoute(const Stack& stack, const RouteEntry* entry) {
  ListNode* const node = entry == nullptr ? stack.routes.first() : stack.routes.Next(&entry->node);
  return node == nullptr ? nullptr : JUNCTION_OWNER(node, RouteEntry, node);
}

// Keeps the list ordered; newer routes go behind equal ones.
void InsertOrdered(Stack& stack, RouteEntry& entry) {
  RouteEntry* place = stack.first_network;
  while (place != nullptr && place->bits >= entry.bits) {
    place = NextRoute(stack, place);
  }
  if (place == nullptr) {
    stack.routes.PushBack(entry.node);
  } else {
    entry.node.next = &place->node;
    entry.node.previous = place->node.previous;
    place->node.previous->next = &entry.node;
    place->node.previous = &entry.node;
  }
  if (stack.first_network == place) {
    stack.first_network = &entry;
  }
}

bool IsUsable(const Stack& stack, const Route& route, uint32_t device_index) {
  return (device_index == 0 || route.device_index == device_index) && stack.devices[route.device_index]->is_up;
}

const Route* FindRoute(const Stack& stack, const IpAddress& destination, uint32_t device_index) {
  for (HashNode* node = stack.host_routes.First(HashAddress(stack.secret, destination, 0)); node != nullptr;
       node = HashTable::Next(node)) {
    const auto* const entry = JUNCTION_HASH_OWNER(node, RouteEntry, hash);
    if (entry->route.network == destination && IsUsable(stack, entry->route, device_index)) {
      return &entry->route;
    }
  }
  const bool is_v4 = destination.is_v4();
  for (const RouteEntry* entry = stack.first_network; entry != nullptr; entry = NextRoute(stack, entry)) {
    // "::/0" has no bits in common with what it covers: the family is compared apart.
    if (entry->route.network.is_v4() == is_v4 && HasPrefix(destination, entry->route.network, entry->bits) &&
        IsUsable(stack, entry->route, device_index)) {
      return &entry->route;
    }
  }
  return nullptr;
}

// RFC 6724, section 5, as far as we have choices: of the same scope, and if possible of the next hop's network.
bool SelectSource(const Stack& stack, const Device& device, const IpAddress& destination, const IpAddress& next_hop,
                  IpAddress& out) {
  const bool is_v4 = destination.is_v4();
  const bool is_local_scope =
      !is_v4 && (destination.is_link_local() || (destination.is_multicast() && (destination.bytes[1] & 0xf) <= 2));
  const AddressEntry* best = nullptr;
  uint32_t best_rank = 0;
  const auto consider = [&](const AddressEntry* entry, uint32_t rank) {
    const IpAddress& address = entry->value.address;
    if (address.is_v4() != is_v4 || address.is_loopback()) {
      return;
    }
    rank += !is_v4 && address.is_link_local() == is_local_scope ? 4 : 0;
    rank += HasPrefix(next_hop, address, PrefixBits128(address, entry->value.prefix_bits)) ? 2 : 0;
    if (rank > best_rank) {
      best = entry;
      best_rank = rank;
    }
  };
  for (ListNode* node = device.addresses.first(); node != nullptr; node = device.addresses.Next(node)) {
    consider(JUNCTION_OWNER(node, AddressEntry, device_node), 9);
  }
  // A device without an address of the family uses another's (a host has addresses, RFC 1122 section 3.3.4.2's weak model).
  for (ListNode* node = best == nullptr ? stack.addresses.first() : nullptr; node != nullptr;
       node = stack.addresses.Next(node)) {
    const AddressEntry* const entry = JUNCTION_OWNER(node, AddressEntry, node);
    if (!entry->value.address.is_link_local()) {
      consider(entry, 1);
    }
  }
  if (best == nullptr) {
    return false;
  }
  out = best->value.address;
  return true;
}

int LocalPath(const Stack& stack, const IpAddress& destination, const IpAddress& source, Path& out) {
  if (stack.loopback == nullptr) {
    return -ENETUNREACH;
  }
  out.device = &stack.loopback->device;
  out.next_hop = destination;
  out.source = source.is_any() ? destination : source;
  out.mtu_bytes = kLoopbackMtu_bytes;
  out.route_version = stack.route_version;
  return 0;
}

}  // namespace

IpAddress NormalizeDestination(const IpAddress& destination) {
  if (!destination.is_any()) {
    return destination;
  }
  IpAddress loopback = destination;
  if (destination.is_v4()) {
    loopback = IpAddress::V4(127, 0, 0, 1);
  } else {
    loopback.bytes[15] = 1;
  }
  return loopback;
}

bool IsOwnAddress(const Stack& stack, const IpAddress& address) {
  return (address.is_loopback() && stack.loopback != nullptr) || FindAddress(stack, address, 0) != nullptr;
}

bool IsOwnAddressOn(const Stack& stack, const IpAddress& address, const Device& device) {
  return FindAddress(stack, address, device.index) != nullptr;
}

bool IsBroadcastOn(const Device& device, const IpAddress& address) {
  if (!address.is_v4()) {
    return false;
  }
  if (address.is_limited_broadcast()) {
    return true;
  }
  for (ListNode* node = device.addresses.first(); node != nullptr; node = device.addresses.Next(node)) {
    const DeviceAddress& own = JUNCTION_OWNER(node, AddressEntry, device_node)->value;
    // RFC 3021: networks of one or two addresses have none.
    if (own.address.is_v4() && own.prefix_bits < 31 && HasPrefix(address, own.address, 96U + own.prefix_bits) &&
        (LoadBig32(address.v4()) | ~(0xffffffffU >> own.prefix_bits)) == 0xffffffffU) {
      return true;
    }
  }
  return false;
}

bool IsBroadcastAddress(const Stack& stack, const IpAddress& address) {
  if (!address.is_v4()) {
    return false;
  }
  if (address.is_limited_broadcast()) {
    return true;
  }
  const Route* const route = FindRoute(stack, address, 0);
  return route != nullptr && IsBroadcastOn(*stack.devices[route->device_index], address);
}

int FindPath(Stack& stack, const IpAddress& destination, const IpAddress& source, uint32_t device_index, Path& out) {
  const bool has_source = !source.is_any();
  if (has_source && !IsOwnAddress(stack, source)) {
    return -EADDRNOTAVAIL;
  }
  if (IsOwnAddress(stack, destination)) {
    return LocalPath(stack, destination, source, out);
  }
  if (destination.is_loopback() || (has_source && source.is_loopback())) {
    return destination.is_loopback() ? -ENETUNREACH : -EINVAL;  // Linux' answer to a packet from 127/8 to elsewhere
  }
  const Route* const route = FindRoute(stack, destination, device_index);
  Device* device = route == nullptr ? FindDevice(stack, device_index) : stack.devices[route->device_index];
  // Without a route what is on the link by its nature can be reached if the device is named.
  const bool is_on_link =
      destination.is_multicast() || destination.is_limited_broadcast() || destination.is_link_local();
  if (device == nullptr || !device->is_up || (route == nullptr && !is_on_link)) {
    return -ENETUNREACH;
  }
  out.device = device;
  out.next_hop = route == nullptr || route->gateway.is_any() || is_on_link ? destination : route->gateway;
  if (has_source) {
    out.source = source;
  } else if (!SelectSource(stack, *device, destination, out.next_hop, out.source)) {
    return -EADDRNOTAVAIL;
  }
  out.mtu_bytes = PathMtuTo(stack, destination, device->mtu_bytes);
  out.route_version = stack.route_version;
  return 0;
}

int AddAddress(Stack& stack, const DeviceAddress& address) {
  Device* const device = FindDevice(stack, address.device_index);
  const IpAddress& ip = address.address;
  const uint32_t longest = ip.is_v4() ? 32 : 128;
  if (device == nullptr) {
    return -ENODEV;
  }
  if (ip.is_any() || ip.is_multicast() || ip.is_limited_broadcast() || address.prefix_bits > longest) {
    return -EINVAL;
  }
  if (FindAddress(stack, ip, address.device_index) != nullptr) {
    return -EEXIST;
  }
  auto* const entry = stack.address_table.count >= kMaxEntries ? nullptr : New<AddressEntry>(stack);
  if (entry == nullptr) {
    return -ENOSPC;
  }
  entry->value = address;
  if (!stack.address_table.Insert(stack.environment, entry->hash, HashAddress(stack.secret, ip, 0))) {
    Delete(stack, entry);
    return -ENOSPC;
  }
  stack.addresses.PushBack(entry->node);
  device->addresses.PushBack(entry->device_node);
  ++stack.route_version;
  if (device->is_loopback) {
    return 0;  // what is ours needs no route
  }
  if (address.prefix_bits < longest) {
    AddRoute(stack, {ip, address.prefix_bits, IpAddress(), device->index});
  }
  AnnounceAddress(stack, *device, ip);
  return 0;
}

int RemoveAddress(Stack& stack, const DeviceAddress& address) {
  AddressEntry* const entry = FindAddress(stack, address.address, address.device_index);
  if (entry == nullptr || address.device_index == 0) {
    return -EADDRNOTAVAIL;
  }
  const IpAddress ip = entry->value.address;
  const uint8_t bits = entry->value.prefix_bits;
  if (bits < (ip.is_v4() ? 32 : 128)) {
    RemoveRoute(stack, {ip, bits, IpAddress(), address.device_index});  // the one that AddAddress made
  }
  stack.address_table.Remove(entry->hash);
  entry->node.Unlink();
  entry->device_node.Unlink();
  Delete(stack, entry);
  ++stack.route_version;
  return 0;
}

int AddRoute(Stack& stack, const Route& route) {
  const Device* const device = FindDevice(stack, route.device_index);
  const uint32_t longest = route.network.is_v4() ? 32 : 128;
  if (device == nullptr) {
    return -ENODEV;
  }
  if (route.prefix_bits > longest || (!route.gateway.is_any() && route.gateway.is_v4() != route.network.is_v4())) {
    return -EINVAL;
  }
  const uint32_t bits = PrefixBits128(route.network, route.prefix_bits);
  const Route kept = Canonical(route);
  for (const RouteEntry* entry = nullptr; (entry = NextRoute(stack, entry)) != nullptr;) {
    if (IsSameRoute(entry->route, kept)) {
      return -EEXIST;
    }
  }
  auto* const entry = New<RouteEntry>(stack);
  if (entry == nullptr) {
    return -ENOSPC;
  }
  entry->route = kept;
  entry->bits = bits;
  if (bits == 128) {
    if (!stack.host_routes.Insert(stack.environment, entry->hash, HashAddress(stack.secret, kept.network, 0))) {
      Delete(stack, entry);
      return -ENOSPC;
    }
    stack.routes.PushFront(entry->node);
  } else {
    InsertOrdered(stack, *entry);
  }
  ++stack.route_version;
  return 0;
}

int RemoveRoute(Stack& stack, const Route& route) {
  const Route wanted = Canonical(route);
  for (RouteEntry* entry = nullptr; (entry = NextRoute(stack, entry)) != nullptr;) {
    if (!IsSameRoute(entry->route, wanted)) {
      continue;
    }
    if (entry->bits == 128) {
      stack.host_routes.Remove(entry->hash);
    } else if (stack.first_network == entry) {
      stack.first_network = NextRoute(stack, entry);
    }
    entry->node.Unlink();
    Delete(stack, entry);
    ++stack.route_version;
    return 0;
  }
  return -ESRCH;
}

uint32_t ListAddresses(const Stack& stack, uint32_t from, DeviceAddress* out, uint32_t room) {
  uint32_t position = 0;
  uint32_t filled = 0;
  for (ListNode* node = stack.addresses.first(); node != nullptr && filled < room;
       node = stack.addresses.Next(node), ++position) {
    if (position >= from) {
      out[filled++] = JUNCTION_OWNER(node, AddressEntry, node)->value;
    }
  }
  return filled;
}

uint32_t ListRoutes(const Stack& stack, uint32_t from, Route* out, uint32_t room) {
  uint32_t position = 0;
  uint32_t filled = 0;
  for (const RouteEntry* entry = nullptr; filled < room && (entry = NextRoute(stack, entry)) != nullptr; ++position) {
    if (position >= from) {
      out[filled++] = entry->route;
    }
  }
  return filled;
}

}  // namespace junction::net
