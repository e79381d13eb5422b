// SPDX-License-Identifier: Apache-2.0
// Types and codes of RFC 792, RFC 4443 and RFC 4861.
#pragma once

#include <cstdint>

#include "net/ip.h"

namespace junction::net {

inline constexpr uint8_t kEchoReply4 = 0;
inline constexpr uint8_t kUnreachableType4 = 3;
inline constexpr uint8_t kEchoRequest4 = 8;
inline constexpr uint8_t kTimeExceededType4 = 11;
inline constexpr uint8_t kParameterProblemType4 = 12;
inline constexpr uint8_t kProtocolUnreachable = 2;
inline constexpr uint8_t kPortUnreachable4 = 3;
inline constexpr uint8_t kFragmentationNeeded = 4;
inline constexpr uint8_t kReassemblyExceeded = 1;  // both families

inline constexpr uint8_t kUnreachableType6 = 1;
inline constexpr uint8_t kTooBigType6 = 2;
inline constexpr uint8_t kTimeExceededType6 = 3;
inline constexpr uint8_t kParameterProblemType6 = 4;
inline constexpr uint8_t kEchoRequest6 = 128;
inline constexpr uint8_t kEchoReply6 = 129;
inline constexpr uint8_t kPortUnreachable6 = 4;
inline constexpr uint8_t kUnknownNextHeader = 1;
inline constexpr uint8_t kNeighbourSolicitation = 135;
inline constexpr uint8_t kNeighbourAdvertisement = 136;

/// An answer that does not fit the path's MTU.
void AnswerLongEcho(Stack& stack, const Path& path, const IpPacket& packet, const uint8_t* header, uint64_t now_ns);

}  // namespace junction::net
