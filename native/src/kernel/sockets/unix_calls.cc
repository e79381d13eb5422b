// SPDX-License-Identifier: Apache-2.0
// Socket calls on unix sockets: unix_socket.h does the work.
#include <fcntl.h>

#include "kernel/sockets/socket_call.h"
#include "kernel/sockets/unix_socket.h"

namespace junction {
namespace {

int64_t Bind(File& file, int, AddressBytes& address, uint32_t size_bytes) {
  const FileReference kept(file);
  return BindUnix(UnixSocketOf(file), address, size_bytes);
}

int64_t Listen(File& file, int, int backlog) { return ListenUnix(UnixSocketOf(file), backlog); }

int64_t Connect(File& file, int, AddressBytes& address, uint32_t size_bytes) {
  const FileReference kept(file);
  return ConnectUnix(UnixSocketOf(file), address, size_bytes);
}

int64_t Accept(File& file, int, uint32_t flags, AddressBytes& address, uint32_t& size_bytes) {
  const FileReference kept(file);
  UnixSocket* accepted = nullptr;
  if (const int64_t error = AcceptUnix(UnixSocketOf(file), accepted); error != 0) {
    return error;
  }
  accepted->file.status_flags |= flags & SOCK_NONBLOCK;
  size_bytes = CopyUnixName(accepted->peer == nullptr ? nullptr : accepted->peer->name, address);
  return InstallFile(accepted->file, (flags & SOCK_CLOEXEC) != 0);
}

int64_t Shutdown(File& file, int, int how) { return ShutdownUnix(UnixSocketOf(file), how); }

int64_t Name(File& file, int, bool is_peer, AddressBytes& address, uint32_t& size_bytes) {
  const UnixSocket& socket = UnixSocketOf(file);
  if (is_peer && socket.peer == nullptr) {
    return -ENOTCONN;
  }
  size_bytes = CopyUnixName(is_peer ? socket.peer->name : socket.name, address);
  return 0;
}

int64_t SetOption(File& file, int, int level, int option, uint64_t value, int32_t size_bytes) {
  return SetUnixOption(UnixSocketOf(file), level, option, value, size_bytes);
}

int64_t GetOption(File& file, int, int level, int option, uint64_t value, uint64_t room) {
  return GetUnixOption(UnixSocketOf(file), level, option, value, room);
}

int64_t Send(File& file, int, SocketMessage& message) { return SendUnix(UnixSocketOf(file), message); }
int64_t Receive(File& file, int, SocketMessage& message) { return ReceiveUnix(UnixSocketOf(file), message); }

}  // namespace

const SocketOps kUnixCalls = {Bind, Listen, Connect, Accept, Shutdown, Name, SetOption, GetOption, Send, Receive};

}  // namespace junction
