// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 6298, section 5 (retransmission timer); RFC 8985, section 7.2 (probe timeout); RFC 9293, section 3.8.
// One Timer a connection. Deadlines are fields that move freely; the Timer is armed again only for an earlier one, and when it fires too
// early it looks for the next. So an exchange of request and answer touches no queue.
#pragma once

#include "net/tcp/tcp_layer.h"

namespace junction::net {

/// TCP_DELACK_MIN of Linux; RFC 9293, MUST-58: less than half a second.
inline constexpr uint64_t kDelayedAck_ns = 40 * kMillisecond_ns;

/// kNever if nothing is due ever.
uint64_t EarliestDeadline_ns(const TcpSocket& socket);
/// A deadline was set: arms the Timer if it would fire too late.
void ArmTimer(TcpSocket& socket);
/// For what is outstanding: probe or timeout; none if nothing is.
void ArmRetransmit(TcpSocket& socket, uint64_t now_ns);
/// Something waits, and nothing is outstanding whose acknowledgement would set it going. Keeps a deadline that runs already.
void ArmPersist(TcpSocket& socket, uint64_t now_ns);
void ArmDelayedAck(TcpSocket& socket, uint64_t now_ns);
void ArmKeepAlive(TcpSocket& socket, uint64_t now_ns);
/// An orphan in FIN-WAIT-2 does not wait for ever (TCP_LINGER2).
void ArmFinWait2(TcpSocket& socket, uint64_t now_ns);
/// Before SYN and SYN-ACK of a full socket are answered.
void ArmSyn(TcpSocket& socket, uint64_t now_ns);
void StopTimers(TcpSocket& socket);
/// Timer::fire of all connections.
void OnTcpTimer(Timer& timer);

}  // namespace junction::net
