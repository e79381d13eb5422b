// SPDX-License-Identifier: Apache-2.0
// How inet sockets get their names and peers. Read first: bind(2), connect(2), accept(2), shutdown(2); inet_stream_connect, inet_shutdown and
// inet_getname of Linux' net/ipv4/af_inet.c, whose order of checks is kept.
#include <netinet/in.h>
#include <poll.h>

#include "kernel/events/epoll_turns.h"
#include "kernel/sockets/net_address.h"
#include "kernel/sockets/net_socket.h"
#include "kernel/sockets/socket_call.h"

namespace junction {
namespace {

using net::TcpState;

constexpr PollEvents kEverything = POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR;
constexpr uint32_t kMaxBacklog = 4096;  // net.core.somaxconn

bool IsConnecting(const net::TcpSocket& tcp) {
  const TcpState state = net::StateOf(tcp);
  return state == TcpState::kSynSent || state == TcpState::kSynReceived;
}

// A link-local address is of one device only: by its scope or the device that the socket is bound to.
int64_t ApplyScope(NetSocket& socket, const NetTarget& target) {
  const net::IpAddress& address = target.endpoint.address;
  if (address.is_v4() || !address.is_link_local()) {
    return 0;
  }
  net::Socket& stack_socket = socket.socket();
  if (target.scope != 0) {
    if (socket.bound_device != 0 && socket.bound_device != target.scope) {
      return -EINVAL;
    }
    stack_socket.device_index = target.scope;
  }
  return stack_socket.device_index == 0 ? -EINVAL : 0;
}

void CopyOptions(const NetSocket& from, net::TcpSocket& to) {
  net::OptionsOf(to) = net::OptionsOf(*from.tcp);
  const net::Socket& old = from.socket();
  net::Socket& fresh = net::SocketOf(to);
  fresh.is_v6_only = old.is_v6_only;
  fresh.reuses_address = old.reuses_address;
  fresh.reuses_port = old.reuses_port;
  fresh.ttl = old.ttl;
  fresh.type_of_service = old.type_of_service;
  fresh.device_index = from.bound_device;
  fresh.owner_uid = old.owner_uid;
}

// connect with AF_UNSPEC: what there was is aborted, the socket is as new but for its options and the port that it was bound to.
int64_t DissolveStream(NetSocket& socket) {
  net::TcpSocket* const fresh = net::NewTcpSocket(InstanceStack(), socket.is_v6());
  if (fresh == nullptr) {
    return -ENOMEM;
  }
  CopyOptions(socket, *fresh);
  const net::Endpoint local = socket.socket().local;
  const TcpState state = net::StateOf(*socket.tcp);
  WithdrawListener(socket);
  net::TcpSocket& old = *socket.tcp;
  net::SocketOf(old).notify = nullptr;
  net::AbortTcp(old, ECONNABORTED, NetNow_ns());
  net::CloseTcp(old, NetNow_ns());
  AdoptTcp(socket, *fresh);
  if (state != TcpState::kClosed && state != TcpState::kListen) {
    net::SocketOf(*fresh).error = ECONNRESET;  // as tcp_disconnect leaves it
  }
  if (socket.is_bound) {
    net::BindTcp(*fresh, local);  // it was ours a moment ago
  }
  socket.state = NetState::kUnconnected;
  socket.shutdown = 0;
  FlushNet();
  socket.file.wait.Wake(kEverything);
  return 0;
}

// 0 or -errno; -EINPROGRESS if there is something to wait for.
int64_t StartConnecting(NetSocket& socket, const AddressBytes& address, uint32_t size_bytes) {
  if (net::StateOf(*socket.tcp) != TcpState::kClosed) {
    return -EISCONN;
  }
  NetTarget target;
  int64_t error = ReadNetAddress(socket, address, size_bytes, target);
  if (error != 0) {
    return error;
  }
  TurnAnyIntoLoopback(socket, target.endpoint.address);
  if (error = ApplyScope(socket, target); error != 0) {
    return error;
  }
  if (target.endpoint.address.is_multicast()) {
    return -ENETUNREACH;
  }
  socket.shutdown = 0;
  return net::ConnectTcp(*socket.tcp, target.endpoint, NetNow_ns());
}

// The handshake is over: how it went.
int64_t FinishConnecting(NetSocket& socket) {
  if (net::StateOf(*socket.tcp) == TcpState::kClosed) {
    socket.state = NetState::kUnconnected;
    const int error = net::TakeError(socket.socket());
    return error != 0 ? error : -ECONNABORTED;
  }
  socket.state = NetState::kConnected;
  return 0;
}

int64_t ConnectStream(NetSocket& socket, const AddressBytes& address, uint32_t size_bytes) {
  if (socket.state == NetState::kConnected) {
    return -EISCONN;
  }
  int64_t pending = -EALREADY;
  if (socket.state == NetState::kUnconnected) {
    const int64_t error = StartConnecting(socket, address, size_bytes);
    if (error != 0 && error != -EINPROGRESS) {
      return error;
    }
    socket.state = NetState::kConnecting;
    pending = -EINPROGRESS;
    if (socket.file.is_nonblocking()) {
      FlushNet();
      return pending;
    }
  }
  SocketDeadline deadline(socket.file.send_timeout_ns);
  bool has_polled = false;
  while (IsConnecting(*socket.tcp)) {
    if (const int64_t error = AwaitNet(socket, POLLOUT, socket.file.is_nonblocking(), deadline, has_polled);
        error != 0) {
      return error == -EAGAIN ? pending : error;
    }
  }
  return FinishConnecting(socket);
}

int64_t ConnectDatagram(NetSocket& socket, const AddressBytes& address, uint32_t size_bytes) {
  if (FamilyOf(address) == AF_UNSPEC) {
    const int64_t error = net::ConnectUdp(*socket.udp, net::Endpoint{});
    socket.state = error == 0 ? NetState::kUnconnected : socket.state;
    return error;
  }
  NetTarget target;
  int64_t error = ReadNetAddress(socket, address, size_bytes, target);
  if (error != 0) {
    return error;
  }
  TurnAnyIntoLoopback(socket, target.endpoint.address);
  if (error = ApplyScope(socket, target); error != 0) {
    return error;
  }
  error = net::ConnectUdp(*socket.udp, target.endpoint);
  if (error == 0) {
    socket.state = NetState::kConnected;
    socket.file.wait.Wake(POLLOUT);
  }
  return error;
}

// The first connection of the queue, which is the caller's. One uthread is woken for each that comes.
int64_t AwaitConnection(NetSocket& listener, net::TcpSocket*& out) {
  SocketDeadline deadline(listener.file.receive_timeout_ns);
  bool has_polled = false;
  while (true) {
    if (net::StateOf(*listener.tcp) != TcpState::kListen) {
      return -EINVAL;
    }
    out = net::AcceptTcp(*listener.tcp);
    if (out != nullptr) {
      return 0;
    }
    Waiter waiter(listener.file.wait, POLLIN | POLLERR | POLLHUP, true);
    FlushNet();
    if (!has_polled && !waiter.was_notified && MayHaveFrames()) {
      has_polled = true;
      PollNet();
    }
    if (waiter.was_notified) {
      continue;
    }
    const int64_t error = listener.file.is_nonblocking() ? -EAGAIN : deadline.Wait();
    if (error == 0) {
      continue;
    }
    if (waiter.was_notified) {
      waiter.node.Unlink();
      listener.file.wait.Wake(POLLIN);  // it was meant for one of us, who does not take it
    }
    return error;
  }
}

NetSocket* NewAccepted(const NetSocket& listener, net::TcpSocket& tcp, uint32_t flags) {
  NetSocket* const accepted = NewNetSocket(listener.file.host_domain, NetKind::kTcp, &tcp, nullptr, flags);
  if (accepted == nullptr) {
    net::CloseTcp(tcp, NetNow_ns());
    return nullptr;
  }
  accepted->state = NetState::kConnected;
  accepted->flags = listener.flags;
  accepted->bound_device = listener.bound_device;
  accepted->priority = listener.priority;
  accepted->receive_low_water = listener.receive_low_water;
  accepted->linger_time = listener.linger_time;
  accepted->ttl4 = listener.ttl4;
  accepted->unicast_hops6 = listener.unicast_hops6;
  accepted->mtu_discover4 = listener.mtu_discover4;
  accepted->mtu_discover6 = listener.mtu_discover6;
  accepted->file.receive_timeout_ns = listener.file.receive_timeout_ns;
  accepted->file.send_timeout_ns = listener.file.send_timeout_ns;
  return accepted;
}

bool HasPeer(const NetSocket& socket) {
  if (!socket.is_tcp()) {
    return socket.state == NetState::kConnected;
  }
  const TcpState state = net::StateOf(*socket.tcp);
  return state != TcpState::kClosed && state != TcpState::kSynSent && state != TcpState::kListen &&
         socket.socket().remote.port != 0;
}

int64_t ShutdownStream(NetSocket& socket, uint8_t sides) {
  const bool is_listener = net::StateOf(*socket.tcp) == TcpState::kListen;
  if (is_listener && (sides & 1) == 0) {
    return 0;  // as Linux: nothing to shut down
  }
  const int64_t error = net::ShutdownTcp(*socket.tcp, sides, NetNow_ns());
  if (is_listener) {
    WithdrawListener(socket);
  }
  if (net::StateOf(*socket.tcp) == TcpState::kClosed && socket.state == NetState::kConnecting) {
    socket.state = NetState::kUnconnected;
  }
  return error;
}

}  // namespace

int64_t BindNet(NetSocket& socket, const AddressBytes& address, uint32_t size_bytes) {
  NetTarget target;
  int64_t error = ReadBindAddress(socket, address, size_bytes, target);
  if (error != 0) {
    return error;
  }
  if (error = ApplyScope(socket, target); error != 0) {
    return error;
  }
  error = socket.is_tcp() ? net::BindTcp(*socket.tcp, target.endpoint) : net::BindUdp(*socket.udp, target.endpoint);
  socket.is_bound = socket.is_bound || error == 0;
  return error;
}

int64_t ListenNet(NetSocket& socket, int backlog) {
  if (!socket.is_tcp()) {
    return -EOPNOTSUPP;
  }
  const TcpState state = net::StateOf(*socket.tcp);
  if (state != TcpState::kClosed && state != TcpState::kListen) {
    return -EINVAL;
  }
  if (socket.socket().local.port == 0) {
    net::Endpoint any;
    if (!socket.is_v6()) {
      any.address = net::IpAddress::V4(0, 0, 0, 0);
    }
    if (const int64_t error = net::BindTcp(*socket.tcp, any); error != 0) {
      return error;
    }
  }
  const auto wanted = static_cast<uint32_t>(backlog);  // a negative one is the largest
  const int64_t error = net::ListenTcp(*socket.tcp, wanted < kMaxBacklog ? wanted : kMaxBacklog);
  if (error == 0) {
    PublishListener(socket);
  }
  return error;
}

int64_t ConnectNet(NetSocket& socket, const AddressBytes& address, uint32_t size_bytes) {
  if (size_bytes < sizeof(uint16_t)) {
    return -EINVAL;
  }
  if (!socket.is_tcp()) {
    return ConnectDatagram(socket, address, size_bytes);
  }
  return FamilyOf(address) == AF_UNSPEC ? DissolveStream(socket) : ConnectStream(socket, address, size_bytes);
}

int64_t AcceptNet(NetSocket& socket, uint32_t flags, AddressBytes& address, uint32_t& size_bytes) {
  if (!socket.is_tcp()) {
    return -EOPNOTSUPP;
  }
  net::TcpSocket* tcp = nullptr;
  SettleTurn(socket.file);
  if (const int64_t error = AwaitConnection(socket, tcp); error != 0) {
    return error;
  }
  NetSocket* const accepted = NewAccepted(socket, *tcp, flags & SOCK_NONBLOCK);
  if (accepted == nullptr) {
    return -ENOMEM;
  }
  if (size_bytes != 0) {
    const net::Socket& peer = accepted->socket();
    size_bytes = WriteNetAddress(*accepted, peer.remote, peer.device_index, address);
  }
  return InstallFile(accepted->file, (flags & SOCK_CLOEXEC) != 0);
}

int64_t ShutdownNet(NetSocket& socket, int how) {
  if (how < SHUT_RD || how > SHUT_RDWR) {
    return -EINVAL;
  }
  const auto sides = static_cast<uint8_t>(how + 1);
  const int64_t error = socket.is_tcp() ? ShutdownStream(socket, sides) : net::ShutdownUdp(*socket.udp, sides);
  socket.shutdown |= sides;  // also of one that is not connected (inet_shutdown)
  FlushNet();
  socket.file.wait.Wake(kEverything);
  return !socket.is_tcp() && socket.state != NetState::kConnected ? -ENOTCONN : error;
}

int64_t NameNet(NetSocket& socket, bool is_peer, AddressBytes& address, uint32_t& size_bytes) {
  if (is_peer && !HasPeer(socket)) {
    return -ENOTCONN;
  }
  const net::Socket& stack_socket = socket.socket();
  size_bytes =
      WriteNetAddress(socket, is_peer ? stack_socket.remote : stack_socket.local, stack_socket.device_index, address);
  return 0;
}

}  // namespace junction
