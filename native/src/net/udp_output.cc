// SPDX-License-Identifier: Apache-2.0
// Hot path (a datagram that fits, to a known neighbour): no allocation; the caller copies straight into the device's memory.
#include <poll.h>

#include <cerrno>
#include <cstring>

#include "net/checksum.h"
#include "net/ethernet.h"
#include "net/udp_state.h"

namespace junction::net {
namespace {

constexpr uint32_t kMaxPayload4_bytes = 65535 - kIp4Header_bytes - kUdpHeader_bytes;
constexpr uint32_t kMaxPayload6_bytes = 65535 - kUdpHeader_bytes;
constexpr uint8_t kEchoRequest4 = 8;
constexpr uint8_t kEchoRequest6 = 128;

// UDP's header stands in front of the payload, a ping socket's is the payload's beginning.
uint32_t HeaderOf(const UdpSocket& udp) { return udp.is_ping ? 0 : kUdpHeader_bytes; }
uint32_t ChecksumOffsetOf(const UdpSocket& udp) { return udp.is_ping ? 2 : 6; }

int CheckDestination(const UdpSocket& udp, const Endpoint& to, uint32_t size_bytes) {
  const Socket& socket = udp.socket;
  const bool is_v4 = to.address.is_v4();
  if (!udp.is_ping && to.port == 0) {
    return -EINVAL;
  }
  if (udp.is_ping && size_bytes < 8) {
    return -EINVAL;
  }
  if (size_bytes > (is_v4 ? kMaxPayload4_bytes : kMaxPayload6_bytes)) {
    return -EMSGSIZE;
  }
  if (!is_v4 && !socket.is_v6) {
    return -EAFNOSUPPORT;
  }
  const bool is_other_family = !socket.local.address.is_any() && socket.local.address.is_v4() != is_v4;
  return (is_v4 && socket.is_v6 && socket.is_v6_only) || is_other_family ? -ENETUNREACH : 0;
}

int FindUdpPath(UdpSocket& udp, const Endpoint& to, const IpAddress* source, Path& out) {
  Socket& socket = udp.socket;
  Stack& stack = *socket.stack;
  const bool is_peer = source == nullptr && socket.remote.port != 0 && to.address == socket.remote.address;
  if (is_peer && udp.path.device != nullptr && udp.path.route_version == stack.route_version) {
    out = udp.path;
    return 0;
  }
  const bool is_group = to.address.is_multicast();
  if (!is_group && !udp.options.may_broadcast && IsBroadcastAddress(stack, to.address)) {
    return -EACCES;
  }
  IpAddress from = source != nullptr && !source->is_any() ? *source : socket.local.address;
  if (from.is_any() || from.is_multicast() || IsBroadcastAddress(stack, from)) {
    from = AnyAddress(!to.address.is_v4());
  }
  const uint32_t device_index =
      is_group && udp.options.multicast_device != 0 ? udp.options.multicast_device : socket.device_index;
  const int error = FindPath(stack, to.address, from, device_index, out);
  if (error == 0 && is_peer) {
    udp.path = out;
  }
  return error;
}

void WriteUdpHeader(uint8_t* header, uint16_t from, uint16_t to, uint32_t size_bytes) {
  StoreBig16(header, from);
  StoreBig16(header + 2, to);
  StoreBig16(header + 4, static_cast<uint16_t>(size_bytes));
  StoreBig16(header + 6, 0);
}

// A ping socket sends echo requests, with its identifier whatever the caller wrote (icmp(7)).
int PrepareEcho(const UdpSocket& udp, uint8_t* message) {
  if (message[0] != (udp.socket.is_v6 ? kEchoRequest6 : kEchoRequest4) || message[1] != 0) {
    return -EINVAL;
  }
  StoreBig16(message + 2, 0);
  StoreBig16(message + 4, udp.socket.local.port);
  return 0;
}

int NewDraft(UdpSocket& udp, const Path& path, bool loops_back, Span& out) {
  Stack& stack = *udp.socket.stack;
  const uint32_t header = HeaderOf(udp);
  const uint32_t memory = static_cast<uint32_t>(sizeof(PendingDatagram)) + header + udp.draft_bytes;
  if (udp.pending_bytes + memory > udp.send_limit_bytes && udp.pending_bytes != 0) {
    return -EAGAIN;
  }
  auto* const draft = static_cast<PendingDatagram*>(stack.environment.allocate(stack.environment.context, memory));
  if (draft == nullptr) {
    return -ENOBUFS;
  }
  new (draft) PendingDatagram();
  draft->waiter.stack = &stack;
  draft->owner = &udp;
  draft->path = path;
  draft->source = path.source;
  draft->destination = udp.draft_to.address;
  const bool is_group = draft->destination.is_multicast();
  draft->ttl = is_group ? udp.options.multicast_ttl : udp.socket.ttl;
  draft->type_of_service = udp.socket.type_of_service;
  draft->protocol = ProtocolNumberOf(udp);
  draft->loops_back = loops_back;
  draft->transport_bytes = header + udp.draft_bytes;
  draft->memory_bytes = memory;
  udp.draft = draft;
  out = {draft->transport + header, udp.draft_bytes};
  return 0;
}

void LoopBack(Stack& stack, const PendingDatagram& datagram, uint64_t now_ns) {
  Path path;
  path.device = &stack.loopback->device;
  path.next_hop = datagram.destination;
  path.mtu_bytes = path.device->mtu_bytes;
  SendWhole(stack, path, datagram.protocol, datagram.source, datagram.destination, datagram.ttl,
            datagram.type_of_service, datagram.transport, datagram.transport_bytes, nullptr, now_ns);
}

// 0, or why it is not on its way. kUnresolved and kNoRoom: it waits.
int TrySend(PendingDatagram& datagram, uint64_t now_ns) {
  Stack& stack = *datagram.waiter.stack;
  const int result =
      SendWhole(stack, datagram.path, datagram.protocol, datagram.source, datagram.destination, datagram.ttl,
                datagram.type_of_service, datagram.transport, datagram.transport_bytes, &datagram.waiter, now_ns);
  datagram.waiter.protocol = kProtocolPending;
  return result;
}

int SendDraft(UdpSocket& udp, uint64_t now_ns) {
  Stack& stack = *udp.socket.stack;
  PendingDatagram* const draft = udp.draft;
  const uint32_t offset = ChecksumOffsetOf(udp);
  if (udp.is_ping) {
    if (const int error = PrepareEcho(udp, draft->transport); error != 0) {
      DropUdp(udp);
      return error;
    }
  } else {
    WriteUdpHeader(draft->transport, udp.socket.local.port, udp.draft_to.port, draft->transport_bytes);
  }
  const uint64_t pseudo = draft->protocol == kProtocolIcmp
                              ? 0
                              : PseudoSum(draft->source, draft->destination, draft->protocol, draft->transport_bytes);
  auto sum = static_cast<uint16_t>(~FoldSum(SumBytes(draft->transport, draft->transport_bytes, pseudo)));
  sum = sum == 0 && !udp.is_ping ? 0xffff : sum;
  std::memcpy(draft->transport + offset, &sum, 2);
  udp.draft = nullptr;
  if (draft->loops_back) {
    LoopBack(stack, *draft, now_ns);
  }
  const int result = TrySend(*draft, now_ns);
  if (draft->waiter.waiting_node.is_linked()) {
    udp.pending.PushBack(draft->node);
    udp.pending_bytes += draft->memory_bytes;
    return 0;
  }
  FreePending(draft);
  return result;
}

}  // namespace

int BeginUdp(UdpSocket& udp, const Endpoint* to, const IpAddress* source, uint32_t size_bytes, Span& out,
             uint64_t now_ns) {
  Socket& socket = udp.socket;
  Stack& stack = *socket.stack;
  DropUdp(udp);
  if (socket.error != 0) {
    return TakeError(socket);
  }
  if ((udp.shut_sides & 2) != 0) {
    return -EPIPE;
  }
  if (to == nullptr && socket.remote.port == 0) {
    return -EDESTADDRREQ;
  }
  udp.draft_to = to == nullptr ? socket.remote : Endpoint{NormalizeDestination(to->address), to->port};
  udp.draft_bytes = size_bytes;
  if (const int error = CheckDestination(udp, udp.draft_to, size_bytes); error != 0) {
    return error;
  }
  if (socket.port_entry == nullptr) {
    if (const int error = BindPort(stack, ProtocolNumberOf(udp), socket, {socket.local.address, 0}, false);
        error != 0) {
      return error;
    }
  }
  Path path;
  if (const int error = FindUdpPath(udp, udp.draft_to, source, path); error != 0) {
    return error;
  }
  udp.draft_source = path.source;
  const bool is_v4 = udp.draft_to.address.is_v4();
  const uint32_t transport_bytes = HeaderOf(udp) + size_bytes;
  const bool is_too_long = (is_v4 ? kIp4Header_bytes : kIp6Header_bytes) + transport_bytes > path.mtu_bytes;
  if (is_too_long && udp.options.forbids_fragments) {
    return -EMSGSIZE;
  }
  const bool is_group = udp.draft_to.address.is_multicast() ||
                        (udp.options.may_broadcast && IsBroadcastAddress(stack, udp.draft_to.address));
  const bool loops_back =
      is_group && udp.options.loops_multicast && stack.loopback != nullptr && !path.device->is_loopback;
  if (is_too_long || loops_back) {
    return NewDraft(udp, path, loops_back, out);
  }
  const uint8_t ttl = is_group && udp.draft_to.address.is_multicast() ? udp.options.multicast_ttl : socket.ttl;
  switch (BeginPacket(stack, path, ProtocolNumberOf(udp), path.source, udp.draft_to.address, ttl,
                      socket.type_of_service, udp.options.forbids_fragments, transport_bytes, nullptr, udp.packet,
                      now_ns)) {
    case BeginResult::kReady:
      out = {udp.packet.transport + HeaderOf(udp), size_bytes};
      return 0;
    case BeginResult::kUnresolved:
      return NewDraft(udp, path, false, out);
    case BeginResult::kNoRoom:
    default:
      socket.protocol = ProtocolNumberOf(udp);
      if (!socket.waiting_node.is_linked()) {
        path.device->waiting.PushBack(socket.waiting_node);
      }
      return -EAGAIN;
  }
}

int SendUdp(UdpSocket& udp, uint64_t now_ns) {
  Stack& stack = *udp.socket.stack;
  ++stack.counters.udp_out;
  if (udp.draft != nullptr) {
    return SendDraft(udp, now_ns);
  }
  if (udp.packet.frame == nullptr) {
    return -EINVAL;
  }
  const uint32_t transport_bytes = HeaderOf(udp) + udp.draft_bytes;
  if (udp.is_ping) {
    if (const int error = PrepareEcho(udp, udp.packet.transport); error != 0) {
      DropUdp(udp);
      return error;
    }
  } else {
    WriteUdpHeader(udp.packet.transport, udp.socket.local.port, udp.draft_to.port, transport_bytes);
  }
  FinishPacket(stack, udp.packet, ProtocolNumberOf(udp), udp.draft_source, udp.draft_to.address, transport_bytes,
               ChecksumOffsetOf(udp), 0);
  udp.packet.frame = nullptr;
  return 0;
}

void DropUdp(UdpSocket& udp) {
  udp.packet.frame = nullptr;  // nothing was taken from the device
  if (udp.draft != nullptr) {
    FreePending(udp.draft);
    udp.draft = nullptr;
  }
}

void FreePending(PendingDatagram* datagram) {
  const Environment& environment = datagram->waiter.stack->environment;
  if (datagram->node.is_linked()) {
    datagram->node.Unlink();
    datagram->owner->pending_bytes -= datagram->memory_bytes;
  }
  datagram->waiter.waiting_node.Unlink();
  environment.free(environment.context, datagram, datagram->memory_bytes);
}

void ResumeUdp(Socket& socket, int error, uint64_t) {
  socket.error = error != 0 ? error : socket.error;
  Notify(socket, POLLOUT | POLLWRNORM | (error != 0 ? POLLERR : 0));
}

namespace {

void ResumePending(Socket& waiter, int error, uint64_t now_ns) {
  auto& datagram = reinterpret_cast<PendingDatagram&>(waiter);
  UdpSocket& udp = *datagram.owner;
  const bool was_full = udp.pending_bytes >= udp.send_limit_bytes;
  if (error == 0) {
    TrySend(datagram, now_ns);
    if (waiter.waiting_node.is_linked()) {
      return;
    }
  } else if (udp.options.receives_errors || udp.socket.remote.port != 0) {
    udp.socket.error = error;
    Notify(udp.socket, POLLERR | POLLIN | POLLOUT);
  }
  FreePending(&datagram);
  if (was_full) {
    Notify(udp.socket, POLLOUT | POLLWRNORM);
  }
}

}  // namespace

constinit const ProtocolOps kPendingOps = {nullptr, nullptr, ResumePending, nullptr, nullptr,
                                           nullptr, nullptr, nullptr,       nullptr, nullptr};

}  // namespace junction::net
