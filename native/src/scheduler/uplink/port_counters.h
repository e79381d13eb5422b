// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "scheduler/uplink/drop_reason.h"

namespace junction::scheduler {

/// Frames of one port. Written by the switch's thread alone, read by any; relaxed.
struct PortCounters {
  std::atomic<uint64_t> frames_out;  // from the instance, passed on
  std::atomic<uint64_t> bytes_out;
  std::atomic<uint64_t> frames_in;  // to the instance
  std::atomic<uint64_t> bytes_in;
  std::atomic<uint64_t> drops[kDropReasons];

  /// One writer: no locked instruction is needed.
  static void Add(std::atomic<uint64_t>& counter, uint64_t amount) {
    counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void Drop(DropReason reason) { Add(drops[static_cast<size_t>(reason)], 1); }
};

}  // namespace junction::scheduler
