// SPDX-License-Identifier: Apache-2.0
// Hot path: no allocation but of blocks; one hash look-up for a connected socket, two for another.
#include <poll.h>

#include <cerrno>
#include <cstring>

#include "net/checksum.h"
#include "net/ethernet.h"
#include "net/udp_state.h"

namespace junction::net {
namespace {

bool CoversAddress(const Socket& socket, const IpAddress& address) {
  if (socket.local.address == address) {
    return true;
  }
  if (!socket.local.address.is_any()) {
    return false;
  }
  return socket.local.address.is_v4() ? address.is_v4() : !(socket.is_v6_only && address.is_v4());
}

bool CoversDevice(const Socket& socket, uint32_t device_index) {
  return socket.device_index == 0 || socket.device_index == device_index;
}

// How much more specific than its rivals; 0 = not for it. As Linux' compute_score.
uint32_t Score(const Socket& socket, uint32_t device_index, const IpAddress& address) {
  if (!CoversDevice(socket, device_index) || !CoversAddress(socket, address)) {
    return 0;
  }
  return 1 + (socket.local.address.is_any() ? 0 : 4) + (socket.device_index != 0 ? 2 : 0) +
         (socket.is_v6 == !address.is_v4() ? 1 : 0);
}

UdpSocket* FindConnected(const Stack& stack, uint32_t device_index, const Endpoint& local, const Endpoint& remote) {
  const HashTable& table = stack.udp.connected;
  for (HashNode* node = table.First(HashConnected(stack, local.port, remote)); node != nullptr;
       node = HashTable::Next(node)) {
    auto* const udp = JUNCTION_HASH_OWNER(node, UdpSocket, connected_hash);
    if (udp->socket.local == local && udp->socket.remote == remote && CoversDevice(udp->socket, device_index)) {
      return udp;
    }
  }
  return nullptr;
}

// One of the group that shares the port by SO_REUSEPORT: always the same for a flow.
UdpSocket* PickOfGroup(const Stack& stack, const PortEntry& entry, uint32_t device_index, const Endpoint& local,
                       const Endpoint& remote, uint32_t score, uint32_t size) {
  uint64_t rest = (HashFlow(stack.secret, local, remote) >> 32) * size >> 32;
  for (ListNode* node = entry.sockets.first(); node != nullptr; node = entry.sockets.Next(node)) {
    Socket* const socket = JUNCTION_OWNER(node, Socket, port_node);
    if (socket->remote.port == 0 && socket->reuses_port && Score(*socket, device_index, local.address) == score &&
        rest-- == 0) {
      return &UdpOf(*socket);
    }
  }
  return nullptr;
}

bool IsForSocket(const Socket& socket, uint32_t device_index, const Endpoint& local, const Endpoint& remote) {
  return CoversDevice(socket, device_index) &&
         (CoversAddress(socket, local.address) || (socket.remote.port != 0 && socket.remote == remote)) &&
         (socket.remote.port == 0 || socket.remote == remote);
}

// Broadcasts and groups: everybody at the port.
void DeliverToAll(Stack& stack, Device& device, const IpPacket& packet, const uint8_t* header, uint32_t size_bytes,
                  bool is_summed, const Endpoint& local, const Endpoint& remote) {
  const PortEntry* const entry = FindPort(stack.udp_ports, stack, local.port);
  for (ListNode* node = entry == nullptr ? nullptr : entry->sockets.first(); node != nullptr;
       node = entry->sockets.Next(node)) {
    Socket* const socket = JUNCTION_OWNER(node, Socket, port_node);
    if (IsForSocket(*socket, device.is_loopback ? socket->device_index : device.index, local, remote)) {
      QueueDatagram(UdpOf(*socket), device, packet, header, size_bytes, false, is_summed, remote.port);
    }
  }
}

bool HasGoodChecksum(const IpPacket& packet, const uint8_t* header, uint32_t size_bytes) {
  Checksum checksum(PseudoSum(packet.source, packet.destination, kProtocolUdp, size_bytes));
  checksum.Add(header, kUdpHeader_bytes);
  checksum.Add(packet.payload + kUdpHeader_bytes, size_bytes - kUdpHeader_bytes);
  return checksum.is_good();
}

void UdpInput(Stack& stack, Device& device, const IpPacket& packet, uint64_t now_ns) {
  ++stack.counters.udp_in;
  if (packet.size_bytes < kUdpHeader_bytes) {
    ++stack.counters.udp_malformed;
    return;
  }
  uint8_t header[kUdpHeader_bytes];
  std::memcpy(header, packet.payload, sizeof(header));
  const uint32_t size_bytes = LoadBig16(header + 4);
  const bool has_checksum = LoadBig16(header + 6) != 0;
  // RFC 8200 section 8.1: no checksum is an error in IPv6.
  if (size_bytes < kUdpHeader_bytes || size_bytes > packet.size_bytes ||
      (packet.needs_checksum && !has_checksum && !packet.source.is_v4())) {
    ++stack.counters.udp_malformed;
    return;
  }
  const bool is_summed = packet.needs_checksum && has_checksum;
  const Endpoint local = {packet.destination, LoadBig16(header + 2)};
  const Endpoint remote = {packet.source, LoadBig16(header)};
  if (packet.is_broadcast) {
    DeliverToAll(stack, device, packet, header, size_bytes, is_summed, local, remote);
    return;
  }
  UdpSocket* const udp = FindUdpReceiver(stack, stack.udp_ports, device.index, local, remote);
  if (udp != nullptr) {
    QueueDatagram(*udp, device, packet, header, size_bytes, false, is_summed, remote.port);
    return;
  }
  if (is_summed && !HasGoodChecksum(packet, header, size_bytes)) {
    ++stack.counters.udp_malformed;
    return;
  }
  ++stack.counters.udp_no_port;
  SendPortUnreachable(stack, device, packet, now_ns);
}

void UdpError(Stack& stack, const IcmpError& error, uint64_t now_ns) {
  const Endpoint local = {error.source, LoadBig16(error.transport)};
  const Endpoint remote = {error.destination, LoadBig16(error.transport + 2)};
  UdpSocket* udp = FindConnected(stack, 0, local, remote);
  udp = udp == nullptr ? FindUdpReceiver(stack, stack.udp_ports, 0, local, remote) : udp;
  if (udp != nullptr) {
    TellUdpError(*udp, error, now_ns);
  }
}

void UdpDeviceReset(Stack& stack, Device& device, int error, uint64_t) {
  for (ListNode* node = stack.udp.sockets.first(); node != nullptr; node = stack.udp.sockets.Next(node)) {
    UdpSocket* const udp = JUNCTION_OWNER(node, UdpSocket, node);
    if (udp->socket.device_index == device.index) {
      udp->socket.error = error;
      Notify(udp->socket, POLLERR | POLLIN | POLLOUT);
    }
  }
}

void StopUdp(Stack& stack) {
  while (ListNode* const node = stack.udp.sockets.first()) {
    CloseUdp(*JUNCTION_OWNER(node, UdpSocket, node));
  }
  stack.udp.connected.Free(stack.environment);
}

}  // namespace

constinit const ProtocolOps kUdpOps = {UdpInput, UdpError, ResumeUdp, UdpDeviceReset, nullptr,
                                       nullptr,  StopUdp,  nullptr,   nullptr,        nullptr};

UdpSocket* FindUdpReceiver(Stack& stack, const PortTable& table, uint32_t device_index, const Endpoint& local,
                           const Endpoint& remote) {
  if (stack.udp.connected.count != 0 && &table == &stack.udp_ports) {
    if (UdpSocket* const udp = FindConnected(stack, device_index, local, remote)) {
      return udp;
    }
  }
  const PortEntry* const entry = FindPort(table, stack, local.port);
  if (entry == nullptr) {
    return nullptr;
  }
  Socket* best = nullptr;
  uint32_t best_score = 0;
  uint32_t group_size = 0;
  for (ListNode* node = entry->sockets.first(); node != nullptr; node = entry->sockets.Next(node)) {
    Socket* const socket = JUNCTION_OWNER(node, Socket, port_node);
    if (socket->remote.port != 0) {
      if (&table == &stack.udp_ports) {
        break;  // connected ones come last
      }
      if (!(socket->remote.address == remote.address)) {
        continue;  // ping sockets are in no other table
      }
    }
    const uint32_t score = Score(*socket, device_index, local.address);
    if (score > best_score) {
      best = socket;
      best_score = score;
      group_size = 1;
    } else if (score != 0 && score == best_score) {
      ++group_size;
    }
  }
  if (best != nullptr && best->reuses_port && group_size > 1) {
    UdpSocket* const picked = PickOfGroup(stack, *entry, device_index, local, remote, best_score, group_size);
    return picked != nullptr ? picked : &UdpOf(*best);
  }
  return best == nullptr ? nullptr : &UdpOf(*best);
}

void QueueDatagram(UdpSocket& udp, const Device& device, const IpPacket& packet, const uint8_t* header,
                   uint32_t size_bytes, bool keeps_header, bool is_summed, uint16_t from_port) {
  Stack& stack = *udp.socket.stack;
  const uint32_t before = udp.received.size_bytes();
  if ((udp.shut_sides & 1) != 0) {
    return;
  }
  // As Linux: the datagram that crosses the limit is still taken.
  if (before >= udp.receive_limit_bytes) {
    ++stack.counters.udp_full;
    return;
  }
  const uint32_t payload_bytes = size_bytes - kUdpHeader_bytes;
  Datagram record;
  record.from = {packet.source, from_port};
  record.to = packet.destination;
  record.device_index = device.index;
  record.size_bytes = keeps_header ? size_bytes : payload_bytes;
  record.ttl = packet.ttl;
  record.type_of_service = packet.type_of_service;
  bool is_stored = udp.received.Append(stack.pool, &record, sizeof(record)) &&
                   (!keeps_header || udp.received.Append(stack.pool, header, kUdpHeader_bytes));

  const uint8_t number = ProtocolNumberOf(udp);
  Checksum checksum(number == kProtocolIcmp ? 0 : PseudoSum(packet.source, packet.destination, number, size_bytes));
  checksum.Add(header, kUdpHeader_bytes);
  const uint8_t* from = packet.payload + kUdpHeader_bytes;
  for (uint32_t left = is_stored ? payload_bytes : 0; left != 0;) {
    const Span span = udp.received.WriteSpan(stack.pool);
    if (span.size_bytes == 0) {
      is_stored = false;
      break;
    }
    const uint32_t piece = span.size_bytes < left ? span.size_bytes : left;
    if (is_summed) {
      checksum.AddCopy(span.data, from, piece);
    } else {
      std::memcpy(span.data, from, piece);
    }
    udp.received.Commit(piece);
    from += piece;
    left -= piece;
  }
  if (!is_stored || (is_summed && !checksum.is_good())) {
    udp.received.Truncate(stack.pool, before);
    ++(is_stored ? stack.counters.udp_malformed : stack.counters.udp_full);
    return;
  }
  Notify(udp.socket, POLLIN | POLLRDNORM);
}

void TellUdpError(UdpSocket& udp, const IcmpError& error, uint64_t now_ns) {
  if (error.mtu_bytes != 0) {
    ReducePathMtu(*udp.socket.stack, error.destination, error.mtu_bytes, now_ns);
    if (!udp.options.forbids_fragments && !udp.options.receives_errors) {
      return;  // the next one goes out in fragments
    }
  }
  const bool is_wanted =
      udp.options.receives_errors || (udp.socket.remote.port != 0 && (error.is_hard || error.mtu_bytes != 0));
  if (is_wanted) {
    udp.socket.error = error.error;
    Notify(udp.socket, POLLERR | POLLIN | POLLOUT);
  }
}

}  // namespace junction::net
