// SPDX-License-Identifier: Apache-2.0
#include "net/fragments.h"

#include <cstring>

#include "net/ethernet.h"
#include "net/stack_state.h"

namespace junction::net {
namespace {

constexpr uint32_t kUnit_bytes = 8;
constexpr uint32_t kDataStep_bytes = 8192;
constexpr uint32_t kMaxPayload_bytes = 65535;

uint64_t HashOf(const Stack& stack, const IpPacket& packet, uint32_t id, uint32_t device_index) {
  const uint64_t more = static_cast<uint64_t>(id) << 32 | static_cast<uint64_t>(device_index) << 8 | packet.protocol;
  return HashAddress(stack.secret, packet.source, more ^ packet.destination.low() ^ packet.destination.high());
}

// RFC 791: source, destination, protocol, identification. RFC 8200 leaves the protocol out, as a fragment's may lie; a sender of ours that
// gives it differently in two fragments has made two packets, neither of which becomes whole.
PartialPacket* Find(const Stack& stack, const IpPacket& packet, uint32_t id, uint32_t device_index) {
  const HashTable& table = stack.fragments.packets;
  for (HashNode* node = table.First(HashOf(stack, packet, id, device_index)); node != nullptr;
       node = HashTable::Next(node)) {
    auto* const partial = JUNCTION_HASH_OWNER(node, PartialPacket, hash);
    if (partial->id == id && partial->device_index == device_index && partial->protocol == packet.protocol &&
        partial->source == packet.source && partial->destination == packet.destination) {
      return partial;
    }
  }
  return nullptr;
}

void Drop(PartialPacket& partial) {
  Stack& stack = *partial.stack;
  stack.timers.Cancel(partial.timer);
  stack.fragments.packets.Remove(partial.hash);
  partial.node.Unlink();
  if (partial.data != nullptr) {
    stack.environment.free(stack.environment.context, partial.data, partial.room_bytes);
    stack.fragments.data_bytes -= partial.room_bytes;
  }
  Delete(stack, &partial);
}

void Fail(PartialPacket& partial) {
  ++partial.stack->counters.reassembly_failed;
  Drop(partial);
}

IpPacket PacketOf(const PartialPacket& partial) {
  IpPacket packet = {};
  packet.source = partial.source;
  packet.destination = partial.destination;
  packet.protocol = partial.protocol;
  packet.ttl = partial.ttl;
  packet.type_of_service = partial.type_of_service;
  packet.is_broadcast = partial.is_broadcast;
  packet.needs_checksum = !partial.is_loopback;
  packet.payload = partial.data;
  packet.size_bytes = partial.total_bytes;
  packet.original = partial.original;
  packet.original_bytes = partial.original_bytes;
  return packet;
}

void TimedOut(Timer& timer) {
  PartialPacket& partial = *static_cast<PartialPacket*>(timer.context);
  Stack& stack = *partial.stack;
  Device* const device = FindDevice(stack, partial.device_index);
  // RFC 1122 section 3.3.2, RFC 8200 section 4.5: only if the first fragment has come.
  if (partial.has_first && device != nullptr) {
    SendReassemblyTimeout(stack, *device, PacketOf(partial), stack.now_ns);
  }
  Fail(partial);
}

bool DropOldest(Stack& stack, const PartialPacket* but) {
  for (ListNode* node = stack.fragments.by_age.first(); node != nullptr; node = stack.fragments.by_age.Next(node)) {
    PartialPacket* const oldest = JUNCTION_OWNER(node, PartialPacket, node);
    if (oldest != but) {
      Fail(*oldest);
      return true;
    }
  }
  return false;
}

PartialPacket* Add(Stack& stack, const Device& device, const IpPacket& packet, uint32_t id, uint64_t now_ns) {
  if (stack.fragments.packets.count >= FragmentTable::kMaxPackets) {
    DropOldest(stack, nullptr);
  }
  auto* const partial = New<PartialPacket>(stack);
  if (partial == nullptr) {
    return nullptr;
  }
  partial->stack = &stack;
  partial->device_index = device.index;
  partial->source = packet.source;
  partial->destination = packet.destination;
  partial->id = id;
  partial->protocol = packet.protocol;
  partial->is_broadcast = packet.is_broadcast;
  partial->is_loopback = device.is_loopback;
  partial->total_bytes = ~0U;
  if (!stack.fragments.packets.Insert(stack.environment, partial->hash, HashOf(stack, packet, id, device.index))) {
    Delete(stack, partial);
    return nullptr;
  }
  stack.fragments.by_age.PushBack(partial->node);
  partial->timer.fire = TimedOut;
  partial->timer.context = partial;
  stack.timers.Arm(partial->timer,
                   now_ns + (packet.source.is_v4() ? FragmentTable::kTimeout4_ns : FragmentTable::kTimeout6_ns));
  return partial;
}

// Makes `data` hold `size_bytes`; older packets give way.
bool Grow(PartialPacket& partial, uint32_t size_bytes) {
  Stack& stack = *partial.stack;
  if (size_bytes <= partial.room_bytes) {
    return true;
  }
  uint32_t room = 2 * partial.room_bytes;
  room = room < size_bytes ? size_bytes : room;
  room = (room + kDataStep_bytes - 1) / kDataStep_bytes * kDataStep_bytes;
  while (stack.fragments.data_bytes + room > FragmentTable::kMaxData_bytes) {
    if (!DropOldest(stack, &partial)) {
      return false;
    }
  }
  auto* const data = static_cast<uint8_t*>(stack.environment.allocate(stack.environment.context, room));
  if (data == nullptr) {
    return false;
  }
  if (partial.data != nullptr) {
    std::memcpy(data, partial.data, partial.highest_bytes);
    stack.environment.free(stack.environment.context, partial.data, partial.room_bytes);
    stack.fragments.data_bytes -= partial.room_bytes;
  }
  partial.data = data;
  partial.room_bytes = room;
  stack.fragments.data_bytes += room;
  return true;
}

enum class Cover : uint8_t { kNone, kAll, kSome };

// How much of [first, end) (units) has come already.
Cover CoverOf(const PartialPacket& partial, uint32_t first, uint32_t end) {
  uint32_t present = 0;
  for (uint32_t unit = first; unit < end; ++unit) {
    present += static_cast<uint32_t>(partial.units[unit / 64] >> (unit % 64) & 1);
  }
  if (present == 0) {
    return Cover::kNone;
  }
  return present == end - first ? Cover::kAll : Cover::kSome;
}

// The fragment's bytes, which are read once, and what only it knows.
void Take(PartialPacket& partial, const IpPacket& packet, uint32_t offset_bytes, bool has_more) {
  const uint32_t end_bytes = offset_bytes + packet.size_bytes;
  std::memcpy(partial.data + offset_bytes, packet.payload, packet.size_bytes);
  const uint32_t end = (end_bytes + kUnit_bytes - 1) / kUnit_bytes;
  for (uint32_t unit = offset_bytes / kUnit_bytes; unit < end; ++unit) {
    partial.units[unit / 64] |= 1ULL << (unit % 64);
    ++partial.unit_count;
  }
  partial.highest_bytes = partial.highest_bytes < end_bytes ? end_bytes : partial.highest_bytes;
  if (!has_more) {
    partial.total_bytes = end_bytes;
  }
  if (offset_bytes == 0) {
    partial.has_first = true;
    partial.ttl = packet.ttl;
    partial.type_of_service = packet.type_of_service;
    partial.original_bytes =
        packet.original_bytes < sizeof(partial.original) ? packet.original_bytes : sizeof(partial.original);
    std::memcpy(partial.original, packet.original, partial.original_bytes);
  }
}

bool IsWhole(const PartialPacket& partial) {
  return partial.total_bytes != ~0U && partial.unit_count == (partial.total_bytes + kUnit_bytes - 1) / kUnit_bytes;
}

}  // namespace

void FragmentInput(Stack& stack, Device& device, const IpPacket& packet, uint32_t id, uint32_t offset_bytes,
                   bool has_more, uint64_t now_ns) {
  ++stack.counters.fragments_in;
  const uint32_t end_bytes = offset_bytes + packet.size_bytes;
  const uint32_t header_bytes =
      packet.source.is_v4() ? kIp4Header_bytes : 0;  // what the whole packet's length field counts
  if (packet.size_bytes == 0 || (has_more && packet.size_bytes % kUnit_bytes != 0) ||
      end_bytes + header_bytes > kMaxPayload_bytes) {
    ++stack.counters.ip_malformed;
    return;
  }
  PartialPacket* partial = Find(stack, packet, id, device.index);
  partial = partial == nullptr ? Add(stack, device, packet, id, now_ns) : partial;
  if (partial == nullptr) {
    ++stack.counters.reassembly_failed;
    return;
  }
  const uint32_t first = offset_bytes / kUnit_bytes;
  const uint32_t end = (end_bytes + kUnit_bytes - 1) / kUnit_bytes;
  const Cover cover = CoverOf(*partial, first, end);
  // An end that contradicts another fragment is an overlap too.
  const bool contradicts_end = (partial->total_bytes != ~0U &&
                                (has_more ? end_bytes >= partial->total_bytes : end_bytes != partial->total_bytes)) ||
                               (!has_more && end_bytes < partial->highest_bytes);
  if (cover == Cover::kAll && !contradicts_end) {
    return;  // again
  }
  if (cover == Cover::kSome || contradicts_end || !Grow(*partial, end_bytes)) {
    Fail(*partial);
    return;
  }
  Take(*partial, packet, offset_bytes, has_more);
  if (!IsWhole(*partial)) {
    return;
  }
  ++stack.counters.reassembled;
  IpPacket whole = PacketOf(*partial);
  if (whole.source.is_v4() || ContinueExtensions(stack, device, whole, now_ns)) {
    DeliverPacket(stack, device, whole, now_ns);  // which takes no frame in, so that the table stays as it is
  }
  Drop(*partial);
}

void DropFragments(Stack& stack, const Device& device) {
  ListNode* next = nullptr;
  for (ListNode* node = stack.fragments.by_age.first(); node != nullptr; node = next) {
    next = stack.fragments.by_age.Next(node);
    PartialPacket* const partial = JUNCTION_OWNER(node, PartialPacket, node);
    if (partial->device_index == device.index) {
      Drop(*partial);
    }
  }
}

void StopFragments(Stack& stack) {
  while (ListNode* const node = stack.fragments.by_age.first()) {
    Drop(*JUNCTION_OWNER(node, PartialPacket, node));
  }
  stack.fragments.packets.Free(stack.environment);
}

}  // namespace junction::net
