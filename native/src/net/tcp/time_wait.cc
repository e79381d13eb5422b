// SPDX-License-Identifier: Apache-2.0
#include "net/tcp/time_wait.h"

#include "net/tcp/connection_table.h"
#include "net/tcp/receive_window.h"
#include "net/tcp/tcp_output.h"

namespace junction::net {
namespace {

// Linux' TCP_TIMEWAIT_LEN; RFC 9293 wants 2 MSL = 4 minutes, which nobody keeps.
constexpr uint64_t kTimeWait_ns = 60 * kSecond_ns;
// 200 bytes each: 3 MiB. Beyond it the oldest ends early, as in Linux (tcp_max_tw_buckets).
constexpr uint32_t kTimeWaitMax = 16384;
constexpr uint64_t kAnswerGap_ns = 500 * kMillisecond_ns;  // Linux' tcp_invalid_ratelimit
// RFC 7323, section 5.5: a timestamp older than 24 days says nothing.
constexpr uint64_t kTimestampLife_ns = 24ULL * 24 * 3600 * kSecond_ns;

void ArmOldest(TcpLayer& tcp) {
  ListNode* const first = tcp.time_wait_order.first();
  if (first != nullptr && !tcp.time_wait_timer.is_armed) {
    tcp.stack->timers.Arm(tcp.time_wait_timer, JUNCTION_OWNER(first, TimeWait, node)->expires_ns);
  }
}

void Restart(TcpLayer& tcp, TimeWait& entry, uint64_t now_ns) {
  entry.expires_ns = now_ns + kTimeWait_ns;
  entry.node.Unlink();
  tcp.time_wait_order.PushBack(entry.node);
  ArmOldest(tcp);
}

void Answer(TcpLayer& tcp, TimeWait& entry, uint64_t now_ns) {
  Stack& stack = *tcp.stack;
  Socket& base = entry.entry.socket;
  Path path;
  if (FindPath(stack, base.remote.address, base.local.address, base.device_index, path) != 0) {
    return;
  }
  TcpHeader header;
  header.seq = entry.snd_nxt;
  header.ack = entry.rcv_nxt;
  header.flags = kTcpAck;
  header.window = static_cast<uint16_t>(entry.window_bytes >> kReceiveWindowScale);
  header.options.has_timestamps = entry.uses_timestamps;
  header.options.timestamp = TimestampClock(now_ns) + entry.ts_offset;
  header.options.timestamp_echo = entry.ts_recent;
  SendBare(stack, base, path, header, false, now_ns);
}

}  // namespace

void AddTimeWait(TcpSocket& socket, uint64_t now_ns) {
  TcpLayer& tcp = *socket.tcp;
  if (tcp.time_wait_count >= kTimeWaitMax) {
    RemoveTimeWait(tcp, *JUNCTION_OWNER(tcp.time_wait_order.first(), TimeWait, node));
  }
  auto* const entry = static_cast<TimeWait*>(tcp.time_waits.Allocate());
  if (entry == nullptr) {
    return;
  }
  *entry = TimeWait{.entry = {},
                    .node = {},
                    .expires_ns = now_ns + kTimeWait_ns,
                    .ts_recent_ns = socket.ts_recent_ns,
                    .last_answer_ns = 0,
                    .snd_nxt = socket.snd_nxt,
                    .rcv_nxt = socket.rcv_nxt,
                    .window_bytes = OpenWindow_bytes(socket),
                    .ts_recent = socket.ts_recent,
                    .ts_offset = socket.ts_offset,
                    .uses_timestamps = socket.uses_timestamps};
  Socket& base = entry->entry.socket;
  const Socket& from = socket.entry.socket;
  base.stack = from.stack;
  base.local = from.local;
  base.remote = from.remote;
  base.device_index = from.device_index;
  base.is_v6 = from.is_v6;
  base.is_v6_only = from.is_v6_only;
  base.reuses_address = from.reuses_address;
  base.reuses_port = from.reuses_port;
  base.ttl = from.ttl;
  base.type_of_service = from.type_of_service;
  base.owner_uid = from.owner_uid;
  entry->entry.kind = EntryKind::kTimeWait;
  if (SharePort(*tcp.stack, kProtocolTcp, base) != 0) {
    tcp.time_waits.Free(entry);
    return;
  }
  if (!InsertEntry(tcp, entry->entry)) {
    ReleasePort(*tcp.stack, kProtocolTcp, base);
    tcp.time_waits.Free(entry);
    return;
  }
  tcp.time_wait_order.PushBack(entry->node);
  ++tcp.time_wait_count;
  ArmOldest(tcp);
}

void RemoveTimeWait(TcpLayer& tcp, TimeWait& entry) {
  RemoveEntry(tcp, entry.entry);
  ReleasePort(*tcp.stack, kProtocolTcp, entry.entry.socket);
  entry.entry.socket.waiting_node.Unlink();
  entry.node.Unlink();
  --tcp.time_wait_count;
  tcp.time_waits.Free(&entry);
}

TimeWaitResult TimeWaitInput(TcpLayer& tcp, TimeWait& entry, const Segment& segment, uint32_t& isn_floor,
                             uint64_t now_ns) {
  const TcpHeader& header = segment.header;
  if (segment.has(kTcpRst)) {
    return TimeWaitResult::kDone;  // RFC 1337, section 3, fix F1
  }
  const bool has_timestamps = entry.uses_timestamps && header.options.has_timestamps;
  const bool is_old = has_timestamps && SeqBefore(header.options.timestamp, entry.ts_recent) &&
                      now_ns - entry.ts_recent_ns < kTimestampLife_ns;
  if (segment.has(kTcpSyn) && !segment.has(kTcpAck) && !is_old) {
    const bool is_newer = has_timestamps && SeqAfter(header.options.timestamp, entry.ts_recent);
    if (is_newer || SeqAfter(header.seq, entry.rcv_nxt)) {
      isn_floor = entry.snd_nxt;
      RemoveTimeWait(tcp, entry);
      return TimeWaitResult::kReuse;
    }
  }
  const bool is_plain = header.seq == entry.rcv_nxt && segment.length() == 0 && !is_old;
  if (is_plain) {
    return TimeWaitResult::kDone;
  }
  const bool is_fin = segment.has(kTcpFin) && segment.end() == entry.rcv_nxt;
  if (is_fin && !is_old) {
    Restart(tcp, entry, now_ns);
  }
  if (is_fin || entry.last_answer_ns == 0 || now_ns - entry.last_answer_ns >= kAnswerGap_ns) {
    entry.last_answer_ns = now_ns == 0 ? 1 : now_ns;
    Answer(tcp, entry, now_ns);
  }
  return TimeWaitResult::kDone;
}

bool ReuseTimeWait(TcpLayer& tcp, TimeWait& entry, uint64_t now_ns, bool only_asks) {
  // A second later our timestamp has grown for sure (Linux' tcp_twsk_unique).
  if (!entry.uses_timestamps || now_ns - entry.ts_recent_ns < kSecond_ns) {
    return false;
  }
  if (!only_asks) {
    RemoveTimeWait(tcp, entry);
  }
  return true;
}

void OnTimeWaitTimer(Timer& timer) {
  TcpLayer& tcp = *static_cast<TcpLayer*>(timer.context);
  const uint64_t now_ns = tcp.stack->now_ns;
  while (ListNode* const node = tcp.time_wait_order.first()) {
    TimeWait& entry = *JUNCTION_OWNER(node, TimeWait, node);
    if (entry.expires_ns > now_ns) {
      break;
    }
    RemoveTimeWait(tcp, entry);
  }
  ArmOldest(tcp);
}

}  // namespace junction::net
