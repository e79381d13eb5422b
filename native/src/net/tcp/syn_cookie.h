// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 4987, section 3.6 and appendix A.
//
//   initial sequence number:  | time 5 | mss 3 | keyed hash of four-tuple, peer's number, time, mss: 24 |
//   low bits of the timestamp: | sack 1 | window scale 4 (15 = none) |
#pragma once

#include "net/tcp/tcp_layer.h"

namespace junction::net {

/// The number that stands for what would have been kept.
uint32_t MakeSynCookie(const TcpLayer& tcp, const Endpoint& local, const Endpoint& remote, uint32_t irs,
                       uint32_t peer_mss_bytes, uint64_t now_ns);
/// Whether `cookie` was made by us for this within the last two minutes; then the MSS it stands for, else 0.
uint32_t CheckSynCookie(const TcpLayer& tcp, const Endpoint& local, const Endpoint& remote, uint32_t irs,
                        uint32_t cookie, uint64_t now_ns);

/// Puts what the peer's SYN offered into the low bits of a timestamp (that never lies in the future).
uint32_t MakeCookieTimestamp(uint32_t clock, const TcpOptionsSeen& offered);
void ReadCookieTimestamp(uint32_t echo, TcpOptionsSeen& offered);

}  // namespace junction::net
