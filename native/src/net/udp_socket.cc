// SPDX-License-Identifier: Apache-2.0
// The life of a UDP or ping socket, and reading from it.
#include "net/udp_socket.h"

#include <poll.h>

#include <cerrno>

#include "net/raw_socket.h"
#include "net/udp_state.h"

namespace junction::net {
namespace {

// Linux' SOCK_MIN_RCVBUF, SOCK_MIN_SNDBUF.
constexpr uint32_t kMinReceive_bytes = 2304;
constexpr uint32_t kMinSend_bytes = 4608;
constexpr uint32_t kMaxBuffer_bytes = 16 * 1024 * 1024;

void Disconnect(UdpSocket& udp) {
  Socket& socket = udp.socket;
  if (udp.is_in_connected) {
    socket.stack->udp.connected.Remove(udp.connected_hash);
    udp.is_in_connected = false;
  }
  socket.remote = Endpoint();
  udp.path = Path();
  if (!udp.has_bound_address) {
    socket.local.address = AnyAddress(socket.is_v6);
  }
  if (socket.port_entry == nullptr) {
    return;
  }
  if (!udp.has_bound_port) {
    ReleasePort(*socket.stack, ProtocolNumberOf(udp), socket);
    socket.local.port = 0;
    return;
  }
  socket.port_node.Unlink();
  socket.port_entry->sockets.PushFront(socket.port_node);
}

bool FirstDatagram(UdpSocket& udp, Datagram& out) {
  return udp.received.size_bytes() != 0 && udp.received.CopyOut(0, &out, sizeof(out)) == sizeof(out);
}

}  // namespace

UdpSocket* NewDatagramSocket(Stack& stack, bool is_v6, bool is_ping) {
  auto* const udp = New<UdpSocket>(stack);
  if (udp == nullptr) {
    return nullptr;
  }
  udp->is_ping = is_ping;
  udp->socket.stack = &stack;
  udp->socket.is_v6 = is_v6;
  udp->socket.is_v6_only = is_v6 && is_ping;
  udp->socket.local.address = AnyAddress(is_v6);
  stack.udp.sockets.PushBack(udp->node);
  return udp;
}

UdpSocket* NewUdpSocket(Stack& stack, bool is_v6) { return NewDatagramSocket(stack, is_v6, false); }
UdpSocket* NewPingSocket(Stack& stack, bool is_v6) { return NewDatagramSocket(stack, is_v6, true); }

void CloseUdp(UdpSocket& udp) {
  Stack& stack = *udp.socket.stack;
  DropUdp(udp);
  udp.has_bound_address = udp.has_bound_port = false;
  Disconnect(udp);
  while (ListNode* const node = udp.pending.PopFront()) {
    FreePending(JUNCTION_OWNER(node, PendingDatagram, node));
  }
  DropMemberships(udp);
  udp.received.Clear(stack.pool);
  udp.socket.waiting_node.Unlink();
  udp.node.Unlink();
  Delete(stack, &udp);
}

Socket& SocketOf(UdpSocket& udp) { return udp.socket; }
UdpOptions& OptionsOf(UdpSocket& udp) { return udp.options; }

uint64_t HashConnected(const Stack& stack, uint16_t local_port, const Endpoint& remote) {
  return HashAddress(stack.secret, remote.address, static_cast<uint64_t>(local_port) << 16 | remote.port);
}

int BindUdp(UdpSocket& udp, const Endpoint& local) {
  Socket& socket = udp.socket;
  if (socket.port_entry != nullptr) {
    return -EINVAL;
  }
  const bool is_v4 = local.address.is_v4();
  if (is_v4 ? socket.is_v6 && socket.is_v6_only : !socket.is_v6) {
    return -EINVAL;
  }
  const int result = BindPort(*socket.stack, ProtocolNumberOf(udp), socket, local, false);
  if (result == 0) {
    udp.has_bound_address = !local.address.is_any();
    udp.has_bound_port = local.port != 0;
  }
  return result;
}

int ConnectUdp(UdpSocket& udp, const Endpoint& remote) {
  Socket& socket = udp.socket;
  Stack& stack = *socket.stack;
  if (remote.port == 0 && remote.address.is_any()) {
    Disconnect(udp);
    return 0;
  }
  Endpoint peer = {NormalizeDestination(remote.address), remote.port};
  if (peer.address.is_v4() ? socket.is_v6 && socket.is_v6_only : !socket.is_v6) {
    return peer.address.is_v4() ? -ENETUNREACH : -EAFNOSUPPORT;
  }
  if (!udp.options.may_broadcast && IsBroadcastAddress(stack, peer.address)) {
    return -EACCES;
  }
  const IpAddress own = udp.has_bound_address ? socket.local.address : AnyAddress(!peer.address.is_v4());
  const bool is_group = peer.address.is_multicast();
  Path path;
  if (const int error = FindPath(
          stack, peer.address, is_group && own.is_multicast() ? AnyAddress(!own.is_v4()) : own,
          is_group && udp.options.multicast_device != 0 ? udp.options.multicast_device : socket.device_index, path);
      error != 0) {
    return error;
  }
  if (socket.port_entry == nullptr) {
    if (const int error = BindPort(stack, ProtocolNumberOf(udp), socket, {socket.local.address, 0}, false);
        error != 0) {
      return error;
    }
  }
  if (udp.is_in_connected) {
    stack.udp.connected.Remove(udp.connected_hash);
    udp.is_in_connected = false;
  }
  if (udp.is_ping) {
    peer.port = peer.port == 0 ? 1 : peer.port;  // not 0: that would mean "not connected"
  } else if (!stack.udp.connected.Insert(stack.environment, udp.connected_hash,
                                         HashConnected(stack, socket.local.port, peer))) {
    return -ENOBUFS;
  } else {
    udp.is_in_connected = true;
  }
  socket.remote = peer;
  if (!udp.has_bound_address) {
    socket.local.address = path.source;
  }
  udp.path = path;
  socket.port_node.Unlink();
  socket.port_entry->sockets.PushBack(socket.port_node);
  return 0;
}

bool PeekUdp(UdpSocket& udp, Datagram& out) { return FirstDatagram(udp, out); }

Span ReadUdp(UdpSocket& udp, uint32_t offset_bytes) {
  Datagram first;
  if (!FirstDatagram(udp, first) || offset_bytes >= first.size_bytes) {
    return {};
  }
  Span span = udp.received.ReadSpan(sizeof(Datagram) + offset_bytes);
  const uint32_t rest = first.size_bytes - offset_bytes;
  span.size_bytes = span.size_bytes < rest ? span.size_bytes : rest;
  return span;
}

void PopUdp(UdpSocket& udp) {
  Datagram first;
  if (FirstDatagram(udp, first)) {
    udp.received.Consume(udp.socket.stack->pool, sizeof(Datagram) + first.size_bytes);
  }
}

uint32_t PollUdp(const UdpSocket& udp) {
  uint32_t events = 0;
  const bool is_read_shut = (udp.shut_sides & 1) != 0;
  if (udp.received.size_bytes() != 0 || is_read_shut) {
    events |= POLLIN | POLLRDNORM;
  }
  if (is_read_shut) {
    events |= POLLRDHUP;
  }
  if (udp.shut_sides == 3) {
    events |= POLLHUP;
  }
  if (udp.pending_bytes < udp.send_limit_bytes && !udp.socket.waiting_node.is_linked()) {
    events |= POLLOUT | POLLWRNORM;
  }
  if (udp.socket.error != 0) {
    events |= POLLERR;
  }
  return events;
}

int ShutdownUdp(UdpSocket& udp, uint32_t sides) {
  // Linux shuts it all the same, so that a blocked reader wakes up, and says that it was not connected.
  udp.shut_sides |= sides & 3;
  Notify(udp.socket, POLLIN | POLLRDHUP | (udp.shut_sides == 3 ? POLLHUP : 0) | POLLOUT);
  return udp.socket.remote.port == 0 ? -ENOTCONN : 0;
}

void SetUdpBuffers(UdpSocket& udp, uint32_t receive_bytes, uint32_t send_bytes) {
  const auto bounded = [](uint32_t value, uint32_t minimum) {
    value = value < minimum ? minimum : value;
    return value > kMaxBuffer_bytes ? kMaxBuffer_bytes : value;
  };
  udp.receive_limit_bytes = bounded(receive_bytes, kMinReceive_bytes);
  udp.send_limit_bytes = bounded(send_bytes, kMinSend_bytes);
}

uint32_t UdpReceiveBuffer_bytes(const UdpSocket& udp) { return udp.receive_limit_bytes; }
uint32_t UdpSendBuffer_bytes(const UdpSocket& udp) { return udp.send_limit_bytes; }

uint32_t NextDatagram_bytes(const UdpSocket& udp) {
  Datagram first;
  return FirstDatagram(const_cast<UdpSocket&>(udp), first) ? first.size_bytes
                                                           : 0;  // the queue's hint moves, nothing else
}

}  // namespace junction::net
