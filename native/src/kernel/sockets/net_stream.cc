// SPDX-License-Identifier: Apache-2.0
// Bytes from and to TCP sockets. Hot path: straight from guest memory into the stack's send queue and out of its receive queue, no
// allocation here. A bad address of the guest leaves the queues as they are.
#include <poll.h>

#include "kernel/events/epoll_turns.h"
#include "kernel/process/uproc.h"
#include "kernel/sockets/net_control.h"
#include "kernel/sockets/net_socket.h"

namespace junction {
namespace {

using net::TcpState;

uint32_t Smaller(uint64_t a, uint32_t b) { return a < b ? static_cast<uint32_t>(a) : b; }

// Copies as much as there is room for: 0, or why it went no further: -EAGAIN, -EFAULT, -EPIPE, the connection's error.
int64_t FillSendQueue(NetSocket& socket, SocketMessage& message) {
  const bool has_more_flag = message.Has(MSG_MORE);
  const uint64_t now_ns = NetNow_ns();
  while (message.data.size() != 0) {
    int error = 0;
    const net::Span room = net::WriteSpan(*socket.tcp, error);
    if (room.size_bytes == 0) {
      // One that was never connected has nowhere to send: EPIPE (sk_stream_wait_connect), and a signal.
      return error == -ENOTCONN ? -EPIPE : error;
    }
    const uint32_t wanted = Smaller(message.data.size(), room.size_bytes);
    const auto copied = static_cast<uint32_t>(message.data.CopyIn(room.data, wanted));
    if (copied != 0) {
      net::CommitWrite(*socket.tcp, copied, has_more_flag || message.data.size() != 0, now_ns);
    }
    if (copied != wanted) {
      return -EFAULT;
    }
  }
  return 0;
}

int64_t SendAll(NetSocket& socket, SocketMessage& message) {
  if ((socket.shutdown & 2) != 0) {
    return -EPIPE;
  }
  const bool is_nonblocking = message.Has(MSG_DONTWAIT) || socket.file.is_nonblocking();
  const uint64_t done_before = message.data.done();
  SocketDeadline deadline(socket.file.send_timeout_ns);
  bool has_polled = false;
  int64_t result;
  while (true) {
    result = FillSendQueue(socket, message);
    if (result != -EAGAIN) {
      break;
    }
    result = AwaitNet(socket, POLLOUT, is_nonblocking, deadline, has_polled);
    if (result != 0) {
      break;
    }
    has_polled = has_polled && is_nonblocking;
  }
  FlushNet();
  const auto sent = static_cast<int64_t>(message.data.done() - done_before);
  if (sent != 0) {
    socket.file.turn.NoteWrite();
  }
  return sent != 0 ? sent : result;
}

// What one read has gathered so far.
struct StreamRead {
  int64_t copied = 0;   // bytes handed out, thrown away or looked at
  uint32_t offset = 0;  // of the next one to look at (MSG_PEEK)
  int64_t error = 0;    // why it ends before it is full: 0 = the peer's end
  bool is_over = false;
};

// Takes what is there. `read.is_over`: no use in waiting for more.
void TakeBytes(NetSocket& socket, SocketMessage& message, StreamRead& read) {
  const bool is_peek = message.Has(MSG_PEEK);
  const bool is_thrown_away = message.Has(MSG_TRUNC);
  const uint64_t now_ns = NetNow_ns();
  while (message.data.size() != 0) {
    if (read.copied != 0 && net::Readable_bytes(*socket.tcp) <= read.offset) {
      return;  // without asking: an error that is pending stays for the next call
    }
    int error = 0;
    const net::Span bytes = net::ReadSpan(*socket.tcp, read.offset, error);
    if (bytes.size_bytes == 0) {
      read.error = error;
      read.is_over = error != -EAGAIN;
      return;
    }
    const uint32_t wanted = Smaller(message.data.size(), bytes.size_bytes);
    uint32_t copied = wanted;
    if (is_thrown_away) {
      message.data.Advance(wanted);
    } else {
      copied = static_cast<uint32_t>(message.data.CopyOut(bytes.data, wanted));
    }
    if (copied != wanted) {
      read.error = -EFAULT;  // a piece of the stream is taken whole or not at all, as Linux does it by buffers
      read.is_over = true;
      return;
    }
    read.copied += copied;
    if (is_peek) {
      read.offset += copied;
    } else {
      net::ConsumeRead(*socket.tcp, copied, now_ns);
    }
  }
}

// The peer sends no more, and all that came was read (the caller has looked).
bool HasEnded(const NetSocket& socket) {
  return (socket.shutdown & 1) != 0 || (net::PollTcp(*socket.tcp) & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

int64_t CheckReceive(const NetSocket& socket, const SocketMessage& message) {
  if (message.Has(MSG_ERRQUEUE)) {
    return -EAGAIN;  // nothing is ever put there
  }
  if (net::StateOf(*socket.tcp) == TcpState::kListen) {
    return -ENOTCONN;
  }
  return message.Has(MSG_OOB) ? -EINVAL : 0;  // no urgent byte is kept apart (RFC 6093, 3.1)
}

// The read budget (files/read_turn.h): true if this read is answered EAGAIN although bytes are there, and all who watch are told again that
// they are. Only for readers of whom an edge is all they wait for; a peek, or a read that wants more than there may be, is not in turns.
bool PassesTurn(NetSocket& socket, const SocketMessage& message) {
  File& file = socket.file;
  if (!file.turn.is_over() || !file.is_nonblocking() || message.Has(MSG_PEEK) || message.Has(MSG_WAITALL) ||
      net::Readable_bytes(*socket.tcp) == 0 || !MustPassTurn(file)) {
    return false;
  }
  file.turn.Begin();
  file.wait.Wake(POLLIN);
  return true;
}

}  // namespace

int64_t SendStream(NetSocket& socket, SocketMessage& message) {
  if (message.Has(MSG_FASTOPEN)) {
    return -EOPNOTSUPP;
  }
  const int64_t result = SendAll(socket, message);
  if (result == -EPIPE && !message.Has(MSG_NOSIGNAL)) {
    SendToThread(CurrentThread(), MakeUserSiginfo(SIGPIPE, SI_USER));
  }
  return result;
}

int64_t ReceiveStream(NetSocket& socket, SocketMessage& message) {
  const bool wants_message = message.wants_flags;
  message.result_flags = message.flags & MSG_CMSG_CLOEXEC;
  if (const int64_t error = CheckReceive(socket, message); error != 0) {
    return error;
  }
  const auto size = static_cast<int64_t>(message.data.size());
  const int64_t low_water = socket.receive_low_water < size ? socket.receive_low_water : size;
  const int64_t wanted = message.Has(MSG_WAITALL) ? size : low_water;
  const int64_t target = wanted > 0 ? wanted : 1;
  const bool is_nonblocking = message.Has(MSG_DONTWAIT) || socket.file.is_nonblocking();
  SocketDeadline deadline(socket.file.receive_timeout_ns);
  bool has_polled = false;
  StreamRead read;
  SettleTurn(socket.file);
  while (true) {
    if (read.copied == 0 && PassesTurn(socket, message)) {
      return -EAGAIN;
    }
    TakeBytes(socket, message, read);
    const bool is_full = message.data.size() == 0 && (size != 0 || net::Readable_bytes(*socket.tcp) != 0);
    if (is_full || read.is_over || read.copied >= target) {
      break;
    }
    if (read.copied != 0 && HasEnded(socket) && net::Readable_bytes(*socket.tcp) <= read.offset) {
      break;
    }
    if (size == 0 && HasEnded(socket)) {
      break;
    }
    read.error = AwaitNet(socket, POLLIN | POLLRDHUP, is_nonblocking, deadline, has_polled);
    if (read.error != 0) {
      break;
    }
  }
  if (read.copied != 0) {
    if (!message.Has(MSG_PEEK)) {
      socket.file.turn.NoteRead();
    }
    FlushNet();  // a window update may be worth it
  } else {
    socket.file.turn.Begin();
  }
  if (wants_message && read.copied > 0) {
    WriteStreamControl(socket, message);
  } else {
    message.control_size_bytes = 0;
  }
  return read.copied != 0 ? read.copied : read.error;
}

}  // namespace junction
