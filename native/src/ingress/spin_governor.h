// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

namespace junction::ingress {

/// Says of one flow (a client's pauses, a function's service time) whether its next event comes within the spin limit:
/// a saturating counter as in branch predictors. One owner thread.
class GapPredictor {
 public:
  /// True: poll for it. A flow that is not foreseen to come soon is still polled for now and then, to learn of a change:
  /// the length of a sleep tells little, as waking up alone may take longer than the limit.
  bool ShouldSpin() {
    if (confidence_ >= 0) {
      return true;
    }
    if (++skips_ < kSkipsPerTrial) {
      return false;
    }
    skips_ = 0;
    return true;
  }

  void Hit() { confidence_ = std::min<int8_t>(confidence_ + 1, kMost); }
  void Miss() { confidence_ = std::max<int8_t>(confidence_ - 2, -kMost); }

  /// It was not polled for, but came within the limit all the same.
  void WouldHaveHit() { Hit(); }

 private:
  // Two misses in a row turn a sure prediction around, three hits turn it back.
  static constexpr int8_t kMost = 3;
  static constexpr uint8_t kSkipsPerTrial = 64;

  int8_t confidence_ = 0;
  uint8_t skips_ = 0;
};

}  // namespace junction::ingress
