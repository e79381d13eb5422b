// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace junction {

constexpr uint32_t kMostCpus = 1024;

/// The host CPU that this runs on (the per-CPU segment's limit, as the vDSO's getcpu reads it), at most kMostCpus - 1. Any context.
inline uint32_t OwnCpu() {
  constexpr uint32_t kCpuSegment = 0x7b;
  uint32_t limit;
  __asm__ volatile("lsl %1, %0" : "=r"(limit) : "r"(kCpuSegment) : "cc");
  return (limit & 0xfff) % kMostCpus;
}

}  // namespace junction
