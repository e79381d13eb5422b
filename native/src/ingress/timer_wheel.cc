// SPDX-License-Identifier: Apache-2.0
#include "ingress/timer_wheel.h"

#include <bit>

#include "base/check.h"

namespace junction::ingress {

void TimerWheel::Insert(TimerNode& node) {
  const uint64_t difference = node.when_ms ^ now_ms_;
  // A timer that is due lies in the current slot of level 0, where TakeDue looks first.
  const int level = difference == 0 ? 0 : (63 - std::countl_zero(difference)) / kDigitBits;
  JUNCTION_CHECK(level < kLevels);
  const int slot = static_cast<int>((node.when_ms >> (level * kDigitBits)) & 63);
  node.level = static_cast<uint8_t>(level);
  node.slot = static_cast<uint8_t>(slot);
  TimerNode*& first = slots_[level][slot];
  node.next = first;
  node.link = &first;
  if (first != nullptr) {
    first->link = &node.next;
  }
  first = &node;
  used_[level] |= uint64_t{1} << slot;
}

void TimerWheel::Schedule(TimerNode& node, uint64_t when_ms) {
  Cancel(node);
  node.when_ms = when_ms > now_ms_ ? when_ms : now_ms_ + 1;
  Insert(node);
}

void TimerWheel::Cancel(TimerNode& node) {
  if (!node.scheduled()) {
    return;
  }
  *node.link = node.next;
  if (node.next != nullptr) {
    node.next->link = node.link;
  }
  node.link = nullptr;
  node.next = nullptr;
  if (slots_[node.level][node.slot] == nullptr) {
    used_[node.level] &= ~(uint64_t{1} << node.slot);
  }
}

uint64_t TimerWheel::NextTick() const {
  // All slots in use lie ahead of the wheel's digit on their level, so the lowest bit of the lowest level comes first.
  for (int level = 0; level < kLevels; ++level) {
    if (used_[level] != 0) {
      const int shift = level * kDigitBits;
      const uint64_t slot = static_cast<uint64_t>(std::countr_zero(used_[level]));
      const uint64_t higher = now_ms_ >> shift >> kDigitBits << kDigitBits << shift;
      return higher | (slot << shift);
    }
  }
  return UINT64_MAX;
}

TimerNode* TimerWheel::TakeDue() {
  for (int level = 0; level < kLevels; ++level) {
    const int slot = static_cast<int>((now_ms_ >> (level * kDigitBits)) & 63);
    if ((used_[level] & (uint64_t{1} << slot)) == 0) {
      continue;
    }
    if (level == 0) {
      TimerNode* const node = slots_[0][slot];
      Cancel(*node);
      return node;
    }
    while (TimerNode* const node = slots_[level][slot]) {
      Cancel(*node);
      Insert(*node);
    }
    level = -1;  // look again from below: some may be due
  }
  return nullptr;
}

}  // namespace junction::ingress
