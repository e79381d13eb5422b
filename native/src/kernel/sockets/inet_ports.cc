// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets/inet_ports.h"

#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "kernel/process/uproc.h"
#include "uthread/host_call.h"

namespace junction {
namespace {

uint8_t ProtocolOf(const File& file) { return IsTcp(file) ? IPPROTO_TCP : IPPROTO_UDP; }
bool HasPorts(const File& file) { return IsTcp(file) || IsUdp(file); }

void AllowBothFamilies(int fd) {
  const int off = 0;
  HostCall(SYS_setsockopt, fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
}

bool IsV6Only(int fd) {
  int value = 0;
  uint32_t size = sizeof(value);
  return HostCall(SYS_getsockopt, fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, &size) == 0 && value != 0;
}

uint64_t InodeOf(int fd) {
  struct stat status;
  return HostCall(SYS_fstat, fd, &status) == 0 ? status.st_ino : 0;
}

BoundTo BoundToOf(int fd, const InetAddress& address) {
  if (!address.is_v6) {
    return address.is_any ? BoundTo::kAny4 : BoundTo::kLoopback4;
  }
  if (!address.is_any) {
    return BoundTo::kLoopback6;
  }
  return IsV6Only(fd) ? BoundTo::kAny6Only : BoundTo::kAny6;
}

// Binds to 127.0.0.1:port of the host (0 = one that is free).
int64_t BindHost(int fd, bool is_v6, uint16_t port) {
  if (is_v6) {
    AllowBothFamilies(fd);  // or the gateway could not reach it at 127.0.0.1
  }
  AddressBytes bytes = {};
  const uint16_t family = is_v6 ? AF_INET6 : AF_INET;
  __builtin_memcpy(bytes, &family, sizeof(family));
  SetHostLoopback(bytes, is_v6, port);
  return HostCall(SYS_bind, fd, bytes, InetAddressSize(is_v6));
}

void UseEntry(HostSocket& socket, ControlPort& entry, uint16_t host_port, BoundTo to) {
  socket.host_port = host_port;
  socket.bound_to = to;
  entry.users.fetch_add(1, std::memory_order_relaxed);
}

bool IsOwnPort(uint16_t port) {
  const List& own_ports = TheInstance().own_ports;
  for (ListNode* node = own_ports.head.next; node != nullptr && node != &own_ports.head; node = node->next) {
    if (JUNCTION_OWNER(node, HostSocket, own_port_node)->own_port == port) {
      return true;
    }
  }
  return false;
}

// Binds and records a port that no entry has.
int64_t BindFresh(PortTable& ports, File& file, int fd, const InetAddress& address, BoundTo to) {
  // A socket that has the number from the host: whether they can share it is the host's to say.
  const uint16_t wanted = IsUdp(file) && IsOwnPort(address.port) ? address.port : 0;
  if (const int64_t error = BindHost(fd, address.is_v6, wanted); error != 0) {
    return error;
  }
  const uint16_t host_port = HostPortOf(fd);
  const uint16_t guest_port = address.port != 0 ? address.port : host_port;
  // A full table keeps the socket usable inside of the instance as far as it goes; only a listener must be known outside.
  if (ControlPort* const entry = ports.Add(ProtocolOf(file), guest_port, host_port, InodeOf(fd), to);
      entry != nullptr) {
    UseEntry(*HostSocketOf(file), *entry, host_port, to);
  }
  return 0;
}

}  // namespace

uint16_t HostPortOf(int fd) {
  AddressBytes bytes;
  uint32_t size = sizeof(bytes);
  InetAddress address;
  const bool is_known = HostCall(SYS_getsockname, fd, bytes, &size) == 0 && ParseInetAddress(bytes, size, address);
  return is_known ? address.port : 0;
}

int64_t BindPort(File& file, int fd, const InetAddress& address) {
  HostSocket* const socket = EnsureHostSocket(file);
  if (socket == nullptr) {
    return -ENOMEM;
  }
  const BoundTo to = BoundToOf(fd, address);
  PortTable ports(*g_image.control);
  ControlPort* const entry = address.port != 0 ? ports.FindCollision(ProtocolOf(file), address.port, to) : nullptr;
  if (entry == nullptr) {
    return BindFresh(ports, file, fd, address, to);
  }
  const uint16_t host_port = entry->host_port.load(std::memory_order_relaxed);
  const int64_t result = BindHost(fd, address.is_v6, host_port);
  if (result == 0) {
    entry->inode.store(InodeOf(fd), std::memory_order_relaxed);
    entry->bound_to.store(static_cast<uint8_t>(to), std::memory_order_relaxed);
    UseEntry(*socket, *entry, host_port, to);
    return 0;
  }
  if (result == -EADDRINUSE && entry->users.load(std::memory_order_relaxed) == 0 && HasHostListener(host_port, 0)) {
    // Ours is gone, and the host gave its port to somebody else. (Without a listener it is a connection of ours that lingers.)
    ports.Remove(*entry);
    return BindFresh(ports, file, fd, address, to);
  }
  return result;
}

int64_t BindOwnPort(File& file, int fd, const AddressBytes& address, uint32_t size_bytes) {
  const int64_t error = HostCall(SYS_bind, fd, address, size_bytes);
  HostSocket* const socket = error == 0 ? EnsureHostSocket(file) : nullptr;
  if (socket != nullptr && !socket->own_port_node.is_linked()) {
    socket->own_port = HostPortOf(fd);
    TheInstance().own_ports.PushBack(socket->own_port_node);
  }
  return error;
}

int64_t AnnounceListener(File& file, int fd) {
  HostSocket* const socket = EnsureHostSocket(file);
  if (socket == nullptr) {
    return -ENOMEM;
  }
  if (socket->is_listening) {
    return 0;
  }
  PortTable ports(*g_image.control);
  const uint16_t host_port = HostPortOf(fd);
  ControlPort* entry = ports.FindHostPort(IPPROTO_TCP, host_port);
  if (entry == nullptr) {
    const BoundTo to = file.host_domain == AF_INET6 ? BoundTo::kAny6 : BoundTo::kAny4;
    entry = ports.Add(IPPROTO_TCP, host_port, host_port, InodeOf(fd), to);
    if (entry == nullptr) {
      return -EADDRINUSE;
    }
    UseEntry(*socket, *entry, host_port, to);
  } else if (socket->host_port == 0) {
    UseEntry(*socket, *entry, host_port, static_cast<BoundTo>(entry->bound_to.load(std::memory_order_relaxed)));
  }
  socket->is_listening = true;
  entry->listeners.fetch_add(1, std::memory_order_relaxed);
  entry->listening.store(1, std::memory_order_release);
  ports.Announce();
  return 0;
}

void ReleasePort(const File& file) {
  HostSocket* const socket = HostSocketOf(file);
  if (socket != nullptr) {
    socket->own_port_node.Unlink();
  }
  if (socket == nullptr || socket->host_port == 0) {
    return;
  }
  PortTable ports(*g_image.control);
  ControlPort* const entry = ports.FindHostPort(ProtocolOf(file), socket->host_port);
  if (entry == nullptr) {
    return;
  }
  entry->users.fetch_sub(1, std::memory_order_relaxed);  // the entry stays: see the top of the header
  if (socket->is_listening && entry->listeners.fetch_sub(1, std::memory_order_relaxed) == 1) {
    entry->listening.store(0, std::memory_order_release);
    ports.Announce();
  }
}

// A function that listens on 8080 itself reaches the gateway's 8080 by the host's own address, which no port of the instance hides.
void TranslateTarget(const File& file, int fd, AddressBytes& address, uint32_t size_bytes) {
  InetAddress target;
  if (!IsInet(file) || !ParseInetAddress(address, size_bytes, target) || (!target.is_any && !target.is_loopback)) {
    return;
  }
  uint16_t host_port = target.port;
  if (!target.is_host) {
    PortTable ports(*g_image.control);
    const ControlPort* const entry = ports.FindTarget(ProtocolOf(file), target.port, target.is_v6);
    if (entry == nullptr) {
      return;
    }
    host_port = entry->host_port.load(std::memory_order_relaxed);
  }
  if (target.is_v6) {
    AllowBothFamilies(fd);
  }
  SetHostLoopback(address, target.is_v6, host_port);
}

void ShowPeerAddress(const File& file, AddressBytes& address, uint32_t size_bytes) {
  InetAddress peer;
  if (!HasPorts(file) || !ParseInetAddress(address, size_bytes, peer) || !peer.is_loopback) {
    return;
  }
  PortTable ports(*g_image.control);
  if (const ControlPort* const entry = ports.FindHostPort(ProtocolOf(file), peer.port); entry != nullptr) {
    SetPort(address, peer.is_v6, entry->guest_port.load(std::memory_order_relaxed));
  }
}

void ShowOwnAddress(const File& file, AddressBytes& address, uint32_t size_bytes) {
  InetAddress own;
  if (!HasPorts(file) || !ParseInetAddress(address, size_bytes, own) || own.port == 0) {
    return;
  }
  PortTable ports(*g_image.control);
  const ControlPort* const entry = ports.FindHostPort(ProtocolOf(file), own.port);
  if (entry == nullptr) {
    return;
  }
  SetPort(address, own.is_v6, entry->guest_port.load(std::memory_order_relaxed));
  // One that was accepted shows where its connection came in; one that the guest bound shows what it bound.
  if (const HostSocket* const socket = HostSocketOf(file); socket != nullptr && socket->host_port == own.port) {
    const BoundTo to = socket->bound_to;
    SetGuestAddress(address, own.is_v6, to == BoundTo::kAny4 || to == BoundTo::kAny6 || to == BoundTo::kAny6Only);
  }
}

}  // namespace junction
