// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 6528, section 3 (initial sequence numbers); RFC 7323, section 7.1 (timestamp offsets).
#pragma once

#include "net/tcp/tcp_layer.h"

namespace junction::net {

/// M + F(four-tuple, secret): a clock of 64 ns a step (as Linux, wraps in 274 s) on a keyed hash.
uint32_t InitialSequence(const TcpLayer& tcp, const Endpoint& local, const Endpoint& remote, uint64_t now_ns);
/// What is added to the timestamp clock: per pair of hosts, so that TIME_WAIT reuse sees it grow (RFC 6191), yet uptimes stay secret.
uint32_t TimestampOffset(const TcpLayer& tcp, const IpAddress& local, const IpAddress& remote);

}  // namespace junction::net
