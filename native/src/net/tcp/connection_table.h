// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/tcp/tcp_layer.h"

namespace junction::net {

/// The entry of a four-tuple; null if there is none.
TableEntry* FindEntry(TcpLayer& tcp, const Endpoint& local, const Endpoint& remote);
/// Adds an entry under its socket's endpoints. False if memory is short.
bool InsertEntry(TcpLayer& tcp, TableEntry& entry);
/// No-op if it is not in the table.
void RemoveEntry(TcpLayer& tcp, TableEntry& entry);

}  // namespace junction::net
