// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 9293, section 3.10.7.4, seventh and eighth step (segment text, FIN); 3.8.6.3 (delayed acknowledgements); RFC 6093: the
// urgent pointer moves no bytes, so urgent data are ordinary bytes of the stream ("inline").
// Hot path: text in order is copied once, into the last block if it fits.
#include <poll.h>

#include "net/tcp/connection_end.h"
#include "net/tcp/receive_window.h"
#include "net/tcp/tcp_input.h"
#include "net/tcp/tcp_output.h"
#include "net/tcp/tcp_timers.h"

namespace junction::net {
namespace {

// What is left of a segment's text after trimming.
struct Text {
  uint32_t seq;
  uint32_t skip;  // bytes of the segment in front of it
  uint32_t count;
  bool has_fin;
};

void MeasureSegment(TcpSocket& socket, const Segment& segment) {
  const uint32_t size = segment.segment_bytes != 0 ? segment.segment_bytes : segment.size_bytes;
  if (size > socket.max_seen_segment_bytes) {
    socket.max_seen_segment_bytes = size < 65535 ? size : 65535;
  }
}

void ScheduleAck(TcpSocket& socket, uint64_t now_ns) {
  const bool is_more_than_one = MustAcknowledge(socket);
  if (is_more_than_one || (socket.quick_acks != 0 && !socket.is_interactive) || !socket.out_of_order.empty()) {
    QueueAck(socket);
  } else {
    ArmDelayedAck(socket, now_ns);
  }
}

// Copies text to the end of the receive queue; how much found room in the pool.
uint32_t AppendText(TcpSocket& socket, Segment& segment, const Text& text) {
  BlockPool& pool = PoolOf(socket);
  if (segment.data != nullptr) {
    const uint32_t done = socket.receive.Append(pool, segment.data + text.skip, text.count);
    socket.receive.DropEmptyTail(pool);
    return done;
  }
  ByteChain& checked = segment.checked;
  checked.DropFront(pool, text.skip);
  if (checked.size_bytes == text.count) {
    socket.receive.Join(pool, checked);
    return text.count;
  }
  uint32_t done = 0;
  for (Block* block = checked.head; block != nullptr && done < text.count; block = block->next) {
    const uint32_t left = text.count - done;
    const uint32_t piece = block->size_bytes() < left ? block->size_bytes() : left;
    const uint32_t put = socket.receive.Append(pool, block->data + block->begin, piece);
    done += put;
    if (put != piece) {
      break;
    }
  }
  return done;
}

Reassembly::AddResult HoldText(TcpSocket& socket, Segment& segment, const Text& text) {
  BlockPool& pool = PoolOf(socket);
  ObjectPool& runs = socket.tcp->runs;
  // In blocks, which short segments fill badly: as much again as the window.
  const uint32_t limit = 2 * socket.receive_limit_bytes;
  if (segment.data != nullptr) {
    return socket.out_of_order.Add(pool, runs, text.seq, segment.data + text.skip, text.count, limit);
  }
  segment.checked.DropFront(pool, text.skip);
  auto result = Reassembly::AddResult::kDuplicate;
  uint32_t done = 0;
  for (Block* block = segment.checked.head; block != nullptr && done < text.count; block = block->next) {
    const uint32_t left = text.count - done;
    const uint32_t piece = block->size_bytes() < left ? block->size_bytes() : left;
    const auto added = socket.out_of_order.Add(pool, runs, text.seq + done, block->data + block->begin, piece, limit);
    if (added == Reassembly::AddResult::kRefused) {
      return result == Reassembly::AddResult::kHeld ? result : added;
    }
    result = added == Reassembly::AddResult::kHeld ? added : result;
    done += piece;
  }
  return result;
}

// RFC 9293, section 3.10.7.4, eighth step.
void OnFin(TcpSocket& socket, uint64_t now_ns) {
  socket.is_fin_received = true;
  socket.has_fin_pending = false;
  ++socket.rcv_nxt;
  uint32_t events = POLLIN | POLLRDHUP;
  switch (socket.state) {
    case TcpState::kEstablished:
      socket.state = TcpState::kCloseWait;
      QueueAck(socket);
      break;
    case TcpState::kFinWait1:
      socket.state = TcpState::kClosing;  // our FIN is not acknowledged, else it were FIN-WAIT-2
      QueueAck(socket);
      events |= POLLHUP;
      break;
    case TcpState::kFinWait2:
      SendAck(socket, now_ns);
      EnterTimeWait(socket, now_ns);  // tells the owner
      return;
    default:
      break;
  }
  Notify(socket, events);
}

void OnWholeDuplicate(TcpSocket& socket, const Segment& segment, uint64_t now_ns) {
  if (socket.uses_sack && segment.size_bytes != 0) {
    socket.duplicate = {.begin = segment.header.seq, .end = segment.header.seq + segment.size_bytes};
  }
  socket.quick_acks = socket.quick_acks == 0 ? 1 : socket.quick_acks;
  SendAck(socket, now_ns);
}

void ReceiveInOrder(TcpSocket& socket, Segment& segment, const Text& text, uint64_t now_ns) {
  BlockPool& pool = PoolOf(socket);
  bool has_fin = text.has_fin;
  if (text.count != 0) {
    uint32_t done = AppendText(socket, segment, text);
    if (done == 0 && !socket.out_of_order.empty()) {
      // Memory is short: what cannot be used yet gives way to what can.
      socket.out_of_order.Clear(pool, socket.tcp->runs);
      socket.has_fin_pending = false;
      done = AppendText(socket, segment, text);
    }
    if (done != text.count) {
      has_fin = false;
      if (done == 0) {
        return;  // the peer sends it again
      }
    }
    socket.rcv_nxt += done;
    socket.bytes_received += done;
    socket.last_received_ns = now_ns == 0 ? 1 : now_ns;
  }
  if (!socket.out_of_order.empty()) {
    const uint32_t taken = socket.out_of_order.Take(pool, socket.tcp->runs, socket.rcv_nxt, socket.receive);
    socket.rcv_nxt += taken;
    socket.bytes_received += taken;
    QueueAck(socket);  // RFC 5681, section 4.2: a gap was filled
  }
  if (text.count != 0) {
    MeasureSegment(socket, segment);
    ScheduleAck(socket, now_ns);
    Notify(socket, POLLIN);
  }
  if (has_fin || (socket.has_fin_pending && socket.fin_seq == socket.rcv_nxt)) {
    OnFin(socket, now_ns);
  }
}

void ReceiveOutOfOrder(TcpSocket& socket, Segment& segment, const Text& text, uint64_t now_ns) {
  ++socket.tcp->stack->counters.tcp_out_of_order;
  if (text.count != 0) {
    MeasureSegment(socket, segment);
    const auto result = HoldText(socket, segment, text);
    if (result == Reassembly::AddResult::kDuplicate && socket.uses_sack) {
      socket.duplicate = {.begin = text.seq, .end = text.seq + text.count};
    }
  }
  if (text.has_fin) {
    socket.has_fin_pending = true;
    socket.fin_seq = text.seq + text.count;
  }
  SendAck(socket, now_ns);  // RFC 5681, section 4.2: at once, one for each
}

}  // namespace

void ReceiveText(TcpSocket& socket, Segment& segment, uint64_t now_ns) {
  Text text{.seq = segment.header.seq, .skip = 0, .count = segment.size_bytes, .has_fin = segment.has(kTcpFin)};
  if (SeqBefore(text.seq, socket.rcv_nxt)) {
    const uint32_t old = socket.rcv_nxt - text.seq;
    if (old > text.count || (old == text.count && (!text.has_fin || socket.is_fin_received))) {
      OnWholeDuplicate(socket, segment, now_ns);
      return;
    }
    if (socket.uses_sack) {
      socket.duplicate = {.begin = text.seq, .end = socket.rcv_nxt};
    }
    text = {.seq = socket.rcv_nxt, .skip = old, .count = text.count - old, .has_fin = text.has_fin};
  }
  if (socket.is_fin_received) {
    return;  // nothing can come behind a FIN
  }
  // What lies beyond the window is cut off. A zero window is answered.
  const uint32_t room = SeqBefore(text.seq, socket.rcv_adv) ? socket.rcv_adv - text.seq : 0;
  if (text.count > room) {
    text.count = room;
    text.has_fin = false;
    if (room == 0) {
      SendAck(socket, now_ns);
      return;
    }
  }
  if (text.seq == socket.rcv_nxt) [[likely]] {
    ReceiveInOrder(socket, segment, text, now_ns);
  } else {
    ReceiveOutOfOrder(socket, segment, text, now_ns);
  }
}

}  // namespace junction::net
