// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 792, RFC 1122 section 3.2.2, RFC 4443 (ICMPv6). Echo, errors about what we sent, and where neighbour discovery comes in.
#include <cerrno>
#include <cstring>

#include "net/checksum.h"
#include "net/ethernet.h"
#include "net/icmp_types.h"
#include "net/udp_state.h"

namespace junction::net {
namespace {

// Of an error message or a discovery message, more than any of use has: 8 bytes, an IPv4 header with options or IPv6's with extensions,
// and the transport's beginning.
constexpr uint32_t kCopied_bytes = 320;
constexpr uint32_t kMaxInnerExtensions = 4;
// RFC 8200, section 5.
constexpr uint32_t kMinimumMtu6_bytes = 1280;

struct ErrnoRow {
  int error;
  bool is_hard;
};
// Linux' icmp_err_convert, by code of "destination unreachable" (ip(7), RFC 1122 section 4.2.3.9).
constexpr ErrnoRow kUnreachable4[16] = {
    {ENETUNREACH, false},  {EHOSTUNREACH, false}, {ENOPROTOOPT, true},  {ECONNREFUSED, true},
    {EMSGSIZE, false},     {EOPNOTSUPP, false},   {ENETUNREACH, true},  {EHOSTDOWN, true},
    {ENONET, true},        {ENETUNREACH, true},   {EHOSTUNREACH, true}, {ENETUNREACH, false},
    {EHOSTUNREACH, false}, {EHOSTUNREACH, true},  {EHOSTUNREACH, true}, {EHOSTUNREACH, true}};
// Linux' tab_unreach.
constexpr ErrnoRow kUnreachable6[7] = {{ENETUNREACH, false},  {EACCES, true},       {EHOSTUNREACH, false},
                                       {EHOSTUNREACH, false}, {ECONNREFUSED, true}, {EACCES, true},
                                       {EACCES, true}};

// The whole message is summed (read once, in pieces); its beginning is kept.
bool CopyAndCheck(const IpPacket& packet, uint8_t* kept, uint32_t kept_bytes) {
  const bool is_v4 = packet.source.is_v4();
  Checksum checksum(is_v4 ? 0 : PseudoSum(packet.source, packet.destination, kProtocolIcmp6, packet.size_bytes));
  checksum.AddCopy(kept, packet.payload, kept_bytes);
  if (!packet.needs_checksum) {
    return true;
  }
  checksum.Add(packet.payload + kept_bytes, packet.size_bytes - kept_bytes);
  return checksum.is_good();
}

// The answer's bytes come from the question's, which may change meanwhile: it is summed as it lies in the answer.
void AnswerEcho(Stack& stack, Device& device, const IpPacket& packet, const uint8_t* header, uint64_t now_ns) {
  const bool is_v4 = packet.source.is_v4();
  if (!stack.options.answers_echo || (packet.is_broadcast && is_v4)) {  // Linux' icmp_echo_ignore_broadcasts
    return;
  }
  if (packet.needs_checksum) {
    Checksum checksum(is_v4 ? 0 : PseudoSum(packet.source, packet.destination, kProtocolIcmp6, packet.size_bytes));
    checksum.Add(header, 8);
    checksum.Add(packet.payload + 8, packet.size_bytes - 8);
    if (!checksum.is_good()) {
      ++stack.counters.icmp_malformed;
      return;
    }
  }
  const IpAddress from = packet.destination.is_multicast() ? AnyAddress(!is_v4) : packet.destination;
  const uint32_t device_index = packet.source.is_link_local() ? device.index : 0;
  Path path;
  if (FindPath(stack, packet.source, from, device_index, path) != 0) {
    return;
  }
  const uint8_t protocol = is_v4 ? kProtocolIcmp : kProtocolIcmp6;
  if ((is_v4 ? kIp4Header_bytes : kIp6Header_bytes) + packet.size_bytes > path.mtu_bytes) {
    AnswerLongEcho(stack, path, packet, header, now_ns);
    return;
  }
  OutgoingPacket answer;
  if (BeginPacket(stack, path, protocol, path.source, packet.source, 64, packet.type_of_service, false,
                  packet.size_bytes, nullptr, answer, now_ns) != BeginResult::kReady) {
    return;
  }
  std::memcpy(answer.transport, header, 8);
  answer.transport[0] = is_v4 ? kEchoReply4 : kEchoReply6;
  StoreBig16(answer.transport + 2, 0);
  std::memcpy(answer.transport + 8, packet.payload + 8, packet.size_bytes - 8);
  FinishPacket(stack, answer, protocol, path.source, packet.source, packet.size_bytes, 2, 0);
  ++stack.counters.icmp_out;
}

// The packet of ours that an error quotes. False: it quotes something else.
bool ReadQuoted(const uint8_t* quoted, uint32_t size_bytes, bool is_v4, IcmpError& out) {
  if (is_v4) {
    const uint32_t header_bytes = size_bytes < kIp4Header_bytes ? 0 : (quoted[0] & 0xfU) * 4;
    // Errors about later fragments say nothing about a transport.
    if (header_bytes < kIp4Header_bytes || quoted[0] >> 4 != 4 || size_bytes < header_bytes + 8 ||
        (LoadBig16(quoted + 6) & 0x1fff) != 0) {
      return false;
    }
    out.source = IpAddress::V4(quoted + 12);
    out.destination = IpAddress::V4(quoted + 16);
    out.protocol = quoted[9];
    out.transport = quoted + header_bytes;
    out.transport_bytes = size_bytes - header_bytes;
    return true;
  }
  if (size_bytes < kIp6Header_bytes + 8 || quoted[0] >> 4 != 6) {
    return false;
  }
  out.source = IpAddress::V6(quoted + 8);
  out.destination = IpAddress::V6(quoted + 24);
  uint8_t type = quoted[6];
  uint32_t at = kIp6Header_bytes;
  for (uint32_t i = 0; i < kMaxInnerExtensions && (type == 0 || type == 43 || type == 44 || type == 60); ++i) {
    if (at + 8 > size_bytes || (type == 44 && (LoadBig16(quoted + at + 2) & 0xfff8) != 0)) {
      return false;
    }
    const uint32_t length = type == 44 ? 8 : (quoted[at + 1] + 1U) * 8;
    type = quoted[at];
    at += length;
  }
  if (at + 8 > size_bytes) {
    return false;
  }
  out.protocol = type;
  out.transport = quoted + at;
  out.transport_bytes = size_bytes - at;
  return true;
}

// RFC 1191, section 7.1: a router that does not say its MTU; the next plateau below the packet's length.
uint32_t PlateauBelow(uint32_t length) {
  static constexpr uint16_t kPlateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68};
  for (const uint16_t plateau : kPlateaus) {
    if (plateau < length) {
      return plateau;
    }
  }
  return 68;
}

// What the message means, as an errno. False: nothing to us.
bool Classify4(const uint8_t* message, IcmpError& out) {
  switch (message[0]) {
    case kUnreachableType4:
      if (out.code >= 16) {
        return false;
      }
      out.error = kUnreachable4[out.code].error;
      out.is_hard = kUnreachable4[out.code].is_hard;
      if (out.code == kFragmentationNeeded) {
        const uint32_t mtu = LoadBig16(message + 6);
        out.mtu_bytes = mtu != 0 ? mtu : PlateauBelow(LoadBig16(message + 8 + 2));
      }
      return true;
    case kTimeExceededType4:
      out.error = EHOSTUNREACH;
      return true;
    case kParameterProblemType4:
      out.error = EPROTO;
      out.is_hard = true;
      return true;
    default:
      return false;  // source quench (RFC 6633) and redirects (a host with one route has no use for them) among them
  }
}

bool Classify6(const uint8_t* message, IcmpError& out) {
  switch (message[0]) {
    case kUnreachableType6:
      out.error = out.code < 7 ? kUnreachable6[out.code].error : EPROTO;
      out.is_hard = out.code >= 7 || kUnreachable6[out.code].is_hard;
      return true;
    case kTooBigType6: {
      out.error = EMSGSIZE;
      const uint32_t mtu = LoadBig32(message + 4);
      out.mtu_bytes = mtu;
      return mtu >= kMinimumMtu6_bytes;  // else it must be discarded (RFC 8201, section 4)
    }
    case kTimeExceededType6:
      out.error = EHOSTUNREACH;
      return true;
    case kParameterProblemType6:
      out.error = EPROTO;
      out.is_hard = true;
      return true;
    default:
      return false;
  }
}

void ErrorInput(Stack& stack, const IpPacket& packet, const uint8_t* message, uint32_t size_bytes, uint64_t now_ns) {
  const bool is_v4 = packet.source.is_v4();
  IcmpError error = {};
  error.type = message[0];
  error.code = message[1];
  if (!ReadQuoted(message + 8, size_bytes - 8, is_v4, error) ||
      !(is_v4 ? Classify4(message, error) : Classify6(message, error))) {
    ++stack.counters.icmp_malformed;
    return;
  }
  // Only about packets that we can have sent, and told to the address that sent them.
  if (!IsOwnAddress(stack, error.source) || !(packet.destination == error.source)) {
    ++stack.counters.icmp_malformed;
    return;
  }
  if (error.protocol == kProtocolTcp) {
    kTcpOps.icmp_error(stack, error, now_ns);
  } else if (error.protocol == kProtocolUdp) {
    kUdpOps.icmp_error(stack, error, now_ns);
  } else if (error.protocol == (is_v4 ? kProtocolIcmp : kProtocolIcmp6)) {
    PingError(stack, error, now_ns);
  }
}

void Input4(Stack& stack, Device& device, const IpPacket& packet, const uint8_t* header, uint64_t now_ns) {
  switch (header[0]) {
    case kEchoRequest4:
      AnswerEcho(stack, device, packet, header, now_ns);
      return;
    case kEchoReply4:
      PingInput(stack, device, packet, header);
      return;
    case kUnreachableType4:
    case kTimeExceededType4:
    case kParameterProblemType4: {
      uint8_t message[kCopied_bytes];
      const uint32_t kept = packet.size_bytes < kCopied_bytes ? packet.size_bytes : kCopied_bytes;
      if (CopyAndCheck(packet, message, kept)) {
        ErrorInput(stack, packet, message, kept, now_ns);
      } else {
        ++stack.counters.icmp_malformed;
      }
      return;
    }
    default:
      return;
  }
}

void Input6(Stack& stack, Device& device, const IpPacket& packet, const uint8_t* header, uint64_t now_ns) {
  const uint8_t type = header[0];
  if (type == kEchoRequest6) {
    AnswerEcho(stack, device, packet, header, now_ns);
    return;
  }
  if (type == kEchoReply6) {
    PingInput(stack, device, packet, header);
    return;
  }
  const bool is_error = type >= kUnreachableType6 && type <= kParameterProblemType6;
  const bool is_discovery = type == kNeighbourSolicitation || type == kNeighbourAdvertisement;
  if (!is_error && !is_discovery) {
    return;  // router advertisements and redirects among them: addresses and routes are junctiond's
  }
  uint8_t message[kCopied_bytes];
  const uint32_t kept = packet.size_bytes < kCopied_bytes ? packet.size_bytes : kCopied_bytes;
  if (!CopyAndCheck(packet, message, kept)) {
    ++stack.counters.icmp_malformed;
  } else if (is_error) {
    ErrorInput(stack, packet, message, kept, now_ns);
  } else if (packet.ttl == 255 &&
             packet.size_bytes <= kCopied_bytes) {  // RFC 4861, section 7.1: nobody off the link can send it
    NeighbourDiscoveryInput(stack, device, packet, message, kept, now_ns);
  } else {
    ++stack.counters.icmp_malformed;
  }
}

void IcmpInput(Stack& stack, Device& device, const IpPacket& packet, uint64_t now_ns) {
  ++stack.counters.icmp_in;
  if (packet.size_bytes < 8) {
    ++stack.counters.icmp_malformed;
    return;
  }
  uint8_t header[8];
  std::memcpy(header, packet.payload, sizeof(header));
  if (packet.source.is_v4()) {
    Input4(stack, device, packet, header, now_ns);
  } else {
    Input6(stack, device, packet, header, now_ns);
  }
}

void IgnoreError(Stack&, const IcmpError&, uint64_t) {}  // ErrorInput goes to PingError
void IgnoreReset(Stack&, Device&, int, uint64_t) {}      // ping sockets are among UDP's

}  // namespace

constinit const ProtocolOps kIcmpOps = {IcmpInput, IgnoreError, ResumeUdp, IgnoreReset, nullptr,
                                        nullptr,   nullptr,     nullptr,   nullptr,     nullptr};

}  // namespace junction::net
