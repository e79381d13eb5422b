// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/tcp/tcp_layer.h"

namespace junction::net {

/// ProtocolOps::input.
void TcpInput(Stack& stack, Device& device, const IpPacket& packet, uint64_t now_ns);

/// A segment for a connection in SYN-SENT (RFC 9293, section 3.10.7.3).
void SynSentInput(TcpSocket& socket, const Segment& segment, uint64_t now_ns);
/// … in all states behind it (section 3.10.7.4).
void SynchronisedInput(TcpSocket& socket, Segment& segment, uint64_t now_ns);
/// The text of an acceptable segment, and its FIN (tcp_receive.cc).
void ReceiveText(TcpSocket& socket, Segment& segment, uint64_t now_ns);

}  // namespace junction::net
