// SPDX-License-Identifier: Apache-2.0
#include <poll.h>

#include <bit>

#include "kernel/door/call.h"
#include "kernel/sockets/socket_control.h"
#include "kernel/sockets/socket_wait.h"
#include "kernel/sockets/unix_names.h"
#include "kernel/sockets/unix_socket.h"

namespace junction {
namespace {

constexpr uint32_t kMaxChunk_bytes = 32768 - sizeof(UnixMessage);  // of a stream: fills a block of the arena
constexpr uint32_t kSmallestBlock_bytes = 512;                     // so that a row of small writes shares one message
constexpr PollEvents kReadable = POLLIN | POLLRDNORM;
constexpr uint32_t kOverflowId = 65534;  // what Linux shows where no credentials were sent

UnixMessage* NewMessage(UnixSocket& sender, uint32_t capacity, bool has_room_to_grow) {
  uint32_t block = std::bit_ceil(capacity + static_cast<uint32_t>(sizeof(UnixMessage)));
  if (has_room_to_grow && block < kSmallestBlock_bytes) {
    block = kSmallestBlock_bytes;
  }
  auto* const message = static_cast<UnixMessage*>(ArenaAllocate(block));
  if (message == nullptr) {
    return nullptr;
  }
  message->sender = Link(&sender);
  message->block_bytes = block;
  message->capacity_bytes = block - static_cast<uint32_t>(sizeof(UnixMessage));
  sender.in_flight_bytes += block;
  return message;
}

bool AreEqual(const ucred& a, const ucred& b) { return a.pid == b.pid && a.uid == b.uid && a.gid == b.gid; }

// Credentials go along if the sender gave them or either end asks for them.
ucred CredentialsFor(const UnixControl& control, const UnixSocket& sender, const UnixSocket& receiver) {
  if (control.has_credentials) {
    return control.credentials;
  }
  if (sender.passes_credentials || receiver.passes_credentials) {
    return RealCredentials();
  }
  return {0, kOverflowId, kOverflowId};
}

// Waits for room in the sender's own buffer: 0 or the answer of the call.
int64_t AwaitBuffer(UnixSocket& socket, bool is_nonblocking, SocketDeadline& deadline) {
  while (true) {
    if (socket.error != 0) {
      return -TakeUnixError(socket);
    }
    if ((socket.shutdown & kShutSend) != 0) {
      return -EPIPE;
    }
    if (socket.in_flight_bytes < socket.send_buffer_bytes) {
      return 0;
    }
    if (is_nonblocking) {
      return -EAGAIN;
    }
    Waiter waiter(socket.file.wait, POLLOUT | POLLHUP | POLLERR);
    if (const int64_t error = deadline.Wait(); error != 0) {
      return error;
    }
  }
}

void Queue(UnixSocket& receiver, UnixMessage& message) {
  receiver.messages.PushBack(message.node);
  ++receiver.message_count;
}

// The last message of a stream, if more bytes of the same sort may be put behind it.
UnixMessage* OpenTail(UnixSocket& receiver, const UnixSocket& sender, const ucred& credentials) {
  if (receiver.messages.empty()) {
    return nullptr;
  }
  UnixMessage* const tail = JUNCTION_OWNER(receiver.messages.head.previous, UnixMessage, node);
  const bool is_open = tail->sender == &sender && tail->rights == nullptr && tail->size_bytes < tail->capacity_bytes &&
                       AreEqual(tail->credentials, credentials);
  return is_open ? tail : nullptr;
}

// Moves one chunk of a stream to the peer: bytes moved, or -EFAULT, -ENOBUFS. Takes the control's rights if it queues a message.
int64_t SendChunk(UnixSocket& socket, UnixSocket& peer, SocketMessage& message, UnixControl& control) {
  const ucred credentials = CredentialsFor(control, socket, peer);
  UnixMessage* chunk = control.rights == nullptr ? OpenTail(peer, socket, credentials) : nullptr;
  const bool is_new = chunk == nullptr;
  if (is_new) {
    const uint64_t half = socket.send_buffer_bytes / 2;  // two chunks at least, so that reader and writer overlap
    uint64_t size = message.data.size() < kMaxChunk_bytes ? message.data.size() : kMaxChunk_bytes;
    size = size < half ? size : half;
    chunk = NewMessage(socket, static_cast<uint32_t>(size), true);
    if (chunk == nullptr) {
      return -ENOBUFS;
    }
    chunk->credentials = credentials;
  }
  const size_t copied =
      message.data.CopyIn(chunk->data() + chunk->size_bytes, chunk->capacity_bytes - chunk->size_bytes);
  chunk->size_bytes += static_cast<uint32_t>(copied);
  peer.unread_bytes += copied;
  if (is_new && copied == 0) {
    FreeUnixMessage(*chunk);
    return -EFAULT;
  }
  if (is_new) {
    chunk->rights = control.rights;
    control.rights = nullptr;
    Queue(peer, *chunk);
  }
  peer.file.wait.Wake(kReadable);
  return copied == 0 ? -EFAULT : static_cast<int64_t>(copied);
}

int64_t SendStream(UnixSocket& socket, SocketMessage& message, UnixControl& control, bool is_nonblocking) {
  if (message.name_size_bytes != 0) {
    return socket.state == UnixState::kConnected ? -EISCONN : -EOPNOTSUPP;
  }
  if (socket.peer == nullptr) {
    return -ENOTCONN;
  }
  if ((socket.shutdown & kShutSend) != 0) {
    return -EPIPE;
  }
  SocketDeadline deadline(socket.file.send_timeout_ns);
  uint64_t sent = 0;
  while (message.data.size() != 0) {
    int64_t result = AwaitBuffer(socket, is_nonblocking, deadline);
    if (result == 0 && (socket.peer->is_released || (socket.peer->shutdown & kShutReceive) != 0)) {
      result = -EPIPE;
    }
    if (result == 0) {
      result = SendChunk(socket, *socket.peer, message, control);
    }
    if (result < 0) {
      return sent != 0 ? static_cast<int64_t>(sent) : result;
    }
    sent += static_cast<uint64_t>(result);
    if (message.data.has_faulted()) {
      break;
    }
  }
  return static_cast<int64_t>(sent);
}

// The receiver of a datagram: a link for the caller.
int64_t FindReceiver(UnixSocket& socket, const SocketMessage& message, UnixSocket*& out) {
  if (message.name_size_bytes != 0) {
    if (const int64_t error = CheckUnixAddress(message.name, message.name_size_bytes); error != 0) {
      return error;
    }
    UnixSocket* found = nullptr;
    if (const int64_t error = FindUnixSocket(message.name, message.name_size_bytes, socket.type, found); error != 0) {
      return error;
    }
    out = Link(found);
    return 0;
  }
  if (socket.peer == nullptr) {
    return -ENOTCONN;
  }
  out = Link(socket.peer);
  return 0;
}

// Whether the receiver takes a datagram now: 0, -EAGAIN if its queue is full.
int64_t CheckReceiver(UnixSocket& socket, UnixSocket& receiver) {
  if (receiver.peer != nullptr && receiver.peer != &socket && receiver.is_datagram()) {
    return -EPERM;
  }
  if (receiver.is_released) {
    if (!socket.is_datagram()) {
      return -EPIPE;
    }
    if (socket.peer == &receiver) {
      SetDatagramPeer(socket, nullptr);
      socket.file.wait.Wake(POLLOUT | POLLWRNORM);
    }
    return -ECONNREFUSED;
  }
  if ((receiver.shutdown & kShutReceive) != 0) {
    return -EPIPE;
  }
  return receiver.peer != &socket && receiver.is_queue_full() ? -EAGAIN : 0;
}

int64_t AwaitReceiver(UnixSocket& socket, UnixSocket& receiver, bool is_nonblocking, SocketDeadline& deadline) {
  while (true) {
    const int64_t result = CheckReceiver(socket, receiver);
    if (result != -EAGAIN || is_nonblocking) {
      return result;
    }
    Waiter waiter(receiver.room);
    if (const int64_t error = deadline.Wait(); error != 0) {
      return error;
    }
  }
}

int64_t Deliver(UnixSocket& socket, UnixSocket& receiver, SocketMessage& message, UnixControl& control) {
  const auto size = static_cast<uint32_t>(message.data.size());
  UnixMessage* const datagram = NewMessage(socket, size, false);
  if (datagram == nullptr) {
    return -ENOBUFS;
  }
  datagram->size_bytes = size;
  if (message.data.CopyIn(datagram->data(), size) != size) {
    FreeUnixMessage(*datagram);
    return -EFAULT;
  }
  datagram->credentials = CredentialsFor(control, socket, receiver);
  datagram->rights = control.rights;
  control.rights = nullptr;
  receiver.unread_bytes += size;
  Queue(receiver, *datagram);
  receiver.file.wait.Wake(kReadable);
  return size;
}

int64_t SendDatagram(UnixSocket& socket, SocketMessage& message, UnixControl& control, bool is_nonblocking) {
  if (!socket.is_datagram()) {
    if (socket.error != 0) {
      return -TakeUnixError(socket);
    }
    if (socket.state != UnixState::kConnected) {
      return -ENOTCONN;
    }
    message.name_size_bytes = 0;
  }
  if (socket.passes_credentials) {
    if (const int64_t error = AutobindUnix(socket); error != 0) {
      return error;
    }
  }
  UnixSocket* receiver = nullptr;
  if (const int64_t error = FindReceiver(socket, message, receiver); error != 0) {
    return error;
  }
  constexpr uint32_t kHead_bytes = 32;  // of Linux: the largest datagram is that much smaller than the buffer
  SocketDeadline deadline(socket.file.send_timeout_ns);
  int64_t result = message.data.size() > socket.send_buffer_bytes - kHead_bytes ? -EMSGSIZE : 0;
  if (result == 0) {
    result = AwaitBuffer(socket, is_nonblocking, deadline);
  }
  if (result == 0) {
    result = AwaitReceiver(socket, *receiver, is_nonblocking, deadline);
  }
  if (result == 0) {
    result = Deliver(socket, *receiver, message, control);
  }
  Unlink(receiver);
  return result;
}

}  // namespace

int64_t SendUnix(UnixSocket& socket, SocketMessage& message) {
  if (message.Has(MSG_OOB)) {
    return -EOPNOTSUPP;
  }
  const FileReference kept(socket.file);
  UnixControl control;
  if (const int64_t error = ReadUnixControl(message, control); error != 0) {
    return error;
  }
  const bool is_nonblocking = message.Has(MSG_DONTWAIT) || socket.file.is_nonblocking();
  const int64_t result = socket.is_stream() ? SendStream(socket, message, control, is_nonblocking)
                                            : SendDatagram(socket, message, control, is_nonblocking);
  FreeUnixRights(control.rights);
  if (result == -EPIPE && socket.is_stream() && !message.Has(MSG_NOSIGNAL)) {
    SendToThread(CurrentThread(), MakeUserSiginfo(SIGPIPE, SI_USER));
  }
  return result;
}

void FreeUnixMessage(UnixMessage& message) {
  UnixSocket* const sender = message.sender;
  const bool was_writable = sender->is_writable();
  sender->in_flight_bytes -= message.block_bytes;
  if (!was_writable && sender->is_writable()) {
    sender->file.wait.Wake(POLLOUT | POLLWRNORM);
  }
  FreeUnixRights(message.rights);
  ArenaFree(&message, message.block_bytes);
  Unlink(sender);
}

void ConsumeUnixMessage(UnixSocket& receiver, UnixMessage& message) {
  receiver.unread_bytes -= message.unread_bytes();
  --receiver.message_count;
  message.node.Unlink();
  FreeUnixMessage(message);
  WakeUnixSenders(receiver);
}

void WakeUnixSenders(UnixSocket& socket) {
  if (!socket.room.empty()) {
    socket.room.Wake();
  }
  if (socket.message_count != kUnixMaxDatagrams) {
    return;  // it was not full just now: no connected socket is held up
  }
  for (ListNode* node = socket.connected.first(); node != nullptr; node = socket.connected.Next(node)) {
    JUNCTION_OWNER(node, UnixSocket, connected_node)->file.wait.Wake(POLLOUT | POLLWRNORM);
  }
}

}  // namespace junction
