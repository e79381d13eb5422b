// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"

namespace junction::ingress {

/// Where a stream socket connects to or listens on: IPv4, IPv6 or a unix path.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  int family() const { return storage.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// From a literal IPv4 or IPv6 address; names are not resolved.
Result<SocketAddress> MakeIpAddress(const std::string& host, uint16_t port);

/// From a path of at most 107 bytes.
Result<SocketAddress> MakeUnixAddress(const std::string& path);

/// The IP address as text, IPv4 ones that came over IPv6 as IPv4; empty for unix. Returns its length in `out`.
size_t FormatIp(const sockaddr_storage& address, char (&out)[46]);

/// Whether it is an IP address of this machine alone: 127.0.0.0/8 or ::1.
bool IsLoopback(const sockaddr_storage& address);

/// A listening, non-blocking TCP socket; accepted sockets inherit TCP_NODELAY.
Result<UniqueFd> Listen(const SocketAddress& address);

/// The port that a listening socket got.
Result<uint16_t> LocalPort(int fd);

/// Begins to connect a non-blocking stream socket. `in_progress`: wait until it is writable, then ask ConnectError.
struct Connecting {
  UniqueFd fd;
  bool in_progress = false;
};
Result<Connecting> Connect(const SocketAddress& address);

/// Outcome of a connect in progress: 0, or an errno.
int ConnectError(int fd);

}  // namespace junction::ingress
