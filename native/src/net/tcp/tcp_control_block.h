// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 9293, section 3.3.1 (key connection state variables); the spelling of its names is kept.
#pragma once

#include "base/timer.h"
#include "net/hash_table.h"
#include "net/ip.h"
#include "net/tcp/byte_chain.h"
#include "net/tcp/cubic.h"
#include "net/tcp/reassembly.h"
#include "net/tcp/round_trip.h"
#include "net/tcp/sent_records.h"
#include "net/tcp/sequence.h"
#include "net/tcp/tcp_header.h"
#include "net/tcp_socket.h"

namespace junction::net {

struct TcpLayer;

/// What the connection table holds.
enum class EntryKind : uint8_t {
  kConnection,  // a TcpSocket
  kRequest,     // a SYN that a listener has answered (listener.h)
  kTimeWait,    // what is left of a connection (time_wait.h)
};

struct TableEntry {
  Socket socket;  // first: the internet layer and the layer above know entries by it
  HashNode node;
  EntryKind kind = EntryKind::kConnection;
};

inline TableEntry& EntryOf(Socket& socket) { return reinterpret_cast<TableEntry&>(socket); }

enum class CongestionState : uint8_t {
  kOpen,      // nothing is known to be lost
  kRecovery,  // lost segments are sent again (RFC 6675, 6582); ends when high_seq is acknowledged
  kLoss,      // after a retransmission timeout; slow start up to high_seq
};

/// What the retransmission deadline is for. One at a time, as in RFC 8985, section 8.
enum class RetransmitMode : uint8_t {
  kNone,
  kTimeout,    // RFC 6298
  kTailProbe,  // RFC 8985, section 7
  kReorder,    // RFC 8985, section 6.2, step 5
  kPersist,    // RFC 9293, section 3.8.6.1
};

/// Linux' sk_stream and tcp_mem figures; the limits of auto-tuning (net.ipv4.tcp_rmem, tcp_wmem).
inline constexpr uint32_t kBufferLeast_bytes = 16 * 1024;
inline constexpr uint32_t kReceiveBuffer_bytes = 128 * 1024;
inline constexpr uint32_t kSendBuffer_bytes = 64 * 1024;
inline constexpr uint32_t kReceiveBufferMax_bytes = 6 * 1024 * 1024;
inline constexpr uint32_t kSendBufferMax_bytes = 4 * 1024 * 1024;
/// 6 MiB in a field of 16 bits.
inline constexpr uint8_t kReceiveWindowScale = 7;

/// A connection, a listener, or neither yet. Idle it takes no more than this.
/// Larger segments count as this long where "every second full-sized segment" is acknowledged at once (RFC 9293, 3.8.6.3) or a window is
/// worth telling: with an MTU of 64 KiB two of them would fill a sender's buffer, which would wait for the delay each time.
inline constexpr uint32_t kMostDelayed_bytes = 16 * 1024;

struct TcpSocket {
  TableEntry entry;
  TcpLayer* tcp = nullptr;
  TcpState state = TcpState::kClosed;
  bool is_orphan : 1 = false;         // its owner has let go
  bool is_bound_by_name : 1 = false;  // BindTcp: the port stays when the connection ends
  bool was_connected : 1 = false;     // established once
  bool has_ended : 1 = false;         // reads end with 0 (after the error), not with ENOTCONN
  bool is_receive_shut : 1 = false;   // SHUT_RD
  bool is_send_shut : 1 = false;      // SHUT_WR: FIN is queued
  bool is_fin_sent : 1 = false;
  bool is_fin_received : 1 = false;
  bool has_fin_pending : 1 = false;  // the FIN came out of order, at fin_seq
  bool uses_timestamps : 1 = false;
  bool uses_sack : 1 = false;
  bool uses_window_scale : 1 = false;
  bool needs_ack_now : 1 = false;   // in TcpLayer::acks_due, or sent as soon as there is room
  bool is_interactive : 1 = false;  // requests and answers take turns ("pingpong"): acknowledgements wait for data
  bool has_unsent_fragment_hold : 1 = false;  // MSG_MORE: the partial segment waits
  bool may_write_more : 1 = true;             // the owner was last told that there is room
  bool waits_for_memory : 1 = false;          // in TcpLayer::memory_waiters
  bool is_reordering_seen : 1 = false;        // RFC 8985, RACK.reordering_seen
  bool is_tail_probe_retransmission : 1 = false;
  bool is_tail_probe_out : 1 = false;
  bool is_cwnd_limited : 1 = false;
  bool has_high_seq : 1 = false;  // there was a recovery: high_seq means something
  bool can_undo : 1 = false;      // Eifel: the reduction may prove wrong
  bool is_buffer_fixed_receive : 1 = false;
  bool is_buffer_fixed_send : 1 = false;
  bool has_rack_round : 1 = false;  // … if there is one

