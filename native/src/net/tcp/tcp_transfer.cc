// SPDX-License-Identifier: Apache-2.0
// Hot path: the calls of tcp_socket.h that read, write and poll.
#include <poll.h>

#include <cerrno>

#include "net/tcp/receive_window.h"
#include "net/tcp/send_buffer.h"
#include "net/tcp/tcp_output.h"
#include "net/tcp/tcp_timers.h"
#include "net/tcp_socket.h"

namespace junction::net {
namespace {

// Linux' SOCK_MIN_RCVBUF and SOCK_MIN_SNDBUF, before doubling.
constexpr uint32_t kReceiveLeast_bytes = 1152;
constexpr uint32_t kSendLeast_bytes = 2304;

// 0 = bytes may be written.
int WriteError(TcpSocket& socket) {
  if (socket.entry.socket.error != 0) {
    return TakeError(socket.entry.socket);
  }
  if (socket.is_send_shut) {
    return -EPIPE;
  }
  switch (socket.state) {
    case TcpState::kEstablished:
    case TcpState::kCloseWait:
      return 0;
    case TcpState::kSynSent:
    case TcpState::kSynReceived:
      return -EAGAIN;
    default:
      return -EPIPE;  // never connected too, as in Linux
  }
}

void WaitForMemory(TcpSocket& socket) {
  socket.may_write_more = false;
  if (!socket.waits_for_memory) {
    socket.waits_for_memory = true;
    socket.tcp->memory_waiters.PushBack(socket.queue_node);
  }
}

// More cannot come before some of it has left, whatever was announced.
void PushHeld(TcpSocket& socket) {
  if (socket.has_unsent_fragment_hold) {
    socket.has_unsent_fragment_hold = false;
    Output(socket, socket.tcp->stack->now_ns);
  }
}

uint32_t Clamp(uint32_t value, uint32_t least, uint32_t most) {
  return value < least ? least : value > most ? most : value;
}

// A write of many pieces makes full frames: nothing leaves before one is there or the last piece came.
bool GathersStill(const TcpSocket& socket) {
  const uint32_t enough = socket.send_limit_bytes / 2 < 65536 ? socket.send_limit_bytes / 2 : 65536;
  return socket.unsent_bytes() < enough;
}

}  // namespace

Span WriteSpan(TcpSocket& socket, int& error) {
  error = WriteError(socket);
  if (error != 0) {
    return {};
  }
  const uint32_t used = socket.send.size_bytes;
  if (used >= socket.send_limit_bytes) {
    PushHeld(socket);
    socket.may_write_more = false;
    error = -EAGAIN;
    return {};
  }
  uint32_t room = 0;
  uint8_t* const data = socket.send.Room(PoolOf(socket), room);
  if (data == nullptr) {
    PushHeld(socket);
    WaitForMemory(socket);
    error = -EAGAIN;
    return {};
  }
  const uint32_t left = socket.send_limit_bytes - used;
  return {.data = data, .size_bytes = room < left ? room : left};
}

void CommitWrite(TcpSocket& socket, uint32_t size_bytes, bool has_more, uint64_t now_ns) {
  if (socket.send.tail == nullptr) {
    return;  // the connection ended between WriteSpan and now
  }
  socket.send.Filled(size_bytes);
  if (size_bytes == 0) {
    socket.send.DropEmptyTail(PoolOf(socket));
  }
  socket.has_unsent_fragment_hold = has_more;
  if (!HasRoomToWrite(socket)) {
    socket.may_write_more = false;
  }
  if (has_more && GathersStill(socket)) {
    if (socket.records.empty()) {
      ArmPersist(socket, now_ns);  // the rest may never come
    }
    return;
  }
  Output(socket, now_ns);
}

uint32_t WriteRoom_bytes(const TcpSocket& socket) {
  return socket.send.size_bytes < socket.send_limit_bytes ? socket.send_limit_bytes - socket.send.size_bytes : 0;
}

Span ReadSpan(TcpSocket& socket, uint32_t offset_bytes, int& error) {
  error = 0;
  if (offset_bytes < socket.receive.size_bytes) [[likely]] {
    Block* block = socket.receive.head;
    while (offset_bytes >= block->size_bytes()) {
      offset_bytes -= block->size_bytes();
      block = block->next;
    }
    return {.data = block->data + block->begin + offset_bytes, .size_bytes = block->size_bytes() - offset_bytes};
  }
  if (offset_bytes != 0 && socket.receive.size_bytes != 0) {
    error = -EAGAIN;  // a peek at the end of what is there
  } else if (socket.is_fin_received) {
    error = 0;
  } else if (socket.entry.socket.error != 0) {
    error = TakeError(socket.entry.socket);
  } else if (socket.is_receive_shut || socket.has_ended) {
    error = 0;
  } else if (socket.state == TcpState::kClosed || socket.state == TcpState::kListen) {
    error = -ENOTCONN;
  } else {
    error = -EAGAIN;
  }
  return {};
}

void ConsumeRead(TcpSocket& socket, uint32_t size_bytes, uint64_t now_ns) {
  size_bytes = size_bytes < socket.receive.size_bytes ? size_bytes : socket.receive.size_bytes;
  socket.receive.DropFront(PoolOf(socket), size_bytes);
  OnRead(socket, size_bytes, now_ns);
}

uint32_t Readable_bytes(const TcpSocket& socket) { return socket.receive.size_bytes; }

uint32_t Unacknowledged_bytes(const TcpSocket& socket) { return socket.send.size_bytes; }

uint32_t Unsent_bytes(const TcpSocket& socket) {
  return socket.can_send() ? socket.unsent_bytes() : socket.send.size_bytes;
}

uint32_t PollTcp(const TcpSocket& socket) {
  if (socket.state == TcpState::kListen) {
    return AcceptQueue_length(socket) != 0 ? POLLIN : 0;
  }
  uint32_t events = 0;
  const bool is_closed = socket.state == TcpState::kClosed;
  const bool is_receive_over = socket.is_receive_shut || socket.is_fin_received || socket.has_ended;
  const bool is_send_over = socket.is_send_shut || socket.has_ended;
  if (is_closed || (is_receive_over && is_send_over)) {
    events |= POLLHUP;
  }
  if (is_receive_over) {
    events |= POLLIN | POLLRDHUP;
  }
  if (socket.state != TcpState::kSynSent && socket.state != TcpState::kSynReceived) {
    events |= socket.receive.size_bytes != 0 ? POLLIN : 0;
    events |= is_send_over || HasRoomToWrite(socket) ? POLLOUT : 0;
  }
  events |= socket.entry.socket.error != 0 ? POLLERR : 0;
  return events;
}

void SetTcpReceiveBuffer(TcpSocket& socket, uint32_t size_bytes) {
  socket.receive_limit_bytes = Clamp(size_bytes, kReceiveLeast_bytes, kReceiveBufferMax_bytes);
  socket.is_buffer_fixed_receive = true;
}

void SetTcpSendBuffer(TcpSocket& socket, uint32_t size_bytes) {
  socket.send_limit_bytes = Clamp(size_bytes, kSendLeast_bytes, kSendBufferMax_bytes);
  socket.is_buffer_fixed_send = true;
  socket.may_write_more = HasRoomToWrite(socket);
}

uint32_t TcpReceiveBuffer_bytes(const TcpSocket& socket) {
  return socket.is_buffer_fixed_receive ? 2 * socket.receive_limit_bytes : socket.receive_limit_bytes;
}

uint32_t TcpSendBuffer_bytes(const TcpSocket& socket) {
  return socket.is_buffer_fixed_send ? 2 * socket.send_limit_bytes : socket.send_limit_bytes;
}

}  // namespace junction::net
