// SPDX-License-Identifier: Apache-2.0
// Hot path: Allocate and Free are a pop and a push.
#include "net/tcp/object_pool.h"

#include "net/stack_state.h"

namespace junction::net {

void ObjectPool::Init(const Environment& environment, uint32_t object_bytes, uint32_t slab_bytes) {
  environment_ = environment;
  slot_bytes_ = (object_bytes + 8 + 7) / 8 * 8;
  slab_bytes_ = slab_bytes;
  NET_CHECK(sizeof(Slab) + slot_bytes_ <= slab_bytes);
}

ObjectPool::Slab* ObjectPool::NewSlab() {
  auto* const slab = static_cast<Slab*>(environment_.allocate(environment_.context, slab_bytes_));
  if (slab == nullptr) {
    return nullptr;
  }
  *slab = Slab{.node = {}, .free = nullptr, .used = 0, .carved_bytes = sizeof(Slab)};
  partial_.PushFront(slab->node);
  ++empty_slabs_;
  return slab;
}

void* ObjectPool::Allocate() {
  ListNode* const first = partial_.first();
  Slab* const slab = first != nullptr ? JUNCTION_OWNER(first, Slab, node) : NewSlab();
  if (slab == nullptr) {
    return nullptr;
  }
  Slot* slot = slab->free;
  if (slot != nullptr) {
    slab->free = slot->next_free;
  } else {
    slot = reinterpret_cast<Slot*>(reinterpret_cast<uint8_t*>(slab) + slab->carved_bytes);
    slot->offset_bytes = slab->carved_bytes;
    slab->carved_bytes += slot_bytes_;
  }
  empty_slabs_ -= slab->used == 0 ? 1 : 0;
  ++slab->used;
  ++in_use_;
  if (slab->free == nullptr && slab->carved_bytes + slot_bytes_ > slab_bytes_) {
    slab->node.Unlink();
  }
  return reinterpret_cast<uint8_t*>(slot) + 8;
}

void ObjectPool::Free(void* object) {
  auto* const slot = reinterpret_cast<Slot*>(static_cast<uint8_t*>(object) - 8);
  auto* const slab = reinterpret_cast<Slab*>(reinterpret_cast<uint8_t*>(slot) - slot->offset_bytes);
  slot->next_free = slab->free;
  slab->free = slot;
  --slab->used;
  --in_use_;
  if (!slab->node.is_linked()) {
    partial_.PushFront(slab->node);
  }
  if (slab->used == 0) {
    if (empty_slabs_ != 0) {
      FreeSlab(*slab);
    } else {
      ++empty_slabs_;
    }
  }
}

void ObjectPool::FreeSlab(Slab& slab) {
  slab.node.Unlink();
  environment_.free(environment_.context, &slab, slab_bytes_);
}

void ObjectPool::Trim() {
  ListNode* node = partial_.first();
  while (node != nullptr && empty_slabs_ != 0) {
    ListNode* const next = partial_.Next(node);
    auto* const slab = JUNCTION_OWNER(node, Slab, node);
    if (slab->used == 0) {
      FreeSlab(*slab);
      --empty_slabs_;
    }
    node = next;
  }
}

}  // namespace junction::net
