// SPDX-License-Identifier: Apache-2.0
#include <poll.h>

#include "kernel/sockets/socket_control.h"
#include "kernel/sockets/socket_wait.h"
#include "kernel/sockets/unix_socket.h"

namespace junction {
namespace {

constexpr PollEvents kNews = POLLIN | POLLHUP | POLLERR | POLLRDHUP;

UnixMessage* FirstMessage(UnixSocket& socket) {
  ListNode* const node = socket.messages.first();
  return node == nullptr ? nullptr : JUNCTION_OWNER(node, UnixMessage, node);
}

UnixMessage* NextMessage(UnixSocket& socket, UnixMessage& message) {
  ListNode* const node = socket.messages.Next(&message.node);
  return node == nullptr ? nullptr : JUNCTION_OWNER(node, UnixMessage, node);
}

void TakeSenderName(const UnixMessage& from, SocketMessage& message) {
  if (message.wants_name) {
    message.name_size_bytes = from.sender->name == nullptr ? 0 : CopyUnixName(from.sender->name, message.name);
  }
}

// Nothing to read: 0 = look again, 1 = the end, else the answer of the call.
int64_t AwaitMessage(UnixSocket& socket, bool is_nonblocking, SocketDeadline& deadline) {
  if (socket.error != 0) {
    return -TakeUnixError(socket);
  }
  if ((socket.shutdown & kShutReceive) != 0 && (!socket.is_datagram() || !is_nonblocking)) {
    return 1;
  }
  if (is_nonblocking) {
    return -EAGAIN;
  }
  Waiter waiter(socket.file.wait, kNews);
  return deadline.Wait();
}

int64_t ReceiveDatagram(UnixSocket& socket, SocketMessage& message, bool is_nonblocking) {
  if (!socket.is_datagram() && socket.state != UnixState::kConnected) {
    return -ENOTCONN;
  }
  SocketDeadline deadline(socket.file.receive_timeout_ns);
  UnixMessage* datagram = FirstMessage(socket);
  for (; datagram == nullptr; datagram = FirstMessage(socket)) {
    const int64_t result = AwaitMessage(socket, is_nonblocking, deadline);
    if (result != 0) {
      return result > 0 ? 0 : result;
    }
  }
  TakeSenderName(*datagram, message);
  const uint32_t size = datagram->size_bytes;
  const size_t wanted = message.data.size() < size ? message.data.size() : size;
  const size_t copied = message.data.CopyOut(datagram->data(), wanted);
  if (copied < size) {
    message.result_flags |= MSG_TRUNC;
  }
  UnixRights* const rights = datagram->rights;
  if (!message.Has(MSG_PEEK)) {
    datagram->rights = nullptr;
  }
  const ucred credentials = datagram->credentials;
  if (!message.Has(MSG_PEEK)) {
    ConsumeUnixMessage(socket, *datagram);
  }
  WriteUnixControl(message, socket, credentials, rights, message.Has(MSG_PEEK));
  if (message.data.has_faulted()) {
    return -EFAULT;
  }
  return message.Has(MSG_TRUNC) ? size : static_cast<int64_t>(copied);
}

bool AreEqual(const ucred& a, const ucred& b) { return a.pid == b.pid && a.uid == b.uid && a.gid == b.gid; }

// What one read of a stream has gathered.
struct StreamRead {
  int64_t copied = 0;
  bool has_credentials = false;
  ucred credentials = {};
  UnixRights* rights = nullptr;
};

// Takes from the messages that are there, as long as they belong together. True if the read ends here.
bool TakeMessages(UnixSocket& socket, SocketMessage& message, StreamRead& read) {
  const bool is_peek = message.Has(MSG_PEEK);
  UnixMessage* chunk = FirstMessage(socket);
  while (chunk != nullptr && message.data.size() != 0) {
    if (read.has_credentials && !AreEqual(read.credentials, chunk->credentials)) {
      return true;
    }
    if (!read.has_credentials) {
      read.has_credentials = true;
      read.credentials = chunk->credentials;
      TakeSenderName(*chunk, message);
    }
    const size_t copied = message.data.CopyOut(chunk->data() + chunk->offset, chunk->unread_bytes());
    read.copied += static_cast<int64_t>(copied);
    if (message.data.has_faulted()) {
      read.copied = read.copied == 0 ? -EFAULT : read.copied;
      return true;
    }
    UnixMessage* const next = NextMessage(socket, *chunk);
    read.rights = chunk->rights;
    if (!is_peek) {
      chunk->rights = nullptr;
      chunk->offset += static_cast<uint32_t>(copied);
      socket.unread_bytes -= copied;
      if (chunk->unread_bytes() == 0) {
        ConsumeUnixMessage(socket, *chunk);
      }
    }
    if (read.rights != nullptr) {
      return true;
    }
    chunk = next;
  }
  return is_peek || message.data.size() == 0;
}

int64_t ReceiveStream(UnixSocket& socket, SocketMessage& message, bool is_nonblocking) {
  if (socket.state != UnixState::kConnected) {
    return -EINVAL;
  }
  const auto size = static_cast<int64_t>(message.data.size());
  const int64_t low_water = socket.receive_low_water < size ? socket.receive_low_water : size;
  const int64_t wanted = message.Has(MSG_WAITALL) ? size : low_water;
  const int64_t target = wanted > 0 ? wanted : 1;
  SocketDeadline deadline(socket.file.receive_timeout_ns);
  StreamRead read;
  while (true) {
    if (socket.message_count != 0 && TakeMessages(socket, message, read)) {
      break;
    }
    if (read.copied >= target) {
      break;
    }
    const int64_t result = AwaitMessage(socket, is_nonblocking, deadline);
    if (result != 0) {
      read.copied = read.copied == 0 && result < 0 ? result : read.copied;
      break;
    }
  }
  if (read.has_credentials) {
    WriteUnixControl(message, socket, read.credentials, read.rights, message.Has(MSG_PEEK));
  }
  return read.copied;
}

}  // namespace

int64_t ReceiveUnix(UnixSocket& socket, SocketMessage& message) {
  if (message.Has(MSG_OOB)) {
    return -EOPNOTSUPP;
  }
  const FileReference kept(socket.file);
  const bool is_nonblocking = message.Has(MSG_DONTWAIT) || socket.file.is_nonblocking();
  message.result_flags = message.flags & MSG_CMSG_CLOEXEC;
  const int64_t result = socket.is_stream() ? ReceiveStream(socket, message, is_nonblocking)
                                            : ReceiveDatagram(socket, message, is_nonblocking);
  return result;
}

}  // namespace junction
