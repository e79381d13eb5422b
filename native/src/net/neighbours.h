// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 826 (ARP), RFC 4861 section 7 (neighbour discovery): one table and one state machine for both.
#pragma once

#include <cstdint>

#include "base/list.h"
#include "base/timer.h"
#include "net/hash_table.h"
#include "net/ip.h"

namespace junction::net {

/// RFC 4861, section 7.3.2.
enum class NeighbourState : uint8_t {
  kIncomplete,  // asked by broadcast, senders wait: an answer -> kReachable, three unanswered -> gone, EHOSTUNREACH
  kReachable,   // until reachable_until_ns, then kStale (found at the next use: no timer)
  kStale,       // usable; the next use -> kDelay
  kDelay,       // in use; after 5 s -> kProbe
  kProbe,       // asked by unicast: an answer -> kReachable, three unanswered -> gone
  kStatic,      // by AddStaticNeighbour, for ever
};

struct Neighbour {
  HashNode hash;
  ListNode node;  // least recently used first
  Timer timer;    // kIncomplete, kDelay, kProbe
  List waiting;   // Socket::waiting_node, in kIncomplete
  Stack* stack = nullptr;
  Device* device = nullptr;
  IpAddress address;
  IpAddress asked_from;  // of ours, for the questions
  MacAddress mac = {};
  NeighbourState state = NeighbourState::kIncomplete;
  uint8_t tries = 0;
  uint64_t reachable_until_ns = 0;
};

struct NeighbourTable {
  static constexpr uint32_t kCapacity = 256;  // the least recently used goes; static ones count, and stay

  HashTable entries;
  List by_use;
};

/// The MAC of path.next_hop. False: it is being looked up, and `waiter` (if not null, and not waiting already) waits for it.
bool ResolveNeighbour(Stack& stack, const Path& path, Socket* waiter, MacAddress& out, uint64_t now_ns);

/// Somebody said where `address` is.
struct NeighbourNews {
  IpAddress address;
  const uint8_t* mac = nullptr;  // null = the message had none
  bool is_solicited = false;     // an answer to a question of ours: reachable
  bool may_override = true;      // replaces another MAC
  bool may_create = false;       // a question to us: we will answer, so the entry is of use
};
void LearnNeighbour(Stack& stack, Device& device, const NeighbourNews& news);

/// Of a device that goes, or whose other end is another now. Who waits for one tries again or fails with ENETDOWN.
void ForgetNeighbours(Stack& stack, Device& device, bool with_static, uint64_t now_ns);
void StopNeighbours(Stack& stack);

// arp.cc, neighbour_discovery.cc. `mac` null = to all.
void AskByArp(Stack& stack, Device& device, const IpAddress& source, const IpAddress& target, const uint8_t* mac);
void AskByNeighbourDiscovery(Stack& stack, Device& device, const IpAddress& source, const IpAddress& target,
                             const uint8_t* mac);
void AnnounceByArp(Stack& stack, Device& device, const IpAddress& address);
void AnnounceByNeighbourDiscovery(Stack& stack, Device& device, const IpAddress& address);

}  // namespace junction::net
