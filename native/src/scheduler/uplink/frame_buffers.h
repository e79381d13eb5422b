// SPDX-License-Identifier: Apache-2.0
// Hot path: allocates only what is not spare.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "nic/frame.h"

namespace junction::scheduler {

/// Memory for frames that wait for room in a ring. All instances draw on one budget: those that take nothing cost the daemon no more than that. A
/// few buffers of long frames are kept for the next burst; the allocator would give their pages back to the host and take faults for them each time.
class FrameBuffers {
 public:
  using Buffer = std::vector<uint8_t>;

  /// Of all frames that wait. Chosen: ten connections at their largest window.
  static constexpr size_t kBudget_bytes = 64 * 1024 * 1024;
  /// Chosen: 1 MiB.
  static constexpr size_t kMostSpare = 16;

  /// A copy of `head` and `rest`; empty if the budget is used up.
  Buffer Copy(std::span<const uint8_t> head, std::span<const uint8_t> rest) {
    const size_t size = head.size() + rest.size();
    const size_t room = size < kLong_bytes ? size : kMaxFrame_bytes;
    if (used_bytes_ + room > kBudget_bytes) {
      return {};
    }
    Buffer buffer;
    if (room == kMaxFrame_bytes && !spare_.empty()) {
      buffer = std::move(spare_.back());
      spare_.pop_back();
      buffer.clear();
    }
    buffer.reserve(room);
    buffer.insert(buffer.end(), head.begin(), head.end());
    buffer.insert(buffer.end(), rest.begin(), rest.end());
    used_bytes_ += buffer.capacity();
    return buffer;
  }

  /// Takes a buffer of Copy back.
  void Return(Buffer buffer) {
    used_bytes_ -= buffer.capacity();
    if (buffer.size() >= kLong_bytes && spare_.size() < kMostSpare) {
      spare_.push_back(std::move(buffer));
    }
  }

  size_t used_bytes() const { return used_bytes_; }
  size_t spare_count() const { return spare_.size(); }

 private:
  static constexpr size_t kLong_bytes = 16 * 1024;

  std::vector<Buffer> spare_;
  size_t used_bytes_ = 0;
};

}  // namespace junction::scheduler
