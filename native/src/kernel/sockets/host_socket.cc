// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets/host_socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/syscall.h>

#include <cerrno>

#include "kernel/events/host_poller.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/sockets/inet_ports.h"
#include "kernel/sockets/socket_call.h"
#include "kernel/sockets/socket_options.h"
#include "kernel/sockets/socket_wait.h"
#include "uthread/arena.h"
#include "uthread/host_call.h"

namespace junction {
namespace {

void Release(File& file) {
  ForgetShortReads();  // its peer may be ours
  ReleasePort(file);
  ArenaDelete(HostSocketOf(file));
  ArenaDelete(&file);
}

// Makes a new host descriptor the guest's.
int64_t Enter(int32_t host_fd, uint32_t flags, int domain, int type, int protocol) {
  const uint32_t open_flags = O_RDWR | kIsHostNonblocking | (flags & (O_NONBLOCK | O_CLOEXEC));
  const int64_t fd = InstallHostFd(host_fd, FileKind::kHostStream, open_flags);
  if (fd < 0) {
    return fd;
  }
  File& file = *GetFile(static_cast<int32_t>(fd));
  file.ops = &kHostSocketOps;
  file.host_domain = domain;
  file.host_type = type;
  file.host_protocol = protocol;
  EnsureHostSocket(file);  // without one it only makes a few more host calls
  return fd;
}

// A close that waits for its last bytes to be acknowledged would hold up the kthread: only a time of 0 (close by reset) gets to the host, a
// longer one is remembered, and the host sends the bytes in the background.
int64_t SetLinger(File& file, int fd, uint64_t value, uint64_t size) {
  linger time;
  if (size < sizeof(time)) {
    return -EINVAL;
  }
  if (!CopyFromGuest(&time, value, sizeof(time))) {
    return -EFAULT;
  }
  HostSocket* const socket = EnsureHostSocket(file);
  if (socket == nullptr) {
    return -ENOMEM;
  }
  const bool has_time = time.l_onoff != 0 && time.l_linger != 0;
  socket->linger_s = has_time ? time.l_linger : 0;
  if (has_time) {
    time = {0, 0};
  }
  return HostCall(SYS_setsockopt, fd, SOL_SOCKET, SO_LINGER, &time, sizeof(time));
}

int64_t AcceptOnce(File& file, int fd, uint32_t flags, AddressBytes& address, uint32_t* size) {
  const bool may_block = (file.status_flags & kIsHostNonblocking) == 0;  // a listener that came from outside
  const KernelUnlockGuard unlocked;
  if (may_block && PollHostFd(fd, POLLIN) == 0) {
    return -EAGAIN;
  }
  return HostCall(SYS_accept4, fd, size == nullptr ? nullptr : address, size, SOCK_NONBLOCK | (flags & SOCK_CLOEXEC));
}

}  // namespace

const FileOps kHostSocketOps = {
    .name = "socket",
    .read = nullptr,
    .write = nullptr,
    .poll = nullptr,
    .ioctl = nullptr,
    .stat = nullptr,
    .release = Release,
    .flush = nullptr,
};

HostSocket* EnsureHostSocket(File& file) {
  if (file.extra == nullptr) {
    file.extra = ArenaNew<HostSocket>();
    file.ops = &kHostSocketOps;
  }
  return HostSocketOf(file);
}

int64_t AwaitHostSocket(File& file, int fd, PollEvents events, SocketDeadline& deadline) {
  const uint64_t left_ns = deadline.left_ns();
  if (left_ns == 0) {
    return -EAGAIN;
  }
  const int64_t result = WaitForHost(file, fd, events, left_ns);
  if (result == kRestartSys) {
    return deadline.Interrupted();
  }
  return result == 0 && GetFile(fd) != &file ? -EBADF : result;
}

int64_t OpenHostSocket(int domain, int type, int protocol, uint32_t flags) {
  const int64_t host_fd = HostCall(SYS_socket, domain, type | SOCK_NONBLOCK | (flags & SOCK_CLOEXEC), protocol);
  return IsHostError(host_fd) ? host_fd : Enter(static_cast<int32_t>(host_fd), flags, domain, type, protocol);
}

int64_t BindHostSocket(File& file, int fd, AddressBytes& address, uint32_t size_bytes) {
  InetAddress wanted;
  const bool is_inet = ParseInetAddress(address, size_bytes, wanted);
  const bool is_family_right = is_inet && file.host_domain == (wanted.is_v6 ? AF_INET6 : AF_INET);
  const bool is_client = IsUdp(file) && wanted.port == 0;
  const bool is_echo = file.host_protocol == IPPROTO_ICMP || file.host_protocol == IPPROTO_ICMPV6;
  if (is_family_right && is_client && !is_echo) {
    return BindOwnPort(file, fd, address, size_bytes);
  }
  if (!is_family_right || is_echo || (!IsTcp(file) && !IsUdp(file))) {
    return HostCall(SYS_bind, fd, address, size_bytes);
  }
  if (!wanted.is_any && !wanted.is_loopback) {
    return -EADDRNOTAVAIL;
  }
  if (HostPortOf(fd) != 0) {
    return -EINVAL;  // bound already
  }
  return BindPort(file, fd, wanted);
}

int64_t ListenHostSocket(File& file, int fd, int backlog) {
  if (!IsTcp(file)) {
    return HostCall(SYS_listen, fd, backlog);
  }
  if (HostPortOf(fd) == 0) {
    // The host would choose a port on all its addresses.
    InetAddress any;
    any.is_v6 = file.host_domain == AF_INET6;
    any.is_any = true;
    if (const int64_t error = BindPort(file, fd, any); error != 0) {
      return error;
    }
  }
  const int64_t error = HostCall(SYS_listen, fd, backlog);
  return error != 0 ? error : AnnounceListener(file, fd);
}

int64_t ConnectHostSocket(File& file, int fd, AddressBytes& address, uint32_t size_bytes) {
  TranslateTarget(file, fd, address, size_bytes);
  ForgetShortReads();
  const FileReference kept(file);
  SocketDeadline deadline(file.send_timeout_ns);
  while (true) {
    int64_t result;
    {
      const KernelUnlockGuard unlocked;
      result = HostCall(SYS_connect, fd, address, size_bytes);
    }
    // EALREADY: a blocking connect that a signal interrupted is made again. The call after the connection is made answers 0 or the error.
    if ((result != -EINPROGRESS && result != -EALREADY) || file.is_nonblocking()) {
      return result;
    }
    // A socket that is not connected yet counts as writable with the poller.
    while ((PollHostFd(fd, POLLOUT) & (POLLOUT | POLLERR | POLLHUP)) == 0) {
      file.ready &= ~PollEvents{POLLOUT | POLLERR | POLLHUP};
      if (const int64_t error = AwaitHostSocket(file, fd, POLLOUT, deadline); error != 0) {
        return error == -EAGAIN ? -EINPROGRESS : error;
      }
    }
  }
}

int64_t AcceptHostSocket(File& file, int fd, uint32_t flags, AddressBytes& address, uint32_t& size_bytes) {
  const FileReference kept(file);
  SocketDeadline deadline(file.receive_timeout_ns);
  const bool wants_address = size_bytes != 0;
  while (true) {
    size_bytes = sizeof(address);
    const int64_t host_fd = AcceptOnce(file, fd, flags, address, wants_address ? &size_bytes : nullptr);
    if (host_fd >= 0) {
      const int64_t accepted =
          Enter(static_cast<int32_t>(host_fd), flags, file.host_domain, file.host_type, file.host_protocol);
      if (accepted >= 0 && wants_address) {
        ShowPeerAddress(file, address, size_bytes);
      }
      return accepted;
    }
    if (host_fd != -EAGAIN) {
      return host_fd;
    }
    file.ready &= ~PollEvents{POLLIN};
    if (file.is_nonblocking()) {
      return -EAGAIN;
    }
    if (const int64_t error = AwaitHostSocket(file, fd, POLLIN, deadline); error != 0) {
      return error;
    }
  }
}

int64_t ShutdownHostSocket(File&, int fd, int how) {
  ForgetShortReads();
  return HostCall(SYS_shutdown, fd, how);
}

int64_t NameHostSocket(File& file, int fd, bool is_peer, AddressBytes& address, uint32_t& size_bytes) {
  size_bytes = sizeof(address);
  const int64_t error = HostCall(is_peer ? SYS_getpeername : SYS_getsockname, fd, address, &size_bytes);
  if (error != 0) {
    return error;
  }
  if (is_peer) {
    ShowPeerAddress(file, address, size_bytes);
  } else {
    ShowOwnAddress(file, address, size_bytes);
  }
  return 0;
}

int64_t SetHostOption(File& file, int fd, int level, int option, uint64_t value, int32_t size_bytes) {
  const auto size = static_cast<uint64_t>(size_bytes);
  if (level == SOL_SOCKET && option == SO_LINGER) {
    return SetLinger(file, fd, value, size);
  }
  return HostCall(SYS_setsockopt, fd, level, option, value, size);
}

int64_t GetHostOption(File& file, int fd, int level, int option, uint64_t value, uint64_t room) {
  const HostSocket* const socket = HostSocketOf(file);
  if (level == IPPROTO_IPV6 && option == IPV6_V6ONLY && socket != nullptr && socket->host_port != 0 &&
      socket->bound_to == BoundTo::kAny6Only) {
    const int32_t on = 1;  // at the host it is off: BindPort
    return StoreOption(&on, sizeof(on), value, room);
  }
  if (level == SOL_SOCKET && option == SO_LINGER && socket != nullptr && socket->linger_s != 0) {
    const linger time = {1, socket->linger_s};
    return StoreOption(&time, sizeof(time), value, room);
  }
  return HostCall(SYS_getsockopt, fd, level, option, value, room);
}

const SocketOps kHostCalls = {BindHostSocket, ListenHostSocket, ConnectHostSocket, AcceptHostSocket, ShutdownHostSocket,
                              NameHostSocket, SetHostOption,    GetHostOption,     SendHostSocket,   ReceiveHostSocket};

}  // namespace junction
