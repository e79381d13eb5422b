// SPDX-License-Identifier: Apache-2.0
#include "ingress/link_keeper.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <utility>

namespace junction::ingress {
namespace {

// The monitor answers within its next turn; one that does not is overloaded, and requests go by address meanwhile.
constexpr uint32_t kAttach_ms = 250;
constexpr uint64_t kFirstGap_ns = 50'000'000;
constexpr uint64_t kLongestGap_ns = 10'000'000'000;
// Of a replica whose instance is gone. The provider takes it off its route meanwhile, or names it anew; this is for one that has not seen it die.
constexpr uint64_t kGoneGap_ns = 1'000'000'000;

uint64_t Now_ns() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

}  // namespace

void LinkKeeper::Want(const std::shared_ptr<Replica>& replica) {
  if (replica->link_path.empty() || replica->is_link_wanted) {
    return;
  }
  replica->is_link_wanted = true;
  for (uint32_t worker = 0; worker < worker_count_; ++worker) {
    Add({.replica = replica, .worker = worker, .at_ns = 0, .gap_ns = 0});
  }
}

void LinkKeeper::OnLinkLost(uint32_t worker, const std::shared_ptr<Replica>& replica) {
  const uint64_t gap_ns = replica->is_gone.load(std::memory_order_relaxed) ? kGoneGap_ns : kFirstGap_ns;
  Add({.replica = replica, .worker = worker, .at_ns = Now_ns() + gap_ns, .gap_ns = gap_ns});
}

void LinkKeeper::Add(Wish wish) {
  const std::lock_guard lock(mutex_);
  if (is_stopping_) {
    return;
  }
  wishes_.push_back(std::move(wish));
  if (!thread_.joinable()) {
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);  // signals are the program's to handle
    thread_ = std::thread([this] { Run(); });
    pthread_sigmask(SIG_SETMASK, &old, nullptr);
    pthread_setname_np(thread_.native_handle(), "ingress-links");
  }
  changed_.notify_one();
}

void LinkKeeper::Stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) {
    thread_.join();
  }
}

void LinkKeeper::Run() {
  while (auto wish = Next()) {
    Try(std::move(*wish));
  }
}

std::optional<LinkKeeper::Wish> LinkKeeper::Next() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (is_stopping_) {
      return std::nullopt;
    }
    std::erase_if(wishes_, [](const Wish& wish) { return wish.replica.expired(); });
    const auto first = std::min_element(wishes_.begin(), wishes_.end(),
                                        [](const Wish& a, const Wish& b) { return a.at_ns < b.at_ns; });
    if (first == wishes_.end()) {
      changed_.wait(lock);
      continue;
    }
    if (const uint64_t now_ns = Now_ns(); first->at_ns > now_ns) {
      changed_.wait_for(lock, std::chrono::nanoseconds(first->at_ns - now_ns));
      continue;
    }
    Wish wish = std::move(*first);
    wishes_.erase(first);
    return wish;
  }
}

void LinkKeeper::Try(Wish wish) {
  const std::shared_ptr<Replica> replica = wish.replica.lock();
  if (replica == nullptr) {
    return;
  }
  const bool is_first = wish.gap_ns == 0;
  const bool was_gone = replica->is_gone.load(std::memory_order_relaxed);
  if (was_gone && wish.gap_ns < kGoneGap_ns) {
    wish.gap_ns = kGoneGap_ns;
  } else {
    auto attachment = NicAttachment::Open(replica->link_path, AttachKind::kLink, kAttach_ms);
    if (attachment) {
      if (was_gone) {
        replica->is_gone.store(false, std::memory_order_relaxed);
      }
      deliver_(wish.worker, replica, std::move(*attachment));
      return;
    }
    failures_.fetch_add(1, std::memory_order_relaxed);
    wish.gap_ns = std::clamp(wish.gap_ns * 2, kFirstGap_ns, kLongestGap_ns);
  }
  wish.at_ns = Now_ns() + wish.gap_ns;
  if (is_first) {
    deliver_(wish.worker, replica, std::nullopt);
  }
  Add(std::move(wish));
}

}  // namespace junction::ingress
