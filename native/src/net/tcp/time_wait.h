// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 9293, section 3.6.1 and 3.10.7.4; RFC 6191 (reuse with timestamps); RFC 1337 (why resets are ignored).
#pragma once

#include "net/tcp/tcp_layer.h"

namespace junction::net {

/// What is kept of a connection in TIME-WAIT. Its Socket holds the four-tuple and shares the port.
struct TimeWait {
  TableEntry entry;
  ListNode node;  // TcpLayer::time_wait_order
  uint64_t expires_ns;
  uint64_t ts_recent_ns;
  uint64_t last_answer_ns;
  uint32_t snd_nxt;
  uint32_t rcv_nxt;
  uint32_t window_bytes;
  uint32_t ts_recent;
  uint32_t ts_offset;
  bool uses_timestamps;
};

/// A new entry for the four-tuple of `socket`, which has left the table; none if memory is short (then old duplicates are answered by RST).
void AddTimeWait(TcpSocket& socket, uint64_t now_ns);

enum class TimeWaitResult : uint8_t {
  kDone,
  kReuse,  // the segment is a SYN of a new connection; the entry is gone, and `isn_floor` is where its numbers ended
};
TimeWaitResult TimeWaitInput(TcpLayer& tcp, TimeWait& entry, const Segment& segment, uint32_t& isn_floor,
                             uint64_t now_ns);
/// May a connect of ours take the place (RFC 6191: the peer will see our timestamps grow)? Then it does, and the entry is gone.
bool ReuseTimeWait(TcpLayer& tcp, TimeWait& entry, uint64_t now_ns, bool only_asks);
void RemoveTimeWait(TcpLayer& tcp, TimeWait& entry);
/// Timer::fire of TcpLayer::time_wait_timer; the context is the layer.
void OnTimeWaitTimer(Timer& timer);

}  // namespace junction::net
