// SPDX-License-Identifier: Apache-2.0
// Inet sockets are host sockets until there is a NIC. A port that the guest binds becomes a port on the host's 127.0.0.1 which the
// host chose; the control block says which (DESIGN: "a port that the function binds is mapped to a private host port").
//
// The same guest port keeps its host port as long as it can, so that the host itself decides about SO_REUSEADDR, SO_REUSEPORT and
// EADDRINUSE among the instance's sockets exactly as it would natively.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <atomic>

#include "kernel/guest_handlers.h"
#include "kernel/guest_memory.h"
#include "kernel/host_call.h"
#include "kernel/port_table.h"
#include "kernel/socket_address.h"
#include "kernel/uproc.h"

extern "C" {
// Read by entry.S: descriptors through which this process listens. A bit that is set for nothing costs only a slow close.
std::atomic<uint32_t> junction_watched_descriptors[WATCHED_DESCRIPTORS / 32];
}

namespace junction {
namespace {

constexpr int kMptcp = 262;  // IPPROTO_MPTCP
constexpr int kNetlinkRoute = 0;

struct SocketKind {
  int domain = 0;
  int type = 0;
  bool is_inet() const { return domain == AF_INET || domain == AF_INET6; }
  bool is_tcp() const { return is_inet() && type == SOCK_STREAM; }
  bool is_udp() const { return is_inet() && type == SOCK_DGRAM; }
  uint8_t protocol() const { return type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP; }
};

int GetOption(int fd, int level, int name) {
  int value = 0;
  uint32_t size = sizeof(value);
  return HostCall(SYS_getsockopt, fd, level, name, &value, &size) == 0 ? value : 0;
}

void SetOption(int fd, int level, int name, int value) {
  HostCall(SYS_setsockopt, fd, level, name, &value, sizeof(value));
}

// All zero for what is no socket.
SocketKind KindOf(int fd) { return {GetOption(fd, SOL_SOCKET, SO_DOMAIN), GetOption(fd, SOL_SOCKET, SO_TYPE)}; }

uint64_t InodeOf(int fd) {
  struct stat status;
  return HostCall(SYS_fstat, fd, &status) == 0 ? status.st_ino : 0;
}

void Watch(int fd, bool is_watched) {
  if (fd < 0 || fd >= WATCHED_DESCRIPTORS) {
    return;
  }
  const uint32_t bit = 1U << (fd & 31);
  if (is_watched) {
    junction_watched_descriptors[fd / 32].fetch_or(bit, std::memory_order_relaxed);
  } else {
    junction_watched_descriptors[fd / 32].fetch_and(~bit, std::memory_order_relaxed);
  }
}

// Copies an address in. False: leave the call to the host, which finds the fault itself.
bool CopyAddress(uint64_t from, uint64_t size_bytes, AddressBytes& bytes, InetAddress& address) {
  const auto size = static_cast<uint32_t>(size_bytes);
  return size <= sizeof(bytes) && CopyFromGuest(bytes, from, size) && ParseInetAddress(bytes, size, address);
}

// The host address of a socket, or false.
bool HostName(int fd, int call_number, AddressBytes& bytes, uint32_t& size, InetAddress& address) {
  size = sizeof(bytes);
  return HostCall(call_number, fd, bytes, &size) == 0 && ParseInetAddress(bytes, size, address);
}

BoundTo BoundToOf(int fd, const InetAddress& address) {
  if (!address.is_v6) {
    return address.is_any ? BoundTo::kAny4 : BoundTo::kLoopback4;
  }
  if (!address.is_any) {
    return BoundTo::kLoopback6;
  }
  return GetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 0 ? BoundTo::kAny6Only : BoundTo::kAny6;
}

// Binds to 127.0.0.1:port of the host (0 = one that is free).
int64_t BindHost(int fd, bool is_v6, uint16_t port) {
  if (is_v6) {
    SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);  // or the gateway could not reach it at 127.0.0.1
  }
  AddressBytes bytes = {};
  const uint16_t family = is_v6 ? AF_INET6 : AF_INET;
  __builtin_memcpy(bytes, &family, sizeof(family));
  SetHostLoopback(bytes, is_v6, port);
  return HostCall(SYS_bind, fd, bytes, InetAddressSize(is_v6));
}

uint16_t HostPortOf(int fd) {
  AddressBytes bytes;
  uint32_t size = 0;
  InetAddress address;
  return HostName(fd, SYS_getsockname, bytes, size, address) ? address.port : 0;
}

// Binds and records a port that no entry has.
int64_t BindFresh(PortTable& ports, int fd, const SocketKind& kind, const InetAddress& address, BoundTo to) {
  if (const int64_t error = BindHost(fd, address.is_v6, 0); error != 0) {
    return error;
  }
  const uint16_t host_port = HostPortOf(fd);
  const uint16_t guest_port = address.port != 0 ? address.port : host_port;
  // A full table keeps the socket usable inside of the instance as far as it goes; only a listener must be known outside.
  ports.Add(kind.protocol(), guest_port, host_port, InodeOf(fd), to);
  return 0;
}

int64_t BindMapped(int fd, const SocketKind& kind, const InetAddress& address) {
  const BoundTo to = BoundToOf(fd, address);
  PortTable ports(*g_uproc.control);
  ControlPort* const entry = address.port != 0 ? ports.FindCollision(kind.protocol(), address.port, to) : nullptr;
  if (entry == nullptr) {
    return BindFresh(ports, fd, kind, address, to);
  }
  const uint16_t host_port = entry->host_port.load(std::memory_order_relaxed);
  const int64_t result = BindHost(fd, address.is_v6, host_port);
  if (result == 0) {
    entry->inode.store(InodeOf(fd), std::memory_order_relaxed);
    entry->bound_to.store(static_cast<uint8_t>(to), std::memory_order_relaxed);
    return 0;
  }
  if (result == -EADDRINUSE && HasHostListener(host_port, 0) &&
      !HasHostListener(host_port, entry->inode.load(std::memory_order_relaxed))) {
    // Ours is gone, and the host gave its port to somebody else.
    ports.Remove(*entry);
    return BindFresh(ports, fd, kind, address, to);
  }
  return result;
}

// Replaces a loopback address by the host's if the instance has that port. True if `bytes` changed.
// A function that listens on 8080 itself reaches the gateway's 8080 by the host's own address, which no port of the
// instance hides.
bool TranslateTarget(int fd, const SocketKind& kind, AddressBytes& bytes, const InetAddress& address) {
  if (!address.is_any && !address.is_loopback) {
    return false;
  }
  uint16_t host_port = address.port;
  if (!address.is_host) {
    PortTable ports(*g_uproc.control);
    const ControlPort* const entry = ports.FindTarget(kind.protocol(), address.port, address.is_v6);
    if (entry == nullptr) {
      return false;
    }
    host_port = entry->host_port.load(std::memory_order_relaxed);
  }
  if (address.is_v6) {
    SetOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  }
  SetHostLoopback(bytes, address.is_v6, host_port);
  return true;
}

// Hands an address to the guest as getsockname does: cut to its room, the true size told.
int64_t StoreAddress(Call& call, const AddressBytes& bytes, uint32_t size) {
  int32_t room;
  if (!CopyFromGuest(&room, call.arg(2), sizeof(room))) {
    return -EFAULT;
  }
  if (room < 0) {
    return -EINVAL;
  }
  const uint32_t copied = static_cast<uint32_t>(room) < size ? static_cast<uint32_t>(room) : size;
  const bool is_copied = CopyToGuest(call.arg(1), bytes, copied) && CopyToGuest(call.arg(2), &size, sizeof(size));
  return is_copied ? 0 : -EFAULT;
}

// Undoes the mapping in a socket's own address.
void ShowOwnAddress(int fd, const SocketKind& kind, AddressBytes& bytes, const InetAddress& address) {
  PortTable ports(*g_uproc.control);
  const ControlPort* const entry = ports.FindHostPort(kind.protocol(), address.port);
  if (entry == nullptr) {
    return;
  }
  SetPort(bytes, address.is_v6, entry->guest_port.load(std::memory_order_relaxed));
  const bool is_bound_one =
      GetOption(fd, SOL_SOCKET, SO_ACCEPTCONN) != 0 || InodeOf(fd) == entry->inode.load(std::memory_order_relaxed);
  if (is_bound_one) {
    const auto to = static_cast<BoundTo>(entry->bound_to.load(std::memory_order_relaxed));
    const bool is_any = to == BoundTo::kAny4 || to == BoundTo::kAny6 || to == BoundTo::kAny6Only;
    SetGuestAddress(bytes, address.is_v6, is_any);
  }
}

}  // namespace

