// SPDX-License-Identifier: Apache-2.0
// Hot path.
#include "net/tcp/tcp_ack.h"

#include <poll.h>

#include "net/tcp/loss_recovery.h"
#include "net/tcp/send_buffer.h"
#include "net/tcp/tcp_output.h"
#include "net/tcp/tcp_timers.h"

namespace junction::net {
namespace {

// Linux' tcp_challenge_ack_limit was 1000 a second; a half is fixed, a half is drawn, so that nobody counts them to find out about others.
constexpr uint32_t kChallengesHalf = 500;
// Linux' tcp_invalid_ratelimit.
constexpr uint64_t kChallengeGap_ns = 500 * kMillisecond_ns;

bool MayChallenge(TcpLayer& tcp, uint64_t now_ns) {
  const uint64_t second = now_ns / kSecond_ns;
  if (tcp.challenge_second != second + 1) {
    tcp.challenge_second = second + 1;
    const Environment& environment = tcp.stack->environment;
    tcp.challenge_left =
        kChallengesHalf + static_cast<uint32_t>(environment.random(environment.context) % kChallengesHalf);
  }
  if (tcp.challenge_left == 0) {
    return false;
  }
  --tcp.challenge_left;
  return true;
}

// RFC 9293, section 3.10.7.4: SND.WL2 is SND.UNA, below which no acknowledgement comes here.
void UpdateSendWindow(TcpSocket& socket, const TcpHeader& header, uint32_t window) {
  if (SeqAfter(header.ack, socket.snd_una) || SeqAtMost(socket.snd_wl1, header.seq)) {
    socket.snd_wl1 = header.seq;
    socket.snd_wnd = window;
    socket.snd_wnd_max = window > socket.snd_wnd_max ? window : socket.snd_wnd_max;
  }
}

void PopRecords(TcpSocket& socket, uint32_t ack, uint64_t now_ns, AckEvent& event) {
  SentRecords& records = socket.records;
  while (records.head != nullptr && SeqBefore(records.head->seq, ack)) {
    SentRecord& record = *records.head;
    const bool is_whole = SeqAtMost(record.end, ack);
    const uint32_t end = is_whole ? record.end : ack;
    if (!record.is_sacked) {
      OnDelivered(socket, record, end, now_ns, event);
      event.delivered_bytes += end - record.seq;
    }
    if (is_whole) {
      records.Remove(socket.tcp->records, record);
    } else {
      const uint32_t gone = ack - record.seq;
      records.lost_bytes -= record.is_lost ? gone : 0;
      records.sacked_bytes -= record.is_sacked ? gone : 0;
      record.seq = ack;
    }
  }
}

// RFC 7323, section 4: the echo tells which transmission was answered, also of bytes that were sent again.
void MeasureByTimestamp(const TcpSocket& socket, const TcpHeader& header, uint64_t now_ns, AckEvent& event) {
  const TcpOptionsSeen& options = header.options;
  if (event.has_sample || event.acked_bytes == 0 || !socket.uses_timestamps || !options.has_timestamps ||
      options.timestamp_echo == 0) {
    return;
  }
  const uint32_t elapsed_ms = TimestampClock(now_ns) + socket.ts_offset - options.timestamp_echo;
  if (elapsed_ms * kMillisecond_ns > kRtoMax_ns) {
    return;  // an echo of nothing that we sent
  }
  event.has_sample = true;
  event.sample_ns = (elapsed_ms == 0 ? 1 : elapsed_ms) * kMillisecond_ns;
}

void OnWindowOpen(TcpSocket& socket) {
  // A zero window is over: the persist timer's backoff with it.
  if (socket.retransmit_mode == RetransmitMode::kPersist && socket.snd_wnd != 0) {
    socket.retransmit_mode = RetransmitMode::kNone;
    socket.retransmit_at_ns = kNever;
    socket.backoff = 0;
  }
}

}  // namespace

void SendChallengeAck(TcpSocket& socket, bool is_limited_alone, uint64_t now_ns) {
  if (is_limited_alone) {
    if (socket.last_oow_ack_ns != 0 && now_ns - socket.last_oow_ack_ns < kChallengeGap_ns) {
      return;
    }
    socket.last_oow_ack_ns = now_ns == 0 ? 1 : now_ns;
  }
  if (MayChallenge(*socket.tcp, now_ns)) {
    ++socket.tcp->stack->counters.tcp_challenge_acks;
    SendAck(socket, now_ns);
  }
}

bool ProcessAck(TcpSocket& socket, const Segment& segment, uint64_t now_ns) {
  const TcpHeader& header = segment.header;
  const uint32_t ack = header.ack;
  if (!SeqWithin(ack, socket.snd_una, socket.snd_nxt)) [[unlikely]] {
    if (SeqAfter(ack, socket.snd_nxt)) {
      SendChallengeAck(socket, true, now_ns);
      return false;
    }
    if (SeqBefore(ack, socket.snd_una - socket.snd_wnd_max)) {
      SendChallengeAck(socket, false, now_ns);
      return false;
    }
    // Old: its SACK blocks may still be of use; its data too.
    if (header.options.sack_count != 0 && socket.uses_sack) {
      AckEvent event{.prior_una = socket.snd_una, .header = &header};
      ApplySack(socket, header, now_ns, event);
      RecoverOnAck(socket, event, now_ns);
    }
    return true;
  }
  AckEvent event{.prior_una = socket.snd_una, .header = &header};
  const uint32_t window = static_cast<uint32_t>(header.window) << socket.send_window_scale;
  event.acked_bytes = ack - socket.snd_una;
  event.was_window_limited = socket.is_cwnd_limited;
  event.is_duplicate =
      event.acked_bytes == 0 && segment.length() == 0 && window == socket.snd_wnd && socket.snd_una != socket.snd_nxt;
  UpdateSendWindow(socket, header, window);
  socket.probes_out = 0;
  OnWindowOpen(socket);
  if (event.acked_bytes == 0 && header.options.sack_count == 0 && !event.is_duplicate) {
    return true;  // data, or a window update
  }
  socket.snd_una = ack;
  PopRecords(socket, ack, now_ns, event);
  if (header.options.sack_count != 0 && socket.uses_sack) {
    ApplySack(socket, header, now_ns, event);
  }
  MeasureByTimestamp(socket, header, now_ns, event);
  if (event.has_sample) {
    socket.backoff = 0;
    socket.round_trip.Sample(event.sample_ns, now_ns);
    socket.cubic.OnSlowStartSample(event.sample_ns, socket.snd_una, socket.snd_nxt);
  }
  if (event.acked_bytes != 0) {
    socket.bytes_acked += event.acked_bytes;
    socket.rto_base_ns = socket.first_timeout_ns = now_ns;
    socket.timeouts = 0;
    DropAcknowledged(socket, now_ns);
  }
  RecoverOnAck(socket, event, now_ns);
  ArmRetransmit(socket, now_ns);
  return true;
}

}  // namespace junction::net
