// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 791 section 3.2, RFC 815, RFC 8200 section 4.5, RFC 5722 (overlaps), RFC 6946 (atomic fragments).
#pragma once

#include <cstdint>

#include "base/list.h"
#include "base/timer.h"
#include "net/hash_table.h"
#include "net/ip.h"

namespace junction::net {

/// A packet that is being put together. Which units of 8 bytes have come is a bitmap; a fragment that overlaps in part what has come ends
/// the packet, one that repeats what has come is ignored (as in Linux, for both families).
struct PartialPacket {
  static constexpr uint32_t kUnits = 65536 / 8;

  HashNode hash;
  ListNode node;  // oldest first
  Timer timer;
  Stack* stack;
  uint32_t device_index;
  IpAddress source;
  IpAddress destination;
  uint32_t id;
  uint8_t protocol;
  uint8_t ttl;
  uint8_t type_of_service;
  bool is_broadcast;
  bool has_first;
  bool is_loopback;
  uint32_t total_bytes;  // ~0U: the last fragment has not come
  uint32_t highest_bytes;
  uint32_t unit_count;
  uint8_t original[68];  // of the first fragment
  uint32_t original_bytes;
  uint8_t* data;
  uint32_t room_bytes;
  uint64_t units[kUnits / 64];
};

/// Bounded in number, memory and time.
struct FragmentTable {
  static constexpr uint32_t kMaxPackets = 64;
  static constexpr uint32_t kMaxData_bytes = 1024 * 1024;
  static constexpr uint64_t kTimeout4_ns = 30ULL * 1000 * 1000 * 1000;  // Linux' ipfrag_time
  static constexpr uint64_t kTimeout6_ns = 60ULL * 1000 * 1000 * 1000;  // RFC 8200, section 4.5

  HashTable packets;
  List by_age;
  uint32_t data_bytes = 0;
};

/// One fragment, whose headers were checked: [offset, offset + packet.size_bytes) of the packet's payload. Delivers the packet once it is whole.
void FragmentInput(Stack& stack, Device& device, const IpPacket& packet, uint32_t id, uint32_t offset_bytes,
                   bool has_more, uint64_t now_ns);
/// Of a device that goes.
void DropFragments(Stack& stack, const Device& device);
void StopFragments(Stack& stack);
uint32_t NextPacketId(Stack& stack);
/// Extension headers behind a reassembled packet's fragment header (ip6_input.cc).
bool ContinueExtensions(Stack& stack, Device& device, IpPacket& packet, uint64_t now_ns);

}  // namespace junction::net