int64_t SysSocket(Call& call) {
  const int domain = call.fd(0);
  const bool is_inet = domain == AF_INET || domain == AF_INET6;
  if (!is_inet && domain != AF_UNIX && !(domain == AF_NETLINK && call.fd(2) == kNetlinkRoute)) {
    return -EAFNOSUPPORT;
  }
  if (is_inet && call.fd(2) == kMptcp) {
    return -EPROTONOSUPPORT;  // callers fall back to TCP
  }
  return call.Pass();
}

int64_t SysBind(Call& call) {
  AddressBytes bytes = {};
  InetAddress address;
  const int fd = call.fd(0);
  if (!CopyAddress(call.arg(1), call.arg(2), bytes, address)) {
    return call.Pass();
  }
  const SocketKind kind = KindOf(fd);
  const bool is_family_right = kind.domain == (address.is_v6 ? AF_INET6 : AF_INET);
  if (!is_family_right || (!kind.is_tcp() && !kind.is_udp())) {
    return call.Pass();
  }
  if (kind.is_udp() && address.port == 0) {
    return call.Pass();  // a client's socket
  }
  if (!address.is_any && !address.is_loopback) {
    return -EADDRNOTAVAIL;
  }
  if (HostPortOf(fd) != 0) {
    return -EINVAL;  // bound already
  }
  return BindMapped(fd, kind, address);
}

