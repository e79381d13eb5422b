// SPDX-License-Identifier: Apache-2.0
// kTcpOps: what the internet layer calls.
#include <poll.h>

#include <cerrno>

#include "net/tcp/connection_end.h"
#include "net/tcp/connection_table.h"
#include "net/tcp/listener.h"
#include "net/tcp/loss_recovery.h"
#include "net/tcp/tcp_input.h"
#include "net/tcp/tcp_output.h"
#include "net/tcp/tcp_timers.h"
#include "net/tcp/time_wait.h"

namespace junction::net {
namespace {

// Slabs: big enough to be well filled, small enough to come back.
constexpr uint32_t kSocketSlab_bytes = 32 * 1024;
constexpr uint32_t kSmallSlab_bytes = 4096;

bool Start(Stack& stack) {
  auto* const tcp = New<TcpLayer>(stack);
  if (tcp == nullptr) {
    return false;
  }
  stack.tcp = tcp;
  tcp->stack = &stack;
  tcp->sockets.Init(stack.environment, sizeof(TcpSocket), kSocketSlab_bytes);
  tcp->requests.Init(stack.environment, sizeof(Request), kSmallSlab_bytes);
  tcp->time_waits.Init(stack.environment, sizeof(TimeWait), kSmallSlab_bytes);
  tcp->records.Init(stack.environment, sizeof(SentRecord), kSmallSlab_bytes);
  tcp->runs.Init(stack.environment, sizeof(HeldRun), kSmallSlab_bytes);
  tcp->time_wait_timer.fire = OnTimeWaitTimer;
  tcp->time_wait_timer.context = tcp;
  return true;
}

void TrimPools(TcpLayer& tcp) {
  tcp.sockets.Trim();
  tcp.requests.Trim();
  tcp.time_waits.Trim();
  tcp.records.Trim();
  tcp.runs.Trim();
}

void Stop(Stack& stack) {
  TcpLayer* const tcp = stack.tcp;
  if (tcp == nullptr) {
    return;
  }
  while (ListNode* const node = tcp->all.first()) {
    TcpSocket& socket = *JUNCTION_OWNER(node, TcpSocket, all_node);
    if (socket.listening != nullptr) {
      StopListening(socket, stack.now_ns, false);
    }
    FreeSocket(socket);
  }
  while (ListNode* const node = tcp->time_wait_order.first()) {
    RemoveTimeWait(*tcp, *JUNCTION_OWNER(node, TimeWait, node));
  }
  stack.timers.Cancel(tcp->time_wait_timer);
  TrimPools(*tcp);
  tcp->entries.Free(stack.environment);
  Delete(stack, tcp);
  stack.tcp = nullptr;
}

// Deadlines that were moved or dropped leave their timers behind (tcp_timers.h): who is about to sleep should not be woken for them.
void SettleTimers(Stack& stack) {
  while (stack.timers.root != nullptr && stack.timers.root->fire == OnTcpTimer) {
    Timer& timer = *stack.timers.root;
    TcpSocket& socket = *static_cast<TcpSocket*>(timer.context);
    if (EarliestDeadline_ns(socket) <= timer.deadline_ns) {
      break;
    }
    stack.timers.Cancel(timer);
    ArmTimer(socket);
  }
}

void TrimTcp(Stack& stack) {
  SettleTimers(stack);
  TrimPools(*stack.tcp);
}

void FlushTcp(Stack& stack, uint64_t now_ns) {
  TcpLayer& tcp = *stack.tcp;
  while (ListNode* const node = tcp.acks_due.PopFront()) {
    TcpSocket& socket = *JUNCTION_OWNER(node, TcpSocket, ack_node);
    if (socket.needs_ack_now) {
      SendAck(socket, now_ns);
    }
  }
  while (!tcp.memory_waiters.empty() && stack.pool.used_blocks() < stack.pool.limit_blocks()) {
    TcpSocket& socket = *JUNCTION_OWNER(tcp.memory_waiters.PopFront(), TcpSocket, queue_node);
    socket.waits_for_memory = false;
    socket.may_write_more = true;
    Notify(socket, POLLOUT);
  }
}

void ResumeConnection(TcpSocket& socket, int error, uint64_t now_ns) {
  if (socket.state == TcpState::kSynSent || socket.state == TcpState::kSynReceived) {
    if (error != 0) {
      ++socket.tcp->stack->counters.tcp_attempt_fails;
      FinishConnection(socket, error, now_ns);
    } else {
      SendSyn(socket, now_ns);
    }
  } else if (error != 0) {
    socket.soft_error = error;  // retransmissions decide
  } else if (socket.state != TcpState::kClosed) {
    Output(socket, now_ns);
    if (socket.needs_ack_now && !socket.ack_node.is_linked()) {
      SendAck(socket, now_ns);
    }
  }
  FreeIfDone(socket);
}

void Resume(Socket& base, int error, uint64_t now_ns) {
  switch (EntryOf(base).kind) {
    case EntryKind::kConnection:
      ResumeConnection(TcpOf(base), error, now_ns);
      break;
    case EntryKind::kRequest:
      ResumeRequest(reinterpret_cast<Request&>(base), error, now_ns);
      break;
    case EntryKind::kTimeWait:
      break;
  }
}

// RFC 1191 and 8201; only for segments that are under way (RFC 5927, section 7.2).
void OnPacketTooBig(TcpSocket& socket, const IcmpError& error, uint64_t now_ns) {
  if (!socket.is_synchronised() && socket.state != TcpState::kSynSent) {
    return;
  }
  ReducePathMtu(*socket.tcp->stack, error.destination, error.mtu_bytes, now_ns);
  const uint32_t mss_before = socket.send_mss_bytes;
  if (RefreshPath(socket) && socket.send_mss_bytes < mss_before && socket.can_send()) {
    OnSegmentSizeReduced(socket, now_ns);
  }
}

void OnConnectionError(TcpSocket& socket, const IcmpError& error, uint32_t seq, uint64_t now_ns) {
  // RFC 5927, section 4.1: a blind attacker does not know the numbers.
  if (socket.state == TcpState::kClosed || socket.state == TcpState::kListen ||
      !SeqWithin(seq, socket.snd_una, socket.snd_nxt)) {
    return;
  }
  if (error.mtu_bytes != 0) {
    OnPacketTooBig(socket, error, now_ns);
  } else if (error.is_hard && (socket.state == TcpState::kSynSent || socket.state == TcpState::kSynReceived)) {
    ++socket.tcp->stack->counters.tcp_attempt_fails;
    FinishConnection(socket, error.error, now_ns);
  } else {
    socket.soft_error = error.error;  // RFC 5461: no connection ends for it
  }
  FreeIfDone(socket);
}

void OnIcmpError(Stack& stack, const IcmpError& error, uint64_t now_ns) {
  if (error.transport_bytes < 8) {
    return;
  }
  const Endpoint local{error.source, LoadBig16(error.transport)};
  const Endpoint remote{error.destination, LoadBig16(error.transport + 2)};
  const uint32_t seq = LoadBig32(error.transport + 4);
  TableEntry* const entry = FindEntry(*stack.tcp, local, remote);
  if (entry == nullptr) {
    return;
  }
  if (entry->kind == EntryKind::kConnection) {
    OnConnectionError(reinterpret_cast<TcpSocket&>(*entry), error, seq, now_ns);
  } else if (entry->kind == EntryKind::kRequest) {
    auto& request = reinterpret_cast<Request&>(*entry);
    if (error.is_hard && seq == request.iss && error.mtu_bytes == 0) {
      RemoveRequest(request);
    }
  }
}

void ResetListener(TcpSocket& listener, const Device& device) {
  List& requests = listener.listening->requests;
  for (ListNode *node = requests.first(), *next = nullptr; node != nullptr; node = next) {
    next = requests.Next(node);
    Request& request = *JUNCTION_OWNER(node, Request, node);
    if (request.entry.socket.device_index == device.index) {
      RemoveRequest(request);
    }
  }
}

void OnDeviceReset(Stack& stack, Device& device, int error, uint64_t now_ns) {
  if (stack.tcp == nullptr) {  // stopped already: FreeStack
    return;
  }
  TcpLayer& tcp = *stack.tcp;
  for (ListNode *node = tcp.all.first(), *next = nullptr; node != nullptr; node = next) {
    next = tcp.all.Next(node);
    TcpSocket& socket = *JUNCTION_OWNER(node, TcpSocket, all_node);
    if (socket.state == TcpState::kListen) {
      ResetListener(socket, device);
    } else if (socket.state != TcpState::kClosed &&
               (socket.path.device == &device || socket.entry.socket.device_index == device.index)) {
      FinishConnection(socket, error, now_ns);
      FreeIfDone(socket);
    }
  }
  for (ListNode *node = tcp.time_wait_order.first(), *next = nullptr; node != nullptr; node = next) {
    next = tcp.time_wait_order.Next(node);
    TimeWait& entry = *JUNCTION_OWNER(node, TimeWait, node);
    if (entry.entry.socket.device_index == device.index) {
      RemoveTimeWait(tcp, entry);
    }
  }
}

bool HasAnyConnection(const Stack& stack) {
  const TcpLayer& tcp = *stack.tcp;
  if (tcp.requests.in_use() != 0) {
    return true;
  }
  for (ListNode* node = tcp.all.first(); node != nullptr; node = tcp.all.Next(node)) {
    const TcpState state = JUNCTION_OWNER(node, TcpSocket, all_node)->state;
    if (state != TcpState::kListen && state != TcpState::kClosed) {
      return true;
    }
  }
  return false;
}

}  // namespace

constinit const ProtocolOps kTcpOps = {
    .input = TcpInput,
    .icmp_error = OnIcmpError,
    .resume = Resume,
    .device_reset = OnDeviceReset,
    .flush = FlushTcp,
    .start = Start,
    .stop = Stop,
    .renew_secrets = nullptr,  // Stack::signing_secret is asked each time
    .trim = TrimTcp,
    .has_connections = HasAnyConnection,
};

}  // namespace junction::net
