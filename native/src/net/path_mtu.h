// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 1191, RFC 8201 (path MTU discovery).
#pragma once

#include <cstdint>

#include "base/list.h"
#include "base/timer.h"
#include "net/address.h"
#include "net/hash_table.h"

namespace junction::net {

class Stack;

struct PathMtuEntry {
  HashNode hash;
  ListNode node;  // oldest first
  IpAddress destination;
  uint32_t mtu_bytes = 0;
  uint64_t expires_ns = 0;
};

/// Destinations behind a narrower path. Bounded: the oldest goes.
struct PathMtuCache {
  static constexpr uint32_t kCapacity = 128;
  static constexpr uint64_t kAge_ns = 600ULL * 1000 * 1000 * 1000;  // RFC 1191, section 6.3: 10 minutes

  HashTable entries;
  List by_age;
  Timer timer;
};

void StartPathMtus(Stack& stack);
void StopPathMtus(Stack& stack);
/// What is known of the way to `destination`, at most `mtu_bytes`.
uint32_t PathMtuTo(const Stack& stack, const IpAddress& destination, uint32_t mtu_bytes);

}  // namespace junction::net
