// SPDX-License-Identifier: Apache-2.0
// Segments without data beside the stream: SYN, RST, and what is sent on behalf of requests and TIME_WAIT. Paths and segment sizes.
#include "net/tcp/receive_window.h"
#include "net/tcp/tcp_output.h"

namespace junction::net {
namespace {

// IPv6 hosts without a Path MTU of their own, and the least that IPv4 must carry (RFC 9293, MUST-15).
constexpr uint32_t kSegmentLeast_bytes = 48;

uint32_t IpHeader_bytes(const IpAddress& address) { return address.is_v4() ? 20 : 40; }

}  // namespace

uint16_t OfferedSegment_bytes(const Path& path, const IpAddress& remote, const TcpOptions& options) {
  uint32_t bytes = path.mtu_bytes - IpHeader_bytes(remote) - kTcpHeader_bytes;
  bytes = bytes > 65535 ? 65535 : bytes;
  if (options.max_segment_bytes != 0 && options.max_segment_bytes < bytes) {
    bytes = options.max_segment_bytes;
  }
  return static_cast<uint16_t>(bytes);
}

void UpdateSegmentSize(TcpSocket& socket) {
  uint32_t mtu = socket.path.mtu_bytes;
  if (socket.path_mtu_bytes != 0 && socket.path_mtu_bytes < mtu) {
    mtu = socket.path_mtu_bytes;
  }
  uint32_t mss = mtu - IpHeader_bytes(socket.entry.socket.remote.address) - kTcpHeader_bytes;
  mss = socket.peer_mss_bytes < mss ? socket.peer_mss_bytes : mss;
  if (socket.options.max_segment_bytes != 0 && socket.options.max_segment_bytes < mss) {
    mss = socket.options.max_segment_bytes;
  }
  // RFC 6691, section 2: options come out of the segment.
  mss -= socket.uses_timestamps && mss > kTimestampOption_bytes ? kTimestampOption_bytes : 0;
  socket.send_mss_bytes = mss < kSegmentLeast_bytes ? kSegmentLeast_bytes : mss;
}

bool RefreshPath(TcpSocket& socket) {
  Stack& stack = *socket.tcp->stack;
  if (socket.path.device != nullptr && socket.path.route_version == stack.route_version) [[likely]] {
    return true;
  }
  Socket& base = socket.entry.socket;
  Path path;
  if (FindPath(stack, base.remote.address, base.local.address, base.device_index, path) != 0) {
    return false;  // routes may come back before the retransmissions end
  }
  socket.path = path;
  UpdateSegmentSize(socket);
  return true;
}

bool SendBare(Stack& stack, Socket& from, const Path& path, TcpHeader& header, bool waits, uint64_t now_ns) {
  OutgoingPacket packet;
  if (BeginPacket(stack, path, kProtocolTcp, from.local.address, from.remote.address, from.ttl, from.type_of_service,
                  true, kTcpHeaderMax_bytes, waits ? &from : nullptr, packet, now_ns) != BeginResult::kReady) {
    return false;
  }
  header.source_port = from.local.port;
  header.destination_port = from.remote.port;
  header.header_bytes = kTcpHeader_bytes + WriteTcpOptions(header.options, (header.flags & kTcpSyn) != 0,
                                                           packet.transport + kTcpHeader_bytes);
  WriteTcpHeader(header, packet.transport);
  FinishPacket(stack, packet, kProtocolTcp, from.local.address, from.remote.address, header.header_bytes,
               kTcpChecksumOffset, 0);
  ++stack.counters.tcp_out;
  return true;
}

bool SendSyn(TcpSocket& socket, uint64_t now_ns) {
  if (!RefreshPath(socket)) {
    return false;
  }
  const bool is_answer = socket.state == TcpState::kSynReceived;
  TcpHeader header;
  header.seq = socket.iss;
  header.ack = is_answer ? socket.rcv_nxt : 0;
  header.flags = static_cast<uint8_t>(kTcpSyn | (is_answer ? kTcpAck : 0));
  header.window = FirstWindow(socket);
  header.options.max_segment_bytes =
      OfferedSegment_bytes(socket.path, socket.entry.socket.remote.address, socket.options);
  // What we can, or in an answer what the peer can too (RFC 7323, sections 2.2 and 3.2).
  header.options.has_timestamps = !is_answer || socket.uses_timestamps;
  header.options.timestamp = TimestampClock(now_ns) + socket.ts_offset;
  header.options.timestamp_echo = socket.ts_recent;
  header.options.permits_sack = !is_answer || socket.uses_sack;
  header.options.has_window_scale = !is_answer || socket.uses_window_scale;
  header.options.window_scale = kReceiveWindowScale;
  if (!SendBare(*socket.tcp->stack, socket.entry.socket, socket.path, header, true, now_ns)) {
    return false;
  }
  ++socket.segments_out;
  return true;
}

void SendReset(TcpSocket& socket, uint64_t now_ns) {
  if (!RefreshPath(socket)) {
    return;
  }
  TcpHeader header;
  header.seq = socket.snd_nxt;
  header.ack = socket.rcv_nxt;
  header.flags = static_cast<uint8_t>(kTcpRst | (socket.state == TcpState::kSynSent ? 0 : kTcpAck));
  if (SendBare(*socket.tcp->stack, socket.entry.socket, socket.path, header, false, now_ns)) {
    ++socket.tcp->stack->counters.tcp_resets_out;
  }
}

void SendResetFor(Stack& stack, const Segment& segment, uint64_t now_ns) {
  if (segment.has(kTcpRst) || segment.packet->is_broadcast) {
    return;
  }
  Socket from;
  from.stack = &stack;
  from.local = {segment.packet->destination, segment.header.destination_port};
  from.remote = {segment.packet->source, segment.header.source_port};
  Path path;
  const uint32_t device_index = segment.device->is_point_to_point ? segment.device->index : 0;
  if (FindPath(stack, from.remote.address, from.local.address, device_index, path) != 0) {
    return;
  }
  TcpHeader header;
  if (segment.has(kTcpAck)) {
    header.seq = segment.header.ack;
    header.flags = kTcpRst;
  } else {
    header.ack = segment.end();
    header.flags = kTcpRst | kTcpAck;
  }
  if (SendBare(stack, from, path, header, false, now_ns)) {
    ++stack.counters.tcp_resets_out;
  }
}

}  // namespace junction::net
