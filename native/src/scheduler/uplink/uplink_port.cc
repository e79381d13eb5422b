// SPDX-License-Identifier: Apache-2.0
#include "scheduler/uplink/uplink_port.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace junction::scheduler {

UplinkPort::UplinkPort(std::string id, uint64_t serial, UplinkIdentity identity, NicAttachment nic,
                       std::shared_ptr<PortCounters> counters, const RssKey& key)
    : id_(std::move(id)),
      serial_(serial),
      identity_(std::move(identity)),
      nic_(std::move(nic)),
      counters_(std::move(counters)),
      key_(key) {
  const NicView& view = nic_.view();
  for (uint32_t pair = 0; pair < view.geometry.queue_pair_count; ++pair) {
    to_.push_back(std::make_unique<RingProducer>());
    to_.back()->Attach(view.ring(kUplinkPort, pair, true));
    from_.push_back(std::make_unique<RingConsumer>());
    // What it sent while no daemon was there goes out now.
    from_.back()->Attach(view.ring(kUplinkPort, pair, false), false);
  }
}

bool UplinkPort::Put(std::span<const uint8_t> head, std::span<const uint8_t> rest, const FrameMeta& meta) {
  const auto length_bytes = static_cast<uint32_t>(head.size() + rest.size());
  const uint32_t active = nic_.view().header().active_queue_pairs.load(std::memory_order_relaxed);
  const uint32_t pair =
      QueuePairOf(key_, head.data(), static_cast<uint32_t>(head.size()), active, nic_.view().geometry.queue_pair_count);
  uint8_t* const place = to_[pair]->Reserve(length_bytes);
  if (place == nullptr) {
    return false;
  }
  std::memcpy(place, head.data(), head.size());
  if (!rest.empty()) {
    std::memcpy(place + head.size(), rest.data(), rest.size());
  }
  to_[pair]->Commit(length_bytes, meta);
  PortCounters::Add(counters_->frames_in, 1);
  PortCounters::Add(counters_->bytes_in, length_bytes);
  return true;
}

UplinkPort::Delivery UplinkPort::Deliver(std::span<const uint8_t> head, std::span<const uint8_t> rest,
                                         const FrameMeta& meta, FrameBuffers& buffers) {
  if (backlog_.empty() && Put(head, rest, meta)) {
    is_deaf_ = false;
    return Delivery::kPut;
  }
  const size_t size = head.size() + rest.size();
  FrameBuffers::Buffer copy;
  if (!is_deaf_ && backlog_bytes_ + size <= kBacklog_bytes) {
    copy = buffers.Copy(head, rest);
  }
  if (copy.empty()) {
    counters_->Drop(DropReason::kFull);
    return Delivery::kFull;
  }
  backlog_.push_back({.bytes = std::move(copy), .meta = meta});
  backlog_bytes_ += size;
  return Delivery::kWaiting;
}

bool UplinkPort::Retry(uint64_t now_ns, FrameBuffers& buffers) {
  bool has_moved = false;
  while (!backlog_.empty() && Put(backlog_.front().bytes, {}, backlog_.front().meta)) {
    backlog_bytes_ -= backlog_.front().bytes.size();
    buffers.Return(std::move(backlog_.front().bytes));
    backlog_.pop_front();
    has_moved = true;
  }
  if (has_moved || waits_since_ns_ == 0) {
    waits_since_ns_ = now_ns;
  }
  if (!backlog_.empty() && now_ns - waits_since_ns_ > kPatience_ns) {
    PortCounters::Add(counters_->drops[static_cast<size_t>(DropReason::kFull)], backlog_.size());
    DropBacklog(buffers);
    is_deaf_ = true;
  }
  if (backlog_.empty()) {
    waits_since_ns_ = 0;
  }
  return backlog_.empty();
}

void UplinkPort::DropBacklog(FrameBuffers& buffers) {
  for (Waiting& waiting : backlog_) {
    buffers.Return(std::move(waiting.bytes));
  }
  backlog_.clear();
  backlog_bytes_ = 0;
}

void UplinkPort::Flush() {
  bool has_new = false;
  for (const auto& ring : to_) {
    has_new = ring->Publish() || has_new;
  }
  if (has_new) {
    nic_.RingInstance(Ringer::kSleeps);
  }
}

bool UplinkPort::Peek(FrameView& out) {
  for (size_t tried = 0; tried < from_.size(); ++tried) {
    at_ = at_ + 1 < from_.size() ? at_ + 1 : 0;
    if (from_[at_]->Peek(out)) {
      return true;
    }
  }
  return false;
}

void UplinkPort::Release() {
  for (const auto& ring : from_) {
    ring->Release();
  }
}

bool UplinkPort::Sleep() {
  PrepareToSleep(doorbell(), kInPoller);
  const bool has_frames =
      std::ranges::any_of(from_, [](const auto& ring) { return !ring->is_broken() && ring->HasFrames(); });
  if (has_frames) {
    StayAwake(doorbell());
  }
  return !has_frames;
}

bool UplinkPort::is_broken() const {
  return std::ranges::any_of(from_, [](const auto& ring) { return ring->is_broken(); }) ||
         std::ranges::any_of(to_, [](const auto& ring) { return ring->is_broken(); });
}

}  // namespace junction::scheduler
