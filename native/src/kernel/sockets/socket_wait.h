// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>
#include <cstdint>

#include "kernel/signals/signals.h"
#include "uthread/clock.h"
#include "uthread/uthread.h"

namespace junction {

/// How long one socket call may wait: from its first wait on, SO_RCVTIMEO or SO_SNDTIMEO (kNever = no limit).
class SocketDeadline {
 public:
  explicit SocketDeadline(uint64_t timeout_ns) : timeout_ns_(timeout_ns) {}

  /// Parks until a waiter that the caller has put up is notified: 0. Else -EAGAIN after the time-out, or what an interrupted call
  /// answers: with a time-out set it is not restarted (signal(7)). Kernel lock held.
  int64_t Wait() {
    switch (Park(deadline_ns())) {
      case WakeReason::kWoken:
        return 0;
      case WakeReason::kTimedOut:
        return -EAGAIN;
      case WakeReason::kInterrupted:
        break;
    }
    return Interrupted();
  }

  int64_t Interrupted() const { return timeout_ns_ == kNever ? kRestartSys : -EINTR; }

  /// What is left, 0 = nothing.
  uint64_t left_ns() {
    const uint64_t end = deadline_ns();
    if (end == kNever) {
      return kNever;
    }
    const uint64_t now = MonotonicNow_ns();
    return now < end ? end - now : 0;
  }

 private:
  uint64_t deadline_ns() {
    if (deadline_ns_ == 0) {
      const uint64_t now = timeout_ns_ == kNever ? 0 : MonotonicNow_ns();
      deadline_ns_ = timeout_ns_ >= kNever - now ? kNever : now + timeout_ns_;
    }
    return deadline_ns_;
  }

  uint64_t timeout_ns_;
  uint64_t deadline_ns_ = 0;  // 0 = has not waited yet
};

}  // namespace junction
