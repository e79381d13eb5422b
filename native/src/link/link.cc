// SPDX-License-Identifier: Apache-2.0
// Hot path: see link_stack.h.
#include "link/link.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "link/link_stack.h"
#include "nic/rss.h"

namespace junction::link {

const net::DeviceOps Link::kOps = {.reserve = &Link::Reserve, .commit = &Link::Commit, .flush = &Link::Flush};

Link& Link::Of(net::Device& device) { return *static_cast<Interface&>(device).link; }

Link::Link(LinkStack& stack, NicAttachment attachment)
    : stack_(stack),
      attachment_(std::move(attachment)),
      queue_pair_count_(attachment_.view().geometry.queue_pair_count),
      queue_pairs_(new QueuePair[queue_pair_count_]) {
  const NicView& view = attachment_.view();
  const AttachAnswer& answer = attachment_.answer();
  for (uint32_t i = 0; i < queue_pair_count_; ++i) {
    queue_pairs_[i].to_instance.Attach(view.ring(answer.port, i, true));
    queue_pairs_[i].from_instance.Attach(view.ring(answer.port, i, false), true);
  }
  if (queue_pair_count_ > 1) {
    scratch_.reset(new uint8_t[kMaxFrame_bytes]);
  }
  device_.link = active_node_.link = muted_node_.link = this;
  device_.ops = &kOps;
  device_.mtu_bytes = 65535;
  device_.has_blank_checksums = true;
  device_.trusts_checksums =
      true;  // shared memory corrupts nothing; an instance that lies does so to its own connections
  device_.is_point_to_point = true;
  std::memcpy(device_.mac, answer.peer_mac, sizeof(device_.mac));
  std::memcpy(device_.peer_mac, answer.instance_mac, sizeof(device_.peer_mac));
  std::memcpy(device_.name, "link", 5);
  constexpr uint8_t kNone[4] = {};
  if (std::memcmp(answer.instance_ip4, kNone, sizeof(kNone)) != 0) {
    own_ = net::IpAddress::V4(answer.peer_ip4);
    remote_ = net::IpAddress::V4(answer.instance_ip4);
  } else {
    own_ = net::IpAddress::V6(answer.peer_ip6);
    remote_ = net::IpAddress::V6(answer.instance_ip6);
  }
}

net::Endpoint Link::RemoteOf(uint16_t port) const { return {.address = remote_, .port = port}; }

uint32_t Link::ActiveQueuePairs() const {
  const uint32_t active = attachment_.view().header().active_queue_pairs.load(std::memory_order_relaxed);
  return std::clamp<uint32_t>(active, 1, queue_pair_count_);  // hostile
}

bool Link::HasFrames() const {
  for (uint32_t i = 0; i < queue_pair_count_; ++i) {
    if (queue_pairs_[i].from_instance.HasFrames()) {
      return true;
    }
  }
  return false;
}

bool Link::is_broken() const {
  for (uint32_t i = 0; i < queue_pair_count_; ++i) {
    if (queue_pairs_[i].from_instance.is_broken() || queue_pairs_[i].to_instance.is_broken()) {
      return true;
    }
  }
  return false;
}

uint8_t* Link::Reserve(net::Device& device, uint32_t length_bytes) {
  Link& link = Of(device);
  if (link.is_lost_ || length_bytes > kMaxFrame_bytes) {
    return nullptr;
  }
  uint8_t* place = nullptr;
  const uint32_t count = link.queue_pair_count_ == 1 ? 1 : link.ActiveQueuePairs();
  for (uint32_t i = 0; i < count; ++i) {
    place = link.queue_pairs_[i].to_instance.Reserve(length_bytes);
    if (place == nullptr) {
      link.wants_room_ = true;
      ++link.stack_.counters_.no_room;
      link.stack_.Activate(link);
      return nullptr;
    }
  }
  return link.scratch_ != nullptr ? link.scratch_.get() : place;
}

void Link::Commit(net::Device& device, uint32_t length_bytes, const FrameMeta& meta) {
  Link& link = Of(device);
  ++link.stack_.counters_.frames_out;
  if (link.scratch_ == nullptr) {
    link.queue_pairs_[0].to_instance.Commit(length_bytes, meta);
    return;
  }
  const uint32_t at = QueuePairOf(link.stack_.rss_key_, link.scratch_.get(), length_bytes, link.ActiveQueuePairs(),
                                  link.queue_pair_count_);
  uint8_t* const place = link.queue_pairs_[at].to_instance.Reserve(length_bytes);
  if (place == nullptr) {
    // More queue pairs have become active since Reserve, and this one is full: dropped, as by a full switch.
    ++link.device_.dropped_out;
    return;
  }
  std::memcpy(place, link.scratch_.get(), length_bytes);
  link.queue_pairs_[at].to_instance.Commit(length_bytes, meta);
}

void Link::Flush(net::Device& device) {
  Link& link = Of(device);
  uint32_t first_published = link.queue_pair_count_;
  for (uint32_t i = link.queue_pair_count_; i-- > 0;) {
    if (link.queue_pairs_[i].to_instance.Publish()) {
      first_published = i;
    }
  }
  if (first_published < link.queue_pair_count_ && link.attachment_.RingInstance()) {
    ++link.stack_.counters_.instance_rings;
    link.stack_.owner_.OnRang(link, first_published);
  }
}

}  // namespace junction::link
