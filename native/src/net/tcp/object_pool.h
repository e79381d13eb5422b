// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/list.h"
#include "net/memory.h"

namespace junction::net {

/// Objects of one size, carved from slabs. The object that came back last goes out first; a slab whose objects are all back is given to the
/// environment (all but one, which Trim gives). Objects are aligned to 8.
class ObjectPool {
 public:
  void Init(const Environment& environment, uint32_t object_bytes, uint32_t slab_bytes);
  /// Undefined contents; null if memory is short.
  void* Allocate();
  void Free(void* object);
  /// The owner is idle.
  void Trim();
  uint32_t in_use() const { return in_use_; }

 private:
  // In front of each object; `next_free` overlays the object while it is free.
  struct Slot {
    uint32_t offset_bytes;  // of the slot in its slab
    uint32_t padding;
    Slot* next_free;
  };
  struct Slab {
    ListNode node;  // in partial_ while it has a free slot
    Slot* free;
    uint32_t used;
    uint32_t carved_bytes;  // from here on no slot was made yet
  };

  Slab* NewSlab();
  void FreeSlab(Slab& slab);

  Environment environment_ = {};
  uint32_t slot_bytes_ = 0;
  uint32_t slab_bytes_ = 0;
  uint32_t in_use_ = 0;
  uint32_t empty_slabs_ = 0;
  List partial_;
};

}  // namespace junction::net
