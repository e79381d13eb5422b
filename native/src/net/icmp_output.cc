// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 1122 section 3.2.2, RFC 4443 section 2.4: what must not be answered with an error, and how often.
#include <cstring>

#include "net/checksum.h"
#include "net/ethernet.h"
#include "net/icmp_types.h"
#include "net/stack_state.h"

namespace junction::net {
namespace {

// Linux' icmp_msgs_per_sec 1000, icmp_msgs_burst 50.
constexpr uint64_t kTokenPeriod_ns = 1000 * 1000;
constexpr uint64_t kBurst = 50;

bool TakeToken(Stack& stack, uint64_t now_ns) {
  TokenBucket& bucket = stack.icmp_tokens;
  if (!bucket.is_filled || now_ns < bucket.last_ns) {
    bucket.tokens_ns = kBurst * kTokenPeriod_ns;
    bucket.is_filled = true;
  } else {
    const uint64_t earned = now_ns - bucket.last_ns;
    const uint64_t room = kBurst * kTokenPeriod_ns - bucket.tokens_ns;
    bucket.tokens_ns += earned < room ? earned : room;
  }
  bucket.last_ns = now_ns;
  if (bucket.tokens_ns < kTokenPeriod_ns) {
    ++stack.counters.icmp_limited;
    return false;
  }
  bucket.tokens_ns -= kTokenPeriod_ns;
  return true;
}

struct ErrorMessage {
  uint8_t type;
  uint8_t code;
  uint32_t parameter;  // the second word
};

void SendError(Stack& stack, Device& device, const IpPacket& packet, const ErrorMessage& message, uint64_t now_ns) {
  const bool is_v4 = packet.source.is_v4();
  // No errors about groups (but RFC 4443's two exceptions, of which we send parameter problem 2), nor to an address that is none.
  const bool is_exception = !is_v4 && message.type == kParameterProblemType6 && message.code == 2;
  if ((packet.is_broadcast && !is_exception) || packet.source.is_any() || packet.source.is_multicast() ||
      !TakeToken(stack, now_ns)) {
    return;
  }
  const IpAddress from = packet.destination.is_multicast() ? AnyAddress(!is_v4) : packet.destination;
  Path path;
  if (FindPath(stack, packet.source, from, packet.source.is_link_local() ? device.index : 0, path) != 0) {
    return;
  }
  const uint8_t protocol = is_v4 ? kProtocolIcmp : kProtocolIcmp6;
  const uint32_t size_bytes = 8 + packet.original_bytes;
  OutgoingPacket out;
  if (BeginPacket(stack, path, protocol, path.source, packet.source, 64, 0, false, size_bytes, nullptr, out, now_ns) !=
      BeginResult::kReady) {
    return;
  }
  out.transport[0] = message.type;
  out.transport[1] = message.code;
  StoreBig16(out.transport + 2, 0);
  StoreBig32(out.transport + 4, message.parameter);
  std::memcpy(out.transport + 8, packet.original, packet.original_bytes);
  FinishPacket(stack, out, protocol, path.source, packet.source, size_bytes, 2, 0);
  ++stack.counters.icmp_out;
}

}  // namespace

void SendPortUnreachable(Stack& stack, Device& device, const IpPacket& packet, uint64_t now_ns) {
  SendError(stack, device, packet,
            packet.source.is_v4() ? ErrorMessage{kUnreachableType4, kPortUnreachable4, 0}
                                  : ErrorMessage{kUnreachableType6, kPortUnreachable6, 0},
            now_ns);
}

void SendProtocolUnreachable(Stack& stack, Device& device, const IpPacket& packet, uint64_t now_ns) {
  // RFC 8200, section 4: the pointer is to the field that named the protocol; behind extension headers we say where the first one is.
  SendError(stack, device, packet,
            packet.source.is_v4() ? ErrorMessage{kUnreachableType4, kProtocolUnreachable, 0}
                                  : ErrorMessage{kParameterProblemType6, kUnknownNextHeader, packet.next_header_offset},
            now_ns);
}

void SendReassemblyTimeout(Stack& stack, Device& device, const IpPacket& packet, uint64_t now_ns) {
  SendError(stack, device, packet,
            {packet.source.is_v4() ? kTimeExceededType4 : kTimeExceededType6, kReassemblyExceeded, 0}, now_ns);
}

void SendParameterProblem(Stack& stack, Device& device, const IpPacket& packet, uint8_t code, uint32_t pointer,
                          uint64_t now_ns) {
  SendError(stack, device, packet, {kParameterProblemType6, code, pointer}, now_ns);
}

void AnswerLongEcho(Stack& stack, const Path& path, const IpPacket& packet, const uint8_t* header, uint64_t now_ns) {
  const Environment& environment = stack.environment;
  auto* const message = static_cast<uint8_t*>(environment.allocate(environment.context, packet.size_bytes));
  if (message == nullptr) {
    return;
  }
  const bool is_v4 = packet.source.is_v4();
  const uint8_t protocol = is_v4 ? kProtocolIcmp : kProtocolIcmp6;
  std::memcpy(message, header, 8);
  message[0] = is_v4 ? kEchoReply4 : kEchoReply6;
  StoreBig16(message + 2, 0);
  std::memcpy(message + 8, packet.payload + 8, packet.size_bytes - 8);
  const uint64_t pseudo = is_v4 ? 0 : PseudoSum(path.source, packet.source, protocol, packet.size_bytes);
  const auto sum = static_cast<uint16_t>(~FoldSum(SumBytes(message, packet.size_bytes, pseudo)));
  std::memcpy(message + 2, &sum, 2);
  if (SendWhole(stack, path, protocol, path.source, packet.source, 64, packet.type_of_service, message,
                packet.size_bytes, nullptr, now_ns) == 0) {
    ++stack.counters.icmp_out;
  }
  environment.free(environment.context, message, packet.size_bytes);
}

}  // namespace junction::net
