// SPDX-License-Identifier: Apache-2.0
#include "net/tcp/loss_recovery.h"

#include "net/tcp/tcp_output.h"
#include "net/tcp/tcp_timers.h"

namespace junction::net {
namespace {

constexpr uint8_t kDuplicateThreshold = 3;  // RFC 5681, section 3.2
constexpr uint8_t kWindowPersist = 16;      // RFC 8985, section 6.2: RACK.reo_wnd_persist
// A reordering timer below this would be of no use: our deadlines are kept by a scheduler.
constexpr uint64_t kReorderLeast_ns = kMillisecond_ns;
// Sizes of packets that are tried when larger ones seem to vanish (RFC 4821's idea): IPv6's least, IPv4's usual least.
constexpr uint32_t kBlackHoleMtu_bytes = 1280;
constexpr uint32_t kBlackHoleMtu4_bytes = 576;

bool SentBefore(uint64_t a_ns, uint32_t a_end, uint64_t b_ns, uint32_t b_end) {
  return a_ns < b_ns || (a_ns == b_ns && SeqBefore(a_end, b_end));
}

// The segment echoes a timestamp from before `sent_ns`.
bool AnswersBefore(const TcpSocket& socket, const TcpHeader& header, uint64_t sent_ns) {
  return socket.uses_timestamps && header.options.has_timestamps && header.options.timestamp_echo != 0 &&
         SeqBefore(header.options.timestamp_echo, TimestampClock(sent_ns) + socket.ts_offset);
}

// RFC 8985, section 6.2, step 4.
uint64_t ReorderWindow_ns(const TcpSocket& socket) {
  if (!socket.is_reordering_seen && (socket.congestion != CongestionState::kOpen ||
                                     socket.records.sacked_bytes >= kDuplicateThreshold * socket.send_mss_bytes)) {
    return 0;
  }
  if (socket.round_trip.min_ns == ~0ULL) {
    return 0;
  }
  const uint64_t window = socket.round_trip.min_ns / 4 * socket.rack_window_multiple;
  return window < socket.round_trip.smoothed_ns ? window : socket.round_trip.smoothed_ns;
}

void AdaptReorderWindow(TcpSocket& socket, const AckEvent& event) {
  if (socket.has_rack_round && SeqAtMost(socket.rack_round_end, socket.snd_una)) {
    socket.has_rack_round = false;
  }
  if (event.has_duplicate_sack && !socket.has_rack_round) {
    socket.has_rack_round = true;
    socket.rack_round_end = socket.snd_nxt;
    socket.rack_window_multiple += socket.rack_window_multiple < 255 ? 1 : 0;
    socket.rack_window_persist = kWindowPersist;
  }
}

// Step 5. How long until the next record would be taken for lost; 0 = none is in doubt.
uint64_t DetectLosses(TcpSocket& socket, uint64_t now_ns) {
  const uint64_t allowance = socket.rack_rtt_ns + ReorderWindow_ns(socket);
  uint64_t wait_ns = 0;
  for (SentRecord* record = socket.records.head; record != nullptr; record = record->next) {
    if (record->is_sacked || record->is_lost) {
      continue;
    }
    if (!SentBefore(record->sent_ns, record->end, socket.rack_sent_ns, socket.rack_end_seq)) {
      if (!record->was_retransmitted) {
        break;  // all behind it were sent later still
      }
      continue;
    }
    const uint64_t lost_at = record->sent_ns + allowance;
    if (lost_at <= now_ns) {
      socket.records.MarkLost(*record);
    } else if (lost_at - now_ns > wait_ns) {
      wait_ns = lost_at - now_ns;
    }
  }
  return wait_ns;
}

void SaveForUndo(TcpSocket& socket) {
  socket.undo_window_bytes = socket.cubic.window_bytes;
  socket.undo_threshold_bytes = socket.cubic.threshold_bytes;
  socket.can_undo = true;
  socket.undo_retransmits = 0;
  socket.retransmit_stamp = 0;
}

void EnterRecovery(TcpSocket& socket, uint64_t now_ns) {
  SaveForUndo(socket);
  socket.high_seq = socket.snd_nxt;
  socket.congestion = CongestionState::kRecovery;
  socket.cubic.OnLoss(socket.send_mss_bytes);
  socket.cubic.window_bytes = socket.cubic.threshold_bytes;
  socket.is_tail_probe_out = false;
  ++socket.tcp->stack->counters.tcp_fast_retransmits;
  // RFC 6675, section 5, step 4.3: the first lost segment leaves whatever the window says.
  for (SentRecord* record = socket.records.head; record != nullptr; record = record->next) {
    if (record->is_lost) {
      Retransmit(socket, *record, now_ns);
      break;
    }
  }
}

void LeaveRecovery(TcpSocket& socket) {
  if (socket.congestion == CongestionState::kRecovery) {
    socket.cubic.window_bytes = socket.cubic.threshold_bytes;
  }
  socket.congestion = CongestionState::kOpen;
  socket.duplicate_acks = 0;
  socket.duplicate_bytes = 0;
  socket.can_undo = false;
  if (socket.rack_window_persist != 0 && --socket.rack_window_persist == 0) {
    socket.rack_window_multiple = 1;
  }
}

// What was taken for loss was not: back to where we were (RFC 4015).
void Undo(TcpSocket& socket) {
  LeaveRecovery(socket);  // first: it sets the window by the threshold of the loss
  Cubic& cubic = socket.cubic;
  cubic.window_bytes = cubic.window_bytes > socket.undo_window_bytes ? cubic.window_bytes : socket.undo_window_bytes;
  cubic.threshold_bytes = socket.undo_threshold_bytes;
  cubic.epoch_ns = 0;
  for (SentRecord* record = socket.records.head; record != nullptr; record = record->next) {
    record->is_lost = false;
  }
  socket.records.lost_bytes = 0;
  socket.backoff = socket.timeouts = 0;
}

bool IsSpurious(TcpSocket& socket, const AckEvent& event) {
  if (!socket.can_undo) {
    return false;
  }
  const TcpOptionsSeen& options = event.header->options;
  if (event.acked_bytes != 0 && socket.uses_timestamps && options.has_timestamps && socket.retransmit_stamp != 0 &&
      options.timestamp_echo != 0 && SeqBefore(options.timestamp_echo, socket.retransmit_stamp)) {
    return true;  // RFC 3522, section 3.2: the answer is to the first transmission
  }
  // RFC 3708: each retransmission was reported as a duplicate.
  return event.has_duplicate_sack && socket.undo_retransmits != 0 && --socket.undo_retransmits == 0;
}

// RFC 8985, section 7.4.2.
void EndTailProbe(TcpSocket& socket, const AckEvent& event) {
  if (!socket.is_tail_probe_out || SeqBefore(socket.snd_una, socket.tail_probe_end)) {
    return;
  }
  if (!socket.is_tail_probe_retransmission || event.has_duplicate_sack) {
    socket.is_tail_probe_out = false;
  } else if (SeqAfter(socket.snd_una, socket.tail_probe_end)) {
    socket.is_tail_probe_out = false;  // the probe repaired a loss, which else nothing had told
    socket.cubic.OnLoss(socket.send_mss_bytes);
    socket.cubic.window_bytes = socket.cubic.threshold_bytes;
  } else if (event.is_duplicate && !event.has_new_sack) {
    socket.is_tail_probe_out = false;
  }
}

void MarkHeadLost(TcpSocket& socket) {
  SentRecord* const head = socket.records.head;
  if (head == nullptr || head->is_lost) {
    return;
  }
  if (head->size_bytes() > socket.send_mss_bytes) {
    socket.records.Split(socket.tcp->records, *head, head->seq + socket.send_mss_bytes);
  }
  socket.records.MarkLost(*head);
}

// RFC 6582, with duplicates taken for segments that have left.
void DetectLossesWithoutSack(TcpSocket& socket, const AckEvent& event) {
  if (event.acked_bytes != 0) {
    socket.duplicate_acks = 0;
    socket.duplicate_bytes -= socket.duplicate_bytes < event.acked_bytes ? socket.duplicate_bytes : event.acked_bytes;
    if (socket.congestion == CongestionState::kRecovery) {
      MarkHeadLost(socket);  // a partial acknowledgement: the next hole (section 3.2, step 3)
    } else {
      socket.duplicate_bytes = 0;
    }
    return;
  }
  if (!event.is_duplicate || socket.records.empty()) {
    return;
  }
  socket.duplicate_acks += socket.duplicate_acks < 255 ? 1 : 0;
  const uint32_t most = socket.snd_nxt - socket.snd_una > socket.send_mss_bytes
                            ? socket.snd_nxt - socket.snd_una - socket.send_mss_bytes
                            : 0;
  socket.duplicate_bytes += socket.send_mss_bytes;
  socket.duplicate_bytes = socket.duplicate_bytes < most ? socket.duplicate_bytes : most;
  // Step 1: not again for what an earlier recovery or timeout has sent already.
  if (socket.duplicate_acks == kDuplicateThreshold && socket.congestion == CongestionState::kOpen &&
      (!socket.has_high_seq || SeqAfter(socket.snd_una, socket.high_seq))) {
    MarkHeadLost(socket);
  }
}

void SuspectBlackHole(TcpSocket& socket) {
  const bool is_v4 = socket.entry.socket.remote.address.is_v4();
  uint32_t mtu = socket.path_mtu_bytes != 0 && socket.path_mtu_bytes < socket.path.mtu_bytes ? socket.path_mtu_bytes
                                                                                             : socket.path.mtu_bytes;
  if (socket.path.device == nullptr || socket.path.device->is_point_to_point || socket.path.device->is_loopback) {
    return;
  }
  if (mtu > kBlackHoleMtu_bytes) {
    mtu = kBlackHoleMtu_bytes;
  } else if (is_v4 && socket.timeouts >= 3 && mtu > kBlackHoleMtu4_bytes) {
    mtu = kBlackHoleMtu4_bytes;
  } else {
    return;
  }
  socket.path_mtu_bytes = mtu;
  UpdateSegmentSize(socket);
}

}  // namespace

void OnDelivered(TcpSocket& socket, const SentRecord& record, uint32_t end, uint64_t now_ns, AckEvent& event) {
  const uint64_t rtt_ns = now_ns - record.sent_ns;
  if (!record.was_retransmitted) {
    if (!event.has_sample) {
      event.has_sample = true;
      event.sample_ns = rtt_ns;
    }
  } else if (rtt_ns < socket.round_trip.min_ns || AnswersBefore(socket, *event.header, record.sent_ns)) {
    return;  // step 2: an answer to the first transmission
  }
  if (SentBefore(socket.rack_sent_ns, socket.rack_end_seq, record.sent_ns, end)) {
    socket.rack_sent_ns = record.sent_ns;
    socket.rack_end_seq = end;
    socket.rack_rtt_ns = rtt_ns;
  }
  if (SeqAfter(end, socket.rack_fack)) {
    socket.rack_fack = end;
  } else if (SeqBefore(end, socket.rack_fack) && !record.was_retransmitted) {
    socket.is_reordering_seen = true;
  }
}

void ApplySack(TcpSocket& socket, const TcpHeader& header, uint64_t now_ns, AckEvent& event) {
  const TcpOptionsSeen& options = header.options;
  SentRecords& records = socket.records;
  ObjectPool& pool = socket.tcp->records;
  for (uint32_t i = 0; i < options.sack_count; ++i) {
    const SackBlock& block = options.sack[i];
    if (!SeqBefore(block.begin, block.end)) {
      continue;
    }
    // RFC 2883, section 4: below the acknowledgement, or within the next block.
    if (i == 0 && (SeqAtMost(block.end, header.ack) ||
                   (options.sack_count > 1 && !SeqBefore(block.begin, options.sack[1].begin) &&
                    SeqAtMost(block.end, options.sack[1].end)))) {
      event.has_duplicate_sack |= SeqAfter(block.end, socket.snd_una - socket.snd_wnd_max - 1);
      continue;
    }
    if (SeqBefore(block.begin, socket.snd_una) || SeqAfter(block.end, socket.snd_nxt)) {
      continue;
    }
    for (SentRecord* record = records.head; record != nullptr && SeqBefore(record->seq, block.end);
         record = record->next) {
      if (SeqAtMost(record->end, block.begin) || record->is_sacked) {
        continue;
      }
      if (SeqBefore(record->seq, block.begin)) {
        if (!records.Split(pool, *record, block.begin)) {
          break;
        }
        continue;
      }
      if (SeqAfter(record->end, block.end) && !records.Split(pool, *record, block.end)) {
        break;
      }
      OnDelivered(socket, *record, record->end, now_ns, event);
      event.delivered_bytes += record->size_bytes();
      event.has_new_sack = true;
      records.MarkSacked(*record);
      if (record->previous != nullptr && record->previous->is_sacked) {
        record = record->previous;
        records.MergeSacked(pool, *record);
      }
      records.MergeSacked(pool, *record);
    }
  }
}

void RecoverOnAck(TcpSocket& socket, const AckEvent& event, uint64_t now_ns) {
  AdaptReorderWindow(socket, event);
  if (IsSpurious(socket, event)) {
    Undo(socket);
  }
  EndTailProbe(socket, event);
  if (socket.congestion != CongestionState::kOpen && SeqAtMost(socket.high_seq, socket.snd_una)) {
    LeaveRecovery(socket);
  }
  if (socket.retransmit_mode == RetransmitMode::kReorder) {
    socket.retransmit_mode = RetransmitMode::kNone;  // decided anew below
    socket.retransmit_at_ns = kNever;
  }
  if (socket.uses_sack) {
    const uint64_t wait_ns = socket.rack_sent_ns != 0 && !socket.records.empty() ? DetectLosses(socket, now_ns) : 0;
    if (wait_ns != 0) {
      socket.retransmit_mode = RetransmitMode::kReorder;
      socket.retransmit_at_ns = now_ns + (wait_ns > kReorderLeast_ns ? wait_ns : kReorderLeast_ns);
      ArmTimer(socket);
    }
  } else {
    DetectLossesWithoutSack(socket, event);
  }
  if (socket.records.lost_bytes != 0 && socket.congestion == CongestionState::kOpen) {
    EnterRecovery(socket, now_ns);
    socket.has_high_seq = true;
    return;
  }
  if (socket.congestion != CongestionState::kRecovery && event.acked_bytes != 0 && event.was_window_limited) {
    socket.cubic.OnAck(event.acked_bytes, socket.send_mss_bytes, socket.round_trip.smoothed_ns, now_ns);
  }
}

void OnRetransmissionTimeout(TcpSocket& socket, uint64_t now_ns) {
  SentRecords& records = socket.records;
  if (records.head->is_sacked) {
    records.ForgetSacked();
  }
  if (socket.congestion != CongestionState::kLoss || SeqAtMost(socket.high_seq, socket.snd_una)) {
    SaveForUndo(socket);
    socket.cubic.OnLoss(socket.send_mss_bytes);
    socket.high_seq = socket.snd_nxt;
    socket.has_high_seq = true;
  }
  const uint64_t allowance = socket.rack_rtt_ns + ReorderWindow_ns(socket);
  for (SentRecord* record = records.head; record != nullptr; record = record->next) {
    // RFC 8985, section 6.3: what was sent a moment ago is not lost because the first segment is.
    if (!record->is_sacked && (record == records.head || !socket.uses_sack || record->sent_ns + allowance <= now_ns)) {
      records.MarkLost(*record);
    }
  }
  socket.congestion = CongestionState::kLoss;
  socket.cubic.window_bytes = socket.send_mss_bytes;
  socket.is_cwnd_limited = true;
  socket.duplicate_acks = 0;
  socket.duplicate_bytes = 0;
  socket.is_tail_probe_out = false;
  if (socket.timeouts >= 1) {
    SuspectBlackHole(socket);
  }
  Retransmit(socket, *records.head, now_ns);
}

void OnTailProbeTimeout(TcpSocket& socket, uint64_t now_ns) {
  const uint32_t next_before = socket.snd_nxt;
  if (socket.unsent_bytes() != 0) {
    OutputForced(socket, now_ns);
  }
  socket.is_tail_probe_retransmission = socket.snd_nxt == next_before;
  if (socket.is_tail_probe_retransmission) {
    SentRecord* record = socket.records.tail;
    if (record == nullptr || record->is_sacked) {
      return;
    }
    const uint32_t mss = socket.send_mss_bytes;
    if (record->size_bytes() > mss) {
      if (!socket.records.Split(socket.tcp->records, *record, record->end - mss)) {
        return;
      }
      record = socket.records.tail;
    }
    if (!Retransmit(socket, *record, now_ns)) {
      return;
    }
  }
  socket.is_tail_probe_out = true;
  socket.tail_probe_end = socket.snd_nxt;
  ++socket.tcp->stack->counters.tcp_tail_probes;
}

void OnReorderTimeout(TcpSocket& socket, uint64_t now_ns) {
  const uint64_t wait_ns = DetectLosses(socket, now_ns);
  if (socket.records.lost_bytes != 0 && socket.congestion == CongestionState::kOpen) {
    EnterRecovery(socket, now_ns);
    socket.has_high_seq = true;
  }
  Output(socket, now_ns);
  if (wait_ns != 0) {
    socket.retransmit_mode = RetransmitMode::kReorder;
    socket.retransmit_at_ns = now_ns + (wait_ns > kReorderLeast_ns ? wait_ns : kReorderLeast_ns);
    ArmTimer(socket);
  } else {
    ArmRetransmit(socket, now_ns);
  }
}

void OnSegmentSizeReduced(TcpSocket& socket, uint64_t now_ns) {
  for (SentRecord* record = socket.records.head; record != nullptr; record = record->next) {
    if (!record->is_sacked) {
      socket.records.MarkLost(*record);
    }
  }
  Output(socket, now_ns);
}

}  // namespace junction::net