  // negotiated
  uint8_t send_window_scale = 0;
  uint8_t receive_window_scale = 0;

  // acknowledging
  uint8_t quick_acks = 0;  // acknowledgements to be sent at once still

  CongestionState congestion = CongestionState::kOpen;
  RetransmitMode retransmit_mode = RetransmitMode::kNone;
  uint8_t backoff = 0;     // the timeout is doubled so often; until a round trip was measured (RFC 6298, section 5)
  uint8_t timeouts = 0;    // in a row, without an acknowledgement in between
  uint8_t probes_out = 0;  // zero-window probes without an answer
  uint8_t keep_alive_probes = 0;
  uint8_t syn_retries_done = 0;
  uint8_t duplicate_acks = 0;

  // send sequence space
  uint32_t snd_una = 0;
  uint32_t snd_nxt = 0;
  uint32_t snd_wnd = 0;  // in bytes
  uint32_t snd_wl1 = 0;
  uint32_t snd_wnd_max = 0;  // largest ever offered
  uint32_t iss = 0;
  uint32_t high_seq = 0;  // recovery ends there
  uint32_t tail_probe_end = 0;
  uint32_t small_end = 0;  // end of the last partial segment that was sent (Minshall's Nagle)

  // receive sequence space
  uint32_t rcv_nxt = 0;
  uint32_t rcv_adv = 0;    // right edge of the window that was told
  uint32_t rcv_acked = 0;  // RCV.NXT as last told
  uint32_t irs = 0;
  uint32_t fin_seq = 0;
  uint32_t max_seen_segment_bytes = 536;  // largest received: what "full" means for delayed acknowledgements

  // timestamps (RFC 7323)
  uint32_t ts_recent = 0;
  uint32_t ts_offset = 0;
  uint64_t ts_recent_ns = 0;      // when ts_recent came
  uint32_t retransmit_stamp = 0;  // TSval of the first retransmission of this recovery

  int32_t soft_error = 0;         // what ICMP told; the reason if the connection dies
  uint32_t send_mss_bytes = 536;  // payload of a full segment
  uint32_t peer_mss_bytes = 536;  // the peer's option
  uint32_t path_mtu_bytes = 0;    // 0 = the path's; else learned by ICMP or black-hole detection

  // buffers
  ByteChain send;         // from `send_seq` on: unacknowledged and unsent
  uint32_t send_seq = 0;  // of its first byte
  ChainCursor send_cursor;
  ChainCursor retransmit_cursor;
  uint32_t send_limit_bytes = kSendBuffer_bytes;
  uint32_t receive_limit_bytes = kReceiveBuffer_bytes;
  ByteChain receive;  // in order, unread
  Reassembly out_of_order;
  SackBlock duplicate = {};  // to be reported once (RFC 2883)
  // a round of receiving for auto-tuning: what was read since
  uint32_t tune_seq = 0;
  uint32_t tune_copied_bytes = 0;
  uint64_t tune_since_ns = 0;
  uint64_t receive_rtt_ns = 0;

