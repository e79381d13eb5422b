// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/tcp/tcp_layer.h"

namespace junction::net {

/// Bytes before SND.UNA leave the send buffer; its owner is told if it was full and has room enough again.
void DropAcknowledged(TcpSocket& socket, uint64_t now_ns);
/// Whether the owner should write: a third of the buffer is free (Linux' sk_stream_is_writeable), and not too much is unsent.
bool HasRoomToWrite(const TcpSocket& socket);
/// Tells the owner if that has come to hold.
void NotifyRoom(TcpSocket& socket);

}  // namespace junction::net
