// SPDX-License-Identifier: Apache-2.0
#include "net/tcp/cubic.h"

#include "net/tcp/round_trip.h"

namespace junction::net {
namespace {

// RFC 9438, section 4.6: beta_cubic = 0.7; section 4.1.2: C = 0.4.
constexpr uint32_t kBetaTenths = 7;
constexpr uint32_t kWindowMax_bytes = 1U << 30;
// The cube of the time must fit: 50 s beyond the plateau no window is left that it could reach.
constexpr int64_t kTimeMax_ms = 50'000;
// RFC 9406, section 4.3.
constexpr uint64_t kMinThreshold_us = 4000;
constexpr uint64_t kMaxThreshold_us = 16000;
constexpr uint8_t kRoundSamples = 8;
constexpr uint32_t kConservativeDivisor = 4;
constexpr uint8_t kConservativeRounds = 5;

uint32_t Grow(uint32_t window, uint64_t by) {
  const uint64_t grown = window + by;
  return grown > kWindowMax_bytes ? kWindowMax_bytes : static_cast<uint32_t>(grown);
}

}  // namespace

uint32_t InitialWindow_bytes(uint32_t segment_bytes) {
  const uint32_t least = 2 * segment_bytes > 14600 ? 2 * segment_bytes : 14600;
  return 10 * segment_bytes < least ? 10 * segment_bytes : least;
}

uint32_t CubeRoot(uint64_t value) {
  uint64_t root = 0;
  for (int bit = 21; bit >= 0; --bit) {  // the cube root of 2^64 is below 2^22
    const uint64_t candidate = root | (1ULL << bit);
    if (candidate <= 2642245 && candidate * candidate * candidate <= value) {
      root = candidate;
    }
  }
  return static_cast<uint32_t>(root);
}

uint32_t CubicWindow_bytes(uint32_t origin_bytes, int64_t since_k_ms, uint32_t segment_bytes) {
  int64_t t = since_k_ms;
  t = t > kTimeMax_ms ? kTimeMax_ms : t < -kTimeMax_ms ? -kTimeMax_ms : t;
  const auto distance = static_cast<uint64_t>(t < 0 ? -t : t);
  // C * t^3 segments with t in seconds: 2/5 * t_ms^3 / 10^9.
  const uint64_t delta = distance * distance * distance * 2 / 5'000 * segment_bytes / 1'000'000;
  if (t < 0) {
    return delta >= origin_bytes ? 0 : origin_bytes - static_cast<uint32_t>(delta);
  }
  return Grow(origin_bytes, delta);
}

void Cubic::Begin(uint32_t segment_bytes) {
  *this = {};
  window_bytes = InitialWindow_bytes(segment_bytes);
}

void Cubic::OnAck(uint32_t acked, uint32_t segment_bytes, uint64_t smoothed_rtt_ns, uint64_t now_ns) {
  if (in_slow_start()) {
    window_bytes = Grow(window_bytes, conservative_rounds != 0 ? acked / kConservativeDivisor : acked);
    if (in_slow_start()) {
      return;
    }
    // What went beyond the threshold is for avoidance; a rounding error of one segment does not matter.
    window_bytes = threshold_bytes > segment_bytes ? threshold_bytes : segment_bytes;
    return;
  }
  if (epoch_ns == 0) {  // section 4.7, 4.2
    epoch_ns = now_ns == 0 ? 1 : now_ns;
    acked_bytes = estimate_acked_bytes = 0;
    estimate_bytes = window_bytes;
    if (max_bytes > window_bytes) {
      origin_bytes = max_bytes;
      // K = cbrt((W_max - cwnd) / C) in segments and seconds; in milliseconds under the root: * 10^9.
      k_ms = CubeRoot((static_cast<uint64_t>(max_bytes - window_bytes) * 25 / segment_bytes) * 100'000'000);
    } else {
      origin_bytes = window_bytes;
      k_ms = 0;
    }
  }
  // Section 4.3: Reno's growth with alpha = 3 * (1 - beta) / (1 + beta) = 9/17 until W_est has come to W_max, then 1.
  estimate_acked_bytes += acked;
  const bool is_past_max = estimate_bytes >= max_bytes;
  const uint64_t reno = static_cast<uint64_t>(estimate_acked_bytes) * segment_bytes / window_bytes;
  const uint64_t growth = is_past_max ? reno : reno * 9 / 17;
  if (growth != 0) {
    estimate_bytes = Grow(estimate_bytes, growth);
    estimate_acked_bytes = 0;
  }
  // Section 4.4: towards the window of one round trip from now, at most 1.5 times this one.
  const auto elapsed_ms = static_cast<int64_t>((now_ns - epoch_ns + smoothed_rtt_ns) / kMillisecond_ns);
  uint32_t target = CubicWindow_bytes(origin_bytes, elapsed_ms - k_ms, segment_bytes);
  const uint32_t most = Grow(window_bytes, window_bytes / 2);
  target = target < window_bytes ? window_bytes : target > most ? most : target;
  acked_bytes += acked;
  const uint64_t by = static_cast<uint64_t>(target - window_bytes) * acked_bytes / window_bytes;
  if (by != 0 || acked_bytes > window_bytes) {
    window_bytes = Grow(window_bytes, by);
    acked_bytes = 0;
  }
  window_bytes = estimate_bytes > window_bytes ? estimate_bytes : window_bytes;
}

void Cubic::OnSlowStartSample(uint64_t rtt_ns, uint32_t ack, uint32_t next) {
  if (!in_slow_start()) {
    return;
  }
  if (static_cast<int32_t>(ack - round_end) >= 0) {  // a new round
    last_round_min_us = round_min_us;
    round_min_us = ~0U;
    round_end = next;
    round_samples = 0;
    if (conservative_rounds != 0 && ++conservative_rounds > kConservativeRounds) {
      threshold_bytes = window_bytes;  // section 4.2: on to avoidance
      return;
    }
  }
  const uint64_t rtt_us = rtt_ns / 1000;
  round_min_us = rtt_us < round_min_us ? static_cast<uint32_t>(rtt_us) : round_min_us;
  round_samples += round_samples < kRoundSamples ? 1 : 0;
  if (round_samples < kRoundSamples || last_round_min_us == ~0U) {
    return;
  }
  uint64_t threshold = last_round_min_us / 8;
  threshold = threshold < kMinThreshold_us   ? kMinThreshold_us
              : threshold > kMaxThreshold_us ? kMaxThreshold_us
                                             : threshold;
  if (conservative_rounds == 0) {
    if (round_min_us >= last_round_min_us + threshold) {
      baseline_min_us = round_min_us;
      conservative_rounds = 1;
    }
  } else if (round_min_us < baseline_min_us) {
    conservative_rounds = 0;  // the delay was not lasting: back to slow start
  }
}

void Cubic::OnLoss(uint32_t segment_bytes) {
  // Section 4.7, fast convergence: leave room if the last maximum was not reached.
  max_bytes = window_bytes < max_bytes
                  ? static_cast<uint32_t>(static_cast<uint64_t>(window_bytes) * (10 + kBetaTenths) / 20)
                  : window_bytes;
  const auto reduced = static_cast<uint32_t>(static_cast<uint64_t>(window_bytes) * kBetaTenths / 10);
  threshold_bytes = reduced > 2 * segment_bytes ? reduced : 2 * segment_bytes;
  epoch_ns = 0;
  conservative_rounds = 0;
}

void Cubic::OnIdle(uint32_t segment_bytes) {
  // RFC 2861's idea of what is still known: the threshold keeps three quarters of the window that was in use.
  const uint32_t known = window_bytes / 4 * 3;
  threshold_bytes = threshold_bytes == ~0U || threshold_bytes > known ? threshold_bytes : known;
  const uint32_t restart = InitialWindow_bytes(segment_bytes);
  window_bytes = window_bytes < restart ? window_bytes : restart;
  epoch_ns = 0;
}

}  // namespace junction::net
