// SPDX-License-Identifier: Apache-2.0
// One direction of a bad network: frames go in, and come out later, elsewhere in the order, twice, damaged, or not at all. Deterministic:
// the same seed and frames give the same faults. Time is passed in, so it serves simulations and real devices alike.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "nic/frame.h"

namespace junction::net {

struct FaultOptions {
  // chances in a million, for each frame
  uint32_t loss = 0;
  uint32_t duplicate = 0;
  uint32_t reorder = 0;
  uint32_t corrupt = 0;  // one bit is turned over
  uint64_t delay_ns = 0;
  uint64_t reorder_delay_ns = 2'000'000;  // more, for a frame that is to come late
  uint64_t rate_bytes_per_s = 0;          // 0 = no limit
  uint64_t buffer_bytes = ~0ULL;          // that may wait to be sent at that rate; what finds it full is lost
};

struct FaultyFrame {
  std::vector<uint8_t> bytes;
  FrameMeta meta;
};

class FaultInjector {
 public:
  FaultInjector(const FaultOptions& options, uint64_t seed) : options_(options), state_(seed) {}

  void Push(const uint8_t* data, uint32_t length_bytes, const FrameMeta& meta, uint64_t now_ns);
  /// The next frame that is due; false if there is none.
  bool Pop(uint64_t now_ns, FaultyFrame& out);
  /// When the next frame is due; ~0 if there is none.
  uint64_t next_ns() const { return waiting_.empty() ? ~0ULL : waiting_.begin()->first.first; }

  uint64_t pushed = 0;
  uint64_t lost = 0;
  uint64_t overflowed = 0;
  uint64_t duplicated = 0;
  uint64_t reordered = 0;
  uint64_t corrupted = 0;

 private:
  uint64_t Draw();
  bool Happens(uint32_t per_million) { return per_million != 0 && Draw() % 1'000'000 < per_million; }
  void Enqueue(FaultyFrame frame, uint64_t due_ns) { waiting_.emplace(std::pair(due_ns, order_++), std::move(frame)); }

  FaultOptions options_;
  uint64_t state_;
  uint64_t order_ = 0;
  uint64_t line_free_ns_ = 0;  // when what was pushed has left at the line's rate
  std::map<std::pair<uint64_t, uint64_t>, FaultyFrame> waiting_;
};

}  // namespace junction::net
