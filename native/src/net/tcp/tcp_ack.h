// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 9293, section 3.10.7.4, "check the ACK field"; RFC 5961, section 5.
#pragma once

#include "net/tcp/tcp_layer.h"

namespace junction::net {

/// What the acknowledgement field of an acceptable segment does. False: the segment is to be dropped (challenged already if need be).
bool ProcessAck(TcpSocket& socket, const Segment& segment, uint64_t now_ns);
/// RFC 5961, section 7: an answer to what may be an attack, limited for the stack and (`is_limited_alone`) for the connection.
void SendChallengeAck(TcpSocket& socket, bool is_limited_alone, uint64_t now_ns);

}  // namespace junction::net
