// SPDX-License-Identifier: Apache-2.0
// One worker's view of time and descriptors: epoll, edge-triggered, with a timer wheel. Read epoll(7) first.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"
#include "ingress/intrusive_list.h"
#include "ingress/metrics.h"
#include "ingress/spin_governor.h"
#include "ingress/timer_wheel.h"
#include "link/link_stack.h"

namespace junction::ingress {

struct ReadyTag;

/// Something that gets events, deadlines or another turn. Once closed it lives on until the turn ends, as events for it
/// may still be in the batch.
struct EventTarget : TimerNode, ListNode<ReadyTag> {
  enum class Kind : uint8_t { kAcceptor, kMailbox, kClient, kUpstream, kLinkEvent, kLinkLease };

  explicit EventTarget(Kind target_kind) : kind(target_kind) {}

  const Kind kind;
  bool closed = false;
  uint64_t deadline_ms = UINT64_MAX;
};

inline constexpr uint64_t kNever = UINT64_MAX;

class EventLoop {
 public:
  EventLoop(WorkerCounters& counters, uint32_t spin_us);

  /// Makes the epoll descriptor. Call once before anything else.
  Result<void> Open();

  /// Adds a descriptor; goes by Remove, or by closing its last copy.
  Result<void> Add(int fd, uint32_t events, EventTarget& target);
  void Remove(int fd);

  /// Sets when OnDeadline is called for the target; kNever = not at all. Later than before costs nothing: the timer is
  /// only moved when it goes off too early.
  void SetDeadline(EventTarget& target, uint64_t at_ms) {
    target.deadline_ms = at_ms;
    if (at_ms != kNever && (!target.scheduled() || at_ms < target.when_ms)) {
      timers_.Schedule(target, at_ms);
    }
  }

  /// Takes timers and turns of a target that is going away.
  void Forget(EventTarget& target) {
    timers_.Cancel(target);
    target.ListNode<ReadyTag>::Unlink();
    target.deadline_ms = kNever;
  }

  /// Asks for a call of OnReady in this thread soon, behind what is ready now: for work that would starve others if it
  /// went on.
  void MakeReady(EventTarget& target) {
    if (!target.ListNode<ReadyTag>::linked()) {
      ready_.PushBack(target);
    }
  }

  /// From now on the loop polls these links, too, runs their stack's timers, and flushes. They outlive the loop's last turn.
  void SetLinks(link::LinkStack& links) { links_ = &links; }
  bool has_links() const { return links_ != nullptr && links_->size() > 0; }
  /// A connection over a link has events; it is made ready.
  void CountLinkEvent() { ++link_events_; }

  /// Of what the worker waits for most likely when it goes idle next; null = no idea. Kept by others: see ForgetPredictor.
  void Expect(GapPredictor* predictor) { predictor_ = predictor; }
  void ForgetPredictor(const GapPredictor* predictor) {
    if (predictor_ == predictor) {
      predictor_ = nullptr;
    }
  }

  uint64_t now_ns() const { return now_ns_; }
  uint64_t now_ms() const { return now_ns_ / 1'000'000; }
  /// Reads the clock anew.
  uint64_t ReadClock();

  /// Waits and handles what came: handler.OnEvent(target, events), OnDeadline(target), OnReady(target).
  template <typename Handler>
  void Turn(Handler& handler) {
    const int count = Wait();
    ReadClock();
    for (int i = 0; i < count; ++i) {
      auto* const target = static_cast<EventTarget*>(events_[i].data.ptr);
      if (!target->closed) {
        handler.OnEvent(*target, events_[i].events);
      }
      if (links_ != nullptr && (i + 1) % kEventsPerFlush == 0) {
        links_->Flush(now_ns_);
      }
    }
    if (links_ != nullptr) {
      PollLinks(count);
    }
    IntrusiveList<EventTarget, ReadyTag> batch;
    batch.Append(ready_);
    while (EventTarget* const target = batch.PopFront()) {
      handler.OnReady(*target);
    }
    if (timers_.NextTick() <= now_ms()) {
      timers_.Advance(now_ms(), [&](TimerNode& node) {
        auto& target = static_cast<EventTarget&>(node);
        if (target.deadline_ms == kNever) {
          return;
        }
        if (target.deadline_ms > now_ms()) {
          timers_.Schedule(target, target.deadline_ms);
          return;
        }
        target.deadline_ms = kNever;
        handler.OnDeadline(target);
      });
    }
    if (links_ != nullptr) {
      links_->Flush(now_ns_);
    }
  }

 private:
  // Events between two flushes of links within a batch: the function begins with the first requests while the worker still reads the
  // others, and is woken once for several.
  static constexpr int kEventsPerFlush = 4;

  void PollLinks(int events);
  bool LinksHaveFrames() const { return links_ != nullptr && links_->HasFrames(); }
  int TimeoutMs() const;
  int Sleep(int timeout_ms);
  /// Spins where that is foreseen to pay, then sleeps. Returns the number of events.
  int Wait();
  int Poll(int timeout_ms);
  bool Spin(GapPredictor& predictor, int& count);

  UniqueFd epoll_;
  const uint64_t spin_ns_;
  WorkerCounters& counters_;
  GapPredictor* predictor_ = nullptr;
  link::LinkStack* links_ = nullptr;
  uint64_t now_ns_;
  int last_batch_ = 0;   // events of the last turn that had any
  int link_events_ = 0;  // of this turn
  TimerWheel timers_;
  IntrusiveList<EventTarget, ReadyTag> ready_;
  std::array<epoll_event, 256> events_;
};

}  // namespace junction::ingress
