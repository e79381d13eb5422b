// SPDX-License-Identifier: Apache-2.0
// A chained hash table of objects that contain their links. No memory while it has never been used; grows by doubling. A table that cannot
// grow goes on with longer chains.
#pragma once

#include <cstdint>

#include "net/memory.h"

namespace junction::net {

struct HashNode {
  HashNode* next = nullptr;
  uint64_t hash = 0;
};

struct HashTable {
  HashNode** buckets = nullptr;
  uint32_t mask = 0;
  uint32_t count = 0;

  /// The first node with that hash; go on with Next. Different objects may have one hash: compare the keys.
  HashNode* First(uint64_t hash) const { return count == 0 ? nullptr : Match(buckets[hash & mask], hash); }
  static HashNode* Next(const HashNode* node) { return Match(node->next, node->hash); }
  /// False if there is no memory for the first buckets.
  bool Insert(const Environment& environment, HashNode& node, uint64_t hash);
  void Remove(HashNode& node);
  /// Any node, for taking a table apart; null if it is empty.
  HashNode* Any() const;
  /// Gives the buckets back; the table must be empty.
  void Free(const Environment& environment);

 private:
  static HashNode* Match(HashNode* node, uint64_t hash) {
    while (node != nullptr && node->hash != hash) {
      node = node->next;
    }
    return node;
  }
  bool Resize(const Environment& environment, uint32_t size);
};

}  // namespace junction::net

/// The object that holds a node.
#define JUNCTION_HASH_OWNER(node, Type, member) \
  (reinterpret_cast<Type*>(reinterpret_cast<char*>(node) - __builtin_offsetof(Type, member)))
