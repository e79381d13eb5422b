// SPDX-License-Identifier: Apache-2.0
#include "net/tcp/connection_end.h"

#include <poll.h>

#include "net/tcp/connection_table.h"
#include "net/tcp/listener.h"
#include "net/tcp/tcp_timers.h"
#include "net/tcp/time_wait.h"

namespace junction::net {
namespace {

void LeaveLists(TcpSocket& socket) {
  socket.ack_node.Unlink();
  if (socket.waits_for_memory) {  // else it may be in its listener's queue, and stays there
    socket.queue_node.Unlink();
  }
  socket.needs_ack_now = socket.waits_for_memory = false;
  socket.entry.socket.waiting_node.Unlink();
  if (socket.tcp->recent == &socket) {
    socket.tcp->recent = nullptr;
  }
}

void DropSending(TcpSocket& socket) {
  BlockPool& pool = PoolOf(socket);
  socket.send.Clear(pool);
  socket.send_cursor = socket.retransmit_cursor = {};
  socket.records.Clear(socket.tcp->records);
  socket.out_of_order.Clear(pool, socket.tcp->runs);
}

}  // namespace

void FinishConnection(TcpSocket& socket, int error, uint64_t) {
  if (socket.state == TcpState::kClosed) {
    return;
  }
  StopTimers(socket);
  LeaveLists(socket);
  RemoveEntry(*socket.tcp, socket.entry);
  DropSending(socket);
  socket.state = TcpState::kClosed;
  socket.has_ended = true;
  if (!socket.is_bound_by_name) {
    ReleasePort(*socket.tcp->stack, kProtocolTcp, socket.entry.socket);
  }
  if (error != 0) {
    socket.entry.socket.error = error;
  }
  Notify(socket, POLLIN | POLLOUT | POLLRDHUP | POLLHUP | (error != 0 ? POLLERR : 0));
}

void FreeSocket(TcpSocket& socket) {
  TcpLayer& tcp = *socket.tcp;
  StopTimers(socket);
  LeaveLists(socket);
  RemoveEntry(tcp, socket.entry);
  DropSending(socket);
  socket.receive.Clear(tcp.stack->pool);
  ReleasePort(*tcp.stack, kProtocolTcp, socket.entry.socket);
  LeaveAcceptQueue(socket);
  socket.all_node.Unlink();
  tcp.sockets.Free(&socket);
}

void FreeIfDone(TcpSocket& socket) {
  if (socket.state == TcpState::kClosed && socket.is_orphan) {
    FreeSocket(socket);
  }
}

void EnterTimeWait(TcpSocket& socket, uint64_t now_ns) {
  RemoveEntry(*socket.tcp, socket.entry);
  AddTimeWait(socket, now_ns);
  FinishConnection(socket, 0, now_ns);
}

}  // namespace junction::net