int64_t SysListen(Call& call) {
  const int fd = call.fd(0);
  const SocketKind kind = KindOf(fd);
  if (!kind.is_tcp()) {
    return call.Pass();
  }
  const bool is_v6 = kind.domain == AF_INET6;
  if (HostPortOf(fd) == 0) {
    // The host would choose a port on all its addresses.
    if (const int64_t error = BindMapped(fd, kind, {is_v6, true, false, 0}); error != 0) {
      return error;
    }
  }
  if (const int64_t error = HostCall(SYS_listen, fd, call.fd(1)); error != 0) {
    return error;
  }
  PortTable ports(*g_uproc.control);
  const uint16_t host_port = HostPortOf(fd);
  ControlPort* entry = ports.FindHostPort(IPPROTO_TCP, host_port);
  if (entry == nullptr) {
    entry = ports.Add(IPPROTO_TCP, host_port, host_port, InodeOf(fd), is_v6 ? BoundTo::kAny6 : BoundTo::kAny4);
  }
  if (entry == nullptr) {
    return -EADDRINUSE;  // more listeners than the control block can tell of
  }
  entry->listening.store(1, std::memory_order_release);
  Watch(fd, true);
  ports.Announce();
  return 0;
}

int64_t SysConnect(Call& call) {
  ThreadBlock& thread = call.thread();
  InetAddress address;
  if (!CopyAddress(call.arg(1), call.arg(2), thread.address, address)) {
    return call.Pass();
  }
  const SocketKind kind = KindOf(call.fd(0));
  if (!kind.is_inet() || !TranslateTarget(call.fd(0), kind, thread.address, address)) {
    return call.Pass();
  }
  return call.PassWith(1, thread.address);
}

int64_t SysSendto(Call& call) {
  ThreadBlock& thread = call.thread();
  InetAddress address;
  if (!CopyAddress(call.arg(4), call.arg(5), thread.address, address)) {
    return call.Pass();
  }
  const SocketKind kind = KindOf(call.fd(0));
  if (!kind.is_inet() || !TranslateTarget(call.fd(0), kind, thread.address, address)) {
    return call.Pass();
  }
  return call.PassWith(4, thread.address);
}

int64_t SysGetsockname(Call& call) {
  AddressBytes bytes = {};
  uint32_t size = 0;
  InetAddress address;
  const int fd = call.fd(0);
  if (!HostName(fd, SYS_getsockname, bytes, size, address)) {
    return call.Pass();
  }
  if (const SocketKind kind = KindOf(fd); address.port != 0 && (kind.is_tcp() || kind.is_udp())) {
    ShowOwnAddress(fd, kind, bytes, address);
  }
  return StoreAddress(call, bytes, size);
}

int64_t SysGetpeername(Call& call) {
  AddressBytes bytes = {};
  uint32_t size = 0;
  InetAddress address;
  const int fd = call.fd(0);
  if (!HostName(fd, SYS_getpeername, bytes, size, address)) {
    return call.Pass();
  }
  const SocketKind kind = KindOf(fd);
  if (address.is_loopback && kind.is_inet()) {
    PortTable ports(*g_uproc.control);
    if (const ControlPort* const entry = ports.FindHostPort(kind.protocol(), address.port); entry != nullptr) {
      SetPort(bytes, address.is_v6, entry->guest_port.load(std::memory_order_relaxed));
    }
  }
  return StoreAddress(call, bytes, size);
}

// Only descriptors that listened come here. Others may hold the same socket (fork, dup): the host knows.
int64_t SysClose(Call& call) {
  const int fd = call.fd(0);
  const uint16_t host_port = HostPortOf(fd);
  const bool is_listener = host_port != 0 && GetOption(fd, SOL_SOCKET, SO_ACCEPTCONN) != 0;
  Watch(fd, false);
  const int64_t result = HostCall(SYS_close, fd);
  if (!is_listener) {
    return result;
  }
  PortTable ports(*g_uproc.control);
  ControlPort* const entry = ports.FindHostPort(IPPROTO_TCP, host_port);
  if (entry != nullptr && !HasHostListener(host_port, 0)) {
    entry->listening.store(0, std::memory_order_release);  // the entry stays: see the top of this file
    ports.Announce();
  }
  return result;
}

}  // namespace junction
