// SPDX-License-Identifier: Apache-2.0
#include "net/hash_table.h"

#include <cstring>

namespace junction::net {
namespace {

constexpr uint32_t kFirstBuckets = 16;
constexpr uint32_t kMaxBuckets = 1U << 20;

}  // namespace

bool HashTable::Insert(const Environment& environment, HashNode& node, uint64_t hash) {
  if (buckets == nullptr && !Resize(environment, kFirstBuckets)) {
    return false;
  }
  if (count > mask && mask + 1 < kMaxBuckets) {
    Resize(environment, 2 * (mask + 1));
  }
  node.hash = hash;
  node.next = buckets[hash & mask];
  buckets[hash & mask] = &node;
  ++count;
  return true;
}

void HashTable::Remove(HashNode& node) {
  HashNode** link = &buckets[node.hash & mask];
  while (*link != &node) {
    link = &(*link)->next;
  }
  *link = node.next;
  node.next = nullptr;
  --count;
}

HashNode* HashTable::Any() const {
  for (uint32_t i = 0; count != 0 && i <= mask; ++i) {
    if (buckets[i] != nullptr) {
      return buckets[i];
    }
  }
  return nullptr;
}

void HashTable::Free(const Environment& environment) {
  if (buckets != nullptr) {
    environment.free(environment.context, buckets, (static_cast<uint64_t>(mask) + 1) * sizeof(HashNode*));
  }
  buckets = nullptr;
  mask = count = 0;
}

bool HashTable::Resize(const Environment& environment, uint32_t size) {
  auto** const next = static_cast<HashNode**>(environment.allocate(environment.context, size * sizeof(HashNode*)));
  if (next == nullptr) {
    return false;
  }
  std::memset(next, 0, size * sizeof(HashNode*));
  for (uint32_t i = 0; buckets != nullptr && i <= mask; ++i) {
    while (HashNode* const node = buckets[i]) {
      buckets[i] = node->next;
      node->next = next[node->hash & (size - 1)];
      next[node->hash & (size - 1)] = node;
    }
  }
  const uint32_t kept = count;
  Free(environment);
  buckets = next;
  mask = size - 1;
  count = kept;
  return true;
}

}  // namespace junction::net