  // sending
  SentRecords records;
  Cubic cubic;
  RoundTrip round_trip;
  uint32_t undo_retransmits = 0;  // of this recovery, not yet reported as duplicates
  uint32_t undo_window_bytes = 0;
  uint32_t undo_threshold_bytes = 0;
  // RACK (RFC 8985, section 5.2)
  uint64_t rack_sent_ns = 0;
  uint64_t rack_rtt_ns = 0;
  uint32_t rack_end_seq = 0;
  uint32_t rack_fack = 0;
  uint32_t rack_round_end = 0;  // RACK.dsack_round …
  uint8_t rack_window_multiple = 1;
  uint8_t rack_window_persist = 0;
  uint32_t duplicate_bytes = 0;  // NewReno: what duplicate acknowledgements tell to have left
  uint32_t send_round_end = 0;   // auto-tuning of the send buffer
  uint64_t send_round_ns = 0;
  uint64_t send_round_delivered = 0;

  // time
  Timer timer;  // armed for the earliest deadline or before
  uint64_t retransmit_at_ns = kNever;
  uint64_t rto_base_ns = 0;  // the retransmission timeout counts from here
  uint64_t ack_at_ns = kNever;
  uint64_t close_at_ns = kNever;  // FIN_WAIT_2 of an orphan
  uint64_t keep_alive_at_ns = kNever;
  uint64_t first_timeout_ns = 0;  // when what is outstanding was first sent: user timeout
  uint64_t last_sent_ns = 0;      // data
  uint64_t last_received_ns = 0;  // data
  uint64_t last_ack_ns = 0;       // anything from the peer
  uint64_t last_oow_ack_ns = 0;   // out-of-window answers are limited (RFC 5961)

  Path path;
  TcpOptions options;
  ListNode ack_node;  // TcpLayer::acks_due
  ListNode all_node;  // TcpLayer::all

  // listener, and who waits in its queue
  TcpSocket* listener = nullptr;  // of a connection that was not accepted yet
  ListNode queue_node;            // its accept_queue; once accepted, TcpLayer::memory_waiters
  struct ListenerPart* listening = nullptr;

  // counters for TCP_INFO
  uint32_t total_retransmits = 0;
  uint32_t segments_in = 0;
  uint32_t segments_out = 0;
  uint64_t bytes_acked = 0;
  uint64_t bytes_received = 0;
  uint64_t delivery_rate_bytes = 0;

  Socket& socket() { return entry.socket; }
  const Socket& socket() const { return entry.socket; }
  uint32_t send_end() const { return send_seq + send.size_bytes; }
  /// Bytes that were never sent.
  uint32_t unsent_bytes() const { return SeqBefore(snd_nxt, send_end()) ? send_end() - snd_nxt : 0; }
  bool has_fin_to_send() const { return is_send_shut && !is_fin_sent; }
  /// May carry data from us.
  bool can_send() const {
    return state == TcpState::kEstablished || state == TcpState::kCloseWait || state == TcpState::kFinWait1 ||
           state == TcpState::kClosing || state == TcpState::kLastAck;
  }
  bool is_synchronised() const {
    return state != TcpState::kClosed && state != TcpState::kListen && state != TcpState::kSynSent;
  }
  /// RFC 6675's pipe.
  uint32_t in_flight_bytes() const {
    const uint32_t out = snd_nxt - snd_una;
    const uint32_t gone = records.sacked_bytes + records.lost_bytes + duplicate_bytes;
    return out > gone ? out - gone : 0;
  }
};

/// What counts as a full-sized segment from the peer.
inline uint32_t FullSegment_bytes(const TcpSocket& socket) {
  return socket.max_seen_segment_bytes < kMostDelayed_bytes ? socket.max_seen_segment_bytes : kMostDelayed_bytes;
}
/// More than one full-sized segment is not acknowledged.
inline bool MustAcknowledge(const TcpSocket& socket) {
  return socket.rcv_nxt - socket.rcv_acked > FullSegment_bytes(socket);
}

inline TcpSocket& TcpOf(Socket& socket) { return reinterpret_cast<TcpSocket&>(socket); }

inline void Notify(TcpSocket& socket, uint32_t events) {
  if (socket.entry.socket.notify != nullptr) {
    socket.entry.socket.notify(socket.entry.socket, events);
  }
}

}  // namespace junction::net
