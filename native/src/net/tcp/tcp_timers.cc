// SPDX-License-Identifier: Apache-2.0
#include "net/tcp/tcp_timers.h"

#include <cerrno>

#include "net/tcp/connection_end.h"
#include "net/tcp/loss_recovery.h"
#include "net/tcp/tcp_output.h"

namespace junction::net {
namespace {

// Linux' tcp_retries2 and what tcp_orphan_retries = 0 means.
constexpr uint8_t kRetries = 15;
constexpr uint8_t kOrphanRetries = 8;
// RFC 8985, section 7.2: WCDelAckT for a flight of one segment. A probe sooner than 4 ms would race with a peer's scheduling (ours).
constexpr uint64_t kMaxAckDelay_ns = 200 * kMillisecond_ns;
constexpr uint64_t kCorkLimit_ns = 200 * kMillisecond_ns;
constexpr uint64_t kProbeLeast_ns = 4 * kMillisecond_ns;

uint64_t BackedOff_ns(const TcpSocket& socket) {
  const uint64_t rto = socket.round_trip.Rto_ns();
  const uint64_t backed_off = socket.backoff >= 20 ? kRtoMax_ns : rto << socket.backoff;
  return backed_off < kRtoMax_ns ? backed_off : kRtoMax_ns;
}

void SetRetransmit(TcpSocket& socket, RetransmitMode mode, uint64_t at_ns) {
  socket.retransmit_mode = mode;
  socket.retransmit_at_ns = at_ns;
  ArmTimer(socket);
}

bool IsPastUserTimeout(const TcpSocket& socket, uint64_t since_ns, uint64_t now_ns) {
  const uint64_t timeout_ns = socket.options.user_timeout_ms * kMillisecond_ns;
  return timeout_ns != 0 && now_ns - since_ns >= timeout_ns;
}

// What ICMP told meanwhile says more than ETIMEDOUT (RFC 5461, section 4.1).
void GiveUp(TcpSocket& socket, uint64_t now_ns) {
  FinishConnection(socket, socket.soft_error != 0 ? socket.soft_error : ETIMEDOUT, now_ns);
}

void OnSynTimeout(TcpSocket& socket, uint64_t now_ns) {
  if (socket.entry.socket.waiting_node.is_linked()) {  // it never left: not charged
    SetRetransmit(socket, RetransmitMode::kTimeout, now_ns + kRtoInitial_ns);
    return;
  }
  if (socket.syn_retries_done >= socket.options.syn_retries ||
      IsPastUserTimeout(socket, socket.first_timeout_ns, now_ns)) {
    ++socket.tcp->stack->counters.tcp_attempt_fails;
    GiveUp(socket, now_ns);
    return;
  }
  if (SendSyn(socket, now_ns)) {
    ++socket.syn_retries_done;
    ++socket.total_retransmits;
    ++socket.tcp->stack->counters.tcp_retransmits;
  }
  ++socket.backoff;
  ArmSyn(socket, now_ns);
}

void OnDataTimeout(TcpSocket& socket, uint64_t now_ns) {
  socket.rto_base_ns = now_ns;
  if (socket.records.empty()) {
    SetRetransmit(socket, RetransmitMode::kNone, kNever);
    return;
  }
  if (socket.entry.socket.waiting_node.is_linked()) {  // the device is full: what is missing may not even have left
    SetRetransmit(socket, RetransmitMode::kTimeout, now_ns + BackedOff_ns(socket));
    return;
  }
  if (socket.timeouts >= (socket.is_orphan ? kOrphanRetries : kRetries) ||
      IsPastUserTimeout(socket, socket.first_timeout_ns, now_ns)) {
    GiveUp(socket, now_ns);
    return;
  }
  ++socket.tcp->stack->counters.tcp_timeouts;
  OnRetransmissionTimeout(socket, now_ns);
  ++socket.timeouts;
  socket.backoff += socket.backoff < 20 ? 1 : 0;
  SetRetransmit(socket, RetransmitMode::kTimeout, now_ns + BackedOff_ns(socket));
}

void OnPersistTimeout(TcpSocket& socket, uint64_t now_ns) {
  SetRetransmit(socket, RetransmitMode::kNone, kNever);
  if (!socket.records.empty()) {
    ArmRetransmit(socket, now_ns);
    return;
  }
  if (socket.unsent_bytes() == 0 && !socket.has_fin_to_send()) {
    return;
  }
  if (socket.entry.socket.waiting_node.is_linked()) {
    ArmPersist(socket, now_ns);
    return;
  }
  if (socket.snd_wnd != 0) {
    OutputForced(socket, now_ns);
    if (socket.records.empty()) {
      ArmPersist(socket, now_ns);
    }
    return;
  }
  if ((socket.is_orphan && socket.probes_out >= kOrphanRetries) ||
      (socket.probes_out != 0 && IsPastUserTimeout(socket, socket.first_timeout_ns, now_ns))) {
    GiveUp(socket, now_ns);
    return;
  }
  if (socket.probes_out == 0) {
    socket.first_timeout_ns = now_ns;
  }
  if (SendProbe(socket, now_ns)) {
    ++socket.tcp->stack->counters.tcp_zero_window_probes;
    socket.probes_out += socket.probes_out < 255 ? 1 : 0;
  }
  socket.backoff += socket.backoff < 20 ? 1 : 0;
  ArmPersist(socket, now_ns);
}

void OnRetransmitDeadline(TcpSocket& socket, uint64_t now_ns) {
  socket.retransmit_at_ns = kNever;
  if (socket.state == TcpState::kSynSent || socket.state == TcpState::kSynReceived) {
    OnSynTimeout(socket, now_ns);
    return;
  }
  switch (socket.retransmit_mode) {
    case RetransmitMode::kTimeout:
      OnDataTimeout(socket, now_ns);
      return;
    case RetransmitMode::kTailProbe:
      socket.retransmit_mode = RetransmitMode::kNone;
      OnTailProbeTimeout(socket, now_ns);
      socket.rto_base_ns = now_ns;  // RFC 8985, section 7.3
      ArmRetransmit(socket, now_ns);
      return;
    case RetransmitMode::kReorder:
      socket.retransmit_mode = RetransmitMode::kNone;
      OnReorderTimeout(socket, now_ns);
      return;
    case RetransmitMode::kPersist:
      OnPersistTimeout(socket, now_ns);
      return;
    case RetransmitMode::kNone:
      return;
  }
}

void OnKeepAliveDeadline(TcpSocket& socket, uint64_t now_ns) {
  socket.keep_alive_at_ns = kNever;
  const TcpOptions& options = socket.options;
  if (!options.has_keep_alive || !socket.is_synchronised() || socket.state == TcpState::kSynReceived) {
    return;
  }
  const uint64_t idle_ns = options.keep_idle_s * kSecond_ns;
  const uint64_t silence_ns = now_ns - socket.last_ack_ns;
  const bool is_busy =
      !socket.records.empty() || socket.unsent_bytes() != 0;  // retransmissions tell whether the peer lives
  if (is_busy || silence_ns < idle_ns) {
    socket.keep_alive_probes = 0;
    socket.keep_alive_at_ns = (is_busy ? now_ns : socket.last_ack_ns) + idle_ns;
    return;
  }
  const bool is_dead = options.user_timeout_ms != 0
                           ? socket.keep_alive_probes != 0 && silence_ns >= options.user_timeout_ms * kMillisecond_ns
                           : socket.keep_alive_probes >= options.keep_count;
  if (is_dead) {
    SendReset(socket, now_ns);
    GiveUp(socket, now_ns);
    return;
  }
  if (SendProbe(socket, now_ns)) {
    socket.keep_alive_probes += socket.keep_alive_probes < 255 ? 1 : 0;
  }
  socket.keep_alive_at_ns = now_ns + options.keep_interval_s * kSecond_ns;
}

void RunDeadlines(TcpSocket& socket, uint64_t now_ns) {
  if (socket.ack_at_ns <= now_ns) {
    socket.ack_at_ns = kNever;
    socket.is_interactive = false;  // the answer did not come in time: acknowledge sooner
    ++socket.tcp->stack->counters.tcp_delayed_acks;
    SendAck(socket, now_ns);
  }
  if (socket.retransmit_at_ns <= now_ns) {
    OnRetransmitDeadline(socket, now_ns);
  }
  if (socket.keep_alive_at_ns <= now_ns && socket.state != TcpState::kClosed) {
    OnKeepAliveDeadline(socket, now_ns);
  }
  if (socket.close_at_ns <= now_ns && socket.state != TcpState::kClosed) {
    FinishConnection(socket, 0, now_ns);
  }
}

}  // namespace

uint64_t EarliestDeadline_ns(const TcpSocket& socket) {
  uint64_t earliest = socket.retransmit_at_ns;
  earliest = socket.ack_at_ns < earliest ? socket.ack_at_ns : earliest;
  earliest = socket.keep_alive_at_ns < earliest ? socket.keep_alive_at_ns : earliest;
  return socket.close_at_ns < earliest ? socket.close_at_ns : earliest;
}

void ArmTimer(TcpSocket& socket) {
  const uint64_t earliest = EarliestDeadline_ns(socket);
  Timer& timer = socket.timer;
  if (earliest == kNever || (timer.is_armed && timer.deadline_ns <= earliest)) [[likely]] {
    return;
  }
  TimerQueue& timers = socket.tcp->stack->timers;
  timers.Cancel(timer);
  timers.Arm(timer, earliest);
}

void ArmRetransmit(TcpSocket& socket, uint64_t now_ns) {
  if (socket.records.empty()) {
    socket.retransmit_mode = RetransmitMode::kNone;
    socket.retransmit_at_ns = kNever;
    return;
  }
  if (socket.retransmit_mode == RetransmitMode::kReorder && socket.retransmit_at_ns != kNever) {
    return;  // sooner than all else
  }
  const uint64_t timeout_at = socket.rto_base_ns + BackedOff_ns(socket);
  if (socket.uses_sack && socket.congestion == CongestionState::kOpen && !socket.is_tail_probe_out &&
      socket.backoff == 0) {
    const uint64_t smoothed = socket.round_trip.smoothed_ns;
    uint64_t probe = smoothed == 0 ? kSecond_ns : 2 * smoothed;
    probe += socket.in_flight_bytes() <= socket.send_mss_bytes ? kMaxAckDelay_ns : 0;
    probe = probe < kProbeLeast_ns ? kProbeLeast_ns : probe;
    if (now_ns + probe < timeout_at) {
      SetRetransmit(socket, RetransmitMode::kTailProbe, now_ns + probe);
      return;
    }
  }
  SetRetransmit(socket, RetransmitMode::kTimeout, timeout_at);
}

void ArmPersist(TcpSocket& socket, uint64_t now_ns) {
  if (socket.retransmit_mode == RetransmitMode::kPersist && socket.retransmit_at_ns != kNever) {
    return;
  }
  // tcp(7): a cork holds for 200 ms.
  const bool is_held = socket.snd_wnd != 0 && (socket.options.is_corked || socket.has_unsent_fragment_hold);
  SetRetransmit(socket, RetransmitMode::kPersist, now_ns + (is_held ? kCorkLimit_ns : BackedOff_ns(socket)));
}

void ArmDelayedAck(TcpSocket& socket, uint64_t now_ns) {
  if (socket.ack_at_ns == kNever) {
    socket.ack_at_ns = now_ns + kDelayedAck_ns;
    ArmTimer(socket);
  }
}

void ArmKeepAlive(TcpSocket& socket, uint64_t now_ns) {
  socket.keep_alive_at_ns = socket.options.has_keep_alive ? now_ns + socket.options.keep_idle_s * kSecond_ns : kNever;
  ArmTimer(socket);
}

void ArmFinWait2(TcpSocket& socket, uint64_t now_ns) {
  const uint64_t wait_s = socket.options.linger2_s > 0 ? static_cast<uint64_t>(socket.options.linger2_s) : 0;
  socket.close_at_ns = now_ns + wait_s * kSecond_ns;
  ArmTimer(socket);
}

void ArmSyn(TcpSocket& socket, uint64_t now_ns) {
  SetRetransmit(socket, RetransmitMode::kTimeout, now_ns + BackedOff_ns(socket));
}

void StopTimers(TcpSocket& socket) {
  socket.tcp->stack->timers.Cancel(socket.timer);
  socket.retransmit_mode = RetransmitMode::kNone;
  socket.retransmit_at_ns = socket.ack_at_ns = socket.keep_alive_at_ns = socket.close_at_ns = kNever;
}

void OnTcpTimer(Timer& timer) {
  TcpSocket& socket = *static_cast<TcpSocket*>(timer.context);
  const uint64_t now_ns = socket.tcp->stack->now_ns;
  RunDeadlines(socket, now_ns);
  if (socket.state != TcpState::kClosed) {
    ArmTimer(socket);
  }
  FreeIfDone(socket);
}

}  // namespace junction::net
