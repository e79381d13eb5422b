// SPDX-License-Identifier: Apache-2.0
#include "net/tcp/listener.h"

#include <poll.h>

#include <new>

#include "net/tcp/connection_begin.h"
#include "net/tcp/connection_end.h"
#include "net/tcp/connection_table.h"
#include "net/tcp/isn.h"
#include "net/tcp/syn_cookie.h"
#include "net/tcp/tcp_output.h"

namespace junction::net {
namespace {

constexpr uint8_t kAnswerRetries = 5;  // Linux' tcp_synack_retries
// How long after the last cookie acknowledgements may carry one: two of its periods.
constexpr uint64_t kCookieLife_ns = 128 * kSecond_ns;

List& BucketOf(TcpLayer& tcp, uint16_t port) { return tcp.listeners[port % kListenerBuckets]; }

// How well a listener fits; 0 = not at all.
uint32_t Score(const TcpSocket& listener, const Endpoint& local, const Device& device) {
  const Socket& base = listener.entry.socket;
  if (base.local.port != local.port || (base.device_index != 0 && base.device_index != device.index)) {
    return 0;
  }
  uint32_t score = base.device_index != 0 ? 5 : 1;
  if (!base.local.address.is_any()) {
    return base.local.address == local.address ? score + 2 : 0;
  }
  if (local.address.is_v4()) {
    return base.is_v6 && !base.local.address.is_v4() ? (base.is_v6_only ? 0 : score) : score + 1;
  }
  return base.is_v6 && !base.local.address.is_v4() ? score : 0;
}

bool SendAnswer(Request& request, uint64_t now_ns) {
  TcpSocket& listener = *request.listener;
  Socket& base = request.entry.socket;
  Path path;
  if (FindPath(*base.stack, base.remote.address, base.local.address, base.device_index, path) != 0) {
    return false;
  }
  TcpHeader header;
  header.seq = request.iss;
  header.ack = request.irs + 1;
  header.flags = kTcpSyn | kTcpAck;
  header.window = static_cast<uint16_t>(listener.receive_limit_bytes < 65535 ? listener.receive_limit_bytes : 65535);
  header.options.max_segment_bytes = OfferedSegment_bytes(path, base.remote.address, listener.options);
  header.options.has_timestamps = request.uses_timestamps;
  header.options.timestamp = TimestampClock(now_ns) + request.ts_offset;
  header.options.timestamp_echo = request.ts_recent;
  header.options.permits_sack = request.uses_sack;
  header.options.has_window_scale = request.uses_window_scale;
  header.options.window_scale = kReceiveWindowScale;
  return SendBare(*base.stack, base, path, header, true, now_ns);
}

void ArmRequest(Request& request, uint64_t now_ns) {
  TimerQueue& timers = request.entry.socket.stack->timers;
  timers.Cancel(request.timer);
  timers.Arm(request.timer, now_ns + (kRtoInitial_ns << request.retries));
}

bool IsDeferred(const Request& request, uint64_t now_ns) {
  const uint64_t limit_ns = request.listener->options.defer_accept_s * kSecond_ns;
  return limit_ns != 0 && now_ns - request.begun_ns < limit_ns;
}

void OnRequestTimer(Timer& timer) {
  Request& request = *static_cast<Request*>(timer.context);
  Stack& stack = *request.entry.socket.stack;
  const uint64_t now_ns = stack.now_ns;
  if (request.retries >= kAnswerRetries) {
    RemoveRequest(request);
    return;
  }
  ++request.retries;
  // Acknowledged and deferred: the peer needs no answer before the deferral ends (Linux' syn_ack_recalc).
  if (!(request.is_acknowledged && IsDeferred(request, now_ns)) && SendAnswer(request, now_ns)) {
    ++stack.counters.tcp_retransmits;
  }
  ArmRequest(request, now_ns);
}

void FillBase(Socket& base, const TcpSocket& listener, const Segment& segment) {
  const Socket& parent = listener.entry.socket;
  base.stack = parent.stack;
  base.local = {segment.packet->destination, segment.header.destination_port};
  base.remote = {segment.packet->source, segment.header.source_port};
  base.device_index = segment.device->is_point_to_point ? segment.device->index : parent.device_index;
  base.is_v6 = parent.is_v6;
  base.ttl = parent.ttl;
  base.type_of_service = parent.type_of_service;
}

void SendCookie(TcpSocket& listener, const Segment& segment, uint64_t now_ns) {
  TcpLayer& tcp = *listener.tcp;
  Socket base;
  FillBase(base, listener, segment);
  Path path;
  if (FindPath(*tcp.stack, base.remote.address, base.local.address, base.device_index, path) != 0) {
    return;
  }
  const TcpOptionsSeen& offered = segment.header.options;
  TcpHeader header;
  header.seq = MakeSynCookie(tcp, base.local, base.remote, segment.header.seq, offered.max_segment_bytes, now_ns);
  header.ack = segment.header.seq + 1;
  header.flags = kTcpSyn | kTcpAck;
  header.window = static_cast<uint16_t>(listener.receive_limit_bytes < 65535 ? listener.receive_limit_bytes : 65535);
  header.options.max_segment_bytes = OfferedSegment_bytes(path, base.remote.address, listener.options);
  if (offered.has_timestamps) {  // else there is no place to remember the rest
    header.options.has_timestamps = true;
    header.options.timestamp = MakeCookieTimestamp(TimestampClock(now_ns), offered) +
                               TimestampOffset(tcp, base.local.address, base.remote.address);
    header.options.timestamp_echo = offered.timestamp;
    header.options.permits_sack = offered.permits_sack;
    header.options.has_window_scale = offered.has_window_scale;
    header.options.window_scale = kReceiveWindowScale;
  }
  if (SendBare(*tcp.stack, base, path, header, false, now_ns)) {
    listener.listening->cookies_since_ns = now_ns == 0 ? 1 : now_ns;
    ++tcp.stack->counters.tcp_cookies_sent;
  }
}

void OnSyn(TcpSocket& listener, const Segment& segment, uint32_t isn_floor, uint64_t now_ns) {
  TcpLayer& tcp = *listener.tcp;
  ListenerPart& part = *listener.listening;
  if (segment.packet->is_broadcast) {
    return;
  }
  if (part.accept_length > part.backlog) {
    ++tcp.stack->counters.tcp_listen_overflows;
    return;
  }
  auto* const request = part.request_count > part.backlog ? nullptr : static_cast<Request*>(tcp.requests.Allocate());
  if (request == nullptr) {
    SendCookie(listener, segment, now_ns);
    return;
  }
  new (request) Request();
  Socket& base = request->entry.socket;
  FillBase(base, listener, segment);
  const TcpOptionsSeen& offered = segment.header.options;
  request->entry.kind = EntryKind::kRequest;
  request->timer.fire = OnRequestTimer;
  request->timer.context = request;
  request->listener = &listener;
  request->iss = InitialSequence(tcp, base.local, base.remote, now_ns);
  if (isn_floor != 0 && SeqAtMost(request->iss, isn_floor)) {
    request->iss =
        isn_floor + 65537;  // beyond all that the old connection may have in the network (RFC 1122, section 4.2.2.13)
  }
  request->irs = segment.header.seq;
  request->ts_recent = offered.timestamp;
  request->ts_offset = TimestampOffset(tcp, base.local.address, base.remote.address);
  request->begun_ns = request->sent_ns = now_ns;
  request->peer_mss_bytes = offered.max_segment_bytes;
  request->send_window_scale = offered.window_scale;
  request->uses_timestamps = offered.has_timestamps;
  request->uses_sack = offered.permits_sack;
  request->uses_window_scale = offered.has_window_scale;
  if (!InsertEntry(tcp, request->entry)) {
    tcp.requests.Free(request);
    return;
  }
  part.requests.PushBack(request->node);
  ++part.request_count;
  SendAnswer(*request, now_ns);
  ArmRequest(*request, now_ns);
}

// RFC 4987: the acknowledgement brings back what was not kept.
TcpSocket* OnCookie(TcpSocket& listener, const Segment& segment, uint64_t now_ns) {
  TcpLayer& tcp = *listener.tcp;
  ListenerPart& part = *listener.listening;
  Socket base;
  FillBase(base, listener, segment);
  const TcpHeader& header = segment.header;
  const uint32_t mss = CheckSynCookie(tcp, base.local, base.remote, header.seq - 1, header.ack - 1, now_ns);
  if (mss == 0) {
    ++tcp.stack->counters.tcp_cookies_bad;
    SendResetFor(*tcp.stack, segment, now_ns);
    return nullptr;
  }
  if (part.accept_length > part.backlog) {
    ++tcp.stack->counters.tcp_listen_overflows;
    return nullptr;
  }
  ConnectionSeed seed;
  seed.iss = header.ack - 1;
  seed.irs = header.seq - 1;
  seed.peer_mss_bytes = mss;
  seed.ts_offset = TimestampOffset(tcp, base.local.address, base.remote.address);
  if (header.options.has_timestamps) {
    TcpOptionsSeen offered;
    ReadCookieTimestamp(header.options.timestamp_echo - seed.ts_offset, offered);
    seed.uses_timestamps = true;
    seed.ts_recent = header.options.timestamp;
    seed.uses_sack = offered.permits_sack;
    seed.uses_window_scale = offered.has_window_scale;
    seed.send_window_scale = offered.window_scale;
  }
  ++tcp.stack->counters.tcp_cookies_good;
  return MakeAccepted(listener, base, seed, header, now_ns);
}

}  // namespace

bool StartListening(TcpSocket& socket, uint32_t backlog) {
  TcpLayer& tcp = *socket.tcp;
  auto* const part = New<ListenerPart>(*tcp.stack);
  if (part == nullptr) {
    return false;
  }
  part->socket = &socket;
  part->backlog = backlog;
  socket.listening = part;
  socket.state = TcpState::kListen;
  BucketOf(tcp, socket.entry.socket.local.port).PushBack(part->node);
  return true;
}

void StopListening(TcpSocket& socket, uint64_t now_ns, bool tells_peers) {
  ListenerPart& part = *socket.listening;
  part.node.Unlink();
  while (ListNode* const node = part.requests.first()) {
    RemoveRequest(*JUNCTION_OWNER(node, Request, node));
  }
  while (ListNode* const node = part.accept_queue.first()) {
    TcpSocket& waiting = *JUNCTION_OWNER(node, TcpSocket, queue_node);
    if (tells_peers && waiting.state != TcpState::kClosed) {
      SendReset(waiting, now_ns);
    }
    FreeSocket(waiting);
  }
  socket.listening = nullptr;
  socket.state = TcpState::kClosed;
  Delete(*socket.tcp->stack, &part);
}

TcpSocket* FindListener(TcpLayer& tcp, const Endpoint& local, const Endpoint& remote, const Device& device) {
  TcpSocket* best = nullptr;
  uint32_t best_score = 0;
  uint32_t equals = 0;
  uint64_t flow = 0;
  const List& bucket = BucketOf(tcp, local.port);
  for (ListNode* node = bucket.first(); node != nullptr; node = bucket.Next(node)) {
    TcpSocket& listener = *JUNCTION_OWNER(node, ListenerPart, node)->socket;
    const uint32_t score = Score(listener, local, device);
    if (score > best_score) {
      best = &listener;
      best_score = score;
      equals = 1;
    } else if (score != 0 && score == best_score && listener.entry.socket.reuses_port) {
      // Each of n equals wins with 1/n, and always the same for a flow.
      flow = flow == 0 ? HashFlow(tcp.stack->secret, local, remote) : flow;
      ++equals;
      best = MixHash(flow ^ equals, 0x9e3779b97f4a7c15) % equals == 0 ? &listener : best;
    }
  }
  return best;
}

TcpSocket* ListenerInput(TcpSocket& listener, const Segment& segment, uint32_t isn_floor, uint64_t now_ns) {
  if (segment.has(kTcpRst)) {
    return nullptr;
  }
  if (segment.has(kTcpAck)) {
    const uint64_t since = listener.listening->cookies_since_ns;
    if (!segment.has(kTcpSyn) && since != 0 && now_ns - since < kCookieLife_ns) {
      return OnCookie(listener, segment, now_ns);
    }
    SendResetFor(*listener.tcp->stack, segment, now_ns);
    return nullptr;
  }
  if (segment.has(kTcpSyn) && !segment.has(kTcpFin)) {
    OnSyn(listener, segment, isn_floor, now_ns);
  }
  return nullptr;
}

TcpSocket* RequestInput(Request& request, const Segment& segment, uint64_t now_ns) {
  const TcpHeader& header = segment.header;
  Stack& stack = *request.entry.socket.stack;
  TcpSocket& listener = *request.listener;
  if (segment.has(kTcpSyn) && !segment.has(kTcpAck) && header.seq == request.irs) {
    if (!request.entry.socket.waiting_node.is_linked()) {
      SendAnswer(request, now_ns);  // our answer was lost; theirs is no new attempt
    }
    return nullptr;
  }
  // PAWS, then the window (RFC 9293, section 3.10.7.4, first check).
  const bool is_old = request.uses_timestamps && header.options.has_timestamps &&
                      SeqBefore(header.options.timestamp, request.ts_recent);
  const uint32_t window = 65535;
  const bool is_in_window = SeqWithin(header.seq, request.irs + 1, request.irs + 1 + window);
  if (is_old || !is_in_window) {
    if (!segment.has(kTcpRst)) {
      SendAnswer(request, now_ns);
    }
    return nullptr;
  }
  if (segment.has(kTcpRst)) {
    if (header.seq == request.irs + 1) {  // RFC 5961, section 3.2
      ++stack.counters.tcp_resets_in;
      RemoveRequest(request);
    }
    return nullptr;
  }
  if (segment.has(kTcpSyn) || !segment.has(kTcpAck)) {
    return nullptr;
  }
  if (header.ack != request.iss + 1) {
    SendResetFor(stack, segment, now_ns);
    return nullptr;
  }
  if (segment.size_bytes == 0 && !segment.has(kTcpFin) && IsDeferred(request, now_ns)) {
    request.is_acknowledged = true;
    return nullptr;
  }
  if (listener.listening->accept_length > listener.listening->backlog) {
    ++stack.counters.tcp_listen_overflows;
    return nullptr;
  }
  ConnectionSeed seed;
  seed.iss = request.iss;
  seed.irs = request.irs;
  seed.peer_mss_bytes = request.peer_mss_bytes;
  const bool is_first = header.seq == request.irs + 1;  // RFC 7323, section 4.3: a segment beyond a gap does not count
  seed.ts_recent = header.options.has_timestamps && is_first ? header.options.timestamp : request.ts_recent;
  seed.ts_offset = request.ts_offset;
  seed.send_window_scale = request.send_window_scale;
  seed.uses_timestamps = request.uses_timestamps;
  seed.uses_sack = request.uses_sack;
  seed.uses_window_scale = request.uses_window_scale;
  seed.sent_ns = request.sent_ns;
  seed.was_retransmitted = request.retries != 0;
  TcpSocket* const socket = MakeAccepted(listener, request.entry.socket, seed, header, now_ns);
  if (socket != nullptr) {
    RemoveRequest(request);
  }
  return socket;
}

void ResumeRequest(Request& request, int error, uint64_t now_ns) {
  if (error != 0) {
    RemoveRequest(request);
    return;
  }
  SendAnswer(request, now_ns);
}

void RemoveRequest(Request& request) {
  TcpLayer& tcp = *request.listener->tcp;
  tcp.stack->timers.Cancel(request.timer);
  RemoveEntry(tcp, request.entry);
  request.entry.socket.waiting_node.Unlink();
  request.node.Unlink();
  --request.listener->listening->request_count;
  tcp.requests.Free(&request);
}

void LeaveAcceptQueue(TcpSocket& socket) {
  if (socket.listener != nullptr) {
    socket.queue_node.Unlink();
    --socket.listener->listening->accept_length;
    socket.listener = nullptr;
  }
}

}  // namespace junction::net
