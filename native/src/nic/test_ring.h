// SPDX-License-Identifier: Apache-2.0
// What the tests of this folder share.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#include "nic/nic_layout.h"

namespace junction {

/// A ring in memory of exactly its size from the heap, so that a sanitizer sees each byte beyond it.
class TestRing {
 public:
  TestRing() : memory_(std::aligned_alloc(4096, kRingSize_bytes)) { std::memset(memory_, 0, kRingSize_bytes); }
  TestRing(const TestRing&) = delete;
  TestRing& operator=(const TestRing&) = delete;
  ~TestRing() { std::free(memory_); }

  Ring& ring() { return *static_cast<Ring*>(memory_); }
  uint8_t* data() { return static_cast<uint8_t*>(memory_) + kRingHead_bytes; }

 private:
  void* memory_;
};

}  // namespace junction
