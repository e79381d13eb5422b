// SPDX-License-Identifier: Apache-2.0
#include "net/test/fault_injector.h"

#include <algorithm>

namespace junction::net {

uint64_t FaultInjector::Draw() {  // splitmix64: small, and the same everywhere
  uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

void FaultInjector::Push(const uint8_t* data, uint32_t length_bytes, const FrameMeta& meta, uint64_t now_ns) {
  ++pushed;
  uint64_t leaves_ns = now_ns;
  if (options_.rate_bytes_per_s != 0) {
    line_free_ns_ = std::max(line_free_ns_, now_ns);
    const uint64_t waiting_bytes = (line_free_ns_ - now_ns) * options_.rate_bytes_per_s / 1'000'000'000;
    if (waiting_bytes + length_bytes > options_.buffer_bytes) {
      ++overflowed;
      return;
    }
    line_free_ns_ += length_bytes * 1'000'000'000ULL / options_.rate_bytes_per_s;
    leaves_ns = line_free_ns_;
  }
  if (Happens(options_.loss)) {
    ++lost;
    return;
  }
  FaultyFrame frame{std::vector<uint8_t>(data, data + length_bytes), meta};
  if (Happens(options_.corrupt)) {
    ++corrupted;
    frame.bytes[Draw() % length_bytes] ^= static_cast<uint8_t>(1U << Draw() % 8);
  }
  uint64_t due_ns = leaves_ns + options_.delay_ns;
  if (Happens(options_.reorder)) {
    ++reordered;
    due_ns += options_.reorder_delay_ns;
  }
  if (Happens(options_.duplicate)) {
    ++duplicated;
    Enqueue(frame, due_ns + options_.delay_ns / 8);
  }
  Enqueue(std::move(frame), due_ns);
}

bool FaultInjector::Pop(uint64_t now_ns, FaultyFrame& out) {
  if (waiting_.empty() || waiting_.begin()->first.first > now_ns) {
    return false;
  }
  out = std::move(waiting_.begin()->second);
  waiting_.erase(waiting_.begin());
  return true;
}

}  // namespace junction::net
