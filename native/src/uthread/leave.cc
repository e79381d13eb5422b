// SPDX-License-Identifier: Apache-2.0
// The slow way out of the kernel: when the attention word is not zero (entry.S looks at it before it goes to guest code).
#include "uthread/leave.h"

#include <sys/syscall.h>

#include <csignal>
#include <ctime>

#include "uthread/clock.h"
#include "uthread/host_call.h"
#include "uthread/kernel_lock.h"
#include "uthread/kick.h"
#include "uthread/vector_state.h"

extern "C" void junction_leave_slow();

namespace junction {
namespace {

// A uthread runs this long while others wait. A tick costs 2 us, 20 where the VM's timer exits (FACTS.md).
constexpr uint64_t kQuantum_ns = 5'000'000;
constexpr uint64_t kShortestTick_ns = 50'000;
// With a core to spare waiting uthreads go there after one such tick: short against what it delays, long against a switch.
constexpr uint64_t kSpreadTick_ns = 200'000;

// struct sigevent as the host reads it, with the thread to signal.
struct HostSigevent {
  uint64_t value;
  int32_t signal;
  int32_t notify;
  int32_t thread_id;
  int32_t padding[11];
};
static_assert(sizeof(HostSigevent) == 64);
constexpr int32_t kSigevThreadId = 4;

bool MakeTickTimer(Kthread& kthread) {
  HostSigevent event = {};
  event.signal = kKickSignal;
  event.notify = kSigevThreadId;
  event.thread_id = kthread.host_tid;
  int32_t id = -1;
  if (HostCall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id) != 0) {
    return false;
  }
  kthread.tick_timer = id;
  return true;
}

// The oldest ready uthread was there at the tick before this one.
bool HasWaitedForATick(const UthreadGroup& group) {
  const ListNode* const oldest = group.run_queue.first();
  return oldest != nullptr &&
         JUNCTION_OWNER(const_cast<ListNode*>(oldest), Uthread, run_node)->ready_at_tick != group.ticks;
}

// For the NIC's sake alone a short one pays only if somebody can be woken who sees to it from then on.
uint64_t Quantum_ns(const UthreadGroup& group) {
  const bool is_for_uthreads = group.ready_count != 0 || g_uthread_hooks.has_host_waiters();
  return (is_for_uthreads ? CanSpreadOut(group) : HasParkedKthread(group)) ? kSpreadTick_ns : kQuantum_ns;
}

// Guest code has run for a whole tick while nobody slept for the NIC: one who has nothing to do can, so that no more ticks are needed.
void SeeToNet(UthreadGroup& group) {
  NetKeeper& net = Arena().net;
  if (!net.exists()) {
    return;
  }
  g_uthread_hooks.poll_net();
  if (net.keeper == nullptr) {
    WakeToKeepNet(group);
  }
}

void LoadOwnState(Kthread& kthread) {
  if (kthread.state_owner != kthread.current) {
    LoadMachineState(*kthread.current);
  }
}

}  // namespace

void ArmTick(Kthread& kthread) {
  UthreadGroup& group = *kthread.group;
  if (!NeedsTick(group)) {
    return;
  }
  const uint64_t now_ns = MonotonicNow_ns();
  uint64_t deadline_ns = group.timers.NextDeadline_ns();
  const NetKeeper& net = Arena().net;
  const uint64_t quantum_ns = Quantum_ns(group);
  if (deadline_ns > now_ns + quantum_ns &&
      (group.ready_count != 0 || g_uthread_hooks.has_host_waiters() || net.needs_tick())) {
    deadline_ns = now_ns + quantum_ns;
  }
  if (deadline_ns < now_ns + kShortestTick_ns) {
    deadline_ns = now_ns + kShortestTick_ns;
  }
  if (kthread.tick_deadline_ns <= deadline_ns) {
    kthread.tick_ends_quantum = group.ready_count != 0;
    return;
  }
  if (kthread.tick_timer < 0 && !MakeTickTimer(kthread)) {
    return;  // no timer to be had: uthreads still take turns at their calls
  }
  constexpr uint64_t kSecond_ns = 1'000'000'000;
  const itimerspec when = {
      {0, 0}, {static_cast<time_t>(deadline_ns / kSecond_ns), static_cast<long>(deadline_ns % kSecond_ns)}};
  kthread.tick_deadline_ns = deadline_ns;
  kthread.tick_ends_quantum = group.ready_count != 0;
  HostCall(SYS_timer_settime, kthread.tick_timer, TIMER_ABSTIME, &when, nullptr);
}

}  // namespace junction

void junction_leave_slow() {
  using namespace junction;
  if (CurrentKthread()->attention.load(std::memory_order_relaxed) == kAttentionState) {
    // After a switch, the most frequent case by far. This bit and these registers are the kthread's own affair: no lock.
    CurrentKthread()->attention.fetch_and(~kAttentionState, std::memory_order_relaxed);
    LoadOwnState(*CurrentKthread());
    return;
  }
  LockKernel();
  uint32_t attention = CurrentKthread()->attention.exchange(0, std::memory_order_acquire);
  if ((attention & kAttentionHostSignal) != 0) {
    // Now: after a Yield this may be another kthread.
    g_uthread_hooks.take_host_signals(*CurrentKthread());
    attention |= kAttentionInterrupt;
  }
  if ((attention & kAttentionRequest) != 0) {
    g_uthread_hooks.serve_requests(*CurrentKthread(), false);
  }
  if ((attention & kAttentionTick) != 0) {
    Kthread& kthread = *CurrentKthread();
    kthread.tick_deadline_ns = kNever;
    kthread.tick_ends_quantum = false;
    UthreadGroup& group = *kthread.group;
    group.timers.RunDue(MonotonicNow_ns());
    if (HasWaitedForATick(group) && CanSpreadOut(group)) {
      SpreadOut(group);
    }
    ++group.ticks;
    Count(&ControlIdle::ticks);
    SeeToNet(group);
    if (g_uthread_hooks.has_host_waiters()) {
      const KernelUnlockGuard unlocked;
      g_uthread_hooks.poll_host(0);
    }
    Yield();
  }
  if ((attention & kAttentionInterrupt) != 0 || CurrentUthread()->interrupt_pending) {
    g_uthread_hooks.handle_attention(kAttentionInterrupt);
  }
  Kthread& kthread = *CurrentKthread();
  ArmTick(kthread);
  UnlockKernel();
  LoadOwnState(kthread);
}
