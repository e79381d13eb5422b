// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernel/events/readiness.h"
#include "kernel/files/file.h"
#include "uthread/wait_queue.h"

namespace junction {

/// Descriptors that one poll or select waits for. On the caller's kernel stack; more than kInline of them take blocks of the arena.
/// Kernel lock held.
class PollSet {
 public:
  struct Entry {
    Waiter waiter;
    File* file;
    int32_t fd;
    PollEvents asked;
    PollEvents holds;  // of what was asked, and what comes unasked; 0 = not ready
  };

  /// `unasked` events make a descriptor ready though nobody asked for them.
  explicit PollSet(PollEvents unasked) : unasked_(unasked) {}
  ~PollSet();
  PollSet(const PollSet&) = delete;
  PollSet& operator=(const PollSet&) = delete;

  /// Enters a descriptor of the current process: a negative one is never ready, a closed one holds POLLNVAL. False if memory is short.
  bool Add(int32_t fd, PollEvents events);

  /// Looks at all, and if none is ready waits until `deadline_ns` (kNever = none) if `may_wait`. How many are ready; 0 after the
  /// deadline; -EINTR if interrupted.
  int64_t Wait(bool may_wait, uint64_t deadline_ns);

  /// Calls visit(entry) for each entry in the order of Add.
  template <typename Visit>
  void ForEach(Visit visit) {
    for (Block* block = &first_; block != nullptr; block = block->next) {
      for (uint32_t i = 0; i < block->count; ++i) {
        visit(block->entries()[i]);
      }
    }
  }

 private:
  static constexpr uint32_t kInline = 16;
  static constexpr uint32_t kPerBlock = 800;

  struct Block {
    Block* next = nullptr;
    uint32_t count = 0;
    uint32_t capacity = 0;
    Entry* entries() { return reinterpret_cast<Entry*>(this + 1); }
  };
  struct InlineBlock : Block {
    InlineBlock() { capacity = kInline; }
    alignas(Entry) char room[kInline * sizeof(Entry)];
  };
  static constexpr size_t kBlock_bytes = sizeof(Block) + kPerBlock * sizeof(Entry);
  static_assert(alignof(Entry) <= sizeof(Block) && sizeof(Block) % alignof(Entry) == 0);
  static_assert(kBlock_bytes <= 65536);

  Block* MakeRoom();
  void Look(Entry& entry);
  void StartWaiting();
  int64_t Count();

  InlineBlock first_;
  Block* last_ = &first_;
  PollEvents unasked_;
  bool is_waiting_ = false;
  bool must_ask_again_ = false;  // a host stream that no poller watches: asked at intervals
};

}  // namespace junction
