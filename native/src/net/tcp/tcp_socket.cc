// SPDX-License-Identifier: Apache-2.0
// The calls of tcp_socket.h that begin, end and configure; reading and writing are in tcp_transfer.cc.
#include "net/tcp_socket.h"

#include <poll.h>

#include <cerrno>

#include "net/tcp/connection_begin.h"
#include "net/tcp/connection_end.h"
#include "net/tcp/connection_table.h"
#include "net/tcp/isn.h"
#include "net/tcp/listener.h"
#include "net/tcp/tcp_output.h"
#include "net/tcp/tcp_timers.h"
#include "net/tcp/time_wait.h"

namespace junction::net {
namespace {

constexpr uint32_t kShutRead = 1;
constexpr uint32_t kShutWrite = 2;
constexpr uint8_t kQuickAcksAgain = 16;  // as at the beginning of a connection

bool IsTaken(Stack& stack, const Endpoint& local, const Endpoint& remote) {
  TableEntry* const entry = FindEntry(LayerOf(stack), local, remote);
  if (entry == nullptr) {
    return false;
  }
  return entry->kind != EntryKind::kTimeWait ||
         !ReuseTimeWait(LayerOf(stack), reinterpret_cast<TimeWait&>(*entry), stack.now_ns, true);
}

// Local address and port for a connection to `remote`.
int BindToConnect(TcpSocket& socket, const Endpoint& remote, uint64_t now_ns) {
  TcpLayer& tcp = *socket.tcp;
  Socket& base = socket.entry.socket;
  const int found = FindPath(*tcp.stack, remote.address, base.local.address, base.device_index, socket.path);
  if (found != 0) {
    return found;
  }
  const IpAddress source = base.local.address.is_any() ? socket.path.source : base.local.address;
  if (base.local.port == 0 || !socket.is_bound_by_name) {
    const int bound = BindForConnect(*tcp.stack, kProtocolTcp, base, source, remote, IsTaken);
    if (bound != 0) {
      return bound;
    }
  } else if (IsTaken(*tcp.stack, {source, base.local.port}, remote)) {
    return -EADDRNOTAVAIL;
  }
  base.local.address = source;
  base.remote = remote;
  TableEntry* const old = FindEntry(tcp, base.local, remote);
  if (old != nullptr) {
    ReuseTimeWait(tcp, reinterpret_cast<TimeWait&>(*old), now_ns, false);
  }
  return 0;
}

int CheckDestination(const TcpSocket& socket, const IpAddress& address) {
  const Socket& base = socket.entry.socket;
  if (!base.is_v6 && !address.is_v4()) {
    return -EAFNOSUPPORT;
  }
  const bool is_group = address.is_multicast() || IsBroadcastAddress(*base.stack, address);
  return is_group || (base.is_v6 && base.is_v6_only && address.is_v4()) ? -ENETUNREACH : 0;
}

// Our side sends no more: FIN follows what is queued.
void EndSending(TcpSocket& socket, uint64_t now_ns) {
  if (socket.is_send_shut) {
    return;
  }
  socket.is_send_shut = true;
  if (socket.state == TcpState::kEstablished) {
    socket.state = TcpState::kFinWait1;
  } else if (socket.state == TcpState::kCloseWait) {
    socket.state = TcpState::kLastAck;
  }
  socket.has_unsent_fragment_hold = false;
  Output(socket, now_ns);
}

void CloseConnection(TcpSocket& socket, uint64_t now_ns) {
  const bool resets = (socket.options.lingers && socket.options.linger_s == 0) || socket.receive.size_bytes != 0 ||
                      (socket.options.linger2_s < 0 && socket.state == TcpState::kFinWait2);
  if (resets) {  // RFC 2525, section 2.17: the peer must learn that its data were not read
    SendReset(socket, now_ns);
    FinishConnection(socket, 0, now_ns);
    return;
  }
  socket.is_receive_shut = true;
  EndSending(socket, now_ns);
  if (socket.state == TcpState::kFinWait2) {
    ArmFinWait2(socket, now_ns);
  }
}

}  // namespace

TcpSocket* NewTcpSocket(Stack& stack, bool is_v6) { return MakeSocket(LayerOf(stack), is_v6); }

Socket& SocketOf(TcpSocket& socket) { return socket.entry.socket; }
TcpState StateOf(const TcpSocket& socket) { return socket.state; }
TcpOptions& OptionsOf(TcpSocket& socket) { return socket.options; }

void CloseTcp(TcpSocket& socket, uint64_t now_ns) {
  socket.is_orphan = true;
  socket.entry.socket.notify = nullptr;
  switch (socket.state) {
    case TcpState::kListen:
      StopListening(socket, now_ns, true);
      break;
    case TcpState::kClosed:
      break;
    case TcpState::kSynSent:
      FinishConnection(socket, 0, now_ns);
      break;
    default:
      CloseConnection(socket, now_ns);
      break;
  }
  FreeIfDone(socket);
}

void TcpOptionsChanged(TcpSocket& socket, uint64_t now_ns) {
  if (socket.state == TcpState::kListen || socket.state == TcpState::kClosed) {
    return;
  }
  if (socket.options.has_quick_ack) {
    socket.is_interactive = false;
    socket.quick_acks = kQuickAcksAgain;
    if (socket.ack_at_ns != kNever) {
      QueueAck(socket);
    }
  }
  if (socket.path.device != nullptr) {
    UpdateSegmentSize(socket);
  }
  if (socket.options.has_no_delay && !socket.options.is_corked && socket.records.empty() == false &&
      socket.unsent_bytes() != 0) {
    socket.small_end = socket.snd_una;  // TCP_NODELAY flushes (tcp(7))
  }
  if (socket.options.has_keep_alive != (socket.keep_alive_at_ns != kNever) || socket.options.has_keep_alive) {
    ArmKeepAlive(socket, now_ns);
  }
  Output(socket, now_ns);
}

int BindTcp(TcpSocket& socket, const Endpoint& local) {
  if (socket.state != TcpState::kClosed || socket.entry.socket.port_entry != nullptr) {
    return -EINVAL;
  }
  const int result = BindPort(*socket.tcp->stack, kProtocolTcp, socket.entry.socket, local, false);
  // tcp_v4_get_port has no other word for "none is free".
  if (result != 0) {
    return result == -EAGAIN ? -EADDRINUSE : result;
  }
  socket.is_bound_by_name = true;
  return 0;
}

int ListenTcp(TcpSocket& socket, uint32_t backlog) {
  if (socket.state == TcpState::kListen) {
    socket.listening->backlog = backlog;
    return 0;
  }
  if (socket.state != TcpState::kClosed || socket.was_connected) {
    return -EINVAL;
  }
  Socket& base = socket.entry.socket;
  const Endpoint local = base.port_entry != nullptr ? base.local : Endpoint{AnyAddress(base.is_v6), 0};
  const int result = BindPort(*socket.tcp->stack, kProtocolTcp, base, local, true);
  if (result != 0) {
    return result == -EAGAIN ? -EADDRINUSE : result;
  }
  if (!StartListening(socket, backlog)) {
    return -ENOMEM;
  }
  socket.is_bound_by_name = true;
  return 0;
}

int ConnectTcp(TcpSocket& socket, const Endpoint& remote_given, uint64_t now_ns) {
  if (socket.state == TcpState::kSynSent || socket.state == TcpState::kSynReceived) {
    return -EALREADY;
  }
  if (socket.state != TcpState::kClosed || socket.was_connected) {
    return -EISCONN;
  }
  socket.tcp->stack->now_ns = now_ns;
  const Endpoint remote{NormalizeDestination(remote_given.address), remote_given.port};
  int result = CheckDestination(socket, remote.address);
  result = result != 0 ? result : BindToConnect(socket, remote, now_ns);
  if (result != 0) {
    return result;
  }
  TcpLayer& tcp = *socket.tcp;
  Socket& base = socket.entry.socket;
  if (!InsertEntry(tcp, socket.entry)) {
    return -ENOMEM;
  }
  socket.has_ended = false;
  base.error = 0;
  socket.state = TcpState::kSynSent;
  socket.iss = InitialSequence(tcp, base.local, remote, now_ns);
  socket.ts_offset = TimestampOffset(tcp, base.local.address, remote.address);
  socket.snd_una = socket.iss;
  socket.snd_nxt = socket.send_seq = socket.iss + 1;
  socket.first_timeout_ns = now_ns;
  socket.syn_retries_done = socket.backoff = 0;
  socket.soft_error = 0;
  ++tcp.stack->counters.tcp_active_opens;
  SendSyn(socket, now_ns);
  ArmSyn(socket, now_ns);
  return -EINPROGRESS;
}

TcpSocket* AcceptTcp(TcpSocket& listener) {
  if (listener.listening == nullptr) {
    return nullptr;
  }
  ListNode* const node = listener.listening->accept_queue.first();
  if (node == nullptr) {
    return nullptr;
  }
  TcpSocket& socket = *JUNCTION_OWNER(node, TcpSocket, queue_node);
  LeaveAcceptQueue(socket);
  return &socket;
}

int ShutdownTcp(TcpSocket& socket, uint32_t sides, uint64_t now_ns) {
  switch (socket.state) {
    case TcpState::kClosed:
      return -ENOTCONN;
    case TcpState::kListen:
      if ((sides & kShutRead) != 0) {
        StopListening(socket, now_ns, true);
        socket.entry.socket.is_listening = false;
        socket.has_ended = true;
        Notify(socket, POLLIN | POLLHUP);
      }
      return 0;
    case TcpState::kSynSent:
      FinishConnection(socket, 0, now_ns);
      return 0;
    default:
      break;
  }
  uint32_t events = 0;
  if ((sides & kShutRead) != 0) {
    socket.is_receive_shut = true;
    events |= POLLIN | POLLRDHUP;
  }
  if ((sides & kShutWrite) != 0) {
    EndSending(socket, now_ns);
    events |= POLLOUT;
  }
  if (socket.is_send_shut && (socket.is_receive_shut || socket.is_fin_received)) {
    events |= POLLHUP;
  }
  Notify(socket, events);
  return 0;
}

void AbortTcp(TcpSocket& socket, int error, uint64_t now_ns) {
  if (socket.state == TcpState::kListen) {
    StopListening(socket, now_ns, true);
    socket.has_ended = true;
    return;
  }
  if (socket.is_synchronised()) {
    SendReset(socket, now_ns);
  }
  FinishConnection(socket, error, now_ns);
}

uint32_t AcceptQueue_length(const TcpSocket& listener) {
  return listener.listening == nullptr ? 0 : listener.listening->accept_length;
}
uint32_t Backlog(const TcpSocket& listener) { return listener.listening == nullptr ? 0 : listener.listening->backlog; }

}  // namespace junction::net
