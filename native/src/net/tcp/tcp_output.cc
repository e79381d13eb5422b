// SPDX-License-Identifier: Apache-2.0
// Hot path: Output of small segments. No allocation but the record of what was sent.
#include "net/tcp/tcp_output.h"

#include "net/tcp/receive_window.h"
#include "net/tcp/tcp_timers.h"

namespace junction::net {
namespace {

/// What one frame may carry to be cut by the device, a multiple of the segment size; an IP packet has 65535 bytes at most.
uint32_t FrameLimit_bytes(const TcpSocket& socket) {
  const uint32_t mss = socket.send_mss_bytes;
  const uint32_t most = 65535 - 40 - kTcpHeaderMax_bytes;
  uint32_t limit = socket.path.device->segment_max_bytes;
  limit = limit < most ? limit : most;
  return limit <= mss ? mss : limit - limit % mss;
}

// The options of an ordinary segment: timestamps, and SACK blocks if something is missing.
uint32_t WriteOrdinaryOptions(TcpSocket& socket, bool reports, uint64_t now_ns, uint8_t* out) {
  TcpOptionsSeen options;
  options.has_timestamps = socket.uses_timestamps;
  if (socket.uses_timestamps) {
    options.timestamp = TimestampClock(now_ns) + socket.ts_offset;
    options.timestamp_echo = socket.ts_recent;
  }
  if (reports && socket.uses_sack && (!socket.out_of_order.empty() || socket.duplicate.begin != socket.duplicate.end)) {
    uint32_t count = 0;
    if (socket.duplicate.begin != socket.duplicate.end) {  // RFC 2883, section 4: comes first
      options.sack[count++] = socket.duplicate;
      socket.duplicate = {};
    }
    const uint32_t room = (socket.uses_timestamps ? 3U : 4U) - count;
    count += socket.out_of_order.Report(options.sack + count, room);
    options.sack_count = static_cast<uint8_t>(count);
  }
  return WriteTcpOptions(options, false, out);
}

void AcknowledgementIsOut(TcpSocket& socket) {
  socket.needs_ack_now = false;
  socket.ack_node.Unlink();
  socket.ack_at_ns = kNever;
  socket.rcv_acked = socket.rcv_nxt;
  socket.quick_acks -= socket.quick_acks != 0 ? 1 : 0;
}

// One segment with `count` bytes from `seq` on. False: no room, the socket waits for it.
bool SendSegment(TcpSocket& socket, uint32_t seq, uint32_t count, uint8_t flags, ChainCursor& cursor, uint64_t now_ns) {
  Stack& stack = *socket.tcp->stack;
  Socket& base = socket.entry.socket;
  if (!RefreshPath(socket)) {
    return false;
  }
  const bool reports = count == 0;
  const uint32_t options_most = reports ? 40 : socket.uses_timestamps ? kTimestampOption_bytes : 0;
  OutgoingPacket packet;
  if (BeginPacket(stack, socket.path, kProtocolTcp, base.local.address, base.remote.address, base.ttl,
                  base.type_of_service, true, kTcpHeader_bytes + options_most + count, &base, packet,
                  now_ns) != BeginResult::kReady) {
    return false;
  }
  uint8_t* const out = packet.transport;
  const uint32_t header_bytes =
      kTcpHeader_bytes + WriteOrdinaryOptions(socket, reports, now_ns, out + kTcpHeader_bytes);
  WriteTcpHeader({.source_port = base.local.port,
                  .destination_port = base.remote.port,
                  .seq = seq,
                  .ack = socket.rcv_nxt,
                  .flags = flags,
                  .window = SelectWindow(socket),
                  .header_bytes = header_bytes,
                  .options = {}},
                 out);
  if (count != 0) {
    CopyFromChain(socket.send, cursor, socket.send_seq, seq, out + header_bytes, count);
  }
  const auto segment_bytes = static_cast<uint16_t>(count > socket.send_mss_bytes ? socket.send_mss_bytes : 0);
  FinishPacket(stack, packet, kProtocolTcp, base.local.address, base.remote.address, header_bytes + count,
               kTcpChecksumOffset, segment_bytes);
  AcknowledgementIsOut(socket);
  ++socket.segments_out;
  ++stack.counters.tcp_out;
  return true;
}

// RFC 9293, section 3.7.4 in Minshall's form, as Linux: a partial segment waits only while another partial one is not acknowledged.
bool IsHeldByNagle(const TcpSocket& socket) {
  if (socket.options.is_corked || socket.has_unsent_fragment_hold) {
    return true;
  }
  if (socket.options.has_no_delay) {
    return false;
  }
  return SeqAfter(socket.small_end, socket.snd_una) && SeqAtMost(socket.small_end, socket.snd_nxt);
}

// How many of `unsent` bytes may leave in the next frame; 0 = none.
uint32_t NextLength_bytes(TcpSocket& socket, uint32_t unsent, bool has_fin, bool is_forced) {
  const uint32_t window_end = socket.snd_una + socket.snd_wnd;
  const uint32_t window_room = SeqBefore(socket.snd_nxt, window_end) ? window_end - socket.snd_nxt : 0;
  const uint32_t flight = socket.in_flight_bytes();
  const uint32_t congestion_room = socket.cubic.window_bytes > flight ? socket.cubic.window_bytes - flight : 0;
  const uint32_t mss = socket.send_mss_bytes;
  const uint32_t limit = FrameLimit_bytes(socket);
  uint32_t count = unsent < limit ? unsent : limit;
  if (count > congestion_room) {
    socket.is_cwnd_limited = true;
    count = congestion_room / mss * mss;
    if (count == 0 && flight == 0) {
      count = unsent < mss ? unsent : mss;  // a window below one segment must not stop everything
    }
  }
  if (count > window_room) {
    if (window_room >= mss) {
      return window_room / mss * mss;
    }
    // RFC 9293, section 3.8.6.2.1, (3): half of the largest window is worth it; what is less waits for more, or for the persist timer.
    return is_forced || (window_room != 0 && window_room >= socket.snd_wnd_max / 2) ? window_room : 0;
  }
  if (count == unsent && count % mss != 0 && !has_fin && !is_forced && IsHeldByNagle(socket)) {
    count -= count % mss;
  }
  return count;
}

void DataIsOut(TcpSocket& socket, uint32_t count, bool has_fin, uint64_t now_ns) {
  if (count % socket.send_mss_bytes != 0) {
    socket.small_end = socket.snd_nxt + count;
  }
  if (socket.snd_nxt == socket.snd_una) {
    socket.first_timeout_ns = socket.rto_base_ns = now_ns;
  }
  socket.snd_nxt += count + (has_fin ? 1 : 0);
  socket.is_fin_sent |= has_fin;
  // Data went out soon after data came in: requests and answers take turns.
  if (socket.last_received_ns != 0 && now_ns - socket.last_received_ns < kDelayedAck_ns) {
    socket.is_interactive = true;
  }
  socket.last_sent_ns = now_ns;
}

// RFC 5681, section 4.1.
void RestartAfterIdle(TcpSocket& socket, uint64_t now_ns) {
  if (socket.records.empty() && socket.last_sent_ns != 0 && now_ns - socket.last_sent_ns > socket.round_trip.Rto_ns()) {
    socket.cubic.OnIdle(socket.send_mss_bytes);
  }
}

bool SendNew(TcpSocket& socket, bool is_forced, uint64_t now_ns) {
  bool is_any_out = false;
  for (;;) {
    const uint32_t unsent = socket.unsent_bytes();
    const bool fin_waits = socket.has_fin_to_send();
    if (unsent == 0 && !fin_waits) {
      break;
    }
    const uint32_t count = unsent == 0 ? 0 : NextLength_bytes(socket, unsent, fin_waits, is_forced);
    bool has_fin = fin_waits && count == unsent;
    if (unsent == 0 && socket.snd_wnd == 0 && socket.records.empty() && !is_forced) {
      has_fin = false;  // a FIN takes room in the window like a byte
    }
    if (count == 0 && !has_fin) {
      break;
    }
    const uint32_t seq = socket.snd_nxt;
    const uint32_t end = seq + count + (has_fin ? 1 : 0);
    // Recorded first: what has left must be known.
    if (!socket.records.Append(socket.tcp->records, seq, end, now_ns)) {
      ArmPersist(socket, now_ns);
      break;
    }
    const uint8_t flags =
        static_cast<uint8_t>(kTcpAck | (count == unsent && count != 0 ? kTcpPsh : 0) | (has_fin ? kTcpFin : 0));
    if (!SendSegment(socket, seq, count, flags, socket.send_cursor, now_ns)) {
      socket.records.TakeBack(socket.tcp->records, seq);
      break;
    }
    DataIsOut(socket, count, has_fin, now_ns);
    is_any_out = true;
    if (is_forced) {
      break;
    }
  }
  return is_any_out;
}

// Lost records in order, as far as the window lets. False if there was no room.
bool SendLost(TcpSocket& socket, uint64_t now_ns) {
  for (SentRecord* record = socket.records.head; record != nullptr && socket.records.lost_bytes != 0;
       record = record->next) {
    if (!record->is_lost) {
      continue;
    }
    const uint32_t flight = socket.in_flight_bytes();
    if (flight != 0 && flight + socket.send_mss_bytes > socket.cubic.window_bytes) {
      socket.is_cwnd_limited = true;
      break;
    }
    if (!Retransmit(socket, *record, now_ns)) {
      return false;
    }
  }
  return true;
}

}  // namespace

void Output(TcpSocket& socket, uint64_t now_ns) {
  if (!socket.can_send()) {
    return;
  }
  bool is_any_out = false;
  if (socket.records.lost_bytes != 0) {
    if (!SendLost(socket, now_ns)) {
      return;
    }
    is_any_out = true;
  }
  if (socket.unsent_bytes() != 0 || socket.has_fin_to_send()) {
    RestartAfterIdle(socket, now_ns);
    is_any_out |= SendNew(socket, false, now_ns);
    if (socket.records.empty() && socket.unsent_bytes() + (socket.has_fin_to_send() ? 1 : 0) != 0) {
      ArmPersist(socket, now_ns);  // held by the window, the cork or a device without room: nothing else would wake it
    }
  }
  if (is_any_out) {
    ArmRetransmit(socket, now_ns);
  }
}

void OutputForced(TcpSocket& socket, uint64_t now_ns) {
  if (socket.can_send() && SendNew(socket, true, now_ns)) {
    ArmRetransmit(socket, now_ns);
  }
}

bool Retransmit(TcpSocket& socket, SentRecord& record, uint64_t now_ns) {
  SentRecords& records = socket.records;
  ObjectPool& pool = socket.tcp->records;
  const uint32_t mss = socket.send_mss_bytes;
  const uint32_t window_end = socket.snd_una + socket.snd_wnd;
  uint32_t most = mss;
  if (SeqBefore(record.seq, window_end) && SeqBefore(window_end, record.end) && window_end - record.seq < most) {
    most = window_end - record.seq;  // the peer took its window back (it should not): what fits is tried
  }
  if (record.size_bytes() > most && !records.Split(pool, record, record.seq + most)) {
    return false;
  }
  const bool has_fin = socket.is_fin_sent && record.end == socket.send_end() + 1;
  const uint32_t count = record.size_bytes() - (has_fin ? 1 : 0);
  const uint8_t flags = static_cast<uint8_t>(kTcpAck | (record.end == socket.snd_nxt && count != 0 ? kTcpPsh : 0) |
                                             (has_fin ? kTcpFin : 0));
  if (!SendSegment(socket, record.seq, count, flags, socket.retransmit_cursor, now_ns)) {
    return false;
  }
  if (socket.retransmit_stamp == 0) {
    socket.retransmit_stamp = TimestampClock(now_ns) + socket.ts_offset;
  }
  records.MarkRetransmitted(record, now_ns);
  ++socket.undo_retransmits;
  ++socket.total_retransmits;
  ++socket.tcp->stack->counters.tcp_retransmits;
  return true;
}

void SendAck(TcpSocket& socket, uint64_t now_ns) {
  ChainCursor none;
  if (!SendSegment(socket, socket.snd_nxt, 0, kTcpAck, none, now_ns)) {
    socket.needs_ack_now = true;  // resume sends it
  }
}

void QueueAck(TcpSocket& socket) {
  socket.needs_ack_now = true;
  if (!socket.ack_node.is_linked()) {
    socket.tcp->acks_due.PushBack(socket.ack_node);
  }
}

bool SendProbe(TcpSocket& socket, uint64_t now_ns) {
  ChainCursor none;
  return SendSegment(socket, socket.snd_una - 1, 0, kTcpAck, none, now_ns);
}

}  // namespace junction::net
