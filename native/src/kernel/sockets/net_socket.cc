// SPDX-License-Identifier: Apache-2.0
// Hot path of a server: read and write allocate nothing and make no host call but the doorbell's.
#include "kernel/sockets/net_socket.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/syscall.h>

#include "kernel/guest/guest_memory.h"
#include "kernel/process/uproc.h"
#include "kernel/sockets/socket_call.h"
#include "net/raw_socket.h"
#include "uthread/arena.h"

namespace junction {
namespace {

constexpr uint32_t kDefaultHops = 64;

// From within the stack: whoever waits is told, no more.
void OnNetEvent(net::Socket& socket, uint32_t events) { static_cast<NetSocket*>(socket.owner)->file.wait.Wake(events); }

void Join(NetSocket& owner) {
  net::Socket& socket = owner.socket();
  socket.owner = &owner;
  socket.notify = &OnNetEvent;
}

int64_t Read(File& file, GuestBuffer& to, bool is_nonblocking) {
  if (to.size() == 0) {
    return 0;
  }
  SocketMessage message;
  message.data = to;
  message.flags = is_nonblocking ? MSG_DONTWAIT : 0;
  NetSocket& socket = NetSocketOf(file);
  const int64_t result = socket.is_tcp() ? ReceiveStream(socket, message) : ReceiveDatagram(socket, message);
  to = message.data;
  return result;
}

int64_t Write(File& file, GuestBuffer& from, bool is_nonblocking) {
  SocketMessage message;
  message.data = from;
  message.flags = is_nonblocking ? MSG_DONTWAIT : 0;
  NetSocket& socket = NetSocketOf(file);
  const int64_t result = socket.is_tcp() ? SendStream(socket, message) : SendDatagram(socket, message);
  from = message.data;
  return result;
}

PollEvents Poll(File& file) {
  NetSocket& socket = NetSocketOf(file);
  PollEvents events = socket.is_tcp() ? net::PollTcp(*socket.tcp) : net::PollUdp(*socket.udp);
  if ((events & POLLIN) != 0 && socket.is_tcp() && socket.receive_low_water > 1 &&
      net::StateOf(*socket.tcp) == net::TcpState::kEstablished && (events & (POLLRDHUP | POLLERR | POLLHUP)) == 0 &&
      net::Readable_bytes(*socket.tcp) < static_cast<uint32_t>(socket.receive_low_water)) {
    events &= ~PollEvents{POLLIN};
  }
  events |= (events & POLLIN) != 0 ? POLLRDNORM : 0;
  events |= (events & POLLOUT) != 0 ? POLLWRNORM : 0;
  return events;
}

int64_t StoreInt(uint64_t to, uint32_t value) { return CopyToGuest(to, &value, sizeof(value)) ? 0 : -EFAULT; }

int64_t Ioctl(File& file, uint32_t command, uint64_t argument) {
  const NetSocket& socket = NetSocketOf(file);
  const bool is_listening = socket.is_tcp() && net::StateOf(*socket.tcp) == net::TcpState::kListen;
  switch (command) {
    case FIONREAD:  // SIOCINQ
      if (is_listening) {
        return -EINVAL;
      }
      return StoreInt(argument,
                      socket.is_tcp() ? net::Readable_bytes(*socket.tcp) : net::NextDatagram_bytes(*socket.udp));
    case TIOCOUTQ:  // SIOCOUTQ
      if (is_listening) {
        return -EINVAL;
      }
      return StoreInt(argument, socket.is_tcp() ? net::Unacknowledged_bytes(*socket.tcp) : 0);
    case SIOCOUTQNSD:
      return socket.is_tcp() && !is_listening ? StoreInt(argument, net::Unsent_bytes(*socket.tcp)) : -EINVAL;
    case SIOCATMARK:
      return socket.is_tcp() ? StoreInt(argument, 0) : -ENOTTY;
    default:
      return DeviceIoctl(command, argument);
  }
}

void Stat(File& file, struct stat& out) {
  out.st_mode = S_IFSOCK | 0777;
  out.st_ino = file.inode;
  out.st_nlink = 1;
  out.st_blksize = 4096;
}

// What the peer has not yet acknowledged, the end of the stream included.
bool HasUnsent(const NetSocket& socket) {
  switch (net::StateOf(*socket.tcp)) {
    case net::TcpState::kFinWait1:
    case net::TcpState::kClosing:
    case net::TcpState::kLastAck:
      return true;
    case net::TcpState::kEstablished:
    case net::TcpState::kCloseWait:
      return net::Unacknowledged_bytes(*socket.tcp) != 0;
    default:
      return false;
  }
}

// Whether the current thread is in a call that closes descriptors, and may wait there: not at the end of a process, as in Linux, nor in exec.
bool IsInClose() {
  switch (CurrentThread().syscall_number) {
    case SYS_close:
    case SYS_close_range:
    case SYS_dup2:
    case SYS_dup3:
      return CurrentProcess().state != UProcState::kEnding;
    default:
      return false;
  }
}

// The last descriptor is closed, with SO_LINGER and a time: waits until all is acknowledged, but not longer.
void Linger(File& file) {
  NetSocket& socket = NetSocketOf(file);
  const bool is_last = file.references == 1;
  if (!is_last || !socket.is_tcp() || socket.linger_time.l_onoff == 0 || socket.linger_time.l_linger <= 0 ||
      !IsInClose() || !HasUnsent(socket)) {
    return;
  }
  net::ShutdownTcp(*socket.tcp, 2, NetNow_ns());
  // The stack tells of room in the send buffer, not of the acknowledgement of the last byte: it is looked for now and then.
  constexpr uint64_t kLook_ns = 10'000'000;
  const uint64_t end_ns = NetNow_ns() + static_cast<uint64_t>(socket.linger_time.l_linger) * 1'000'000'000;
  FlushNet();
  for (uint64_t now_ns = NetNow_ns(); HasUnsent(socket) && now_ns < end_ns; now_ns = NetNow_ns()) {
    Waiter waiter(file.wait);
    const uint64_t look_ns = now_ns + kLook_ns;
    if (Park(look_ns < end_ns ? look_ns : end_ns) == WakeReason::kInterrupted) {
      break;
    }
  }
}

void Release(File& file) {
  NetSocket& socket = NetSocketOf(file);
  WithdrawListener(socket);
  DropCork(socket);
  socket.all_node.Unlink();
  socket.socket().notify = nullptr;
  if (socket.is_tcp()) {
    net::CloseTcp(*socket.tcp, NetNow_ns());
  } else {
    net::CloseUdp(*socket.udp);
  }
  FlushNet();
  ArenaDelete(&socket);
}

NetSocket* MakeSocket(int domain, int type, int protocol, uint32_t status_flags) {
  net::Stack& stack = InstanceStack();
  const bool is_v6 = domain == AF_INET6;
  const bool is_ping = protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
  if (type == SOCK_STREAM) {
    net::TcpSocket* const tcp = net::NewTcpSocket(stack, is_v6);
    NetSocket* const socket =
        tcp == nullptr ? nullptr : NewNetSocket(domain, NetKind::kTcp, tcp, nullptr, status_flags);
    if (socket == nullptr && tcp != nullptr) {
      net::CloseTcp(*tcp, NetNow_ns());
    }
    return socket;
  }
  net::UdpSocket* const udp = is_ping ? net::NewPingSocket(stack, is_v6) : net::NewUdpSocket(stack, is_v6);
  NetSocket* const socket =
      udp == nullptr ? nullptr
                     : NewNetSocket(domain, is_ping ? NetKind::kPing : NetKind::kUdp, nullptr, udp, status_flags);
  if (socket == nullptr && udp != nullptr) {
    net::CloseUdp(*udp);
  }
  return socket;
}

int ProtocolOf(int domain, NetKind kind) {
  if (kind == NetKind::kPing) {
    return domain == AF_INET6 ? static_cast<int>(IPPROTO_ICMPV6) : static_cast<int>(IPPROTO_ICMP);
  }
  return kind == NetKind::kTcp ? IPPROTO_TCP : IPPROTO_UDP;
}

int64_t Bind(File& file, int, AddressBytes& address, uint32_t size_bytes) {
  return BindNet(NetSocketOf(file), address, size_bytes);
}
int64_t Listen(File& file, int, int backlog) { return ListenNet(NetSocketOf(file), backlog); }
int64_t Connect(File& file, int, AddressBytes& address, uint32_t size_bytes) {
  const FileReference kept(file);
  return ConnectNet(NetSocketOf(file), address, size_bytes);
}
int64_t Accept(File& file, int, uint32_t flags, AddressBytes& address, uint32_t& size_bytes) {
  const FileReference kept(file);
  return AcceptNet(NetSocketOf(file), flags, address, size_bytes);
}
int64_t Shutdown(File& file, int, int how) { return ShutdownNet(NetSocketOf(file), how); }
int64_t Name(File& file, int, bool is_peer, AddressBytes& address, uint32_t& size_bytes) {
  return NameNet(NetSocketOf(file), is_peer, address, size_bytes);
}
int64_t SetOption(File& file, int, int level, int option, uint64_t value, int32_t size_bytes) {
  return SetNetOption(NetSocketOf(file), level, option, value, size_bytes);
}
int64_t GetOption(File& file, int, int level, int option, uint64_t value, uint64_t room) {
  return GetNetOption(NetSocketOf(file), level, option, value, room);
}
int64_t Send(File& file, int, SocketMessage& message) {
  const FileReference kept(file);
  NetSocket& socket = NetSocketOf(file);
  return socket.is_tcp() ? SendStream(socket, message) : SendDatagram(socket, message);
}
int64_t Receive(File& file, int, SocketMessage& message) {
  const FileReference kept(file);
  NetSocket& socket = NetSocketOf(file);
  return socket.is_tcp() ? ReceiveStream(socket, message) : ReceiveDatagram(socket, message);
}

}  // namespace

const FileOps kNetSocketFileOps = {
    .name = "socket",
    .read = Read,
    .write = Write,
    .poll = Poll,
    .ioctl = Ioctl,
    .stat = Stat,
    .release = Release,
    .flush = Linger,
};

const SocketOps kNetCalls = {Bind, Listen, Connect, Accept, Shutdown, Name, SetOption, GetOption, Send, Receive};

NetSocket* NewNetSocket(int domain, NetKind kind, net::TcpSocket* tcp, net::UdpSocket* udp, uint32_t status_flags) {
  auto* const socket = ArenaNew<NetSocket>();
  if (socket == nullptr) {
    return nullptr;
  }
  InitFile(socket->file, kNetSocketFileOps, FileKind::kNetSocket, O_RDWR | (status_flags & O_NONBLOCK));
  socket->file.host_domain = domain;
  socket->file.host_type = kind == NetKind::kTcp ? SOCK_STREAM : SOCK_DGRAM;
  socket->file.host_protocol = ProtocolOf(domain, kind);
  socket->kind = kind;
  socket->tcp = tcp;
  socket->udp = udp;
  socket->receive_low_water = 1;
  socket->unicast_hops6 = -1;
  socket->ttl4 = -1;
  socket->multicast_hops6 = 1;
  socket->has_multicast_loop4 = socket->has_multicast_loop6 = true;
  socket->mtu_discover4 = IP_PMTUDISC_WANT;
  socket->mtu_discover6 = IPV6_PMTUDISC_WANT;
  socket->pacing_bytes = ~0ULL;
  socket->Set(NetFlag::kMulticastAll, true);
  socket->Set(NetFlag::kMulticastAll6, true);
  socket->Set(NetFlag::kAutoFlowLabel, true);
  Join(*socket);
  TheInstance().net_sockets.PushBack(socket->all_node);
  return socket;
}

void AdoptTcp(NetSocket& socket, net::TcpSocket& tcp) {
  socket.tcp = &tcp;
  Join(socket);
}

int64_t OpenNetSocket(int domain, int type, int protocol, uint32_t flags) {
  NetSocket* const socket = MakeSocket(domain, type, protocol, flags);
  if (socket == nullptr) {
    return -ENOBUFS;
  }
  socket->socket().ttl = kDefaultHops;
  return InstallFile(socket->file, (flags & SOCK_CLOEXEC) != 0);
}

int64_t AwaitNet(NetSocket& socket, PollEvents events, bool is_nonblocking, SocketDeadline& deadline,
                 bool& has_polled) {
  // In the queue first: what goes out may come back at once, over the loopback device.
  Waiter waiter(socket.file.wait, events | POLLERR | POLLHUP);
  FlushNet();
  if (!has_polled && !waiter.was_notified && MayHaveFrames()) {
    has_polled = true;
    PollNet();
  }
  if (waiter.was_notified) {
    return 0;
  }
  return is_nonblocking ? -EAGAIN : deadline.Wait();
}

}  // namespace junction
