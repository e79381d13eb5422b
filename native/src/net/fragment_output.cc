// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 791 section 3.2 (fragmentation), RFC 8200 section 4.5.
#include <cerrno>
#include <cstring>

#include "net/ethernet.h"
#include "net/stack_state.h"

namespace junction::net {
namespace {

constexpr uint8_t kFragmentHeader = 44;
constexpr uint32_t kFragmentHeader_bytes = 8;
constexpr uint16_t kMoreFragments = 0x2000;

int ErrorOf(BeginResult result) {
  switch (result) {
    case BeginResult::kReady:
      return 0;
    case BeginResult::kNoRoom:
      return -EAGAIN;
    case BeginResult::kUnresolved:
    default:
      return -EHOSTUNREACH;
  }
}

}  // namespace

int SendWhole(Stack& stack, const Path& path, uint8_t protocol, const IpAddress& source, const IpAddress& destination,
              uint8_t ttl, uint8_t type_of_service, const uint8_t* transport, uint32_t transport_bytes, Socket* waiter,
              uint64_t now_ns) {
  const bool is_v4 = destination.is_v4();
  const uint32_t header_bytes = is_v4 ? kIp4Header_bytes : kIp6Header_bytes;
  OutgoingPacket packet;
  if (header_bytes + transport_bytes <= path.mtu_bytes) {
    const BeginResult result = BeginPacket(stack, path, protocol, source, destination, ttl, type_of_service, false,
                                           transport_bytes, waiter, packet, now_ns);
    if (result == BeginResult::kReady) {
      std::memcpy(packet.transport, transport, transport_bytes);
      FinishPacket(stack, packet, protocol, source, destination, transport_bytes, ~0U, 0);
    }
    return ErrorOf(result);
  }
  const uint32_t extra_bytes = is_v4 ? 0 : kFragmentHeader_bytes;
  if (path.mtu_bytes < header_bytes + extra_bytes + 8) {
    return -EMSGSIZE;
  }
  const uint32_t piece_bytes = (path.mtu_bytes - header_bytes - extra_bytes) / 8 * 8;
  const uint32_t id = NextPacketId(stack);
  for (uint32_t offset = 0; offset < transport_bytes; offset += piece_bytes) {
    const bool has_more = transport_bytes - offset > piece_bytes;
    const uint32_t size = has_more ? piece_bytes : transport_bytes - offset;
    // Only the first may wait: behind it a lack of room is a loss like any other on the way.
    const BeginResult result =
        BeginPacket(stack, path, is_v4 ? protocol : kFragmentHeader, source, destination, ttl, type_of_service, false,
                    extra_bytes + size, offset == 0 ? waiter : nullptr, packet, now_ns);
    if (result != BeginResult::kReady) {
      return offset == 0 ? ErrorOf(result) : 0;
    }
    if (is_v4) {
      uint8_t* const header = packet.frame + packet.ip_offset;
      StoreBig16(header + 4, static_cast<uint16_t>(id));
      StoreBig16(header + 6, static_cast<uint16_t>(offset / 8 | (has_more ? kMoreFragments : 0U)));
    } else {
      packet.transport[0] = protocol;
      packet.transport[1] = 0;
      StoreBig16(packet.transport + 2, static_cast<uint16_t>(offset | (has_more ? 1U : 0U)));
      StoreBig32(packet.transport + 4, id);
    }
    std::memcpy(packet.transport + extra_bytes, transport + offset, size);
    FinishPacket(stack, packet, protocol, source, destination, extra_bytes + size, ~0U, 0);
    ++stack.counters.fragments_out;
  }
  return 0;
}

}  // namespace junction::net
