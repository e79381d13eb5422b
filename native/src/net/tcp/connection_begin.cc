// SPDX-License-Identifier: Apache-2.0
#include "net/tcp/connection_begin.h"

#include <new>

#include "net/tcp/connection_end.h"
#include "net/tcp/connection_table.h"
#include "net/tcp/listener.h"
#include "net/tcp/receive_window.h"
#include "net/tcp/tcp_output.h"
#include "net/tcp/tcp_timers.h"

namespace junction::net {
namespace {

// Linux' TCP_MAX_QUICKACKS: the peer's slow start lives on acknowledgements.
constexpr uint8_t kQuickAcks = 16;
// RFC 9293, MUST-15 and section 3.7.1: without an option.
constexpr uint32_t kDefaultSegment4_bytes = 536;
constexpr uint32_t kDefaultSegment6_bytes = 1220;
// Less would cost more headers than data (Linux' TCP_MIN_MSS with options).
constexpr uint32_t kLeastSegment_bytes = 60;

void CopyFrom(TcpSocket& socket, const TcpSocket& listener, const Socket& from) {
  Socket& base = socket.entry.socket;
  const Socket& parent = listener.entry.socket;
  base.local = from.local;
  base.remote = from.remote;
  base.device_index = from.device_index;
  base.is_v6_only = parent.is_v6_only;
  base.reuses_address = parent.reuses_address;
  base.reuses_port = parent.reuses_port;
  base.ttl = parent.ttl;
  base.type_of_service = parent.type_of_service;
  base.owner_uid = parent.owner_uid;
  socket.options = listener.options;
  socket.receive_limit_bytes = listener.receive_limit_bytes;
  socket.send_limit_bytes = listener.send_limit_bytes;
  socket.is_buffer_fixed_receive = listener.is_buffer_fixed_receive;
  socket.is_buffer_fixed_send = listener.is_buffer_fixed_send;
}

}  // namespace

TcpSocket* MakeSocket(TcpLayer& tcp, bool is_v6) {
  void* const memory = tcp.sockets.Allocate();
  if (memory == nullptr) {
    return nullptr;
  }
  auto* const socket = new (memory) TcpSocket();
  socket->tcp = &tcp;
  socket->entry.socket.stack = tcp.stack;
  socket->entry.socket.is_v6 = is_v6;
  socket->entry.socket.local.address = socket->entry.socket.remote.address = AnyAddress(is_v6);
  socket->timer.fire = OnTcpTimer;
  socket->timer.context = socket;
  tcp.all.PushBack(socket->all_node);
  return socket;
}

void AdoptOptions(TcpSocket& socket, const TcpOptionsSeen& options, uint64_t now_ns) {
  const bool is_v4 = socket.entry.socket.remote.address.is_v4();
  socket.peer_mss_bytes = options.max_segment_bytes == 0 ? (is_v4 ? kDefaultSegment4_bytes : kDefaultSegment6_bytes)
                          : options.max_segment_bytes < kLeastSegment_bytes ? kLeastSegment_bytes
                                                                            : options.max_segment_bytes;
  socket.uses_timestamps = options.has_timestamps;
  socket.uses_sack = options.permits_sack;
  socket.uses_window_scale = options.has_window_scale;
  socket.send_window_scale = options.has_window_scale ? options.window_scale : 0;
  socket.receive_window_scale = options.has_window_scale ? kReceiveWindowScale : 0;
  if (options.has_timestamps) {
    socket.ts_recent = options.timestamp;
    socket.ts_recent_ns = now_ns;
  }
}

void BecomeEstablished(TcpSocket& socket, const TcpHeader& header, bool is_window_scaled, uint64_t now_ns) {
  socket.state =
      socket.is_send_shut ? TcpState::kFinWait1 : TcpState::kEstablished;  // shutdown came during the handshake
  socket.was_connected = true;
  socket.snd_una = socket.snd_nxt = socket.send_seq = socket.iss + 1;
  socket.send_round_end = socket.snd_nxt;
  socket.send_round_ns = now_ns;
  socket.small_end = socket.rack_fack = socket.snd_una;
  socket.snd_wl1 = header.seq;
  socket.snd_wnd = static_cast<uint32_t>(header.window) << (is_window_scaled ? socket.send_window_scale : 0);
  socket.snd_wnd_max = socket.snd_wnd;
  socket.backoff = 0;
  socket.retransmit_mode = RetransmitMode::kNone;
  socket.retransmit_at_ns = kNever;
  socket.quick_acks = kQuickAcks;
  socket.last_ack_ns = now_ns;
  socket.last_received_ns = 0;
  socket.tune_since_ns = now_ns;
  RefreshPath(socket);
  UpdateSegmentSize(socket);
  socket.cubic.Begin(socket.send_mss_bytes);
  socket.cubic.round_end = socket.snd_nxt;
  if (socket.syn_retries_done != 0) {
    socket.cubic.window_bytes =
        socket.send_mss_bytes;  // RFC 6298, section 5.7 and RFC 5681, section 3.1: a SYN was lost
  }
  if (socket.options.has_keep_alive) {
    ArmKeepAlive(socket, now_ns);
  }
}

TcpSocket* MakeAccepted(TcpSocket& listener, const Socket& from, const ConnectionSeed& seed, const TcpHeader& ack,
                        uint64_t now_ns) {
  TcpLayer& tcp = *listener.tcp;
  TcpSocket* const socket = MakeSocket(tcp, listener.entry.socket.is_v6);
  if (socket == nullptr) {
    return nullptr;
  }
  CopyFrom(*socket, listener, from);
  TcpOptionsSeen options;
  options.max_segment_bytes = static_cast<uint16_t>(seed.peer_mss_bytes);
  options.has_timestamps = seed.uses_timestamps;
  options.timestamp = seed.ts_recent;
  options.permits_sack = seed.uses_sack;
  options.has_window_scale = seed.uses_window_scale;
  options.window_scale = seed.send_window_scale;
  AdoptOptions(*socket, options, now_ns);
  socket->ts_offset = seed.ts_offset;
  socket->iss = seed.iss;
  socket->irs = seed.irs;
  socket->rcv_nxt = socket->rcv_acked = seed.irs + 1;
  FirstWindow(*socket);
  if (SharePort(*tcp.stack, kProtocolTcp, socket->entry.socket) != 0 || !InsertEntry(tcp, socket->entry)) {
    FreeSocket(*socket);
    return nullptr;
  }
  BecomeEstablished(*socket, ack, true, now_ns);
  if (seed.sent_ns != 0 && !seed.was_retransmitted) {
    socket->round_trip.Sample(now_ns - seed.sent_ns, now_ns);
  }
  ListenerPart& part = *listener.listening;
  socket->listener = &listener;
  part.accept_queue.PushBack(socket->queue_node);
  ++part.accept_length;
  ++tcp.stack->counters.tcp_passive_opens;
  return socket;
}

}  // namespace junction::net
