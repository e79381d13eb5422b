// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace junction::scheduler {

/// Decides when idle states are held shallow: from the first piece of work on, until there was none for a while. Pure:
/// the time and the doorbell's counter come in as arguments.
///
/// States: asleep (nothing held, nobody wakes us but the doorbell) -> OnWork -> awake (held; OnTick looks for work) ->
/// a tick that finds none for `let_go_after_ns` -> asleep.
class HoldPolicy {
 public:
  explicit HoldPolicy(uint64_t let_go_after_ns) : let_go_after_ns_(let_go_after_ns) {}

  bool is_awake() const { return is_awake_; }

  /// The doorbell rang: `work` is its counter. Returns true if we were asleep: hold now.
  bool OnWork(uint64_t now_ns, uint64_t work) {
    last_work_ns_ = now_ns;
    work_ = work;
    if (is_awake_) {
      return false;
    }
    is_awake_ = true;
    awake_since_ns_ = now_ns;
    ++holds_;
    return true;
  }

  /// Looks at the counter while awake. Returns true if it is time to let go: the state is asleep then.
  bool OnTick(uint64_t now_ns, uint64_t work) {
    if (work != work_) {
      work_ = work;
      last_work_ns_ = now_ns;
    }
    if (!is_awake_ || now_ns - last_work_ns_ < let_go_after_ns_) {
      return false;
    }
    is_awake_ = false;
    held_ns_ += now_ns - awake_since_ns_;
    return true;
  }

  /// Times that idle states were taken shallow, and for how long in all, up to `now_ns`.
  uint64_t holds() const { return holds_; }
  uint64_t held_ns(uint64_t now_ns) const { return held_ns_ + (is_awake_ ? now_ns - awake_since_ns_ : 0); }

  /// The counter's value that was seen last.
  uint64_t work() const { return work_; }

 private:
  uint64_t let_go_after_ns_;
  bool is_awake_ = false;
  uint64_t work_ = 0;
  uint64_t last_work_ns_ = 0;
  uint64_t awake_since_ns_ = 0;
  uint64_t holds_ = 0;
  uint64_t held_ns_ = 0;
};

}  // namespace junction::scheduler
