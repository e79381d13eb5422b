// SPDX-License-Identifier: Apache-2.0
#include "net/tcp/round_trip.h"

namespace junction::net {
namespace {

// How long a minimum holds before a larger one may take its place: Linux' tcp_min_rtt_wlen.
constexpr uint64_t kMinWindow_ns = 300 * kSecond_ns;

}  // namespace

void RoundTrip::Sample(uint64_t rtt_ns, uint64_t now_ns) {
  rtt_ns = rtt_ns == 0 ? 1 : rtt_ns;  // virtual time may stand still; 0 means none
  if (rtt_ns <= min_ns || now_ns - min_since_ns > kMinWindow_ns) {
    min_ns = rtt_ns;
    min_since_ns = now_ns;
  }
  if (smoothed_ns == 0) {  // RFC 6298, (2.2)
    smoothed_ns = rtt_ns;
    variance_ns = rtt_ns / 2;
    return;
  }
  // (2.3): beta 1/4 and alpha 1/8, variance first.
  const uint64_t error = smoothed_ns > rtt_ns ? smoothed_ns - rtt_ns : rtt_ns - smoothed_ns;
  variance_ns = variance_ns - variance_ns / 4 + error / 4;
  smoothed_ns = smoothed_ns - smoothed_ns / 8 + rtt_ns / 8;
  smoothed_ns = smoothed_ns == 0 ? 1 : smoothed_ns;
}

uint64_t RoundTrip::Rto_ns() const {
  if (smoothed_ns == 0) {
    return kRtoInitial_ns;
  }
  const uint64_t spread = 4 * variance_ns > kRtoMin_ns ? 4 * variance_ns : kRtoMin_ns;
  const uint64_t rto = smoothed_ns + spread;
  return rto < kRtoMax_ns ? rto : kRtoMax_ns;
}

}  // namespace junction::net
