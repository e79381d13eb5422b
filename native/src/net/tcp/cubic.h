// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 9438 (CUBIC), sections 4.1 to 4.7; RFC 5681 for slow start; RFC 6928 for the initial window; RFC 9406 (HyStart++).
// Integers only: windows in bytes, times in milliseconds.
#pragma once

#include <cstdint>

namespace junction::net {

struct Cubic {
  uint32_t window_bytes = 0;
  uint32_t threshold_bytes = ~0U;  // ssthresh
  uint32_t max_bytes = 0;          // W_max
  uint32_t origin_bytes = 0;       // the plateau of this epoch: W_max, or the window where it began
  uint64_t epoch_ns = 0;           // 0 = no epoch: avoidance begins anew
  uint32_t k_ms = 0;               // K
  uint32_t estimate_bytes = 0;     // W_est, as Reno would grow
  uint32_t acked_bytes = 0;        // not yet turned into growth
  uint32_t estimate_acked_bytes = 0;

  // HyStart++ (RFC 9406, section 4)
  uint32_t round_min_us = ~0U;
  uint32_t last_round_min_us = ~0U;
  uint32_t round_end = 0;  // sequence number
  uint8_t round_samples = 0;
  uint8_t conservative_rounds = 0;  // 0 = plain slow start
  uint32_t baseline_min_us = 0;

  bool in_slow_start() const { return window_bytes < threshold_bytes; }
  void Begin(uint32_t segment_bytes);
  /// `acked` bytes were acknowledged while the window was the limit.
  void OnAck(uint32_t acked, uint32_t segment_bytes, uint64_t smoothed_rtt_ns, uint64_t now_ns);
  /// A round-trip sample in slow start; `ack` and `next`: SND.UNA and SND.NXT.
  void OnSlowStartSample(uint64_t rtt_ns, uint32_t ack, uint32_t next);
  /// Fast recovery begins: threshold and W_max are set; the window is the caller's.
  void OnLoss(uint32_t segment_bytes);
  /// Nothing was sent for an RTO (RFC 5681, section 4.1).
  void OnIdle(uint32_t segment_bytes);
};

/// RFC 6928, section 2.
uint32_t InitialWindow_bytes(uint32_t segment_bytes);
/// The integer cube root, rounded down.
uint32_t CubeRoot(uint64_t value);
/// W_cubic(t) of RFC 9438, section 4.2, for t - K in milliseconds; not below zero.
uint32_t CubicWindow_bytes(uint32_t origin_bytes, int64_t since_k_ms, uint32_t segment_bytes);

}  // namespace junction::net
