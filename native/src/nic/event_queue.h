// SPDX-License-Identifier: Apache-2.0
// "Frames for instance i": a node-wide queue from the sides that put frames into the rings of parked instances to the scheduler daemon, in a mapped
// file that the daemon makes. Trusted processes only: all of them are believed, but not to stay alive. One that is killed in the midst of a
// post loses its own event at most.
//
// Many producers, one consumer. Positions count events since the beginning; a slot is one word that holds its turn along with its event, so that
// taking a place and filling it are one step, and a producer that was stopped for long cannot write into a later turn:
//
//    63            32 31           8 7           1 0
//   +----------------+--------------+-------------+-+
//   | position       | instance     | queue pair  |f|   f: filled. Empty, it waits for the event of `position`.
//   +----------------+--------------+-------------+-+
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"

namespace junction {

inline constexpr uint64_t kEventQueueMagic = 0x3151564554434e4aULL;  // "JNCTEVQ1" in little endian
inline constexpr uint32_t kEventQueueVersion = 1;
inline constexpr uint32_t kEventQueueSlots = 4096;  // a power of two; four events for each of 1,000 instances
inline constexpr uint32_t kMaxEventInstance = (1U << 24) - 1;

struct NicEvent {
  uint32_t instance = 0;    // the number that junctiond registered it under, at most kMaxEventInstance
  uint32_t queue_pair = 0;  // below kMaxQueuePairs
};

struct EventQueuePage {
  // identity: written by the daemon before the file has its name
  uint64_t magic;
  uint32_t version;
  uint32_t slot_count;
  uint8_t reserved0[48];
  // producers
  alignas(64) std::atomic<uint32_t> tail;  // a hint: it may be behind the last filled slot for a moment
  std::atomic<uint32_t> reserved1;
  std::atomic<uint64_t> overflows;  // events that found the queue full and are lost; relaxed
  uint8_t reserved2[48];
  // consumer
  alignas(64) std::atomic<uint32_t> doorbell;  // kAwake or kInFutex (nic_layout.h)
  uint8_t reserved3[60];
  alignas(64) std::atomic<uint64_t> slots[kEventQueueSlots];
};
static_assert(offsetof(EventQueuePage, tail) == 64 && offsetof(EventQueuePage, slots) == 192);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

/// A mapped event queue. Moves; unmaps when it goes.
class EventQueue {
 public:
  /// The daemon's: takes up the queue of the daemon before it, with what is in it, as producers have its file mapped; or makes a new file (mode
  /// 0600).
  static Result<EventQueue> Create(const std::string& path);
  /// A producer's. Errors: those of open(2); EPROTO: not such a file.
  static Result<EventQueue> Open(const std::string& path);

  EventQueue() = default;
  EventQueue(EventQueue&& other) noexcept;
  EventQueue& operator=(EventQueue&& other) noexcept;
  ~EventQueue();

  /// Posts and wakes the consumer if it sleeps. False: the queue is full, which is counted. Never blocks; any thread of any process.
  bool Post(const NicEvent& event);

  /// The next event. The consumer's only, as are the two below.
  std::optional<NicEvent> Take();
  /// Sleeps until there may be an event, at most `timeout_ms`.
  void Wait(uint32_t timeout_ms);

  uint64_t overflows() const { return page_->overflows.load(std::memory_order_relaxed); }

 private:
  void FindHead();

  EventQueuePage* page_ = nullptr;
  uint32_t head_ = 0;
};

}  // namespace junction
