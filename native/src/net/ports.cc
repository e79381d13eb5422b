// SPDX-License-Identifier: Apache-2.0
// Read first: bind(2), socket(7) and ip(7) for who may share a port; RFC 6056 for how ephemeral ones are drawn.
#include <cerrno>

#include "net/stack_state.h"

namespace junction::net {
namespace {

constexpr uint32_t kPortPurpose = 1;  // of SecretHash

PortTable& TableOf(Stack& stack, uint8_t protocol) {
  switch (protocol) {
    case kProtocolTcp:
      return stack.tcp_ports;
    case kProtocolIcmp:
      return stack.icmp_ports;
    case kProtocolIcmp6:
      return stack.icmp6_ports;
    default:
      return stack.udp_ports;
  }
}

PortEntry* FindOrAdd(Stack& stack, PortTable& table, uint16_t port) {
  PortEntry* entry = FindPort(table, stack, port);
  if (entry != nullptr) {
    return entry;
  }
  entry = New<PortEntry>(stack);
  if (entry == nullptr) {
    return nullptr;
  }
  entry->port = port;
  if (!table.entries.Insert(stack.environment, entry->hash, HashPort(stack, port))) {
    Delete(stack, entry);
    return nullptr;
  }
  return entry;
}

void RemoveIfUnused(Stack& stack, PortTable& table, PortEntry& entry) {
  if (entry.sockets.empty() && entry.sharers == 0) {
    table.entries.Remove(entry.hash);
    Delete(stack, &entry);
  }
}

// Whether packets could be for both. "::" without IPV6_V6ONLY covers IPv4 too.
bool Overlap(const IpAddress& a, bool a_is_v6_only, const IpAddress& b, bool b_is_v6_only) {
  const bool a_covers_all = !a.is_v4() && a.is_any();
  const bool b_covers_all = !b.is_v4() && b.is_any();
  if (a_covers_all && b_covers_all) {
    return true;
  }
  if (a_covers_all) {
    return !a_is_v6_only || !b.is_v4();
  }
  if (b_covers_all) {
    return !b_is_v6_only || !a.is_v4();
  }
  return a.is_v4() == b.is_v4() && (a.is_any() || b.is_any() || a == b);
}

// Linux' inet_csk_bind_conflict and udp_lib_lport_inuse, as socket(7) describes them.
bool Conflict(uint8_t protocol, const Socket& socket, const IpAddress& local, const Socket& other) {
  if (&socket == &other ||
      (socket.device_index != 0 && other.device_index != 0 && socket.device_index != other.device_index) ||
      !Overlap(local, socket.is_v6_only, other.local.address, other.is_v6_only)) {
    return false;
  }
  if (socket.reuses_port && other.reuses_port && socket.owner_uid == other.owner_uid) {
    return false;
  }
  const bool both_reuse = socket.reuses_address && other.reuses_address;
  return !both_reuse || (protocol == kProtocolTcp && other.is_listening);
}

bool HasConflict(uint8_t protocol, const PortEntry& entry, const Socket& socket, const IpAddress& local) {
  for (ListNode* node = entry.sockets.first(); node != nullptr; node = entry.sockets.Next(node)) {
    if (Conflict(protocol, socket, local, *JUNCTION_OWNER(node, Socket, port_node))) {
      return true;
    }
  }
  // Connections that live on under the port: only who reuses addresses may share it with them, and only if they do.
  const bool is_sharer_itself = socket.port_entry == &entry;
  return entry.sharers != 0 && !is_sharer_itself && !(socket.reuses_port && entry.strict_sharers == 0) &&
         (!socket.reuses_address || entry.strict_sharers != 0);
}

uint32_t RangeSize(const Stack& stack) {
  return stack.options.ephemeral_high < stack.options.ephemeral_low
             ? 1U
             : static_cast<uint32_t>(stack.options.ephemeral_high - stack.options.ephemeral_low) + 1;
}

// RFC 6056, algorithm 1: a random start, then the next free one.
uint16_t DrawPort(Stack& stack, PortTable& table) {
  const uint32_t size = RangeSize(stack);
  const auto start = static_cast<uint32_t>(stack.environment.random(stack.environment.context) % size);
  for (uint32_t i = 0; i < size; ++i) {
    const auto port = static_cast<uint16_t>(stack.options.ephemeral_low + (start + i) % size);
    if (FindPort(table, stack, port) == nullptr) {
      return port;
    }
  }
  return 0;
}

void Join(PortEntry& entry, Socket& socket) {
  socket.port_entry = &entry;
  entry.sockets.PushFront(socket.port_node);
}

void JoinAsSharer(PortEntry& entry, Socket& socket) {
  socket.port_entry = &entry;
  socket.is_port_shared = true;
  ++entry.sharers;
  entry.strict_sharers += socket.reuses_address ? 0 : 1;
  socket.counts_as_strict = !socket.reuses_address;
}

}  // namespace

uint64_t HashPort(const Stack& stack, uint16_t port) {
  return MixHash(port ^ stack.secret.words[0], stack.secret.words[1] | 1);
}

PortEntry* FindPort(const PortTable& table, const Stack& stack, uint16_t port) {
  for (HashNode* node = table.entries.First(HashPort(stack, port)); node != nullptr; node = HashTable::Next(node)) {
    auto* const entry = JUNCTION_HASH_OWNER(node, PortEntry, hash);
    if (entry->port == port) {
      return entry;
    }
  }
  return nullptr;
}

int BindPort(Stack& stack, uint8_t protocol, Socket& socket, const Endpoint& local, bool is_listening) {
  PortTable& table = TableOf(stack, protocol);
  const IpAddress& address = local.address;
  const bool is_group = address.is_multicast() || IsBroadcastAddress(stack, address);
  if (!address.is_any() && !IsOwnAddress(stack, address) && (!is_group || protocol == kProtocolTcp)) {
    return -EADDRNOTAVAIL;
  }
  if (socket.port_entry != nullptr) {  // listen(2) after bind(2): the same place, another use
    if (HasConflict(protocol, *socket.port_entry, socket, address)) {
      return -EADDRINUSE;
    }
    socket.is_listening = is_listening;
    return 0;
  }
  const uint16_t port = local.port != 0 ? local.port : DrawPort(stack, table);
  if (port == 0) {
    return -EAGAIN;
  }
  PortEntry* const entry = FindOrAdd(stack, table, port);
  if (entry == nullptr) {
    return -ENOMEM;
  }
  if (HasConflict(protocol, *entry, socket, address)) {
    return -EADDRINUSE;
  }
  Join(*entry, socket);
  socket.local = {address, port};
  socket.is_listening = is_listening;
  return 0;
}

int BindForConnect(Stack& stack, uint8_t protocol, Socket& socket, const IpAddress& local, const Endpoint& remote,
                   bool (*is_taken)(Stack& stack, const Endpoint& local, const Endpoint& remote)) {
  PortTable& table = TableOf(stack, protocol);
  const uint32_t size = RangeSize(stack);
  // RFC 6056, section 3.3.3: each destination has its own place to begin, a counter goes on from there.
  const uint64_t start = SecretHash(stack.signing_secret, kPortPurpose, {local, 0}, remote, 0) + table.connect_counter;
  for (uint32_t i = 0; i < size; ++i) {
    const auto port = static_cast<uint16_t>(stack.options.ephemeral_low + (start + i) % size);
    PortEntry* entry = FindPort(table, stack, port);
    if (entry != nullptr && (!entry->sockets.empty() || is_taken(stack, {local, port}, remote))) {
      continue;  // somebody bound it by name, or this very connection exists
    }
    entry = FindOrAdd(stack, table, port);
    if (entry == nullptr) {
      return -ENOMEM;
    }
    table.connect_counter += i + 1;
    JoinAsSharer(*entry, socket);
    socket.local = {local, port};
    return 0;
  }
  return -EADDRNOTAVAIL;
}

int SharePort(Stack& stack, uint8_t protocol, Socket& socket) {
  PortEntry* const entry = FindOrAdd(stack, TableOf(stack, protocol), socket.local.port);
  if (entry == nullptr) {
    return -ENOMEM;
  }
  JoinAsSharer(*entry, socket);
  return 0;
}

void ReleasePort(Stack& stack, uint8_t protocol, Socket& socket) {
  PortEntry* const entry = socket.port_entry;
  socket.port_entry = nullptr;
  socket.is_listening = false;
  if (entry == nullptr) {
    return;
  }
  if (socket.is_port_shared) {
    socket.is_port_shared = false;
    --entry->sharers;
    entry->strict_sharers -= socket.counts_as_strict ? 1 : 0;
  } else {
    socket.port_node.Unlink();
  }
  RemoveIfUnused(stack, TableOf(stack, protocol), *entry);
}

void StopPorts(Stack& stack) {
  for (PortTable* table : {&stack.tcp_ports, &stack.udp_ports, &stack.icmp_ports, &stack.icmp6_ports}) {
    while (HashNode* const node = table->entries.Any()) {
      auto* const entry = JUNCTION_HASH_OWNER(node, PortEntry, hash);
      table->entries.Remove(entry->hash);
      Delete(stack, entry);
    }
    table->entries.Free(stack.environment);
  }
}

}  // namespace junction::net
