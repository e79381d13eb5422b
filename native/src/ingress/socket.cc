// SPDX-License-Identifier: Apache-2.0
#include "ingress/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

namespace junction::ingress {
namespace {

// Longest queue of connections not yet accepted; the host caps it at net.core.somaxconn.
constexpr int kBacklog = 4096;

void SetNoDelay(int fd) {
  const int on = 1;
  // Only latency suffers without it.
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

}  // namespace

Result<SocketAddress> MakeIpAddress(const std::string& host, uint16_t port) {
  SocketAddress address;
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.length = sizeof(sockaddr_in);
    return address;
  }
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.length = sizeof(sockaddr_in6);
    return address;
  }
  return ErrnoError("'" + host + "' is not an IP address", EINVAL);
}

Result<SocketAddress> MakeUnixAddress(const std::string& path) {
  SocketAddress address;
  auto* const un = reinterpret_cast<sockaddr_un*>(&address.storage);
  if (path.empty() || path.size() >= sizeof(un->sun_path)) {
    return ErrnoError("'" + path + "' is no path for a unix socket", ENAMETOOLONG);
  }
  un->sun_family = AF_UNIX;
  std::memcpy(un->sun_path, path.c_str(), path.size() + 1);
  address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return address;
}

size_t FormatIp(const sockaddr_storage& address, char (&out)[46]) {
  const char* text = nullptr;
  if (address.ss_family == AF_INET) {
    text = inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&address)->sin_addr, out, sizeof(out));
  } else if (address.ss_family == AF_INET6) {
    const in6_addr& ip = reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr;
    text = IN6_IS_ADDR_V4MAPPED(&ip) ? inet_ntop(AF_INET, &ip.s6_addr[12], out, sizeof(out))
                                     : inet_ntop(AF_INET6, &ip, out, sizeof(out));
  }
  return text == nullptr ? 0 : std::strlen(out);
}

bool IsLoopback(const sockaddr_storage& address) {
  constexpr uint8_t kLoopbackNet = 127;
  if (address.ss_family == AF_INET) {
    return ntohl(reinterpret_cast<const sockaddr_in*>(&address)->sin_addr.s_addr) >> 24 == kLoopbackNet;
  }
  if (address.ss_family != AF_INET6) {
    return false;
  }
  const in6_addr& ip = reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&ip) || (IN6_IS_ADDR_V4MAPPED(&ip) && ip.s6_addr[12] == kLoopbackNet);
}

Result<UniqueFd> Listen(const SocketAddress& address) {
  UniqueFd fd(socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) {
    return ErrnoError("socket");
  }
  const int on = 1;
  if (setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0) {
    return ErrnoError("setsockopt(SO_REUSEADDR)");
  }
  SetNoDelay(fd.get());
  if (bind(fd.get(), address.get(), address.length) != 0) {
    return ErrnoError("bind");
  }
  if (listen(fd.get(), kBacklog) != 0) {
    return ErrnoError("listen");
  }
  return fd;
}

Result<uint16_t> LocalPort(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return ErrnoError("getsockname");
  }
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
                                             : reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

Result<Connecting> Connect(const SocketAddress& address) {
  Connecting connecting;
  connecting.fd.Reset(socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!connecting.fd.valid()) {
    return ErrnoError("socket");
  }
  if (address.family() != AF_UNIX) {
    SetNoDelay(connecting.fd.get());
  }
  if (connect(connecting.fd.get(), address.get(), address.length) != 0) {
    if (errno != EINPROGRESS) {
      return ErrnoError("connect");
    }
    connecting.in_progress = true;
  }
  return connecting;
}

int ConnectError(int fd) {
  int error = 0;
  socklen_t length = sizeof(error);
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

}  // namespace junction::ingress
