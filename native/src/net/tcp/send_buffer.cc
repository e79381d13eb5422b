// SPDX-License-Identifier: Apache-2.0
// Hot path.
#include "net/tcp/send_buffer.h"

#include <poll.h>

namespace junction::net {
namespace {

void ForgetIfGone(const TcpSocket& socket, ChainCursor& cursor) {
  if (cursor.block != socket.send.head && SeqBefore(cursor.start, socket.send_seq)) {
    cursor.block = nullptr;
  }
}

// A buffer that was full all the time limits the sender if it holds less than goes out in a round trip. Three times that much leaves room
// for the owner to write late, and for the window to double.
void Tune(TcpSocket& socket, uint64_t now_ns) {
  if (SeqBefore(socket.snd_una, socket.send_round_end)) {
    return;
  }
  const uint64_t elapsed = now_ns - socket.send_round_ns;
  const uint64_t delivered = socket.bytes_acked - socket.send_round_delivered;
  if (elapsed != 0 && delivered <= ~0U) {
    const uint64_t rate = delivered * 1'000'000 / ((elapsed + 999) / 1000);  // bytes a second
    socket.delivery_rate_bytes = rate;
    const uint64_t rtt = socket.round_trip.min_ns;
    if (!socket.may_write_more && !socket.is_buffer_fixed_send && rtt <= kRtoMax_ns && rate <= (1ULL << 40)) {
      const uint64_t wanted = 3 * (rate / 1000 * (rtt / 1000 + 1) / 1000);
      if (wanted > socket.send_limit_bytes && !PoolOf(socket).is_scarce()) {
        socket.send_limit_bytes = wanted < kSendBufferMax_bytes ? static_cast<uint32_t>(wanted) : kSendBufferMax_bytes;
      }
    }
  }
  socket.send_round_end = socket.snd_nxt;
  socket.send_round_ns = now_ns;
  socket.send_round_delivered = socket.bytes_acked;
}

}  // namespace

bool HasRoomToWrite(const TcpSocket& socket) {
  const uint32_t used = socket.send.size_bytes;
  const uint32_t limit = socket.send_limit_bytes;
  return used < limit && limit - used >= limit / 3 && socket.unsent_bytes() < socket.options.not_sent_low_bytes;
}

void NotifyRoom(TcpSocket& socket) {
  if (!socket.may_write_more && HasRoomToWrite(socket)) {
    socket.may_write_more = true;
    Notify(socket, POLLOUT);
  }
}

void DropAcknowledged(TcpSocket& socket, uint64_t now_ns) {
  const uint32_t end = SeqMin(socket.snd_una, socket.send_end());  // a FIN is no byte of the buffer
  if (SeqBefore(socket.send_seq, end)) {
    socket.send.DropFront(PoolOf(socket), end - socket.send_seq);
    socket.send_seq = end;
    ForgetIfGone(socket, socket.send_cursor);
    ForgetIfGone(socket, socket.retransmit_cursor);
  }
  if (!socket.may_write_more) {
    Tune(socket, now_ns);
    NotifyRoom(socket);
  }
}

}  // namespace junction::net
