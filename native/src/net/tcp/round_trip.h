// SPDX-License-Identifier: Apache-2.0
// Read first: RFC 6298 (RTO), section 2 and 5; tcp_rtt_estimator's floor in Linux (the variance part is at least 200 ms).
#pragma once

#include <cstdint>

namespace junction::net {

inline constexpr uint64_t kMillisecond_ns = 1'000'000;
inline constexpr uint64_t kSecond_ns = 1'000'000'000;
/// RFC 6298, (2.1).
inline constexpr uint64_t kRtoInitial_ns = kSecond_ns;
/// Linux' TCP_RTO_MIN; RFC 6298 (2.4) has a second, which is too coarse next to delayed acknowledgements of 40 ms.
inline constexpr uint64_t kRtoMin_ns = 200 * kMillisecond_ns;
/// Linux' TCP_RTO_MAX; RFC 6298 (2.5) wants at least 60 s.
inline constexpr uint64_t kRtoMax_ns = 120 * kSecond_ns;

struct RoundTrip {
  uint64_t smoothed_ns = 0;  // 0 = no sample yet
  uint64_t variance_ns = 0;
  uint64_t min_ns = ~0ULL;  // over the last window
  uint64_t min_since_ns = 0;

  void Sample(uint64_t rtt_ns, uint64_t now_ns);
  /// Without backoff.
  uint64_t Rto_ns() const;
};

}  // namespace junction::net
