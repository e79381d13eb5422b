// SPDX-License-Identifier: Apache-2.0
// Read first: tcp(7), struct tcp_info of linux/tcp.h.
#include "net/tcp/receive_window.h"
#include "net/tcp/tcp_timers.h"

namespace junction::net {
namespace {

// TCPI_OPT_* of linux/tcp.h.
constexpr uint8_t kOptionTimestamps = 1;
constexpr uint8_t kOptionSack = 2;
constexpr uint8_t kOptionWindowScale = 4;

uint32_t Since_ms(uint64_t then_ns, uint64_t now_ns) {
  return static_cast<uint32_t>((now_ns - then_ns) / kMillisecond_ns);
}

}  // namespace

TcpInfo InfoOf(const TcpSocket& socket, uint64_t now_ns) {
  TcpInfo info = {};
  const uint32_t mss = socket.send_mss_bytes;
  info.state = socket.state;
  info.retransmits = socket.timeouts;
  info.probes = socket.probes_out > socket.keep_alive_probes ? socket.probes_out : socket.keep_alive_probes;
  info.backoff = socket.backoff;
  info.options =
      static_cast<uint8_t>((socket.uses_timestamps ? kOptionTimestamps : 0) | (socket.uses_sack ? kOptionSack : 0) |
                           (socket.uses_window_scale ? kOptionWindowScale : 0));
  info.send_window_scale = socket.send_window_scale;
  info.receive_window_scale = socket.receive_window_scale;
  const uint64_t rto = socket.round_trip.Rto_ns();
  info.rto_us = static_cast<uint32_t>(
      ((socket.backoff < 20 ? rto << socket.backoff : kRtoMax_ns) < kRtoMax_ns ? rto << socket.backoff : kRtoMax_ns) /
      1000);
  info.ato_us = kDelayedAck_ns / 1000;
  info.send_mss_bytes = mss;
  info.receive_mss_bytes = socket.max_seen_segment_bytes;
  info.unacked = (socket.snd_nxt - socket.snd_una + mss - 1) / mss;
  info.sacked = (socket.records.sacked_bytes + mss - 1) / mss;
  info.lost = (socket.records.lost_bytes + mss - 1) / mss;
  info.retransmitted = socket.undo_retransmits;
  info.last_data_sent_ms = Since_ms(socket.last_sent_ns, now_ns);
  info.last_data_received_ms = Since_ms(socket.last_received_ns, now_ns);
  info.last_ack_received_ms = Since_ms(socket.last_ack_ns, now_ns);
  info.path_mtu_bytes = socket.path_mtu_bytes != 0 && socket.path_mtu_bytes < socket.path.mtu_bytes
                            ? socket.path_mtu_bytes
                            : socket.path.mtu_bytes;
  info.slow_start_threshold = socket.cubic.threshold_bytes == ~0U ? 0x7fffffff : socket.cubic.threshold_bytes / mss;
  info.rtt_us = static_cast<uint32_t>(socket.round_trip.smoothed_ns / 1000);
  info.rtt_variance_us = static_cast<uint32_t>(socket.round_trip.variance_ns / 1000);
  info.congestion_window = socket.cubic.window_bytes / mss;
  info.receive_space_bytes = socket.receive_limit_bytes;
  info.total_retransmits = socket.total_retransmits;
  info.bytes_acked = socket.bytes_acked;
  info.bytes_received = socket.bytes_received;
  info.segments_out = socket.segments_out;
  info.segments_in = socket.segments_in;
  info.delivery_rate_bytes = socket.delivery_rate_bytes;
  return info;
}

}  // namespace junction::net
