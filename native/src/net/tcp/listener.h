// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 9293, section 3.10.7.2 (LISTEN); RFC 4987 (floods: bounded backlog, cookies); listen(2), tcp(7) for TCP_DEFER_ACCEPT.
//
// A SYN makes a request (small); its acknowledgement makes a socket, which waits to be accepted. Both are bounded by the backlog: a SYN finds
// the queue of sockets full: dropped; the queue of requests full: answered by a cookie, nothing is kept. An acknowledgement that finds
// the queue of sockets full is dropped, the request stays and says SYN-ACK again (Linux with tcp_abort_on_overflow = 0).
#pragma once

#include "net/tcp/tcp_layer.h"

namespace junction::net {

/// What a listening socket has besides.
struct ListenerPart {
  ListNode node;  // TcpLayer::listeners
  TcpSocket* socket = nullptr;
  uint32_t backlog = 0;
  uint32_t accept_length = 0;
  uint32_t request_count = 0;
  List accept_queue;              // TcpSocket::queue_node
  List requests;                  // Request::node
  uint64_t cookies_since_ns = 0;  // the last cookie went out; 0 = none ever did
};

/// A SYN that was answered.
struct Request {
  TableEntry entry;
  ListNode node;
  Timer timer;
  TcpSocket* listener;
  uint32_t iss;
  uint32_t irs;
  uint32_t ts_recent;
  uint32_t ts_offset;
  uint64_t begun_ns;
  uint64_t sent_ns;
  uint16_t peer_mss_bytes;
  uint8_t send_window_scale;
  uint8_t retries;
  bool uses_timestamps;
  bool uses_sack;
  bool uses_window_scale;
  bool is_acknowledged;  // TCP_DEFER_ACCEPT: only data are missing
};

bool StartListening(TcpSocket& socket, uint32_t backlog);
/// Requests go, unaccepted connections are reset (`tells_peers`: by a segment).
void StopListening(TcpSocket& socket, uint64_t now_ns, bool tells_peers);
/// The best listener for a segment to `local` that came by `device`: bound to the device, bound to the address, else any; among equals
/// (SO_REUSEPORT) by the flow. Null if there is none.
TcpSocket* FindListener(TcpLayer& tcp, const Endpoint& local, const Endpoint& remote, const Device& device);
/// A segment for a listener that belongs to no request. Returns the socket that it made (by a cookie), for its data; else null.
TcpSocket* ListenerInput(TcpSocket& listener, const Segment& segment, uint32_t isn_floor, uint64_t now_ns);
/// A segment for a request. As above.
TcpSocket* RequestInput(Request& request, const Segment& segment, uint64_t now_ns);
/// The device has room for the SYN-ACK again.
void ResumeRequest(Request& request, int error, uint64_t now_ns);
void RemoveRequest(Request& request);
/// Of a socket that is freed before it was accepted.
void LeaveAcceptQueue(TcpSocket& socket);

}  // namespace junction::net
