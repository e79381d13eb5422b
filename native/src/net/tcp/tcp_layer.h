// SPDX-License-Identifier: Apache-2.0
// TCP's part of a stack, and what its files share. Inside net/tcp only.
#pragma once

#include "net/hash.h"
#include "net/stack_state.h"
#include "net/tcp/tcp_control_block.h"

namespace junction::net {

inline constexpr uint32_t kListenerBuckets = 64;

struct TcpLayer {
  Stack* stack = nullptr;
  TcpSocket* recent = nullptr;  // the connection of the last segment: most often also of the next
  HashTable entries;            // TableEntry, by four-tuple
  ObjectPool sockets;
  ObjectPool requests;
  ObjectPool time_waits;
  ObjectPool records;  // SentRecord
  ObjectPool runs;     // HeldRun
  List acks_due;
  List memory_waiters;
  List all;                          // TcpSocket::all_node
  List listeners[kListenerBuckets];  // ListenerPart::node, by port
  List time_wait_order;              // TimeWait::node, oldest first
  uint32_t time_wait_count = 0;
  Timer time_wait_timer;
  uint64_t challenge_second = 0;  // RFC 5961, section 7
  uint32_t challenge_left = 0;
};

inline TcpLayer& LayerOf(Stack& stack) { return *stack.tcp; }
inline BlockPool& PoolOf(TcpSocket& socket) { return socket.tcp->stack->pool; }

/// Milliseconds: the clock of the timestamps option (RFC 7323, section 5.4 wants 1 ms to 1 s a tick).
inline uint32_t TimestampClock(uint64_t now_ns) { return static_cast<uint32_t>(now_ns / kMillisecond_ns); }

/// A segment that came in. The header is a private copy; `data` is shared memory, or private if `is_private`.
struct Segment {
  TcpHeader header;
  const uint8_t* data = nullptr;
  uint32_t size_bytes = 0;
  uint16_t segment_bytes = 0;  // of one of several segments in it; 0 = one
  ByteChain checked;           // the data, if the checksum had to be verified: then `data` is null
  const IpPacket* packet = nullptr;
  Device* device = nullptr;

  bool has(uint8_t flag) const { return (header.flags & flag) != 0; }
  /// SEG.LEN (RFC 9293, section 3.4).
  uint32_t length() const { return size_bytes + (has(kTcpSyn) ? 1 : 0) + (has(kTcpFin) ? 1 : 0); }
  uint32_t end() const { return header.seq + length(); }
};

}  // namespace junction::net
