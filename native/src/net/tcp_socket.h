// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 9293 (TCP), 7323 (window scaling, timestamps), 2018 and 6675 (SACK), 8985 (RACK-TLP), 6298 (RTO), 9438 (CUBIC), 5961
// (blind attacks), 6528 (initial sequence numbers), 4987 (SYN floods); tcp(7) for the options.
//
// A TcpSocket is a connection, a listener, or neither yet. Who made it (or accepted it) owns it until CloseTcp; after that the stack keeps
// what the protocol still needs (FIN_WAIT, TIME_WAIT, unsent bytes) and frees it by itself.
//
//   bytes to send:    WriteSpan -> caller copies in -> CommitWrite  (again until done) -> Stack::Flush
//   bytes to read:    ReadSpan  -> caller copies out -> ConsumeRead (again until done) -> Stack::Flush
#pragma once

#include "net/block_pool.h"
#include "net/socket.h"

namespace junction::net {

/// RFC 9293, section 3.3.2. Numbers are Linux' (TCP_INFO, /proc/net/tcp).
enum class TcpState : uint8_t {
  kEstablished = 1,
  kSynSent = 2,
  kSynReceived = 3,
  kFinWait1 = 4,
  kFinWait2 = 5,
  kTimeWait = 6,
  kClosed = 7,
  kCloseWait = 8,
  kLastAck = 9,
  kListen = 10,
  kClosing = 11,
};

/// setsockopt's, with their units.
struct TcpOptions {
  bool has_no_delay = false;        // TCP_NODELAY
  bool is_corked = false;           // TCP_CORK; MSG_MORE does it for one write
  bool has_quick_ack = false;       // TCP_QUICKACK: acknowledge at once until the peer's next data were acknowledged so
  bool has_keep_alive = false;      // SO_KEEPALIVE
  uint32_t keep_idle_s = 7200;      // TCP_KEEPIDLE
  uint32_t keep_interval_s = 75;    // TCP_KEEPINTVL
  uint32_t keep_count = 9;          // TCP_KEEPCNT
  uint32_t user_timeout_ms = 0;     // TCP_USER_TIMEOUT (RFC 5482); 0 = by retransmissions
  uint32_t syn_retries = 6;         // TCP_SYNCNT
  uint32_t max_segment_bytes = 0;   // TCP_MAXSEG; 0 = by MTU
  uint32_t defer_accept_s = 0;      // TCP_DEFER_ACCEPT
  int32_t linger2_s = 60;           // TCP_LINGER2: FIN_WAIT_2 of a closed socket
  uint32_t window_clamp_bytes = 0;  // TCP_WINDOW_CLAMP
  uint32_t not_sent_low_bytes = ~0U;  // TCP_NOTSENT_LOWAT
  bool lingers = false;               // SO_LINGER
  uint32_t linger_s = 0;              // 0 with `lingers`: CloseTcp resets
};

struct TcpSocket;

/// null if memory is short. `owner` and `notify` are to be set by the caller.
TcpSocket* NewTcpSocket(Stack& stack, bool is_v6);
/// close(2): the owner lets go. Unread bytes or linger 0 reset the connection (RFC 2525, 2.17), else it ends in order.
void CloseTcp(TcpSocket& socket, uint64_t now_ns);
Socket& SocketOf(TcpSocket& socket);
TcpState StateOf(const TcpSocket& socket);
/// Take effect at the next call or packet, as in Linux; accepted sockets inherit the listener's. After a change call TcpOptionsChanged.
TcpOptions& OptionsOf(TcpSocket& socket);
void TcpOptionsChanged(TcpSocket& socket, uint64_t now_ns);

/// 0, -EINVAL (bound already, or connected), -EADDRINUSE, -EADDRNOTAVAIL. Port 0 = an ephemeral one.
int BindTcp(TcpSocket& socket, const Endpoint& local);
/// 0, -EINVAL, -EADDRINUSE. Again on a listener: a new backlog.
int ListenTcp(TcpSocket& socket, uint32_t backlog);
/// -EINPROGRESS: POLLOUT comes when it is established or has failed (TakeError). -EISCONN, -EALREADY, -EADDRNOTAVAIL (no port is left),
/// -ENETUNREACH, -EADDRINUSE, -EINVAL (listener).
int ConnectTcp(TcpSocket& socket, const Endpoint& remote, uint64_t now_ns);
/// The first established connection of a listener's queue, which is the caller's now; null = none (notify POLLIN comes).
TcpSocket* AcceptTcp(TcpSocket& listener);
/// SHUT_RD = 1, SHUT_WR = 2 as bits. 0 or -ENOTCONN. A listener stops listening.
int ShutdownTcp(TcpSocket& socket, uint32_t sides, uint64_t now_ns);
/// Resets the connection at once; its owner is told ECONNABORTED. The socket stays the owner's.
void AbortTcp(TcpSocket& socket, int error, uint64_t now_ns);

/// Room in the send buffer, one contiguous piece: 0 with `error` -EAGAIN (POLLOUT comes), -EPIPE (shut down, reset), -ENOTCONN, or the
/// pending error. Connections still being set up: -EAGAIN.
Span WriteSpan(TcpSocket& socket, int& error);
/// The first `size_bytes` of that piece are to be sent. `has_more`: more comes soon: a partial segment may wait for it (MSG_MORE), for at
/// most 200 ms. Give it also for all pieces of a write but the last, so that the frames become large; it ends when the buffer is full.
void CommitWrite(TcpSocket& socket, uint32_t size_bytes, bool has_more, uint64_t now_ns);
/// Free bytes of the send buffer, the largest sum of writes before -EAGAIN.
uint32_t WriteRoom_bytes(const TcpSocket& socket);

/// Bytes that can be read from `offset` on (MSG_PEEK; 0 else), one contiguous piece. Empty with `error`: 0 = the peer's FIN, -EAGAIN,
/// -ENOTCONN, or the pending error (-ECONNRESET …).
Span ReadSpan(TcpSocket& socket, uint32_t offset_bytes, int& error);
/// The first `size_bytes` are read: room for the peer, told to it when worth it.
void ConsumeRead(TcpSocket& socket, uint32_t size_bytes, uint64_t now_ns);
/// FIONREAD.
uint32_t Readable_bytes(const TcpSocket& socket);
/// SIOCOUTQ (not acknowledged), SIOCOUTQNSD (not sent).
uint32_t Unacknowledged_bytes(const TcpSocket& socket);
uint32_t Unsent_bytes(const TcpSocket& socket);

/// POLLIN, POLLOUT, POLLRDHUP, POLLHUP, POLLERR that hold now, as Linux' tcp_poll.
uint32_t PollTcp(const TcpSocket& socket);

/// SO_RCVBUF, SO_SNDBUF: fixes the size (no auto-tuning any more); the doubled value that Linux reports.
void SetTcpReceiveBuffer(TcpSocket& socket, uint32_t size_bytes);
void SetTcpSendBuffer(TcpSocket& socket, uint32_t size_bytes);
uint32_t TcpReceiveBuffer_bytes(const TcpSocket& socket);
uint32_t TcpSendBuffer_bytes(const TcpSocket& socket);

/// What TCP_INFO tells, in its units (tcp(7), linux/tcp.h).
struct TcpInfo {
  TcpState state;
  uint8_t retransmits, probes, backoff, options, send_window_scale, receive_window_scale;
  uint32_t rto_us, ato_us, send_mss_bytes, receive_mss_bytes, unacked, sacked, lost, retransmitted;
  uint32_t last_data_sent_ms, last_data_received_ms, last_ack_received_ms;
  uint32_t path_mtu_bytes, slow_start_threshold, rtt_us, rtt_variance_us, congestion_window, receive_space_bytes,
      total_retransmits;
  uint64_t bytes_acked, bytes_received, segments_out, segments_in, delivery_rate_bytes;
};
TcpInfo InfoOf(const TcpSocket& socket, uint64_t now_ns);

/// Lengths of a listener's queues (for ss, TCP_INFO): established and not accepted; its limit.
uint32_t AcceptQueue_length(const TcpSocket& listener);
uint32_t Backlog(const TcpSocket& listener);

}  // namespace junction::net
