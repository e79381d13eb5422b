// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 9293, section 3.8.6 (window management); RFC 7323, section 2.
#pragma once

#include "net/tcp/tcp_layer.h"

namespace junction::net {

/// The window field of the next segment; from then on it is promised (rcv_adv). Never takes back what was promised.
uint16_t SelectWindow(TcpSocket& socket);
/// That of a SYN, which is not scaled.
uint16_t FirstWindow(TcpSocket& socket);
/// Bytes that the peer may send still.
inline uint32_t OpenWindow_bytes(const TcpSocket& socket) {
  return SeqBefore(socket.rcv_nxt, socket.rcv_adv) ? socket.rcv_adv - socket.rcv_nxt : 0;
}
/// The owner has read: tells the peer if the window has opened enough to be worth a segment, and tunes the buffer's size.
void OnRead(TcpSocket& socket, uint32_t size_bytes, uint64_t now_ns);
/// A measure of the round trip as the receiver sees it.
void OnReceiverRoundTrip(TcpSocket& socket, uint64_t rtt_ns);

}  // namespace junction::net
