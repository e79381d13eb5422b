// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 9293, sections 3.7.4 (Nagle), 3.8.6.2.1 (silly windows, sender), 3.7.1 (MSS); RFC 6691.
#pragma once

#include "net/tcp/tcp_layer.h"

namespace junction::net {

/// Sends what may be sent now: lost segments, then new ones, then FIN. Stops without harm when the device has no room; goes on in resume.
void Output(TcpSocket& socket, uint64_t now_ns);
/// One partial segment goes out even if Nagle or TCP_CORK would hold it (TCP_NODELAY was set, the cork's time is over).
void OutputForced(TcpSocket& socket, uint64_t now_ns);
/// Sends again the first lost bytes, or (`record` given) that record's first segment. False if there was no room.
bool Retransmit(TcpSocket& socket, SentRecord& record, uint64_t now_ns);

/// A pure acknowledgement at once. If there is no room it stays due.
void SendAck(TcpSocket& socket, uint64_t now_ns);
/// A pure acknowledgement at the end of this batch, unless data carry it before.
void QueueAck(TcpSocket& socket);
/// SEG.SEQ = SND.UNA - 1 without data: makes the peer answer (keep-alive, RFC 9293, section 3.8.4; zero window, as Linux does it).
bool SendProbe(TcpSocket& socket, uint64_t now_ns);
/// SYN, or SYN with ACK in SYN-RECEIVED.
bool SendSyn(TcpSocket& socket, uint64_t now_ns);
void SendReset(TcpSocket& socket, uint64_t now_ns);
/// Answers a segment that belongs to nothing (RFC 9293, section 3.10.7.1).
void SendResetFor(Stack& stack, const Segment& segment, uint64_t now_ns);

/// A segment without data on behalf of no full socket: SYN-ACKs of requests and cookies, ACKs of TIME_WAIT. `from` says whose addresses,
/// TTL and TOS; it waits for room if `waits`.
bool SendBare(Stack& stack, Socket& from, const Path& path, TcpHeader& header, bool waits, uint64_t now_ns);

/// Finds the path anew if routes have changed, and what fits through it. False: no route (socket.error says why).
bool RefreshPath(TcpSocket& socket);
void UpdateSegmentSize(TcpSocket& socket);
/// The MSS option for a path (RFC 9293, section 3.7.1), clamped by TCP_MAXSEG.
uint16_t OfferedSegment_bytes(const Path& path, const IpAddress& remote, const TcpOptions& options);

}  // namespace junction::net
