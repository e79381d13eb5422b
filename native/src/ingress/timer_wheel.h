// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

namespace junction::ingress {

/// A place in a TimerWheel. Belongs to whatever waits for it; must be cancelled before it goes away.
struct TimerNode {
  TimerNode* next = nullptr;
  TimerNode** link = nullptr;  // the pointer that points here; null = not scheduled
  uint64_t when_ms = 0;
  uint8_t level = 0;
  uint8_t slot = 0;

  bool scheduled() const { return link != nullptr; }
};

/// Hierarchical timing wheel (Varghese, Lauck 1987): 64 slots a level, a tick is a millisecond. A timer lies on the level
/// of the highest base-64 digit in which its time differs from the wheel's, so that all operations are O(1) but for at
/// most one move a level over a timer's life. One owner thread.
class TimerWheel {
 public:
  explicit TimerWheel(uint64_t now_ms) : now_ms_(now_ms) {}

  /// Schedules or moves. A time that is not in the future becomes the next tick.
  void Schedule(TimerNode& node, uint64_t when_ms);
  void Cancel(TimerNode& node);

  /// Earliest time at which Advance may have something to do (never later than the first timer); UINT64_MAX when empty.
  uint64_t NextTick() const;

  /// Moves the time on and calls `fire(TimerNode&)` for each timer that is due, unscheduled by then. `fire` may schedule
  /// and cancel any timer.
  template <typename Fire>
  void Advance(uint64_t now_ms, Fire fire) {
    for (;;) {
      const uint64_t tick = NextTick();
      if (tick > now_ms) {
        break;
      }
      now_ms_ = tick;
      while (TimerNode* node = TakeDue()) {
        fire(*node);
      }
    }
    if (now_ms > now_ms_) {
      now_ms_ = now_ms;
    }
  }

 private:
  static constexpr int kLevels = 8;  // 2^48 ms
  static constexpr int kDigitBits = 6;

  void Insert(TimerNode& node);
  /// Unlinks one timer that is due now; moves slots whose time has come down by the way.
  TimerNode* TakeDue();

  uint64_t now_ms_;
  std::array<uint64_t, kLevels> used_{};  // a bit per slot that holds timers
  std::array<std::array<TimerNode*, 64>, kLevels> slots_{};
};

}  // namespace junction::ingress
