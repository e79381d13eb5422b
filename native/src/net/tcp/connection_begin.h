// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "net/tcp/tcp_layer.h"

namespace junction::net {

/// What was agreed on while nobody had a socket for it.
struct ConnectionSeed {
  uint32_t iss = 0;
  uint32_t irs = 0;
  uint32_t peer_mss_bytes = 536;
  uint32_t ts_recent = 0;
  uint32_t ts_offset = 0;
  uint8_t send_window_scale = 0;
  bool uses_timestamps = false;
  bool uses_sack = false;
  bool uses_window_scale = false;
  bool was_retransmitted = false;  // the SYN-ACK: no round-trip sample
  uint64_t sent_ns = 0;            // the SYN-ACK, 0 = not known
};

/// An unowned socket in CLOSED; null if memory is short.
TcpSocket* MakeSocket(TcpLayer& tcp, bool is_v6);
/// A connection of `listener`, in its queue, in ESTABLISHED; `ack` is the segment that completes the handshake. Null if memory is short.
TcpSocket* MakeAccepted(TcpSocket& listener, const Socket& from, const ConnectionSeed& seed, const TcpHeader& ack,
                        uint64_t now_ns);
/// Enters ESTABLISHED: the window of the peer's segment, congestion control and acknowledgements begin.
void BecomeEstablished(TcpSocket& socket, const TcpHeader& header, bool is_window_scaled, uint64_t now_ns);
/// The options of a SYN that came for us.
void AdoptOptions(TcpSocket& socket, const TcpOptionsSeen& options, uint64_t now_ns);

}  // namespace junction::net
