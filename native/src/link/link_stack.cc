// SPDX-License-Identifier: Apache-2.0
#include "link/link_stack.h"

#include <sched.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "base/check.h"
#include "base/never.h"
#include "nic/doorbell.h"

namespace junction::link {
namespace {

// A link that rings for nothing this often in a row is muted. Some vain rings are ordinary: a frame that is seen in the last look
// before a sleep was rung for as well.
constexpr uint32_t kVainRings = 16;
// Events and frames within a window that a link may bring while no request is in flight over it. All idle connections of an
// instance that ends close at once.
constexpr uint32_t kIdleEvents = 512;
constexpr uint32_t kIdleEventsOnceMuted = 64;
constexpr uint64_t kIdleWindow_ns = 10'000'000;
// First and longest silence, and how long a link must behave to begin anew.
constexpr uint64_t kFirstMute_ns = 1'000'000;
constexpr uint64_t kLongestMute_ns = 10'000'000;
constexpr uint64_t kMuteMemory_ns = 1'000'000'000;
// Looks at a ring that was full: its consumer does not ring when it has made room, but it acknowledges, so that this is for the rare
// case that nothing in the ring asks for an answer.
constexpr uint64_t kFirstRetry_ns = 1'000'000;
constexpr uint64_t kLongestRetry_ns = 16'000'000;

void* Allocate(void*, size_t size_bytes) { return std::aligned_alloc(16, (size_bytes + 15) & ~size_t{15}); }
void Free(void*, void* memory, size_t) { std::free(memory); }
uint64_t Random(void*) {
  uint64_t value = 0;
  JUNCTION_CHECK(getrandom(&value, sizeof(value), 0) == static_cast<ssize_t>(sizeof(value)));
  return value;
}

}  // namespace

std::unique_ptr<LinkStack> LinkStack::Make(LinkOwner& owner) {
  std::unique_ptr<LinkStack> links(new LinkStack(owner));
  for (uint32_t& word : links->rss_key_.words) {
    word = static_cast<uint32_t>(Random(nullptr));
  }
  links->rss_key_.spread = Random(nullptr);
  net::StackOptions options;
  options.has_loopback = false;
  links->stack_ = net::NewStack({.allocate = &Allocate, .free = &Free, .random = &Random}, options);
  if (links->stack_ == nullptr) {
    return nullptr;
  }
  return links;
}

LinkStack::~LinkStack() {
  if (stack_ != nullptr) {
    net::FreeStack(stack_);  // the links are still there: it takes them down
  }
}

Result<void> LinkStack::Configure(Link& link) {
  if (const int error = net::AddDevice(*stack_, link.device_); error != 0) {
    return ErrnoError("link", -error);
  }
  const uint8_t bits = link.own_.is_v4() ? 32 : 128;
  const uint32_t index = link.device_.index;
  int error = net::AddAddress(*stack_, {.device_index = index, .address = link.own_, .prefix_bits = bits});
  if (error == 0) {
    error =
        net::AddRoute(*stack_, {.network = link.remote_, .prefix_bits = bits, .gateway = {}, .device_index = index});
  }
  if (error != 0) {
    net::RemoveDevice(*stack_, link.device_, 0);
    return ErrnoError("address of a link", -error);
  }
  return {};
}

Result<Link*> LinkStack::Add(NicAttachment attachment, uint64_t) {
  std::unique_ptr<Link> link(new Link(*this, std::move(attachment)));
  if (auto configured = Configure(*link); !configured) {
    return std::unexpected(std::move(configured.error()));
  }
  links_.push_back(std::move(link));
  Link& added = *links_.back();
  owner_.Watch(added);
  Activate(added);  // Poll arms it when it finds it idle
  return &added;
}

void LinkStack::Remove(Link& link, uint64_t now_ns) {
  link.active_node_.Unlink();
  link.muted_node_.Unlink();
  net::RemoveDevice(*stack_, link.device_, now_ns);
  std::erase_if(links_, [&link](const auto& owned) { return owned.get() == &link; });
}

net::TcpSocket* LinkStack::Connect(Link& link, uint16_t port, int& error, uint64_t now_ns) {
  if (link.is_lost_) {
    error = ENETDOWN;
    return nullptr;
  }
  net::TcpSocket* const socket = net::NewTcpSocket(*stack_, !link.remote_.is_v4());
  if (socket == nullptr) {
    error = ENOMEM;
    return nullptr;
  }
  // By device, not by route: two instances may have the same address for a moment, and several links share ours.
  net::SocketOf(*socket).device_index = link.device_.index;
  net::OptionsOf(*socket).has_no_delay = true;
  error = -net::ConnectTcp(*socket, link.RemoteOf(port), now_ns);
  needs_flush_ = true;
  if (error != 0 && error != EINPROGRESS) {
    net::CloseTcp(*socket, now_ns);
    return nullptr;
  }
  error = 0;
  return socket;
}

void LinkStack::Activate(Link& link) {
  if (!link.is_lost_ && !link.active_node_.is_linked()) {
    junction::StayAwake(link.doorbell());
    active_.PushBack(link.active_node_);
  }
}

void LinkStack::Use(Link& link) {
  ++link.users_;
  Activate(link);
}

bool LinkStack::HasFrames() const {
  for (ListNode* node = active_.first(); node != nullptr; node = active_.Next(node)) {
    if (Link::Of(node).HasFrames()) {
      return true;
    }
  }
  return false;
}

bool LinkStack::SharesCpu() const {
  const auto own = static_cast<uint32_t>(sched_getcpu() + 1);
  for (ListNode* node = active_.first(); node != nullptr; node = active_.Next(node)) {
    const Link& link = Link::Of(node);
    if (link.users_ > 0 && link.instance_cpu().load(std::memory_order_relaxed) == own) {
      return true;
    }
  }
  return false;
}

uint32_t LinkStack::Poll(uint64_t now_ns) {
  if (now_ns >= next_unmute_ns_) {
    next_unmute_ns_ = kNever;
    for (ListNode* node = muted_.first(); node != nullptr;) {
      Link& link = Link::Of(node);
      node = muted_.Next(node);
      if (link.muted_until_ns_ <= now_ns) {
        Unmute(link);
      } else {
        next_unmute_ns_ = std::min(next_unmute_ns_, link.muted_until_ns_);
      }
    }
  }
  uint32_t frames = 0;
  for (ListNode* node = active_.first(); node != nullptr;) {
    Link& link = Link::Of(node);
    node = active_.Next(node);
    frames += PollLink(link, now_ns);
  }
  if (now_ns >= retry_ns_) {
    retry_ns_ = kNever;
  }
  if (net::NextDeadline_ns(*stack_) <= now_ns) {
    net::RunTimers(*stack_, now_ns);
    needs_flush_ = true;
  }
  counters_.frames_in += frames;
  return frames;
}

uint32_t LinkStack::PollLink(Link& link, uint64_t now_ns) {
  uint32_t frames = 0;
  for (uint32_t i = 0; i < link.queue_pair_count_; ++i) {
    RingConsumer& ring = link.queue_pairs_[i].from_instance;
    FrameView frame;
    uint32_t of_ring = 0;
    while (of_ring < kBudget && ring.Peek(frame)) {
      net::Input(*stack_, link.device_, frame, now_ns);
      ring.Pop();
      ++of_ring;
    }
    if (of_ring > 0) {
      ring.Release();
      frames += of_ring;
    }
  }
  if (link.wants_room_) {
    link.wants_room_ = false;
    needs_flush_ = true;
    net::DeviceHasRoom(*stack_, link.device_, now_ns);  // sets it again if that was not enough
    if (!link.wants_room_) {
      retry_gap_ns_ = 0;
    }
  }
  if (link.is_broken()) {
    Lose(link, "its rings are broken", now_ns);
    return frames;
  }
  if (frames > 0) {
    needs_flush_ = true;
    link.vain_ = 0;
  } else if (link.was_rung_) {
    CountVain(link, now_ns);
  }
  link.was_rung_ = false;
  if (link.users_ == 0) {
    SpendIdle(link, frames, now_ns);
    TryRest(link);
  }
  return frames;
}

void LinkStack::TryRest(Link& link) {
  if (link.is_lost_ || link.users_ > 0 || link.wants_room_) {
    return;
  }
  if (link.is_muted()) {
    link.active_node_.Unlink();  // looked at when the time has come, whatever lies in its rings
    return;
  }
  junction::PrepareToSleep(link.doorbell(), kInPoller);
  if (link.HasFrames()) {
    junction::StayAwake(link.doorbell());
    return;
  }
  link.active_node_.Unlink();
}

bool LinkStack::PrepareToSleep(uint64_t now_ns) {
  if (needs_flush_) {
    return false;
  }
  bool is_blocked = false;
  for (ListNode* node = active_.first(); node != nullptr; node = active_.Next(node)) {
    Link& link = Link::Of(node);
    if (!link.is_muted()) {
      junction::PrepareToSleep(link.doorbell(), kInPoller);
    }
    is_blocked |= link.wants_room_;
  }
  if (HasFrames()) {
    StayAwake();
    return false;
  }
  if (is_blocked && retry_ns_ == kNever) {
    retry_gap_ns_ = std::clamp(retry_gap_ns_ * 2, kFirstRetry_ns, kLongestRetry_ns);
    retry_ns_ = now_ns + retry_gap_ns_;
  }
  return true;
}

void LinkStack::StayAwake() {
  for (ListNode* node = active_.first(); node != nullptr; node = active_.Next(node)) {
    junction::StayAwake(Link::Of(node).doorbell());
  }
}

uint64_t LinkStack::NextDeadline_ns() const {
  return std::min({net::NextDeadline_ns(*stack_), next_unmute_ns_, retry_ns_});
}

void LinkStack::OnEvent(Link& link, uint64_t now_ns) {
  if (link.is_lost_) {
    return;
  }
  link.attachment_.DrainEvents();
  link.was_rung_ = true;
  Activate(link);
  if (link.users_ == 0) {
    SpendIdle(link, 1, now_ns);
  }
}

void LinkStack::OnLease(Link& link, uint64_t now_ns) {
  if (!link.is_lost_) {
    link.is_instance_gone_ = true;
    Lose(link, "the instance is gone", now_ns);
  }
}

void LinkStack::SpendIdle(Link& link, uint32_t cost, uint64_t now_ns) {
  if (now_ns - link.idle_window_ns_ > kIdleWindow_ns) {
    link.idle_window_ns_ = now_ns;
    link.idle_events_ = 0;
  }
  link.idle_events_ += cost;
  if (link.idle_events_ > (HasMisbehaved(link, now_ns) ? kIdleEventsOnceMuted : kIdleEvents)) {
    Mute(link, now_ns);
  }
}

bool LinkStack::HasMisbehaved(const Link& link, uint64_t now_ns) const {
  return link.mute_ns_ != 0 && now_ns - link.unmuted_ns_ < kMuteMemory_ns;
}

void LinkStack::CountVain(Link& link, uint64_t now_ns) {
  ++counters_.vain_rings;
  if (++link.vain_ >= kVainRings) {
    Mute(link, now_ns);
  }
}

void LinkStack::Mute(Link& link, uint64_t now_ns) {
  if (link.is_muted()) {
    return;
  }
  ++counters_.mutes;
  owner_.Unwatch(link);
  junction::StayAwake(link.doorbell());
  link.mute_ns_ = HasMisbehaved(link, now_ns) ? std::min(link.mute_ns_ * 2, kLongestMute_ns) : kFirstMute_ns;
  link.muted_until_ns_ = now_ns + link.mute_ns_;
  next_unmute_ns_ = std::min(next_unmute_ns_, link.muted_until_ns_);
  muted_.PushBack(link.muted_node_);
  if (link.users_ == 0) {
    link.active_node_.Unlink();
  }
}

void LinkStack::Unmute(Link& link) {
  link.unmuted_ns_ = link.muted_until_ns_;
  link.muted_until_ns_ = 0;
  link.muted_node_.Unlink();
  link.vain_ = 0;
  link.idle_events_ = 0;
  link.was_rung_ = false;
  owner_.Watch(link);
  Activate(link);
}

void LinkStack::Lose(Link& link, const char* why, uint64_t now_ns) {
  if (link.is_lost_) {
    return;
  }
  if (!link.is_muted()) {
    owner_.Unwatch(link);
  }
  link.is_lost_ = true;
  link.device_.is_up = false;
  link.active_node_.Unlink();
  link.muted_node_.Unlink();
  net::ResetDevice(*stack_, link.device_, now_ns);
  owner_.OnLost(link, why);
}

}  // namespace junction::link
