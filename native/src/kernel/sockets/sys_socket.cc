// SPDX-License-Identifier: Apache-2.0
// Socket calls: they find the socket and read the arguments; its SocketOps do the work.
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "kernel/door/guest_handlers.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/net/instance_net.h"
#include "kernel/sockets/fd_transit.h"
#include "kernel/sockets/host_socket.h"
#include "kernel/sockets/net_socket.h"
#include "kernel/sockets/netlink_socket.h"
#include "kernel/sockets/socket_call.h"
#include "kernel/sockets/socket_options.h"
#include "kernel/sockets/unix_socket.h"

namespace junction {
namespace {

constexpr int kTypeMask = 0xf;  // SOCK_TYPE_MASK
constexpr int kTypeFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;
constexpr int kFamilies = 46;  // AF_MAX of Linux 6
constexpr int kTypes = 11;     // SOCK_MAX

// What socket and socketpair check first.
int64_t CheckKind(int domain, int type) {
  if ((type & ~(kTypeMask | kTypeFlags)) != 0) {
    return -EINVAL;
  }
  if (domain < 0 || domain >= kFamilies) {
    return -EAFNOSUPPORT;
  }
  return (type & kTypeMask) >= kTypes ? -EINVAL : 0;
}

int64_t CheckUnixKind(int& type, int protocol) {
  if (protocol != 0 && protocol != AF_UNIX) {
    return -EPROTONOSUPPORT;
  }
  switch (type & kTypeMask) {
    case SOCK_RAW:  // means a datagram socket here
      type = (type & ~kTypeMask) | SOCK_DGRAM;
      return 0;
    case SOCK_STREAM:
    case SOCK_DGRAM:
    case SOCK_SEQPACKET:
      return 0;
    default:
      return -ESOCKTNOSUPPORT;
  }
}

UnixSocket* NewUnix(int type) { return NewUnixSocket(type & kTypeMask, static_cast<uint32_t>(type)); }
bool IsCloseOnExec(int type) { return (type & SOCK_CLOEXEC) != 0; }

int64_t OpenUnix(int type, int protocol) {
  if (const int64_t error = CheckUnixKind(type, protocol); error != 0) {
    return error;
  }
  UnixSocket* const socket = NewUnix(type);
  return socket == nullptr ? -ENOMEM : InstallFile(socket->file, IsCloseOnExec(type));
}

// The address that a call was given: its size is of arg `index + 1`.
int64_t ReadAddress(Call& call, int index, AddressBytes& address) {
  return CopyAddressFromGuest(call.arg(index), call.int_arg(index + 1), address);
}

int64_t Accept(Call& call, int flags) {
  if ((flags & ~kTypeFlags) != 0) {
    return -EINVAL;
  }
  int64_t error = 0;
  File* const file = FindSocket(call.int_arg(0), error);
  if (file == nullptr) {
    return error;
  }
  const bool wants_address = call.arg(1) != 0;
  AddressBytes address;
  uint32_t size = wants_address ? 1 : 0;
  const int64_t fd = SocketOpsOf(*file)->accept(*file, call.int_arg(0), static_cast<uint32_t>(flags), address, size);
  if (fd >= 0 && wants_address) {
    if (error = StoreAddress(address, size, call.arg(1), call.arg(2)); error != 0) {
      CloseDescriptor(static_cast<int32_t>(fd));
      return error;
    }
  }
  return fd;
}

int64_t NameOf(Call& call, bool is_peer) {
  int64_t error = 0;
  File* const file = FindSocket(call.int_arg(0), error);
  if (file == nullptr) {
    return error;
  }
  AddressBytes address;
  uint32_t size = 0;
  error = SocketOpsOf(*file)->name(*file, call.int_arg(0), is_peer, address, size);
  return error != 0 ? error : StoreAddress(address, size, call.arg(1), call.arg(2));
}

// bind and connect: with the address that the second and third argument give.
int64_t WithAddress(Call& call, int64_t (*SocketOps::*method)(File&, int, AddressBytes&, uint32_t)) {
  int64_t error = 0;
  File* const file = FindSocket(call.int_arg(0), error);
  AddressBytes address;
  if (file != nullptr) {
    error = ReadAddress(call, 1, address);
  }
  if (error != 0) {
    return error;
  }
  return (SocketOpsOf(*file)->*method)(*file, call.int_arg(0), address, static_cast<uint32_t>(call.int_arg(2)));
}

// 0, or what socket(2) says of a type (without SOCK_ flags) and protocol of the inet and netlink families.
int64_t CheckProtocol(int domain, int type, int protocol) {
  constexpr int kMptcp = 262;  // IPPROTO_MPTCP, the last number; refused, and callers fall back to TCP
  if (domain == AF_NETLINK) {
    if (type != SOCK_RAW && type != SOCK_DGRAM) {
      return -ESOCKTNOSUPPORT;
    }
    return protocol == NETLINK_ROUTE ? 0 : -EPROTONOSUPPORT;
  }
  if (protocol < 0 || protocol > kMptcp) {
    return -EINVAL;
  }
  switch (type) {
    case SOCK_STREAM:
      return protocol == 0 || protocol == IPPROTO_TCP ? 0 : -EPROTONOSUPPORT;
    case SOCK_DGRAM: {
      const int echo = domain == AF_INET ? static_cast<int>(IPPROTO_ICMP) : static_cast<int>(IPPROTO_ICMPV6);
      return protocol == 0 || protocol == IPPROTO_UDP || protocol == echo ? 0 : -EPROTONOSUPPORT;
    }
    case SOCK_RAW:
      return -EPERM;
    default:
      return -ESOCKTNOSUPPORT;
  }
}

// TCP, UDP, ping and netlink sockets: of the instance's own network if it has one, else the host's.
int64_t OpenNetwork(int domain, int type, int protocol) {
  const auto flags = static_cast<uint32_t>(type & kTypeFlags);
  const int kind = type & kTypeMask;
  if (const int64_t error = CheckProtocol(domain, kind, protocol); error != 0) {
    return error;
  }
  if (!HasNic()) {
    return OpenHostSocket(domain, kind, protocol, flags);
  }
  return domain == AF_NETLINK ? OpenNetlinkSocket(kind, flags) : OpenNetSocket(domain, kind, protocol, flags);
}

}  // namespace

const SocketOps* SocketOpsOf(const File& file) {
  switch (file.kind) {
    case FileKind::kUnixSocket:
      return &kUnixCalls;
    case FileKind::kNetSocket:
      return &kNetCalls;
    case FileKind::kNetlinkSocket:
      return &kNetlinkCalls;
    default:
      return IsHostSocket(file) ? &kHostCalls : nullptr;
  }
}

File* FindSocket(int fd, int64_t& error) {
  File* const file = GetFile(fd);
  const bool is_socket = file != nullptr && SocketOpsOf(*file) != nullptr;
  error = file == nullptr ? -EBADF : (is_socket ? 0 : -ENOTSOCK);
  return is_socket ? file : nullptr;
}

int64_t CopyAddressFromGuest(uint64_t from, int32_t size_bytes, AddressBytes& address) {
  if (size_bytes < 0 || static_cast<size_t>(size_bytes) > sizeof(address)) {
    return -EINVAL;
  }
  address[0] = address[1] = 0;  // the family of one that is cut off
  return CopyFromGuest(address, from, static_cast<size_t>(size_bytes)) ? 0 : -EFAULT;
}

int64_t StoreAddress(const AddressBytes& address, uint32_t size_bytes, uint64_t to, uint64_t room) {
  int32_t size;
  if (!CopyFromGuest(&size, room, sizeof(size))) {
    return -EFAULT;
  }
  if (size < 0) {
    return -EINVAL;
  }
  const uint32_t copied = static_cast<uint32_t>(size) < size_bytes ? static_cast<uint32_t>(size) : size_bytes;
  return CopyToGuest(to, address, copied) && CopyToGuest(room, &size_bytes, sizeof(size_bytes)) ? 0 : -EFAULT;
}

int64_t SysSocket(Call& call) {
  const int domain = call.int_arg(0);
  const int type = call.int_arg(1);
  const int protocol = call.int_arg(2);
  if (const int64_t error = CheckKind(domain, type); error != 0) {
    return error;
  }
  switch (domain) {
    case AF_UNIX:
      return OpenUnix(type, protocol);
    case AF_INET:
    case AF_INET6:
    case AF_NETLINK:
      return OpenNetwork(domain, type, protocol);
    default:
      return -EAFNOSUPPORT;
  }
}

int64_t SysSocketpair(Call& call) {
  const int domain = call.int_arg(0);
  int type = call.int_arg(1);
  if (const int64_t error = CheckKind(domain, type); error != 0) {
    return error;
  }
  if (domain != AF_UNIX) {
    return domain == AF_INET || domain == AF_INET6 || domain == AF_NETLINK ? -EOPNOTSUPP : -EAFNOSUPPORT;
  }
  if (const int64_t error = CheckUnixKind(type, call.int_arg(2)); error != 0) {
    return error;
  }
  UnixSocket* const a = NewUnix(type);
  UnixSocket* const b = a == nullptr ? nullptr : NewUnix(type);
  if (b == nullptr) {
    if (a != nullptr) {
      Unreference(a->file);
    }
    return -ENOMEM;
  }
  JoinUnixPair(*a, *b);
  PrepareFdTransit();  // before the process forks; if it fails, sending a host file does
  const int64_t first = InstallFile(a->file, IsCloseOnExec(type));
  if (first < 0) {
    Unreference(b->file);
    return first;
  }
  const int64_t second = InstallFile(b->file, IsCloseOnExec(type));
  const int32_t pair[2] = {static_cast<int32_t>(first), static_cast<int32_t>(second)};
  const bool is_copied = second >= 0 && CopyToGuest(call.arg(3), pair, sizeof(pair));
  if (is_copied) {
    return 0;
  }
  CloseDescriptor(pair[0]);
  if (second < 0) {
    return second;
  }
  CloseDescriptor(pair[1]);
  return -EFAULT;
}

int64_t SysBind(Call& call) { return WithAddress(call, &SocketOps::bind); }

int64_t SysListen(Call& call) {
  int64_t error = 0;
  File* const file = FindSocket(call.int_arg(0), error);
  if (file == nullptr) {
    return error;
  }
  return SocketOpsOf(*file)->listen(*file, call.int_arg(0), call.int_arg(1));
}

int64_t SysConnect(Call& call) { return WithAddress(call, &SocketOps::connect); }

int64_t SysAccept(Call& call) { return Accept(call, 0); }
int64_t SysAccept4(Call& call) { return Accept(call, call.int_arg(3)); }

int64_t SysShutdown(Call& call) {
  int64_t error = 0;
  File* const file = FindSocket(call.int_arg(0), error);
  if (file == nullptr) {
    return error;
  }
  return SocketOpsOf(*file)->shutdown(*file, call.int_arg(0), call.int_arg(1));
}

int64_t SysGetsockname(Call& call) { return NameOf(call, false); }
int64_t SysGetpeername(Call& call) { return NameOf(call, true); }

int64_t SysSetsockopt(Call& call) {
  const int32_t size = call.int_arg(4);
  if (size < 0) {
    return -EINVAL;
  }
  int64_t result = 0;
  File* const file = FindSocket(call.int_arg(0), result);
  if (file == nullptr || SetTimeout(*file, call.int_arg(1), call.int_arg(2), call.arg(3), size, result)) {
    return result;
  }
  return SocketOpsOf(*file)->set_option(*file, call.int_arg(0), call.int_arg(1), call.int_arg(2), call.arg(3), size);
}

int64_t SysGetsockopt(Call& call) {
  int64_t result = 0;
  File* const file = FindSocket(call.int_arg(0), result);
  if (file == nullptr || GetTimeout(*file, call.int_arg(1), call.int_arg(2), call.arg(3), call.arg(4), result)) {
    return result;
  }
  return SocketOpsOf(*file)->get_option(*file, call.int_arg(0), call.int_arg(1), call.int_arg(2), call.arg(3),
                                        call.arg(4));
}

}  // namespace junction
