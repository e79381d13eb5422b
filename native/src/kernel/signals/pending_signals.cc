// SPDX-License-Identifier: Apache-2.0
// Queues of pending signals. Read first: signal(7) "Queueing and delivery semantics".
#include "kernel/signals/pending_signals.h"

#include <sys/resource.h>
#include <sys/syscall.h>

#include <cerrno>

#include "kernel/signals/signal_sets.h"
#include "uthread/arena.h"
#include "uthread/host_call.h"

namespace junction {
namespace {

struct QueuedSignal {
  ListNode node;
  siginfo_t info;
};

// Below this many the limit is not looked at: that is a host call, and nobody sets the limit so low.
constexpr uint32_t kNeverLimited = 4;
// Past this many, memory of the instance is the concern, whatever the guest's limit is.
constexpr uint32_t kMostQueued = 65536;

QueuedSignal& Owner(ListNode* node) { return *JUNCTION_OWNER(node, QueuedSignal, node); }

bool IsFull(const PendingSignals& pending) {
  if (pending.queued_count < kNeverLimited) {
    return false;
  }
  rlimit limit = {};
  if (HostCall(SYS_prlimit64, 0, RLIMIT_SIGPENDING, nullptr, &limit) != 0) {
    return true;
  }
  return pending.queued_count >= limit.rlim_cur || pending.queued_count >= kMostQueued;
}

ListNode* FindFirst(const PendingSignals& pending, int signal, ListNode* from) {
  for (ListNode* node = from; node != nullptr; node = pending.queue.Next(node)) {
    if (Owner(node).info.si_signo == signal) {
      return node;
    }
  }
  return nullptr;
}

void Free(PendingSignals& pending, QueuedSignal& queued) {
  queued.node.Unlink();
  --pending.queued_count;
  ArenaDelete(&queued);
}

int FirstSignal(uint64_t waiting) {
  const uint64_t urgent = waiting & kSynchronousSignals;
  return __builtin_ctzll(urgent != 0 ? urgent : waiting) + 1;
}

}  // namespace

int64_t Enqueue(PendingSignals& pending, const siginfo_t& info) {
  const int signal = info.si_signo;
  const bool is_realtime = signal >= kFirstRealtimeSignal;
  if (!is_realtime && IsIn(signal, pending.set)) {
    return 0;
  }
  QueuedSignal* queued = nullptr;
  if (!is_realtime || !IsFull(pending)) {
    queued = ArenaNew<QueuedSignal>();
  }
  if (queued != nullptr) {
    queued->info = info;
    pending.queue.PushBack(queued->node);
    ++pending.queued_count;
  } else if (is_realtime && info.si_code != SI_USER) {
    return -EAGAIN;  // kill(2) never fails for this: it loses the siginfo
  }
  pending.set |= SignalBit(signal);
  return 0;
}

bool TakeFrom(PendingSignals& pending, uint64_t set, siginfo_t* out) {
  const uint64_t waiting = pending.set & set;
  if (waiting == 0) {
    return false;
  }
  const int signal = FirstSignal(waiting);
  ListNode* const node = FindFirst(pending, signal, pending.queue.first());
  if (node == nullptr) {
    *out = siginfo_t{};
    out->si_signo = signal;
    pending.set &= ~SignalBit(signal);
    return true;
  }
  const bool has_more =
      signal >= kFirstRealtimeSignal && FindFirst(pending, signal, pending.queue.Next(node)) != nullptr;
  if (!has_more) {
    pending.set &= ~SignalBit(signal);
  }
  *out = Owner(node).info;
  Free(pending, Owner(node));
  return true;
}

void DropFrom(PendingSignals& pending, uint64_t set) {
  if ((pending.set & set) == 0) {
    return;
  }
  pending.set &= ~set;
  ListNode* next = nullptr;
  for (ListNode* node = pending.queue.first(); node != nullptr; node = next) {
    next = pending.queue.Next(node);
    if (IsIn(Owner(node).info.si_signo, set)) {
      Free(pending, Owner(node));
    }
  }
}

void ClearPending(PendingSignals& pending) { DropFrom(pending, ~0ULL); }

siginfo_t* FindQueuedTimer(PendingSignals& pending, int signal, int timer_id) {
  ListNode* node = FindFirst(pending, signal, pending.queue.first());
  while (node != nullptr) {
    siginfo_t& info = Owner(node).info;
    if (info.si_code == SI_TIMER && info.si_timerid == timer_id) {
      return &info;
    }
    node = FindFirst(pending, signal, pending.queue.Next(node));
  }
  return nullptr;
}

}  // namespace junction
