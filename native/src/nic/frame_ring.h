// SPDX-License-Identifier: Apache-2.0
// Hot path: no allocation, no host call. The two ends of a Ring (nic_layout.h). Each is private memory of its side; nothing that the other
// side can write is used before it was copied and checked. A side that finds the other breaking the rules says so once and stays broken.
#pragma once

#include <cstdint>

#include "nic/nic_layout.h"

namespace junction {

/// A frame as it lies in shared memory: the other side may change its bytes at any time, so each is read once or copied first.
struct FrameView {
  const uint8_t* data = nullptr;
  uint32_t length_bytes = 0;  // kMinFrame_bytes to kMaxFrame_bytes
  FrameMeta meta;
};

/// The only one that puts frames into a ring. One thread at a time.
class RingProducer {
 public:
  /// Takes a ring up where the last producer left it, whatever it left. Until the consumer has taken what is still in it, there is no room.
  void Attach(Ring& ring);

  /// Where the next frame of up to `length_bytes` is to be written; null = no room (see `is_broken`). Nothing is taken up before Commit,
  /// so that it may be asked again or given up.
  uint8_t* Reserve(uint32_t length_bytes);
  /// The frame at the place that Reserve gave is complete and `length_bytes` long (at most what was reserved).
  void Commit(uint32_t length_bytes, const FrameMeta& meta);
  /// Shows all committed frames to the consumer. True if there were any: ring its doorbell then.
  bool Publish();

  /// True if the consumer has taken all that was published.
  bool is_drained() const;
  /// The consumer's head made no sense: the ring is dead.
  bool is_broken() const { return is_broken_; }

 private:
  void StartAnew();
  void LookAtHead();
  uint32_t FindRoom(uint32_t length_bytes) const;

  Ring* ring_ = nullptr;
  uint8_t* data_ = nullptr;
  uint32_t tail_ = 0;       // with what is committed
  uint32_t published_ = 0;  // what the consumer sees
  uint32_t head_ = 0;       // as of the last look; consumed frames' bytes are free
  uint32_t write_at_ = 0;   // where the next frame begins, if it fits before the end
  uint32_t reserved_at_ = 0;
  uint32_t reserved_bytes_ = 0;  // 0 = nothing is reserved
  uint64_t unpublished_bytes_ = 0;
  bool is_draining_ = false;  // Attach found frames whose ends are not known: no room before head_ has come to tail_
  bool is_broken_ = false;
  uint32_t ends_[kRingSlots];  // end of each outstanding frame: frees its bytes once head_ has passed it
};

/// The only one that takes frames out. One thread at a time.
class RingConsumer {
 public:
  /// Takes a ring up; `skips_old`: drops what is in it.
  void Attach(Ring& ring, bool skips_old);

  /// The next frame; false if there is none. It stays in place until Pop and Release.
  bool Peek(FrameView& out);
  /// Is done with the frame that Peek gave.
  void Pop() { ++head_; }  // only after a Peek that found one
  /// Gives the popped frames' room back to the producer. Once a batch.
  void Release();

  /// A look without copying anything: may there be a frame?
  bool HasFrames() const { return !is_broken_ && ring_->tail.load(std::memory_order_acquire) != head_; }
  /// Tail or a descriptor made no sense: the ring is dead, Peek finds nothing any more.
  bool is_broken() const { return is_broken_; }

 private:
  Ring* ring_ = nullptr;
  const uint8_t* data_ = nullptr;
  uint32_t head_ = 0;      // with what is popped
  uint32_t released_ = 0;  // what the producer sees
  uint32_t tail_ = 0;      // as of the last look; checked
  bool is_broken_ = false;
};

}  // namespace junction
