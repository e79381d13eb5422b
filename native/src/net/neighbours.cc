// SPDX-License-Identifier: Apache-2.0
#include "net/neighbours.h"

#include <cerrno>
#include <cstring>

#include "net/ethernet.h"
#include "net/stack_state.h"

namespace junction::net {
namespace {

// RFC 4861, section 10: RETRANS_TIMER, MAX_MULTICAST_SOLICIT = MAX_UNICAST_SOLICIT, REACHABLE_TIME, DELAY_FIRST_PROBE_TIME.
constexpr uint64_t kSecond_ns = 1000ULL * 1000 * 1000;
constexpr uint64_t kRetry_ns = kSecond_ns;
constexpr uint8_t kMaxTries = 3;
constexpr uint64_t kReachable_ns = 30 * kSecond_ns;
constexpr uint64_t kDelay_ns = 5 * kSecond_ns;

uint64_t HashOf(const Stack& stack, const Device& device, const IpAddress& address) {
  return HashAddress(stack.secret, address, device.index);
}

Neighbour* Find(const Stack& stack, const Device& device, const IpAddress& address) {
  const HashTable& table = stack.neighbours.entries;
  for (HashNode* node = table.First(HashOf(stack, device, address)); node != nullptr; node = HashTable::Next(node)) {
    auto* const entry = JUNCTION_HASH_OWNER(node, Neighbour, hash);
    if (entry->device == &device && entry->address == address) {
      return entry;
    }
  }
  return nullptr;
}

// `error` not 0: they fail with it. The entry may be gone afterwards, or have new waiters.
void ResumeAll(List& waiting, int error, uint64_t now_ns) {
  List turn;
  while (ListNode* const node = waiting.PopFront()) {
    turn.PushBack(*node);
  }
  while (ListNode* const node = turn.PopFront()) {
    Socket* const socket = JUNCTION_OWNER(node, Socket, waiting_node);
    ProtocolOf(socket->protocol)->resume(*socket, error, now_ns);
  }
}

void Remove(Stack& stack, Neighbour& entry, int error) {
  stack.timers.Cancel(entry.timer);
  stack.neighbours.entries.Remove(entry.hash);
  entry.node.Unlink();
  List waiting;
  while (ListNode* const node = entry.waiting.PopFront()) {
    waiting.PushBack(*node);
  }
  Delete(stack, &entry);
  ResumeAll(waiting, error, stack.now_ns);
}

void Ask(Neighbour& entry) {
  Stack& stack = *entry.stack;
  ++entry.tries;
  const uint8_t* const mac = entry.state == NeighbourState::kProbe ? entry.mac : nullptr;
  if (entry.address.is_v4()) {
    AskByArp(stack, *entry.device, entry.asked_from, entry.address, mac);
  } else {
    AskByNeighbourDiscovery(stack, *entry.device, entry.asked_from, entry.address, mac);
  }
  stack.timers.Cancel(entry.timer);
  stack.timers.Arm(entry.timer, stack.now_ns + kRetry_ns);
}

void TimerFired(Timer& timer) {
  Neighbour& entry = *static_cast<Neighbour*>(timer.context);
  if (entry.state == NeighbourState::kDelay) {
    entry.state = NeighbourState::kProbe;
    entry.tries = 0;
  }
  if (entry.tries < kMaxTries) {
    Ask(entry);
    return;
  }
  ++entry.stack->counters.neighbour_failures;
  Remove(*entry.stack, entry, EHOSTUNREACH);
}

// Makes room: the least recently used entry goes, one that is being looked up only if there is no other. Static entries are the owner's: if
// the table is full of them the newcomer is refused.
bool EvictOne(Stack& stack) {
  Neighbour* victim = nullptr;
  for (ListNode* node = stack.neighbours.by_use.first(); node != nullptr; node = stack.neighbours.by_use.Next(node)) {
    Neighbour* const entry = JUNCTION_OWNER(node, Neighbour, node);
    if (entry->state != NeighbourState::kStatic && entry->state != NeighbourState::kIncomplete) {
      victim = entry;
      break;
    }
    victim = victim == nullptr && entry->state == NeighbourState::kIncomplete ? entry : victim;
  }
  if (victim == nullptr) {
    return false;
  }
  Remove(stack, *victim, EHOSTUNREACH);
  return true;
}

Neighbour* Add(Stack& stack, Device& device, const IpAddress& address) {
  if (stack.neighbours.entries.count >= NeighbourTable::kCapacity && !EvictOne(stack)) {
    return nullptr;
  }
  auto* const entry = New<Neighbour>(stack);
  if (entry == nullptr) {
    return nullptr;
  }
  entry->stack = &stack;
  entry->device = &device;
  entry->address = address;
  entry->timer.fire = TimerFired;
  entry->timer.context = entry;
  if (!stack.neighbours.entries.Insert(stack.environment, entry->hash, HashOf(stack, device, address))) {
    Delete(stack, entry);
    return nullptr;
  }
  stack.neighbours.by_use.PushBack(entry->node);
  return entry;
}

void Touch(Stack& stack, Neighbour& entry) {
  if (stack.neighbours.by_use.head.previous != &entry.node) {
    entry.node.Unlink();
    stack.neighbours.by_use.PushBack(entry.node);
  }
}

// An entry in use whose address may be out of date is confirmed in the background.
void CheckAge(Stack& stack, Neighbour& entry, const IpAddress& source, uint64_t now_ns) {
  if (entry.state == NeighbourState::kReachable && now_ns >= entry.reachable_until_ns) {
    entry.state = NeighbourState::kStale;
  }
  if (entry.state == NeighbourState::kStale) {
    entry.state = NeighbourState::kDelay;
    entry.asked_from = source;
    stack.timers.Arm(entry.timer, now_ns + kDelay_ns);
  }
}

}  // namespace

bool ResolveNeighbour(Stack& stack, const Path& path, Socket* waiter, MacAddress& out, uint64_t now_ns) {
  stack.now_ns = now_ns;
  Neighbour* entry = Find(stack, *path.device, path.next_hop);
  if (entry != nullptr && entry->state != NeighbourState::kIncomplete) {
    CheckAge(stack, *entry, path.source, now_ns);
    Touch(stack, *entry);
    std::memcpy(out, entry->mac, 6);
    return true;
  }
  if (entry == nullptr) {
    entry = Add(stack, *path.device, path.next_hop);
    if (entry == nullptr) {
      // No memory for the entry: the sender tries again when the device has room, or its own timer says so.
      if (waiter != nullptr && !waiter->waiting_node.is_linked()) {
        path.device->waiting.PushBack(waiter->waiting_node);
      }
      return false;
    }
    entry->asked_from = path.source;
    Ask(*entry);
  }
  if (waiter != nullptr && !waiter->waiting_node.is_linked()) {
    entry->waiting.PushBack(waiter->waiting_node);
  }
  return false;
}

void LearnNeighbour(Stack& stack, Device& device, const NeighbourNews& news) {
  Neighbour* entry = Find(stack, device, news.address);
  if (entry == nullptr) {
    if (!news.may_create || news.mac == nullptr) {
      return;
    }
    entry = Add(stack, device, news.address);
    if (entry == nullptr) {
      return;
    }
    std::memcpy(entry->mac, news.mac, 6);
    entry->state = NeighbourState::kStale;
    return;
  }
  if (entry->state == NeighbourState::kStatic) {
    return;
  }
  const bool was_incomplete = entry->state == NeighbourState::kIncomplete;
  if (was_incomplete && news.mac == nullptr) {
    return;
  }
  const bool is_other = !was_incomplete && news.mac != nullptr && std::memcmp(entry->mac, news.mac, 6) != 0;
  if (is_other && !news.may_override) {
    // RFC 4861, section 7.2.5, I: a doubt about what we believed.
    entry->state = entry->state == NeighbourState::kReachable ? NeighbourState::kStale : entry->state;
    return;
  }
  if (news.mac != nullptr) {
    std::memcpy(entry->mac, news.mac, 6);
  }
  if (news.is_solicited) {
    entry->state = NeighbourState::kReachable;
    entry->reachable_until_ns = stack.now_ns + kReachable_ns;
    stack.timers.Cancel(entry->timer);
  } else if (was_incomplete || is_other) {
    entry->state = NeighbourState::kStale;
    stack.timers.Cancel(entry->timer);
  }
  ResumeAll(entry->waiting, 0, stack.now_ns);
}

int AddStaticNeighbour(Stack& stack, uint32_t device_index, const IpAddress& address, const MacAddress& mac) {
  Device* const device = FindDevice(stack, device_index);
  if (device == nullptr) {
    return -ENODEV;
  }
  Neighbour* entry = Find(stack, *device, address);
  entry = entry == nullptr ? Add(stack, *device, address) : entry;
  if (entry == nullptr) {
    return -ENOSPC;
  }
  stack.timers.Cancel(entry->timer);
  std::memcpy(entry->mac, mac, 6);
  entry->state = NeighbourState::kStatic;
  ResumeAll(entry->waiting, 0, stack.now_ns);
  return 0;
}

void ForgetNeighbours(Stack& stack, Device& device, bool with_static, uint64_t now_ns) {
  stack.now_ns = now_ns;
  // From the beginning each time: a removal resumes sockets, which may add and evict others.
  for (uint32_t left = stack.neighbours.entries.count; left != 0; --left) {
    ListNode* node = stack.neighbours.by_use.first();
    while (node != nullptr) {
      const Neighbour* const entry = JUNCTION_OWNER(node, Neighbour, node);
      if (entry->device == &device && (with_static || entry->state != NeighbourState::kStatic)) {
        break;
      }
      node = stack.neighbours.by_use.Next(node);
    }
    if (node == nullptr) {
      return;
    }
    Remove(stack, *JUNCTION_OWNER(node, Neighbour, node), ENETDOWN);
  }
}

void StopNeighbours(Stack& stack) {
  while (ListNode* const node = stack.neighbours.by_use.first()) {
    Remove(stack, *JUNCTION_OWNER(node, Neighbour, node), ENETDOWN);
  }
  stack.neighbours.entries.Free(stack.environment);
}

void AnnounceAddress(Stack& stack, Device& device, const IpAddress& address) {
  if (device.is_loopback || device.is_point_to_point || !device.is_up) {
    return;
  }
  if (address.is_v4()) {
    AnnounceByArp(stack, device, address);
  } else {
    AnnounceByNeighbourDiscovery(stack, device, address);
  }
}

}  // namespace junction::net
