// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 8985 (RACK-TLP), section 6 (detection) and 7 (tail probes); RFC 6675, section 5 (recovery with SACK); RFC 6582 (NewReno,
// where the peer has no SACK); RFC 3522 and 4015 (Eifel: spurious retransmissions); RFC 2883 (D-SACK).
#pragma once

#include "net/tcp/tcp_layer.h"

namespace junction::net {

/// What an acknowledgement told, gathered by tcp_ack.cc.
struct AckEvent {
  uint32_t prior_una = 0;
  uint32_t acked_bytes = 0;      // cumulatively, new
  uint32_t delivered_bytes = 0;  // acked or newly sacked
  bool has_sample = false;       // of the round trip
  uint64_t sample_ns = 0;
  bool is_duplicate = false;  // RFC 5681, section 2
  bool has_duplicate_sack = false;
  bool has_new_sack = false;
  bool was_window_limited = false;
  const TcpHeader* header = nullptr;
};

/// A record is known to be delivered: RACK's clock and reordering (RFC 8985, section 6.2, steps 2 and 3).
void OnDelivered(TcpSocket& socket, const SentRecord& record, uint32_t end, uint64_t now_ns, AckEvent& event);
/// Applies SACK blocks to the records; D-SACK is noticed.
void ApplySack(TcpSocket& socket, const TcpHeader& header, uint64_t now_ns, AckEvent& event);
/// After records were updated: finds losses, enters and leaves recovery, grows the window. Does not send, but for the first lost segment.
void RecoverOnAck(TcpSocket& socket, const AckEvent& event, uint64_t now_ns);

void OnRetransmissionTimeout(TcpSocket& socket, uint64_t now_ns);
void OnTailProbeTimeout(TcpSocket& socket, uint64_t now_ns);
void OnReorderTimeout(TcpSocket& socket, uint64_t now_ns);
/// The path carries less than thought: what was sent in larger pieces is sent again.
void OnSegmentSizeReduced(TcpSocket& socket, uint64_t now_ns);

}  // namespace junction::net
