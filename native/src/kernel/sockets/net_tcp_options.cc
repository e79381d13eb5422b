// SPDX-License-Identifier: Apache-2.0
// Options of TCP. Read first: tcp(7); do_tcp_setsockopt and tcp_get_info of Linux' net/ipv4/tcp.c, whose ranges are kept.
#include <linux/tcp.h>
#include <poll.h>

#include <cstring>

#include "kernel/sockets/net_option_value.h"
#include "kernel/sockets/net_socket.h"

namespace junction {
namespace {

constexpr int32_t kMaxKeepIdle_s = 32767;       // MAX_TCP_KEEPIDLE
constexpr int32_t kMaxKeepInterval_s = 32767;   // MAX_TCP_KEEPINTVL
constexpr int32_t kMaxKeepCount = 127;          // MAX_TCP_KEEPCNT
constexpr int32_t kMaxSynRetries = 127;         // MAX_TCP_SYNCNT
constexpr int32_t kMinSegment_bytes = 88;       // TCP_MIN_MSS
constexpr int32_t kMaxSegment_bytes = 32767;    // MAX_TCP_WINDOW
constexpr int32_t kMaxLinger2_s = 120;          // TCP_FIN_TIMEOUT_MAX
constexpr uint32_t kCongestionName_bytes = 16;  // TCP_CA_NAME_MAX
constexpr char kCongestion[kCongestionName_bytes] = "cubic";

bool IsBetween(int32_t number, int32_t lowest, int32_t highest) { return number >= lowest && number <= highest; }

int64_t SetRanged(uint32_t& field, int32_t number, int32_t lowest, int32_t highest) {
  if (!IsBetween(number, lowest, highest)) {
    return -EINVAL;
  }
  field = static_cast<uint32_t>(number);
  return 0;
}

int64_t SetInt(NetSocket& socket, int option, int32_t number) {
  net::TcpOptions& options = net::OptionsOf(*socket.tcp);
  switch (option) {
    case TCP_NODELAY:
      options.has_no_delay = number != 0;
      return 0;
    case TCP_CORK:
      options.is_corked = number != 0;
      return 0;
    case TCP_QUICKACK:
      options.has_quick_ack = number != 0;
      return 0;
    case TCP_KEEPIDLE:
      return SetRanged(options.keep_idle_s, number, 1, kMaxKeepIdle_s);
    case TCP_KEEPINTVL:
      return SetRanged(options.keep_interval_s, number, 1, kMaxKeepInterval_s);
    case TCP_KEEPCNT:
      return SetRanged(options.keep_count, number, 1, kMaxKeepCount);
    case TCP_SYNCNT:
      return SetRanged(options.syn_retries, number, 1, kMaxSynRetries);
    case TCP_USER_TIMEOUT:
      return SetRanged(options.user_timeout_ms, number, 0, 0x7fffffff);
    case TCP_MAXSEG:
      if (number != 0 && !IsBetween(number, kMinSegment_bytes, kMaxSegment_bytes)) {
        return -EINVAL;
      }
      options.max_segment_bytes = static_cast<uint32_t>(number);
      return 0;
    case TCP_DEFER_ACCEPT:
      options.defer_accept_s = number < 0 ? 0 : static_cast<uint32_t>(number);
      return 0;
    case TCP_LINGER2:
      options.linger2_s = number < 0 ? -1 : (number > kMaxLinger2_s ? kMaxLinger2_s : number);
      return 0;
    case TCP_WINDOW_CLAMP:
      if (number == 0 && net::StateOf(*socket.tcp) != net::TcpState::kClosed) {
        return -EINVAL;
      }
      options.window_clamp_bytes = static_cast<uint32_t>(number);
      return 0;
    case TCP_NOTSENT_LOWAT:
      options.not_sent_low_bytes = static_cast<uint32_t>(number);
      return 0;
    case TCP_FASTOPEN:
    case TCP_FASTOPEN_NO_COOKIE:
      return -EOPNOTSUPP;  // as with net.ipv4.tcp_fastopen = 0
    case TCP_FASTOPEN_CONNECT:
      return IsBetween(number, 0, 1) ? -EOPNOTSUPP : -EINVAL;
    case TCP_THIN_LINEAR_TIMEOUTS:
    case TCP_THIN_DUPACK:
      return IsBetween(number, 0, 1) ? 0 : -EINVAL;
    case TCP_REPAIR:
    case TCP_TIMESTAMP:
      return -EPERM;
    case TCP_INQ:
      return -ENOPROTOOPT;
    default:
      return -ENOPROTOOPT;
  }
}

bool GetInt(const NetSocket& socket, int option, int32_t& out) {
  const net::TcpOptions& options = net::OptionsOf(*socket.tcp);
  switch (option) {
    case TCP_NODELAY:
      out = options.has_no_delay ? 1 : 0;
      return true;
    case TCP_CORK:
      out = options.is_corked ? 1 : 0;
      return true;
    case TCP_QUICKACK:
      out = options.has_quick_ack ? 1 : 0;
      return true;
    case TCP_KEEPIDLE:
      out = static_cast<int32_t>(options.keep_idle_s);
      return true;
    case TCP_KEEPINTVL:
      out = static_cast<int32_t>(options.keep_interval_s);
      return true;
    case TCP_KEEPCNT:
      out = static_cast<int32_t>(options.keep_count);
      return true;
    case TCP_SYNCNT:
      out = static_cast<int32_t>(options.syn_retries);
      return true;
    case TCP_USER_TIMEOUT:
      out = static_cast<int32_t>(options.user_timeout_ms);
      return true;
    case TCP_DEFER_ACCEPT:
      out = static_cast<int32_t>(options.defer_accept_s);
      return true;
    case TCP_LINGER2:
      out = options.linger2_s;
      return true;
    case TCP_WINDOW_CLAMP:
      out = static_cast<int32_t>(options.window_clamp_bytes);
      return true;
    case TCP_NOTSENT_LOWAT:
      out = static_cast<int32_t>(options.not_sent_low_bytes);
      return true;
    case TCP_FASTOPEN:
    case TCP_FASTOPEN_CONNECT:
    case TCP_FASTOPEN_NO_COOKIE:
    case TCP_THIN_LINEAR_TIMEOUTS:
    case TCP_THIN_DUPACK:
    case TCP_REPAIR:
    case TCP_INQ:
      out = 0;
      return true;
    default:
      return false;
  }
}

// Before there is a connection: what was asked for, or the default of RFC 9293, 3.7.1.
int32_t SegmentSize(const NetSocket& socket) {
  constexpr int32_t kDefault_bytes = 536;
  const net::TcpInfo info = net::InfoOf(*socket.tcp, NetNow_ns());
  const net::TcpOptions& options = net::OptionsOf(*socket.tcp);
  if (info.state == net::TcpState::kClosed || info.state == net::TcpState::kListen) {
    return options.max_segment_bytes != 0 ? static_cast<int32_t>(options.max_segment_bytes) : kDefault_bytes;
  }
  return static_cast<int32_t>(info.send_mss_bytes);
}

int64_t StoreInfo(const NetSocket& socket, uint64_t value, uint64_t room) {
  const net::TcpInfo from = net::InfoOf(*socket.tcp, NetNow_ns());
  tcp_info info = {};
  info.tcpi_state = static_cast<uint8_t>(from.state);
  info.tcpi_retransmits = from.retransmits;
  info.tcpi_probes = from.probes;
  info.tcpi_backoff = from.backoff;
  info.tcpi_options = from.options;
  info.tcpi_snd_wscale = from.send_window_scale & 0xf;
  info.tcpi_rcv_wscale = from.receive_window_scale & 0xf;
  info.tcpi_rto = from.rto_us;
  info.tcpi_ato = from.ato_us;
  info.tcpi_snd_mss = from.send_mss_bytes;
  info.tcpi_rcv_mss = from.receive_mss_bytes;
  info.tcpi_unacked = from.unacked;
  info.tcpi_sacked = from.sacked;
  info.tcpi_lost = from.lost;
  info.tcpi_retrans = from.retransmitted;
  info.tcpi_last_data_sent = from.last_data_sent_ms;
  info.tcpi_last_data_recv = from.last_data_received_ms;
  info.tcpi_last_ack_recv = from.last_ack_received_ms;
  info.tcpi_pmtu = from.path_mtu_bytes;
  info.tcpi_rcv_ssthresh = from.receive_space_bytes;
  info.tcpi_rtt = from.rtt_us;
  info.tcpi_rttvar = from.rtt_variance_us;
  info.tcpi_snd_ssthresh = from.slow_start_threshold;
  info.tcpi_snd_cwnd = from.congestion_window;
  info.tcpi_advmss = from.receive_mss_bytes;
  info.tcpi_reordering = 3;
  info.tcpi_rcv_space = from.receive_space_bytes;
  info.tcpi_total_retrans = from.total_retransmits;
  info.tcpi_pacing_rate = ~0ULL;
  info.tcpi_max_pacing_rate = socket.pacing_bytes;
  info.tcpi_bytes_acked = from.bytes_acked;
  info.tcpi_bytes_received = from.bytes_received;
  info.tcpi_segs_out = static_cast<uint32_t>(from.segments_out);
  info.tcpi_segs_in = static_cast<uint32_t>(from.segments_in);
  info.tcpi_notsent_bytes = net::Unsent_bytes(*socket.tcp);
  info.tcpi_min_rtt = from.rtt_us;
  info.tcpi_delivery_rate = from.delivery_rate_bytes;
  return StoreOption(&info, sizeof(info), value, room);
}

// TCP_CONGESTION: there is one algorithm. ENOENT is what Linux says of one whose module is missing.
int64_t SetCongestion(uint64_t value, int32_t size) {
  if (size < 1) {
    return -EINVAL;
  }
  char name[kCongestionName_bytes] = {};
  const uint32_t room = sizeof(name) - 1;
  if (!CopyFromGuest(name, value, static_cast<uint32_t>(size) < room ? static_cast<uint32_t>(size) : room)) {
    return -EFAULT;
  }
  return std::memcmp(name, kCongestion, sizeof(kCongestion)) == 0 ? 0 : -ENOENT;
}

bool ChangesSending(int option) { return option == TCP_NODELAY || option == TCP_CORK || option == TCP_QUICKACK; }

}  // namespace

int64_t SetTcpOption(NetSocket& socket, int option, uint64_t value, int32_t size_bytes) {
  if (option == TCP_CONGESTION) {
    return SetCongestion(value, size_bytes);
  }
  if (option == TCP_ULP) {
    return -ENOENT;
  }
  int32_t number;
  if (const int64_t error = LoadIntOption(value, size_bytes, number); error != 0) {
    return error;
  }
  const int64_t error = SetInt(socket, option, number);
  if (error == 0) {
    net::TcpOptionsChanged(*socket.tcp, NetNow_ns());
    if (option == TCP_NOTSENT_LOWAT) {
      socket.file.wait.Wake(POLLOUT);
    }
    if (ChangesSending(option)) {
      FlushNet();  // what waited may go out
    }
  }
  return error;
}

int64_t GetTcpOption(NetSocket& socket, int option, uint64_t value, uint64_t room) {
  if (int32_t number; GetInt(socket, option, number)) {
    return StoreIntOption(number, value, room);
  }
  switch (option) {
    case TCP_MAXSEG:
      return StoreIntOption(SegmentSize(socket), value, room);
    case TCP_INFO:
      return StoreInfo(socket, value, room);
    case TCP_CONGESTION:
      return StoreOption(kCongestion, sizeof(kCongestion), value, room);
    case TCP_ULP: {
      const int32_t none = 0;
      return CopyToGuest(room, &none, sizeof(none)) ? 0 : -EFAULT;
    }
    case TCP_TIMESTAMP:
      return StoreIntOption(static_cast<int32_t>(NetNow_ns() / 1'000'000), value, room);
    default:
      return -ENOPROTOOPT;
  }
}

}  // namespace junction
