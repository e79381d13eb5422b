// SPDX-License-Identifier: Apache-2.0
// Hot path.
#include "net/tcp/connection_table.h"

namespace junction::net {
namespace {

// Hash 0 marks entries that are not in the table.
uint64_t TupleHash(const TcpLayer& tcp, const Endpoint& local, const Endpoint& remote) {
  return HashFlow(tcp.stack->secret, local, remote) | 1ULL << 63;
}

}  // namespace

TableEntry* FindEntry(TcpLayer& tcp, const Endpoint& local, const Endpoint& remote) {
  for (HashNode* node = tcp.entries.First(TupleHash(tcp, local, remote)); node != nullptr;
       node = HashTable::Next(node)) {
    auto* const entry = JUNCTION_HASH_OWNER(node, TableEntry, node);
    if (entry->socket.remote == remote && entry->socket.local == local) {
      return entry;
    }
  }
  return nullptr;
}

bool InsertEntry(TcpLayer& tcp, TableEntry& entry) {
  const uint64_t hash = TupleHash(tcp, entry.socket.local, entry.socket.remote);
  if (!tcp.entries.Insert(tcp.stack->environment, entry.node, hash)) {
    entry.node.hash = 0;
    return false;
  }
  return true;
}

void RemoveEntry(TcpLayer& tcp, TableEntry& entry) {
  if (entry.node.hash != 0) {
    tcp.entries.Remove(entry.node);
    entry.node.hash = 0;
  }
}

}  // namespace junction::net
