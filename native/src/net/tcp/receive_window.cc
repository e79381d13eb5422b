// SPDX-License-Identifier: Apache-2.0
// Hot path: SelectWindow.
#include "net/tcp/receive_window.h"

#include "net/tcp/tcp_output.h"

namespace junction::net {
namespace {

uint32_t Limit_bytes(const TcpSocket& socket) {
  uint32_t limit = socket.receive_limit_bytes;
  if (PoolOf(const_cast<TcpSocket&>(socket)).is_scarce() && limit > kBufferLeast_bytes) {
    limit = kBufferLeast_bytes;
  }
  const uint32_t clamp = socket.options.window_clamp_bytes;
  return clamp != 0 && clamp < limit ? clamp : limit;
}

// What could be promised now, from RCV.NXT on.
uint32_t FreeWindow_bytes(const TcpSocket& socket) {
  const uint32_t limit = Limit_bytes(socket);
  const uint32_t used = socket.receive.size_bytes;
  const uint32_t free = used < limit ? limit - used : 0;
  // RFC 9293, section 3.8.6.2.2: no silly windows. A sixteenth of the buffer or a segment, as Linux.
  const uint32_t segment = socket.max_seen_segment_bytes < limit ? socket.max_seen_segment_bytes : limit;
  if (free < limit / 16 || free < segment) {
    return 0;
  }
  // No more than the field can say: else each read would seem worth an update.
  const uint32_t most = 65535U << socket.receive_window_scale;
  const uint32_t unit = 1U << socket.receive_window_scale;
  return (free < most ? free : most) / unit * unit;
}

// Twice what the owner read in a round trip is room for a sender that doubles its window (Linux' dynamic right-sizing).
void Tune(TcpSocket& socket, uint64_t now_ns) {
  const uint64_t rtt = socket.receive_rtt_ns != 0 ? socket.receive_rtt_ns : socket.round_trip.smoothed_ns;
  if (rtt == 0 || now_ns - socket.tune_since_ns < rtt) {
    return;
  }
  // A pause is not a measure: per round trip, not since the beginning.
  const uint64_t elapsed = now_ns - socket.tune_since_ns;
  const uint64_t copied = elapsed > 2 * rtt ? socket.tune_copied_bytes / (elapsed / rtt) : socket.tune_copied_bytes;
  const uint64_t wanted = 2 * copied + 16 * 1024;
  if (wanted > socket.receive_limit_bytes && !PoolOf(socket).is_scarce()) {
    socket.receive_limit_bytes =
        wanted < kReceiveBufferMax_bytes ? static_cast<uint32_t>(wanted) : kReceiveBufferMax_bytes;
  }
  socket.tune_since_ns = now_ns;
  socket.tune_copied_bytes = 0;
}

}  // namespace

uint16_t SelectWindow(TcpSocket& socket) {
  uint32_t window = FreeWindow_bytes(socket);
  const uint32_t promised = OpenWindow_bytes(socket);
  window = window > promised ? window : promised;
  // Rounded up, so that the right edge never moves to the left; the buffer may take the few bytes more.
  const uint32_t unit = 1U << socket.receive_window_scale;
  uint32_t field = (window + unit - 1) >> socket.receive_window_scale;
  field = field > 65535 ? 65535 : field;
  socket.rcv_adv = socket.rcv_nxt + (field << socket.receive_window_scale);
  return static_cast<uint16_t>(field);
}

uint16_t FirstWindow(TcpSocket& socket) {
  const uint32_t limit = Limit_bytes(socket);
  const uint32_t window = limit < 65535 ? limit : 65535;
  socket.rcv_adv = socket.rcv_nxt + window;
  return static_cast<uint16_t>(window);
}

void OnRead(TcpSocket& socket, uint32_t size_bytes, uint64_t now_ns) {
  socket.tune_copied_bytes += size_bytes;
  if (!socket.is_buffer_fixed_receive) {
    Tune(socket, now_ns);
  }
  if (socket.is_fin_received || !socket.is_synchronised()) {
    return;  // no more will come
  }
  const uint32_t open = OpenWindow_bytes(socket);
  const uint32_t could = FreeWindow_bytes(socket);
  const uint32_t two_segments = 2 * FullSegment_bytes(socket);
  const bool is_worth_it = could > open && could - open >= two_segments && could >= 2 * open;
  const bool is_more_than_one = MustAcknowledge(socket);
  if (is_worth_it || (is_more_than_one && socket.ack_at_ns != kNever)) {
    QueueAck(socket);
  } else if (open == 0 && could != 0) {
    QueueAck(socket);  // it waits for just this
  }
}

void OnReceiverRoundTrip(TcpSocket& socket, uint64_t rtt_ns) {
  if (socket.receive_rtt_ns == 0 || rtt_ns < socket.receive_rtt_ns) {
    socket.receive_rtt_ns = rtt_ns == 0 ? 1 : rtt_ns;
  } else {
    socket.receive_rtt_ns += rtt_ns / 8 - socket.receive_rtt_ns / 8;
  }
}

}  // namespace junction::net
