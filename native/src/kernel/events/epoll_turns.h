// SPDX-License-Identifier: Apache-2.0
// Whose turn it is among the streams of an epoll: the read budget's other half (files/read_turn.h). Lists only, no uthreads, so that a test
// on the host can look at it. Kernel lock held.
#pragma once

#include "kernel/events/epoll.h"

namespace junction {

/// An edge-triggered stream was reported readable: its turn begins, and the program owes it a read.
void BeginTurn(EpollItem& item);
/// The program looked at the stream, or gave it up.
void SettleTurn(File& file);
/// The same for one epoll's entry, which goes or changes.
void SettleItem(EpollItem& item);

/// True if a read of `file` may be answered EAGAIN although there are bytes: everybody who watches it for input does so by edges, hence waits
/// for the one that the caller then raises, and others are before it in one of the epolls: reported and not yet read, or ready for longer.
bool MustPassTurn(const File& file);

}  // namespace junction
