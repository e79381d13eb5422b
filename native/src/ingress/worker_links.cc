// SPDX-License-Identifier: Apache-2.0
#include "ingress/worker_links.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "ingress/upstreams.h"

namespace junction::ingress {
namespace {

constexpr uint64_t kLookEvery_ns = 1'000'000'000;
constexpr uint64_t kLinger_ms = 50;

}  // namespace

WorkerLinks::~WorkerLinks() = default;

void WorkerLinks::OnAttached(const std::shared_ptr<Replica>& replica, NicAttachment attachment) {
  ReplicaPool* const pool = core_.upstreams->FindPool(*replica);
  if (pool == nullptr || pool->link != nullptr) {
    return;  // the route has changed by now
  }
  if (replica->is_gone.load(std::memory_order_relaxed)) {  // leased before its end, which another worker has seen
    source_.OnLinkLost(worker_, replica);
    core_.upstreams->OnLinkSettled(*pool);
    return;
  }
  if (stack_ == nullptr) {
    stack_ = link::LinkStack::Make(*this);
    if (stack_ == nullptr) {
      core_.upstreams->OnLinkSettled(*pool);
      return;
    }
    core_.loop.SetLinks(*stack_);
  }
  auto added = stack_->Add(std::move(attachment), core_.loop.now_ns());
  if (added) {
    auto link = std::make_unique<WorkerLink>();
    link->link = *added;
    link->pool = pool;
    link->link->context = link.get();
    auto watched = core_.loop.Add(link->link->event_fd(), EPOLLIN, link->event);
    if (watched) {
      link->is_watched = true;
      watched = core_.loop.Add(link->link->lease_fd(), EPOLLIN | EPOLLRDHUP, link->lease);
    }
    if (watched) {
      pool->link = link.get();
      links_.push_back(std::move(link));
      core_.counters.link_attaches.Add();
      core_.counters.links.Add();
    } else {
      Unwatch(**added);
      stack_->Remove(**added, core_.loop.now_ns());
    }
  }
  if (pool->link == nullptr) {
    source_.OnLinkLost(worker_, replica);  // short of memory or descriptors: again later
  }
  core_.upstreams->OnLinkSettled(*pool);
}

void WorkerLinks::OnUnavailable(const Replica& replica) {
  if (ReplicaPool* const pool = core_.upstreams->FindPool(replica)) {
    core_.upstreams->OnLinkSettled(*pool);
  }
}

void WorkerLinks::OnEvent(WorkerLink::Target& target) {
  link::Link& link = *target.link.link;
  if (target.kind == EventTarget::Kind::kLinkEvent) {
    stack_->OnEvent(link, core_.loop.now_ns());
  } else {
    stack_->OnLease(link, core_.loop.now_ns());
  }
}

void WorkerLinks::Watch(link::Link& link) {
  if (link.context == nullptr) {
    return;  // still being added
  }
  auto& owner = *static_cast<WorkerLink*>(link.context);
  if (const auto added = core_.loop.Add(link.event_fd(), EPOLLIN, owner.event); !added) {
    core_.events.OnError("a link cannot be listened to: " + added.error().message);
  } else {
    owner.is_watched = true;
  }
}

void WorkerLinks::Unwatch(link::Link& link) {
  if (std::exchange(static_cast<WorkerLink*>(link.context)->is_watched, false)) {
    core_.loop.Remove(link.event_fd());
  }
}

void WorkerLinks::OnLost(link::Link& link, const char* why) {
  auto& owner = *static_cast<WorkerLink*>(link.context);
  core_.loop.Remove(link.lease_fd());
  owner.event.closed = owner.lease.closed = true;
  core_.counters.link_losses.Add();
  core_.counters.links.Sub();
  if (owner.pool != nullptr) {
    core_.events.OnError("the link to replica " + owner.pool->replica->id + " is lost: " + why);
    if (link.is_instance_gone()) {
      owner.pool->replica->is_gone.store(true, std::memory_order_relaxed);
    }
    source_.OnLinkLost(worker_, owner.pool->replica);
    owner.pool->link = nullptr;
    owner.pool = nullptr;
  }
  DropIfUnused(owner);
}

void WorkerLinks::OnRang(link::Link& link, uint32_t queue_pair) {
  const auto& owner = *static_cast<const WorkerLink*>(link.context);
  if (core_.options.event_queue_path.empty() || owner.pool == nullptr || owner.pool->replica->instance_number == 0) {
    return;
  }
  const uint64_t now_ns = core_.loop.now_ns();
  if (!event_queue_ && now_ns >= next_look_ns_) {
    next_look_ns_ = now_ns + kLookEvery_ns;
    if (auto opened = EventQueue::Open(core_.options.event_queue_path)) {
      event_queue_.emplace(std::move(*opened));
    }
  }
  if (event_queue_) {
    // A full queue counts what it loses, and the instance was rung anyway.
    (void)event_queue_->Post({.instance = owner.pool->replica->instance_number, .queue_pair = queue_pair});
  }
}

void WorkerLinks::Leave(WorkerLink& link) {
  --link.connections;
  DropIfUnused(link);
}

void WorkerLinks::Abandon(ReplicaPool& pool) {
  WorkerLink& link = *std::exchange(pool.link, nullptr);
  link.pool = nullptr;
  DropIfUnused(link);
}

void WorkerLinks::DropIfUnused(WorkerLink& link) {
  if (link.pool != nullptr || link.connections != 0) {
    return;
  }
  if (link.link->is_lost()) {
    OnDeadline(link.lease);
  } else {
    // Its connections were closed in this turn: their last segments are still to be sent, perhaps again, and acknowledged.
    core_.loop.SetDeadline(link.lease, core_.loop.now_ms() + kLinger_ms);
  }
}

void WorkerLinks::OnDeadline(WorkerLink::Target& target) {
  WorkerLink& link = target.link;
  if (std::find(unused_.begin(), unused_.end(), &link) == unused_.end()) {
    unused_.push_back(&link);
  }
}

void WorkerLinks::Sweep() {
  if (stack_ == nullptr) {
    return;
  }
  for (WorkerLink* const link : unused_) {
    core_.loop.Forget(link->lease);
    if (!link->link->is_lost()) {
      core_.counters.links.Sub();
      // Not left to the end of the descriptors: the instance's monitor holds the same pipe, so that epoll would go on with it.
      Unwatch(*link->link);
      core_.loop.Remove(link->link->lease_fd());
    }
    stack_->Remove(*link->link, core_.loop.now_ns());
    std::erase_if(links_, [link](const auto& owned) { return owned.get() == link; });
  }
  unused_.clear();
  const link::LinkCounters& counters = stack_->counters();
  core_.counters.link_frames_in.Set(counters.frames_in);
  core_.counters.link_frames_out.Set(counters.frames_out);
  core_.counters.link_rings.Set(counters.instance_rings);
  core_.counters.link_vain_rings.Set(counters.vain_rings);
  core_.counters.link_mutes.Set(counters.mutes);
}

}  // namespace junction::ingress
