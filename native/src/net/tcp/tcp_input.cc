// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 9293, section 3.10.7 (what each segment does in each state, in this order); RFC 5961 (sections 3 to 5); RFC 7323,
// section 5.3 (PAWS).
// Hot path: a segment in ESTABLISHED passes a handful of compares that are predicted right.
#include "net/tcp/tcp_input.h"

#include <poll.h>

#include <cerrno>

#include "net/checksum.h"
#include "net/tcp/connection_begin.h"
#include "net/tcp/connection_end.h"
#include "net/tcp/connection_table.h"
#include "net/tcp/listener.h"
#include "net/tcp/receive_window.h"
#include "net/tcp/tcp_ack.h"
#include "net/tcp/tcp_output.h"
#include "net/tcp/tcp_timers.h"
#include "net/tcp/time_wait.h"

namespace junction::net {
namespace {

// RFC 7323, section 5.5.
constexpr uint64_t kTimestampLife_ns = 24ULL * 24 * 3600 * kSecond_ns;

// Copies the header out of shared memory, each byte once. False: no TCP header.
bool CopyHeader(const IpPacket& packet, uint8_t* head, Segment& out) {
  if (packet.size_bytes < kTcpHeader_bytes) {
    return false;
  }
  __builtin_memcpy(head, packet.payload, kTcpHeader_bytes);
  const uint32_t header_bytes = static_cast<uint32_t>(head[12] >> 4) * 4;
  if (header_bytes < kTcpHeader_bytes || header_bytes > packet.size_bytes) {
    return false;
  }
  if (header_bytes == kTcpHeader_bytes + kTimestampOption_bytes) [[likely]] {
    __builtin_memcpy(head + kTcpHeader_bytes, packet.payload + kTcpHeader_bytes, kTimestampOption_bytes);
  } else {
    __builtin_memcpy(head + kTcpHeader_bytes, packet.payload + kTcpHeader_bytes, header_bytes - kTcpHeader_bytes);
  }
  if (!ParseTcpHeader(head, header_bytes, out.header)) {
    return false;
  }
  out.data = packet.payload + header_bytes;
  out.size_bytes = packet.size_bytes - header_bytes;
  out.segment_bytes = packet.segment_bytes < out.size_bytes ? packet.segment_bytes : 0;
  return true;
}

// Copies the data too and sums the copies. False: wrong, or no memory.
bool VerifyChecksum(Stack& stack, const IpPacket& packet, const uint8_t* head, Segment& segment) {
  Checksum checksum(PseudoSum(packet.source, packet.destination, kProtocolTcp, packet.size_bytes));
  checksum.Add(head, segment.header.header_bytes);
  uint32_t done = 0;
  while (done < segment.size_bytes) {
    uint32_t room = 0;
    uint8_t* const to = segment.checked.Room(stack.pool, room);
    if (to == nullptr) {
      return false;
    }
    const uint32_t left = segment.size_bytes - done;
    const uint32_t piece = left < room ? left : room;
    checksum.AddCopy(to, segment.data + done, piece);
    segment.checked.Filled(piece);
    done += piece;
  }
  segment.data = nullptr;
  return checksum.is_good();
}

// False: the segment is an old duplicate, or lacks its timestamp (RFC 7323, section 3.2).
bool PassesPaws(TcpSocket& socket, const Segment& segment, uint64_t now_ns) {
  const TcpOptionsSeen& options = segment.header.options;
  if (!options.has_timestamps) {
    return segment.has(kTcpRst);
  }
  if (SeqBefore(options.timestamp, socket.ts_recent) && !segment.has(kTcpRst) &&
      now_ns - socket.ts_recent_ns < kTimestampLife_ns) {
    if (segment.size_bytes != 0 || segment.has(kTcpFin)) {
      SendAck(socket, now_ns);  // the peer may be sending again what was acknowledged
    } else {
      SendChallengeAck(socket, true, now_ns);
    }
    return false;
  }
  return true;
}

void OnReset(TcpSocket& socket, const Segment& segment, uint64_t now_ns) {
  if (segment.header.seq != socket.rcv_nxt) {
    SendChallengeAck(socket, true, now_ns);  // RFC 5961, section 3.2
    return;
  }
  ++socket.tcp->stack->counters.tcp_resets_in;
  int error = ECONNRESET;
  if (socket.state == TcpState::kSynReceived) {
    error = ECONNREFUSED;
  } else if (socket.state == TcpState::kCloseWait) {
    error = EPIPE;  // as Linux' tcp_reset
  }
  FinishConnection(socket, error, now_ns);
}

// Sequence check, RST, SYN: RFC 9293, section 3.10.7.4, first to fourth. True if the segment goes on.
bool IsAcceptable(TcpSocket& socket, const Segment& segment, uint64_t now_ns) {
  const TcpHeader& header = segment.header;
  if (socket.uses_timestamps && !PassesPaws(socket, segment, now_ns)) {
    return false;
  }
  if (SeqBefore(segment.end(), socket.rcv_acked) || SeqAfter(header.seq, SeqMax(socket.rcv_adv, socket.rcv_nxt))) {
    if (segment.has(kTcpRst)) {
      return false;
    }
    if (segment.has(kTcpSyn)) {
      SendChallengeAck(socket, true, now_ns);
    } else if (segment.size_bytes != 0 && SeqBefore(segment.end(), socket.rcv_acked)) {
      ReceiveText(socket, const_cast<Segment&>(segment), now_ns);  // answers with a D-SACK
    } else if (segment.size_bytes != 0 || segment.has(kTcpFin)) {
      SendAck(socket, now_ns);
    } else {
      // A keep-alive or a window probe; or an echo of our own answer, hence the limit.
      SendChallengeAck(socket, true, now_ns);
    }
    return false;
  }
  if (segment.has(kTcpRst)) {
    OnReset(socket, segment, now_ns);
    return false;
  }
  if (segment.has(kTcpSyn)) {
    SendChallengeAck(socket, false, now_ns);  // RFC 5961, section 4.2
    return false;
  }
  return segment.has(kTcpAck);
}

// Our FIN was acknowledged. False: the connection is over.
bool OnFinAcknowledged(TcpSocket& socket, uint64_t now_ns) {
  switch (socket.state) {
    case TcpState::kFinWait1:
      socket.state = TcpState::kFinWait2;
      if (socket.is_orphan) {
        ArmFinWait2(socket, now_ns);
      }
      return true;
    case TcpState::kClosing:
      EnterTimeWait(socket, now_ns);
      return false;
    case TcpState::kLastAck:
      FinishConnection(socket, 0, now_ns);
      return false;
    default:
      return true;
  }
}

// Simultaneous open: the peer's SYN-ACK or ACK arrives. False: the segment is dropped.
bool CompleteSynReceived(TcpSocket& socket, const Segment& segment, uint64_t now_ns) {
  if (segment.header.ack != socket.iss + 1) {
    SendResetFor(*socket.tcp->stack, segment, now_ns);
    return false;
  }
  BecomeEstablished(socket, segment.header, !segment.has(kTcpSyn), now_ns);
  Notify(socket, POLLOUT);
  return true;
}

TcpSocket* FindConnection(TcpLayer& tcp, Segment& segment, bool& is_handled, uint64_t now_ns) {
  const Endpoint local{segment.packet->destination, segment.header.destination_port};
  const Endpoint remote{segment.packet->source, segment.header.source_port};
  TcpSocket* const recent = tcp.recent;
  if (recent != nullptr && recent->entry.socket.remote == remote && recent->entry.socket.local == local &&
      (recent->entry.socket.device_index == 0 || recent->entry.socket.device_index == segment.device->index))
      [[likely]] {
    return recent;
  }
  uint32_t isn_floor = 0;
  TableEntry* const entry = FindEntry(tcp, local, remote);
  TcpSocket* made = nullptr;
  TcpSocket* listener = nullptr;
  if (entry != nullptr) {
    const uint32_t device_index = entry->socket.device_index;
    if (device_index != 0 && device_index != segment.device->index) {
      is_handled = true;  // it came by another way than the connection goes
      return nullptr;
    }
    switch (entry->kind) {
      case EntryKind::kConnection: {
        auto& socket = reinterpret_cast<TcpSocket&>(*entry);
        tcp.recent = &socket;
        return &socket;
      }
      case EntryKind::kRequest: {
        is_handled = true;
        auto& request = reinterpret_cast<Request&>(*entry);
        listener = request.listener;
        made = RequestInput(request, segment, now_ns);
        break;
      }
      case EntryKind::kTimeWait:
        is_handled = TimeWaitInput(tcp, reinterpret_cast<TimeWait&>(*entry), segment, isn_floor, now_ns) ==
                     TimeWaitResult::kDone;
        break;
    }
  }
  if (!is_handled) {
    listener = FindListener(tcp, local, remote, *segment.device);
    if (listener == nullptr) {
      return nullptr;
    }
    is_handled = true;
    made = ListenerInput(*listener, segment, isn_floor, now_ns);
  }
  if (made != nullptr) {
    Notify(*listener, POLLIN);
  }
  return made;
}

}  // namespace

void SynchronisedInput(TcpSocket& socket, Segment& segment, uint64_t now_ns) {
  const TcpHeader& header = segment.header;
  ++socket.segments_in;
  if (socket.state == TcpState::kSynReceived && segment.has(kTcpSyn) && segment.has(kTcpAck) &&
      header.seq == socket.irs) {
    CompleteSynReceived(socket, segment, now_ns);  // RFC 9293, figure 8
    return;
  }
  if (!IsAcceptable(socket, segment, now_ns)) {
    return;
  }
  socket.last_ack_ns = now_ns;
  socket.keep_alive_probes = 0;
  if (socket.state == TcpState::kSynReceived && !CompleteSynReceived(socket, segment, now_ns)) {
    return;
  }
  // RFC 7323, section 4.3, (2).
  if (socket.uses_timestamps && SeqAtMost(header.seq, socket.rcv_acked) &&
      (SeqAtMost(socket.ts_recent, header.options.timestamp) ||
       now_ns - socket.ts_recent_ns >= kTimestampLife_ns)) {  // section 5.5: what was is not valid any more
    socket.ts_recent = header.options.timestamp;
    socket.ts_recent_ns = now_ns;
  }
  if (!ProcessAck(socket, segment, now_ns)) {
    return;
  }
  if (socket.is_fin_sent && socket.snd_una == socket.snd_nxt && !OnFinAcknowledged(socket, now_ns)) {
    return;
  }
  if (segment.size_bytes != 0 || segment.has(kTcpFin)) {
    const bool is_deaf =
        (socket.is_orphan || (socket.is_receive_shut && socket.is_send_shut)) && !socket.is_fin_received;
    if (is_deaf && SeqAfter(header.seq + segment.size_bytes, socket.rcv_nxt)) {
      SendReset(socket, now_ns);  // RFC 9293, section 3.6.1: data for nobody
      FinishConnection(socket, ECONNRESET, now_ns);
      return;
    }
    ReceiveText(socket, segment, now_ns);
  }
  Output(socket, now_ns);
}

void SynSentInput(TcpSocket& socket, const Segment& segment, uint64_t now_ns) {
  const TcpHeader& header = segment.header;
  ++socket.segments_in;
  if (segment.has(kTcpAck) && header.ack != socket.iss + 1) {
    SendResetFor(*socket.tcp->stack, segment, now_ns);
    return;
  }
  if (segment.has(kTcpRst)) {
    if (segment.has(kTcpAck)) {
      ++socket.tcp->stack->counters.tcp_attempt_fails;
      FinishConnection(socket, ECONNREFUSED, now_ns);
    }
    return;
  }
  if (!segment.has(kTcpSyn)) {
    return;
  }
  AdoptOptions(socket, header.options, now_ns);
  socket.irs = header.seq;
  socket.rcv_nxt = socket.rcv_acked = header.seq + 1;
  FirstWindow(socket);
  if (!segment.has(kTcpAck)) {
    socket.state = TcpState::kSynReceived;
    socket.backoff = 0;
    SendSyn(socket, now_ns);
    ArmSyn(socket, now_ns);
    return;
  }
  if (socket.syn_retries_done == 0) {
    socket.round_trip.Sample(now_ns - socket.first_timeout_ns, now_ns);
  }
  BecomeEstablished(socket, header, false, now_ns);
  QueueAck(socket);
  Notify(socket, POLLOUT);
}

void TcpInput(Stack& stack, Device& device, const IpPacket& packet, uint64_t now_ns) {
  TcpLayer& tcp = LayerOf(stack);
  ++stack.counters.tcp_in;
  uint8_t head[kTcpHeaderMax_bytes];
  Segment segment;
  segment.packet = &packet;
  segment.device = &device;
  if (!CopyHeader(packet, head, segment)) {
    ++stack.counters.tcp_malformed;
    return;
  }
  if (packet.needs_checksum && !VerifyChecksum(stack, packet, head, segment)) {
    ++stack.counters.tcp_malformed;
    segment.checked.Clear(stack.pool);
    return;
  }
  bool is_handled = false;
  TcpSocket* const socket = FindConnection(tcp, segment, is_handled, now_ns);
  if (socket != nullptr) {
    if (socket->state == TcpState::kSynSent) {
      SynSentInput(*socket, segment, now_ns);
    } else {
      SynchronisedInput(*socket, segment, now_ns);
    }
    FreeIfDone(*socket);
  } else if (!is_handled) {
    SendResetFor(stack, segment, now_ns);
  }
  segment.checked.Clear(stack.pool);
}

}  // namespace junction::net
