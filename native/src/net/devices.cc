// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <cstring>

#include "net/stack_state.h"

namespace junction::net {
namespace {

constexpr uint32_t kMaxDevices = 1U << 16;
constexpr const ProtocolOps* kAllProtocols[] = {&kTcpOps, &kUdpOps, &kIcmpOps};

bool GrowDevices(Stack& stack) {
  const uint32_t room = stack.device_room == 0 ? 8 : 2 * stack.device_room;
  const Environment& environment = stack.environment;
  auto** const table = static_cast<Device**>(environment.allocate(environment.context, room * sizeof(Device*)));
  if (table == nullptr) {
    return false;
  }
  std::memset(table, 0, room * sizeof(Device*));
  if (stack.devices != nullptr) {
    std::memcpy(table, stack.devices, stack.device_room * sizeof(Device*));
    environment.free(environment.context, stack.devices, stack.device_room * sizeof(Device*));
  }
  stack.devices = table;
  stack.device_room = room;
  return true;
}

// RFC 4291, appendix A: the modified EUI-64 of a MAC.
IpAddress LinkLocalAddress(const MacAddress& mac) {
  const uint8_t bytes[16] = {0xfe,   0x80,   0,    0,    0,      0,      0,     0, static_cast<uint8_t>(mac[0] ^ 2),
                             mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
  return IpAddress::V6(bytes);
}

void EndSockets(Stack& stack, Device& device, int error, uint64_t now_ns) {
  for (const ProtocolOps* protocol : kAllProtocols) {
    protocol->device_reset(stack, device, error, now_ns);
  }
}

}  // namespace

int AddDevice(Stack& stack, Device& device) {
  uint32_t index = 1;
  while (index < stack.device_room && stack.devices[index] != nullptr) {
    ++index;
  }
  if (index >= kMaxDevices || (index >= stack.device_room && !GrowDevices(stack))) {
    return -ENOSPC;
  }
  device.index = index;
  device.waiting = List();
  device.addresses = List();
  device.needs_flush = false;
  device.node = ListNode();
  device.last_destination_version = device.last_source_version = 0;
  stack.devices[index] = &device;
  ++stack.route_version;
  if (!device.is_loopback && !device.is_point_to_point) {
    return AddAddress(stack, {index, LinkLocalAddress(device.mac), 64});
  }
  return 0;
}

void RemoveDevice(Stack& stack, Device& device, uint64_t now_ns) {
  const bool was_up = device.is_up;
  device.is_up = false;  // whoever is woken in here finds no path over it
  EndSockets(stack, device, ENETDOWN, now_ns);
  while (ListNode* const node = device.waiting.PopFront()) {
    Socket* const socket = JUNCTION_OWNER(node, Socket, waiting_node);
    ProtocolOf(socket->protocol)->resume(*socket, ENETDOWN, now_ns);
  }
  ForgetNeighbours(stack, device, true, now_ns);
  DropFragments(stack, device);
  while (ListNode* const node = device.addresses.first()) {
    RemoveAddress(stack, JUNCTION_OWNER(node, AddressEntry, device_node)->value);
  }
  ListNode* next = nullptr;
  for (ListNode* node = stack.routes.first(); node != nullptr; node = next) {
    next = stack.routes.Next(node);
    const RouteEntry* const entry = JUNCTION_OWNER(node, RouteEntry, node);
    if (entry->route.device_index == device.index) {
      RemoveRoute(stack, entry->route);
    }
  }
  device.node.Unlink();
  device.needs_flush = false;
  stack.devices[device.index] = nullptr;
  ++stack.route_version;
  device.index = 0;
  device.is_up = was_up;
}

void ResetDevice(Stack& stack, Device& device, uint64_t now_ns) {
  EndSockets(stack, device, ECONNRESET, now_ns);
  DropFragments(stack, device);
  ForgetNeighbours(stack, device, false, now_ns);
  ++stack.route_version;
}

Device* FindDevice(Stack& stack, uint32_t index) { return index < stack.device_room ? stack.devices[index] : nullptr; }

Device* NextDevice(Stack& stack, const Device* device) {
  for (uint32_t index = device == nullptr ? 1 : device->index + 1; index < stack.device_room; ++index) {
    if (stack.devices[index] != nullptr) {
      return stack.devices[index];
    }
  }
  return nullptr;
}

void DeviceHasRoom(Stack& stack, Device& device, uint64_t now_ns) {
  stack.now_ns = now_ns;
  // Who finds no room again queues up behind `last`: one turn each.
  List turn;
  while (ListNode* const node = device.waiting.PopFront()) {
    turn.PushBack(*node);
  }
  while (ListNode* const node = turn.PopFront()) {
    Socket* const socket = JUNCTION_OWNER(node, Socket, waiting_node);
    ProtocolOf(socket->protocol)->resume(*socket, 0, now_ns);
    if (!device.waiting.empty()) {
      break;  // full again
    }
  }
  while (ListNode* const node = turn.PopFront()) {
    device.waiting.PushBack(*node);
  }
}

}  // namespace junction::net
