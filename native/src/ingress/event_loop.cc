// SPDX-License-Identifier: Apache-2.0
// Hot path: one epoll_wait and two readings of the clock a turn.
#include "ingress/event_loop.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>
#include <utility>

#include "base/check.h"

namespace junction::ingress {
namespace {

// Events at once from which on there is no spinning: so many mean that the cores are busy, and then a sleep costs nobody
// time, leaves the core to others and gathers the next batch.
constexpr int kCrowd = 3;

uint64_t MonotonicNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

EventLoop::EventLoop(WorkerCounters& counters, uint32_t spin_us)
    : spin_ns_(uint64_t{spin_us} * 1'000), counters_(counters), now_ns_(MonotonicNs()), timers_(now_ns_ / 1'000'000) {}

Result<void> EventLoop::Open() {
  epoll_.Reset(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) {
    return ErrnoError("epoll_create1");
  }
  return {};
}

Result<void> EventLoop::Add(int fd, uint32_t events, EventTarget& target) {
  epoll_event event{.events = events, .data = {.ptr = &target}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return ErrnoError("epoll_ctl");
  }
  return {};
}

void EventLoop::Remove(int fd) { JUNCTION_CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr) == 0); }

uint64_t EventLoop::ReadClock() {
  now_ns_ = MonotonicNs();
  return now_ns_;
}

int EventLoop::Poll(int timeout_ms) {
  const int count = epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), timeout_ms);
  if (count < 0) {
    JUNCTION_CHECK(errno == EINTR);
    return 0;
  }
  if (count > 0) {
    last_batch_ = count;
  }
  return count;
}

void EventLoop::PollLinks(int events) {
  link_events_ = 0;
  links_->Poll(now_ns_);
  links_->Flush(now_ns_);
  if (link_events_ > 0) {
    last_batch_ = events + link_events_;
  }
}

bool EventLoop::Spin(GapPredictor& predictor, int& count) {
  const uint64_t begin = MonotonicNs();
  uint64_t now = begin;
  bool has_come = false;
  bool gives_way = false;
  do {
    if (LinksHaveFrames()) {
      has_come = true;  // without another look at the descriptors: they have their turn next time
      now = MonotonicNs();
      break;
    }
    count = Poll(0);
    now = MonotonicNs();
    has_come = count > 0 || LinksHaveFrames();
    if (has_come) {
      break;
    }
    // Where the machine is full this lets others run, but only those of the same scheduling group: an instance is none of them.
    sched_yield();
    gives_way = links_ != nullptr && links_->SharesCpu();
  } while (!gives_way && now - begin < spin_ns_);
  counters_.spun_ns.Add(now - begin);
  if (has_come) {
    predictor.Hit();
    counters_.spin_hits.Add();
    return true;
  }
  if (gives_way) {
    counters_.spin_skips.Add();  // it says nothing of the flow
    return false;
  }
  predictor.Miss();
  counters_.spin_misses.Add();
  return false;
}

int EventLoop::TimeoutMs() const {
  const uint64_t next_ms = timers_.NextTick();
  const uint64_t now_ms = this->now_ms();
  uint64_t timeout = UINT64_MAX;
  if (next_ms != UINT64_MAX) {
    timeout = next_ms <= now_ms ? 0 : next_ms - now_ms;
  }
  if (links_ != nullptr) {
    const uint64_t deadline_ns = links_->NextDeadline_ns();
    if (deadline_ns != UINT64_MAX) {
      timeout = std::min(timeout, deadline_ns <= now_ns_ ? 0 : (deadline_ns - now_ns_) / 1'000'000 + 1);
    }
  }
  return timeout == UINT64_MAX ? -1 : static_cast<int>(std::min<uint64_t>(timeout, INT_MAX));
}

int EventLoop::Sleep(int timeout_ms) {
  if (links_ == nullptr) {
    return Poll(timeout_ms);
  }
  if (!links_->PrepareToSleep(now_ns_)) {
    return Poll(0);
  }
  const int count = Poll(timeout_ms);
  links_->StayAwake();
  return count;
}

int EventLoop::Wait() {
  if (!ready_.empty() || LinksHaveFrames()) {
    return Poll(0);
  }
  GapPredictor* predictor = std::exchange(predictor_, nullptr);
  if (spin_ns_ == 0 || last_batch_ >= kCrowd) {
    predictor = nullptr;
  }
  if (predictor != nullptr) {
    if (predictor->ShouldSpin()) {
      int count = 0;
      if (Spin(*predictor, count)) {
        return count;
      }
      predictor = nullptr;
    } else {
      counters_.spin_skips.Add();
    }
  }
  const uint64_t slept_from = predictor != nullptr ? MonotonicNs() : 0;
  const int count = Sleep(TimeoutMs());
  if (predictor != nullptr && count > 0 && MonotonicNs() - slept_from <= spin_ns_) {
    predictor->WouldHaveHit();
  }
  return count;
}

}  // namespace junction::ingress
