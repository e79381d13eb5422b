// SPDX-License-Identifier: Apache-2.0
#include "nic/frame_ring.h"

#include <cstring>

namespace junction {
namespace {

// Frames begin at cache lines: no line is written for one frame while it is read for another.
constexpr uint32_t kAlign_bytes = 64;
static_assert(kRingData_bytes % kAlign_bytes == 0);

constexpr uint32_t kSlotMask = kRingSlots - 1;

constexpr uint32_t Aligned(uint32_t length_bytes) { return (length_bytes + kAlign_bytes - 1) & ~(kAlign_bytes - 1); }

uint8_t* DataOf(Ring& ring) { return reinterpret_cast<uint8_t*>(&ring) + kRingHead_bytes; }

// The only writer of a counter needs no locked instruction.
void Add(std::atomic<uint64_t>& counter, uint64_t count) {
  counter.store(counter.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
}

// A copy that the other side can no longer change: the compiler must not read the slot again behind the barrier.
FrameDescriptor CopyOf(const FrameDescriptor& slot) {
  FrameDescriptor copy;
  std::memcpy(&copy, &slot, sizeof(copy));
  asm volatile("" ::: "memory");
  return copy;
}

}  // namespace

void RingProducer::Attach(Ring& ring) {
  ring_ = &ring;
  data_ = DataOf(ring);
  tail_ = published_ = ring.tail.load(std::memory_order_relaxed);
  head_ = ring.head.load(std::memory_order_acquire);
  unpublished_bytes_ = 0;
  reserved_bytes_ = 0;
  is_broken_ = tail_ - head_ > kRingSlots;
  is_draining_ = head_ != tail_;
  StartAnew();
}

// Nothing is outstanding: frames lie at the beginning again, in the pages that are there already.
void RingProducer::StartAnew() {
  write_at_ = 0;
  ends_[(tail_ - 1) & kSlotMask] = 0;
}

// Takes over the consumer's head. It can only have come closer to what was published.
void RingProducer::LookAtHead() {
  const uint32_t head = ring_->head.load(std::memory_order_acquire);  // pairs with the release in RingConsumer::Release
  if (head - head_ > published_ - head_) {
    is_broken_ = true;
    return;
  }
  head_ = head;
  if (head_ == tail_) {
    is_draining_ = false;
    StartAnew();
  }
}

// Where `length_bytes` fit now, or kRingData_bytes. The bytes in use are those from the end of the last consumed frame to write_at_, around
// the end of the data if need be; both can be equal only when nothing is free, as nothing outstanding means that both are 0.
uint32_t RingProducer::FindRoom(uint32_t length_bytes) const {
  if (is_draining_ || tail_ - head_ >= kRingSlots) {
    return kRingData_bytes;
  }
  if (head_ == tail_) {
    return 0;
  }
  const uint32_t used_from = ends_[(head_ - 1) & kSlotMask];
  if (write_at_ <= used_from) {
    return used_from - write_at_ >= length_bytes ? write_at_ : kRingData_bytes;
  }
  if (kRingData_bytes - write_at_ >= length_bytes) {
    return write_at_;
  }
  return used_from >= length_bytes ? 0 : kRingData_bytes;
}

uint8_t* RingProducer::Reserve(uint32_t length_bytes) {
  reserved_bytes_ = 0;
  if (is_broken_ || length_bytes < kMinFrame_bytes || length_bytes > kMaxFrame_bytes) {
    return nullptr;
  }
  const uint32_t aligned_bytes = Aligned(length_bytes);
  // The consumer's line is read once a batch, so that a flow of single frames finds the ring empty, or when there is no room.
  bool has_looked = false;
  if (tail_ == published_ && head_ != tail_) {
    LookAtHead();
    has_looked = true;
  }
  uint32_t place = FindRoom(aligned_bytes);
  if (place == kRingData_bytes && !has_looked) {
    LookAtHead();
    place = FindRoom(aligned_bytes);
  }
  if (is_broken_) {
    return nullptr;
  }
  if (place == kRingData_bytes) {
    Add(ring_->full, 1);
    return nullptr;
  }
  reserved_at_ = place;
  reserved_bytes_ = length_bytes;
  return data_ + place;
}

void RingProducer::Commit(uint32_t length_bytes, const FrameMeta& meta) {
  if (length_bytes < kMinFrame_bytes || length_bytes > reserved_bytes_) [[unlikely]] {
    __builtin_trap();  // our own caller's mistake, which would overwrite other frames
  }
  ring_->slots[tail_ & kSlotMask] = FrameDescriptor{.offset = reserved_at_,
                                                    .length_bytes = length_bytes,
                                                    .flags = meta.flags,
                                                    .segment_bytes = meta.segment_bytes,
                                                    .checksum_start = meta.checksum_start,
                                                    .checksum_offset = meta.checksum_offset};
  write_at_ = reserved_at_ + Aligned(length_bytes);
  ends_[tail_ & kSlotMask] = write_at_;
  reserved_bytes_ = 0;
  unpublished_bytes_ += length_bytes;
  ++tail_;
}

bool RingProducer::Publish() {
  if (tail_ == published_) {
    return false;
  }
  Add(ring_->frames, tail_ - published_);
  Add(ring_->bytes, unpublished_bytes_);
  unpublished_bytes_ = 0;
  published_ = tail_;
  ring_->tail.store(tail_, std::memory_order_release);  // pairs with the acquire in RingConsumer::Peek
  return !is_broken_;
}

bool RingProducer::is_drained() const { return ring_->head.load(std::memory_order_acquire) == published_; }

void RingConsumer::Attach(Ring& ring, bool skips_old) {
  ring_ = &ring;
  data_ = DataOf(ring);
  tail_ = ring.tail.load(std::memory_order_acquire);
  head_ = skips_old ? tail_ : ring.head.load(std::memory_order_relaxed);
  is_broken_ = tail_ - head_ > kRingSlots;
  released_ = ~head_;  // whatever stands there
  Release();
}

bool RingConsumer::Peek(FrameView& out) {
  if (is_broken_) {
    return false;
  }
  if (tail_ == head_) {
    tail_ = ring_->tail.load(std::memory_order_acquire);  // pairs with the release in RingProducer::Publish
    if (tail_ == head_) {
      return false;
    }
    // A tail that went back looks like one far ahead.
    if (tail_ - head_ > kRingSlots) {
      is_broken_ = true;
      return false;
    }
  }
  const FrameDescriptor descriptor = CopyOf(ring_->slots[head_ & kSlotMask]);
  const uint32_t length_bytes = descriptor.length_bytes;
  if (length_bytes < kMinFrame_bytes || length_bytes > kMaxFrame_bytes ||
      descriptor.offset > kRingData_bytes - length_bytes) {
    is_broken_ = true;
    return false;
  }
  out = FrameView{.data = data_ + descriptor.offset,
                  .length_bytes = length_bytes,
                  .meta = {.flags = descriptor.flags,
                           .segment_bytes = descriptor.segment_bytes,
                           .checksum_start = descriptor.checksum_start,
                           .checksum_offset = descriptor.checksum_offset}};
  return true;
}

void RingConsumer::Release() {
  if (is_broken_ || released_ == head_) {
    return;
  }
  released_ = head_;
  ring_->head.store(head_, std::memory_order_release);  // pairs with the acquire in RingProducer::LookAtHead
}

}  // namespace junction
