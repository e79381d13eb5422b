// SPDX-License-Identifier: Apache-2.0
// Datagrams from and to UDP and ping sockets. Read first: udp(7); udp_sendmsg and udp_recvmsg of Linux, whose order of checks is kept.
#include <poll.h>

#include "kernel/sockets/net_address.h"
#include "kernel/sockets/net_control.h"
#include "kernel/sockets/net_socket.h"
#include "uthread/arena.h"

namespace junction {
namespace {

constexpr uint64_t kLargest_bytes = 0xffff;
constexpr uint32_t kCorkRoom_bytes = 65536;

// Where a datagram goes, and how.
struct Sending {
  bool has_target = false;
  net::Endpoint target;
  SendControl control;
};

// For the length of one send, what ancillary data or the destination say in place of the socket's options.
class OptionsOfOneSend {
 public:
  OptionsOfOneSend(NetSocket& socket, const Sending& sending)
      : socket_(socket.socket()),
        device_index_(socket_.device_index),
        ttl_(socket_.ttl),
        type_of_service_(socket_.type_of_service) {
    if (sending.control.device_index != 0) {
      socket_.device_index = sending.control.device_index;
    }
    if (sending.control.ttl >= 0) {
      socket_.ttl = static_cast<uint8_t>(sending.control.ttl);
    }
    if (sending.control.type_of_service >= 0) {
      socket_.type_of_service = static_cast<uint8_t>(sending.control.type_of_service);
    }
  }
  ~OptionsOfOneSend() {
    socket_.device_index = device_index_;
    socket_.ttl = ttl_;
    socket_.type_of_service = type_of_service_;
  }
  OptionsOfOneSend(const OptionsOfOneSend&) = delete;
  OptionsOfOneSend& operator=(const OptionsOfOneSend&) = delete;

