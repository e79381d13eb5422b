// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>

#include "net/memory.h"

namespace junction::net {

/// Heap memory that is counted, so that a test sees what was not given back; randomness from a seed.
struct HeapEnvironment {
  uint64_t held_bytes = 0;
  uint64_t limit_bytes = ~0ULL;
  std::mt19937_64 random{1};

  Environment environment() {
    return {[](void* context, size_t size) -> void* {
              auto* const self = static_cast<HeapEnvironment*>(context);
              if (self->held_bytes + size > self->limit_bytes) {
                return nullptr;
              }
              self->held_bytes += size;
              void* const memory = std::malloc(size);
              std::memset(memory, 0xa5, size);  // "undefined contents"
              return memory;
            },
            [](void* context, void* memory, size_t size) {
              static_cast<HeapEnvironment*>(context)->held_bytes -= size;
              std::free(memory);
            },
            [](void* context) { return static_cast<HeapEnvironment*>(context)->random(); }, this};
  }
};

}  // namespace junction::net
