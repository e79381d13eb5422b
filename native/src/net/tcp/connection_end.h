// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/tcp/tcp_layer.h"

namespace junction::net {

/// To CLOSED without a segment: timers, table, unsent bytes go; unread ones stay for the owner, who is told (`error` positive, 0 = in order).
void FinishConnection(TcpSocket& socket, int error, uint64_t now_ns);
/// A closed orphan's memory goes. The last thing that every entry point does with a socket.
void FreeIfDone(TcpSocket& socket);
/// Whatever it is: its memory goes, without a segment.
void FreeSocket(TcpSocket& socket);
/// Both FINs are acknowledged, ours was first: a compact entry takes over, the socket is closed.
void EnterTimeWait(TcpSocket& socket, uint64_t now_ns);

}  // namespace junction::net
