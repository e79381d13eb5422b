// SPDX-License-Identifier: Apache-2.0
#include "net/path_mtu.h"

#include "net/stack_state.h"

namespace junction::net {
namespace {

// RFC 791 section 3.2, and RFC 8200 section 5: what every link carries.
constexpr uint32_t kMinimum4_bytes = 68;
constexpr uint32_t kMinimum6_bytes = 1280;

PathMtuEntry* Find(const Stack& stack, const IpAddress& destination) {
  const HashTable& table = stack.path_mtus.entries;
  for (HashNode* node = table.First(HashAddress(stack.secret, destination, 0)); node != nullptr;
       node = HashTable::Next(node)) {
    auto* const entry = JUNCTION_HASH_OWNER(node, PathMtuEntry, hash);
    if (entry->destination == destination) {
      return entry;
    }
  }
  return nullptr;
}

void Remove(Stack& stack, PathMtuEntry& entry) {
  stack.path_mtus.entries.Remove(entry.hash);
  entry.node.Unlink();
  Delete(stack, &entry);
}

PathMtuEntry* Oldest(Stack& stack) {
  ListNode* const node = stack.path_mtus.by_age.first();
  return node == nullptr ? nullptr : JUNCTION_OWNER(node, PathMtuEntry, node);
}

void ArmTimer(Stack& stack) {
  stack.timers.Cancel(stack.path_mtus.timer);
  if (const PathMtuEntry* const oldest = Oldest(stack)) {
    stack.timers.Arm(stack.path_mtus.timer, oldest->expires_ns);
  }
}

// Sockets look again, and find the device's MTU: the way may have become wider.
void Expire(Timer& timer) {
  Stack& stack = *static_cast<Stack*>(timer.context);
  for (PathMtuEntry* entry = Oldest(stack); entry != nullptr && entry->expires_ns <= stack.now_ns;
       entry = Oldest(stack)) {
    Remove(stack, *entry);
  }
  ++stack.route_version;
  ArmTimer(stack);
}

PathMtuEntry* Add(Stack& stack, const IpAddress& destination) {
  if (stack.path_mtus.entries.count >= PathMtuCache::kCapacity) {
    Remove(stack, *Oldest(stack));
  }
  auto* const entry = New<PathMtuEntry>(stack);
  if (entry == nullptr) {
    return nullptr;
  }
  entry->destination = destination;
  if (!stack.path_mtus.entries.Insert(stack.environment, entry->hash, HashAddress(stack.secret, destination, 0))) {
    Delete(stack, entry);
    return nullptr;
  }
  return entry;
}

}  // namespace

void StartPathMtus(Stack& stack) {
  stack.path_mtus.timer.fire = Expire;
  stack.path_mtus.timer.context = &stack;
}

void StopPathMtus(Stack& stack) {
  stack.timers.Cancel(stack.path_mtus.timer);
  while (PathMtuEntry* const entry = Oldest(stack)) {
    Remove(stack, *entry);
  }
  stack.path_mtus.entries.Free(stack.environment);
}

uint32_t PathMtuTo(const Stack& stack, const IpAddress& destination, uint32_t mtu_bytes) {
  if (stack.path_mtus.entries.count == 0) {
    return mtu_bytes;
  }
  const PathMtuEntry* const entry = Find(stack, destination);
  return entry != nullptr && entry->mtu_bytes < mtu_bytes ? entry->mtu_bytes : mtu_bytes;
}

void ReducePathMtu(Stack& stack, const IpAddress& destination, uint32_t mtu_bytes, uint64_t now_ns) {
  const uint32_t minimum = destination.is_v4() ? kMinimum4_bytes : kMinimum6_bytes;
  const uint32_t mtu = mtu_bytes < minimum ? minimum : mtu_bytes;
  Path path;
  if (FindPath(stack, destination, AnyAddress(!destination.is_v4()), 0, path) != 0 || path.device->is_loopback ||
      mtu >= path.mtu_bytes) {
    return;
  }
  PathMtuEntry* entry = Find(stack, destination);
  if (entry == nullptr) {
    entry = Add(stack, destination);
  }
  if (entry == nullptr) {
    return;
  }
  entry->mtu_bytes = mtu;
  entry->expires_ns = now_ns + PathMtuCache::kAge_ns;
  entry->node.Unlink();
  stack.path_mtus.by_age.PushBack(entry->node);
  ++stack.route_version;
  ArmTimer(stack);
}

}  // namespace junction::net