 private:
  net::Socket& socket_;
  const uint32_t device_index_;
  const uint8_t ttl_;
  const uint8_t type_of_service_;
};

int64_t ReadTarget(const NetSocket& socket, const SocketMessage& message, Sending& sending) {
  if (message.name_size_bytes == 0) {
    return socket.state == NetState::kConnected ? 0 : -EDESTADDRREQ;
  }
  NetTarget target;
  if (const int64_t error = ReadNetAddress(socket, message.name, message.name_size_bytes, target); error != 0) {
    return error;
  }
  if (socket.kind == NetKind::kUdp && target.endpoint.port == 0) {
    return -EINVAL;
  }
  TurnAnyIntoLoopback(socket, target.endpoint.address);
  sending.has_target = true;
  sending.target = target.endpoint;
  sending.control.device_index = target.scope;
  return 0;
}

// A destination of one device only needs that device.
int64_t CheckDevice(const NetSocket& socket, const Sending& sending) {
  const net::IpAddress& to = sending.has_target ? sending.target.address : socket.socket().remote.address;
  const uint32_t device = sending.control.device_index;
  if (device != 0 && net::FindDevice(InstanceStack(), device) == nullptr) {
    return -ENODEV;
  }
  const bool needs_device = sending.has_target && !to.is_v4() && to.is_link_local();
  return needs_device && device == 0 && socket.socket().device_index == 0 ? -EINVAL : 0;
}

// Sends `from`'s bytes as one datagram: how many, or why not. -EAGAIN: there is no room yet.
int64_t SendOnce(NetSocket& socket, const Sending& sending, GuestBuffer& from) {
  const OptionsOfOneSend options(socket, sending);
  const uint64_t now_ns = NetNow_ns();
  const auto size = static_cast<uint32_t>(from.size());
  net::Span room;
  const int error = net::BeginUdp(*socket.udp, sending.has_target ? &sending.target : nullptr,
                                  sending.control.has_source ? &sending.control.source : nullptr, size, room, now_ns);
  if (error != 0) {
    return error;
  }
  if (size != 0 && from.CopyIn(room.data, size) != size) {
    net::DropUdp(*socket.udp);
    return -EFAULT;
  }
  const int result = net::SendUdp(*socket.udp, now_ns);
  return result != 0 ? result : static_cast<int64_t>(size);
}

int64_t SendAwaited(NetSocket& socket, const Sending& sending, GuestBuffer& from, bool is_nonblocking) {
  SocketDeadline deadline(socket.file.send_timeout_ns);
  bool has_polled = false;
  while (true) {
    int64_t result = SendOnce(socket, sending, from);
    if (result == -EAGAIN) {
      result = AwaitNet(socket, POLLOUT, is_nonblocking, deadline, has_polled);
      if (result == 0) {
        continue;
      }
    }
    FlushNet();
    return result;
  }
}

// Puts bytes behind what MSG_MORE or UDP_CORK gathers: how many, or -errno (all that was gathered is dropped then).
int64_t Gather(NetSocket& socket, const Sending& sending, GuestBuffer& from) {
  if (socket.cork == nullptr) {
    socket.cork = static_cast<uint8_t*>(ArenaAllocate(kCorkRoom_bytes));
    if (socket.cork == nullptr) {
      return -ENOBUFS;
    }
    socket.cork_bytes = 0;
    socket.cork_has_target = sending.has_target;  // of the first piece
    socket.cork_target = sending.target;
  }
  const auto size = static_cast<uint32_t>(from.size());
  if (size > kLargest_bytes - socket.cork_bytes) {
    DropCork(socket);
    return -EMSGSIZE;
  }
  if (from.CopyIn(socket.cork + socket.cork_bytes, size) != size) {
    DropCork(socket);
    return -EFAULT;
  }
  socket.cork_bytes += size;
  return size;
}

int64_t SendGathered(NetSocket& socket, const Sending& sending, bool is_nonblocking) {
  Sending whole = sending;
  whole.has_target = socket.cork_has_target;
  whole.target = socket.cork_target;
  uint8_t* const bytes = socket.cork;
  GuestBuffer from(reinterpret_cast<uint64_t>(bytes), socket.cork_bytes);
  socket.cork = nullptr;  // it may park: the next datagram has a buffer of its own
  const int64_t result = SendAwaited(socket, whole, from, is_nonblocking);
  ArenaFree(bytes, kCorkRoom_bytes);
  return result;
}

// Waits for a datagram: 0, 1 = the end (shut down), or the call's answer.
int64_t AwaitDatagram(NetSocket& socket, net::Datagram& datagram, bool is_nonblocking) {
  SocketDeadline deadline(socket.file.receive_timeout_ns);
  bool has_polled = false;
  while (true) {
    if (const int error = net::TakeError(socket.socket()); error != 0) {
      return error;
    }
    if (net::PeekUdp(*socket.udp, datagram)) {
      return 0;
    }
    if ((socket.shutdown & 1) != 0 && !is_nonblocking) {
      return 1;
    }
    if (const int64_t error = AwaitNet(socket, POLLIN, is_nonblocking, deadline, has_polled); error != 0) {
      return error;
    }
  }
}

// Its payload to the guest: how many bytes found room there.
uint32_t CopyPayload(NetSocket& socket, const net::Datagram& datagram, GuestBuffer& to) {
  uint32_t copied = 0;
  while (copied < datagram.size_bytes && to.size() != 0 && !to.has_faulted()) {
    const net::Span piece = net::ReadUdp(*socket.udp, copied);
    if (piece.size_bytes == 0) {
      break;
    }
    const uint64_t room = to.size();
    copied += static_cast<uint32_t>(to.CopyOut(piece.data, room < piece.size_bytes ? room : piece.size_bytes));
  }
  return copied;
}

}  // namespace

void DropCork(NetSocket& socket) {
  if (socket.cork != nullptr) {
    ArenaFree(socket.cork, kCorkRoom_bytes);
    socket.cork = nullptr;
  }
}

int64_t PushCork(NetSocket& socket) {
  if (socket.cork == nullptr) {
    return 0;
  }
  const int64_t result = SendGathered(socket, Sending{}, socket.file.is_nonblocking());
  return result < 0 ? result : 0;
}

int64_t SendDatagram(NetSocket& socket, SocketMessage& message) {
  if (message.data.size() > kLargest_bytes) {
    return -EMSGSIZE;
  }
  if (message.Has(MSG_OOB)) {
    return -EOPNOTSUPP;
  }
  const bool is_nonblocking = message.Has(MSG_DONTWAIT) || socket.file.is_nonblocking();
  Sending sending;
  if (socket.cork == nullptr) {
    if (const int64_t error = ReadTarget(socket, message, sending); error != 0) {
      return error;
    }
  }
  if (const int64_t error = ReadSendControl(socket, message, sending.control); error != 0) {
    return error;
  }
  if (const int64_t error = CheckDevice(socket, sending); error != 0) {
    return error;
  }
  if ((socket.shutdown & 2) != 0) {
    return -EPIPE;
  }
  const bool is_corked = socket.is_corked || message.Has(MSG_MORE);
  if (socket.cork == nullptr && !is_corked) {
    return SendAwaited(socket, sending, message.data, is_nonblocking);
  }
  const int64_t gathered = Gather(socket, sending, message.data);
  if (gathered < 0 || is_corked) {
    return gathered;
  }
  const int64_t result = SendGathered(socket, sending, is_nonblocking);
  return result < 0 ? result : gathered;
}

int64_t ReceiveDatagram(NetSocket& socket, SocketMessage& message) {
  message.result_flags = message.flags & MSG_CMSG_CLOEXEC;
  if (message.Has(MSG_ERRQUEUE)) {
    return -EAGAIN;  // errors come as SO_ERROR, without a queue
  }
  const bool is_nonblocking = message.Has(MSG_DONTWAIT) || socket.file.is_nonblocking();
  net::Datagram datagram;
  const int64_t result = AwaitDatagram(socket, datagram, is_nonblocking);
  if (result != 0) {
    message.control_size_bytes = 0;
    return result > 0 ? 0 : result;
  }
  const uint32_t copied = CopyPayload(socket, datagram, message.data);
  if (copied < datagram.size_bytes) {
    message.result_flags |= MSG_TRUNC;
  }
  if (message.wants_name) {
    message.name_size_bytes = WriteNetAddress(socket, datagram.from, datagram.device_index, message.name);
  }
  if (message.wants_flags) {
    WriteDatagramControl(socket, datagram, message);
  }
  if (!message.Has(MSG_PEEK)) {
    net::PopUdp(*socket.udp);
  }
  if (message.data.has_faulted()) {
    return -EFAULT;  // the datagram is gone all the same, as in Linux
  }
  return message.Has(MSG_TRUNC) ? datagram.size_bytes : static_cast<int64_t>(copied);
}

}  // namespace junction
