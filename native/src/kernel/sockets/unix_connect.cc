// SPDX-License-Identifier: Apache-2.0
// How unix sockets come together: listen, connect, accept.
#include <poll.h>

#include "kernel/door/call.h"
#include "kernel/sockets/socket_wait.h"
#include "kernel/sockets/unix_names.h"
#include "kernel/sockets/unix_socket.h"

namespace junction {
namespace {

int64_t ConnectDatagram(UnixSocket& socket, const AddressBytes& address, uint32_t size) {
  uint16_t family = 0;
  if (size >= sizeof(family)) {
    __builtin_memcpy(&family, address, sizeof(family));
  } else {
    return -EINVAL;
  }
  if (family == AF_UNSPEC) {
    SetDatagramPeer(socket, nullptr);
    return 0;
  }
  if (const int64_t error = CheckUnixAddress(address, size); error != 0) {
    return error;
  }
  if (socket.passes_credentials) {
    if (const int64_t error = AutobindUnix(socket); error != 0) {
      return error;
    }
  }
  UnixSocket* target = nullptr;
  if (const int64_t error = FindUnixSocket(address, size, socket.type, target); error != 0) {
    return error;
  }
  if (target->peer != nullptr && target->peer != &socket) {
    return -EPERM;
  }
  SetDatagramPeer(socket, target);
  socket.file.wait.Wake(POLLOUT | POLLWRNORM);
  return 0;
}

// The other end of a connection, waiting to be accepted.
UnixSocket* NewEmbryo(UnixSocket& client, UnixSocket& listener) {
  UnixSocket* const embryo = NewUnixSocket(client.type, 0);
  if (embryo == nullptr) {
    return nullptr;
  }
  JoinUnixPair(client, *embryo);
  client.peer_credentials = listener.peer_credentials;
  embryo->name = listener.name;
  ++listener.name->references;
  embryo->passes_credentials = listener.passes_credentials;
  embryo->send_buffer_bytes = listener.send_buffer_bytes;
  return embryo;
}

int64_t CheckMayConnect(const UnixSocket& socket) {
  if (socket.state == UnixState::kConnected) {
    return -EISCONN;
  }
  return socket.state == UnixState::kListening ? -EINVAL : 0;
}

}  // namespace

int64_t ListenUnix(UnixSocket& socket, int backlog) {
  if (socket.is_datagram()) {
    return -EOPNOTSUPP;
  }
  if (socket.name == nullptr || socket.state == UnixState::kConnected) {
    return -EINVAL;
  }
  constexpr uint32_t kMaxBacklog = 4096;  // net.core.somaxconn; a negative one is the largest
  const auto wanted = static_cast<uint32_t>(backlog);
  const bool gets_room = wanted > socket.backlog;
  socket.backlog = wanted < kMaxBacklog ? wanted : kMaxBacklog;
  socket.state = UnixState::kListening;
  socket.peer_credentials = EffectiveCredentials();
  if (gets_room) {
    socket.room.Wake();
  }
  return 0;
}

int64_t ConnectUnix(UnixSocket& socket, const AddressBytes& address, uint32_t size_bytes) {
  if (socket.is_datagram()) {
    return ConnectDatagram(socket, address, size_bytes);
  }
  if (const int64_t error = CheckUnixAddress(address, size_bytes); error != 0) {
    return error;
  }
  if (socket.passes_credentials) {
    if (const int64_t error = AutobindUnix(socket); error != 0) {
      return error;
    }
  }
  const bool is_nonblocking = socket.file.is_nonblocking();
  SocketDeadline deadline(socket.file.send_timeout_ns);
  while (true) {
    UnixSocket* listener = nullptr;
    if (const int64_t error = FindUnixSocket(address, size_bytes, socket.type, listener); error != 0) {
      return error;
    }
    if (listener->state != UnixState::kListening || (listener->shutdown & kShutReceive) != 0) {
      return -ECONNREFUSED;
    }
    if (listener->connection_count > listener->backlog) {
      if (is_nonblocking) {
        return -EAGAIN;
      }
      Link(listener);
      int64_t error = 0;
      {
        Waiter waiter(listener->room);
        error = deadline.Wait();
      }
      Unlink(listener);
      if (error != 0) {
        return error;
      }
      continue;
    }
    if (const int64_t error = CheckMayConnect(socket); error != 0) {
      return error;
    }
    UnixSocket* const embryo = NewEmbryo(socket, *listener);
    if (embryo == nullptr) {
      return -ENOMEM;
    }
    listener->connections.PushBack(embryo->accept_node);
    ++listener->connection_count;
    listener->file.wait.Wake(POLLIN | POLLRDNORM);
    socket.file.wait.Wake(POLLOUT | POLLWRNORM);
    return 0;
  }
}

int64_t AcceptUnix(UnixSocket& socket, UnixSocket*& out) {
  if (socket.is_datagram()) {
    return -EOPNOTSUPP;
  }
  if (socket.state != UnixState::kListening) {
    return -EINVAL;
  }
  SocketDeadline deadline(socket.file.receive_timeout_ns);
  while (socket.connections.empty()) {
    if ((socket.shutdown & kShutReceive) != 0) {
      return -EINVAL;
    }
    if (socket.file.is_nonblocking()) {
      return -EAGAIN;
    }
    Waiter waiter(socket.file.wait);
    if (const int64_t error = deadline.Wait(); error != 0) {
      return error;
    }
  }
  out = JUNCTION_OWNER(socket.connections.PopFront(), UnixSocket, accept_node);
  --socket.connection_count;
  socket.room.Wake();
  return 0;
}

}  // namespace junction
