// SPDX-License-Identifier: Apache-2.0
// Switching between uthreads. Hot path: no host call unless another kthread must be woken.
#include "uthread/uthread.h"

#include "uthread/arena.h"
#include "uthread/kick.h"

extern "C" {
void junction_switch(uint64_t* save_rsp, uint64_t load_rsp);
void junction_uthread_start();
void junction_first_switch();
}

namespace junction {

UthreadHooks g_uthread_hooks;

namespace {

constexpr uint64_t kStackCanary = 0x6b6e617261636b73ULL;
constexpr uint32_t kSwitchesPerPoll = 32;
constexpr uint32_t kSwitchesPerNetPoll = 8;

uint64_t* CanaryOf(Uthread& uthread) {
  return reinterpret_cast<uint64_t*>(uthread.slot() + kUthreadObjectMax_bytes + kXsaveMax_bytes);
}

void WakeByTimer(Timer& timer) { MakeReady(*static_cast<Uthread*>(timer.context), WakeReason::kTimedOut); }

void PushReady(Uthread& uthread) {
  uthread.state = UthreadState::kReady;
  uthread.ready_at_tick = uthread.group->ticks;
  uthread.group->run_queue.PushBack(uthread.run_node);
  ++uthread.group->ready_count;
}

// The first thing on a stack that was switched to: the lock is held, `current` is set.
void FinishSwitch() {
  Kthread& kthread = *CurrentKthread();
  if (kthread.dead != nullptr) {
    Uthread& dead = *kthread.dead;
    kthread.dead = nullptr;
    g_uthread_hooks.uthread_is_gone(dead);
  }
  Uthread& current = *kthread.current;
  uint32_t attention = 0;
  if (kthread.state_owner != &current) {
    attention |= kAttentionState;
  }
  if (current.interrupt_pending) {
    attention |= kAttentionInterrupt;
  }
  if (MustArmTick(kthread)) {
    attention |= kAttentionArm;
  }
  if (attention != 0) {
    kthread.attention.fetch_or(attention, std::memory_order_relaxed);
  }
}

void RunInsteadOf(Kthread& kthread, Uthread& from, Uthread* next) {
  ++kthread.switches;
  if (kthread.group->kthread_count > 1) {
    SaveMachineState();  // another kthread may take `from` up
  }
  KERNEL_CHECK(*CanaryOf(from) == kStackCanary);
  if (next != nullptr) {
    next->state = UthreadState::kRunning;
    next->kthread = &kthread;
    kthread.current = next;
    junction_switch(&from.saved_kernel_rsp, next->saved_kernel_rsp);
  } else {
    kthread.current = nullptr;
    junction_switch(&from.saved_kernel_rsp, kthread.idle_rsp);
  }
}

// Uthreads that are always ready must not starve those that wait for the host. Only with a single kthread: another one could take the
// current uthread up while we still are on its stack, and there is one that polls when it is idle, or a tick.
void PollHostNowAndThen(Kthread& kthread) {
  if (kthread.group->kthread_count == 1 && kthread.polls_due_in-- == 0) {
    kthread.polls_due_in = kSwitchesPerPoll;
    if (g_uthread_hooks.has_host_waiters()) {
      const KernelUnlockGuard unlocked;
      g_uthread_hooks.poll_host(0);
    }
  }
}

// While others are ready nobody comes to the idle loop, which would look at the NIC.
void PollNetNowAndThen(Kthread& kthread) {
  if (Arena().net.exists() && kthread.net_polls_due_in-- == 0) {
    kthread.net_polls_due_in = kSwitchesPerNetPoll;
    g_uthread_hooks.poll_net();
  }
}

// The current uthread is blocked, or ready and queued.
void SwitchAway() {
  Kthread& kthread = *CurrentKthread();
  Uthread& from = *kthread.current;
  PollHostNowAndThen(kthread);
  PollNetNowAndThen(kthread);
  Uthread* const next = TakeReady(*kthread.group);
  if (next == &from) {
    from.state = UthreadState::kRunning;
    return;
  }
  RunInsteadOf(kthread, from, next);
  FinishSwitch();
}

}  // namespace

Uthread* TakeReady(UthreadGroup& group) {
  ListNode* const node = group.run_queue.PopFront();
  if (node == nullptr) {
    return nullptr;
  }
  --group.ready_count;
  return JUNCTION_OWNER(node, Uthread, run_node);
}

WakeReason Park(uint64_t deadline_ns, bool is_interruptible) {
  Uthread& self = *CurrentUthread();
  if (is_interruptible && self.interrupt_pending) {
    return WakeReason::kInterrupted;
  }
  UthreadGroup& group = *self.group;
  self.is_interruptible = is_interruptible;
  if (deadline_ns != kNever) {
    self.park_timer.fire = &WakeByTimer;
    self.park_timer.context = &self;
    group.timers.Arm(self.park_timer, deadline_ns);
  }
  self.state = UthreadState::kBlocked;
  SwitchAway();
  group.timers.Cancel(self.park_timer);
  return self.wake_reason;
}

void Yield() {
  Uthread& self = *CurrentUthread();
  if (self.group->ready_count == 0) {
    return;
  }
  PushReady(self);
  SwitchAway();
}

void MakeReady(Uthread& uthread, WakeReason reason) {
  if (uthread.state != UthreadState::kBlocked && uthread.state != UthreadState::kNew) {
    return;
  }
  uthread.wake_reason = reason;
  PushReady(uthread);
  UthreadGroup& group = *uthread.group;
  Kthread& self = *CurrentKthread();
  Arena().net.NoteWoken(group, *self.group);
  if (self.group == &group) {
    // We may well park in a moment and run it right here, 50 times cheaper than on another core. If not, the tick sees it. The idle loop
    // takes it up at once.
    if (self.current != nullptr && MustArmTick(self)) {
      self.attention.fetch_or(kAttentionArm, std::memory_order_relaxed);
    }
    return;
  }
  Kthread* running = nullptr;
  for (ListNode* node = group.kthreads.first(); node != nullptr; node = group.kthreads.Next(node)) {
    auto& kthread = *JUNCTION_OWNER(node, Kthread, group_node);
    if (kthread.is_parked) {
      kthread.is_parked = false;
      WakeLater(kthread);
      return;
    }
    if (kthread.current != nullptr) {
      running = &kthread;
    }
  }
  // All run something: the quantum has to end at some time. A timer that is armed may be for a deadline far away.
  if (running != nullptr && MustArmTick(*running) &&
      (running->attention.fetch_or(kAttentionArm, std::memory_order_relaxed) & kAttentionArm) == 0) {
    // Even if it is in the kernel: it may have looked at the attention word for the last time.
    WakeLater(*running);
  }
}

void Interrupt(Uthread& uthread) {
  if (uthread.state == UthreadState::kBlocked && uthread.is_interruptible) {
    MakeReady(uthread, WakeReason::kInterrupted);
  } else if (uthread.state == UthreadState::kRunning) {
    Kthread& kthread = *uthread.kthread;
    kthread.attention.fetch_or(kAttentionInterrupt, std::memory_order_relaxed);
    if (&kthread != CurrentKthread()) {
      WakeLater(kthread);
    }
  }
}

void ExitUthread() {
  Kthread& kthread = *CurrentKthread();
  Uthread& self = *kthread.current;
  UthreadGroup& group = *self.group;
  group.timers.Cancel(self.park_timer);
  self.group_node.Unlink();
  --group.uthread_count;
  self.state = UthreadState::kDead;
  if (kthread.state_owner == &self) {
    kthread.state_owner = nullptr;
  }
  kthread.dead = &self;
  RunInsteadOf(kthread, self, TakeReady(group));
  KernelPanic("a dead uthread ran");
}

void* AllocateUthreadSlot() {
  void* const memory = ArenaAllocate(kUthreadSlotSize_bytes);
  if (memory == nullptr) {
    return nullptr;
  }
  auto& uthread = *static_cast<Uthread*>(memory);
  char* const top = uthread.slot() + kUthreadSlotSize_bytes;
  uthread.kernel_stack_top = reinterpret_cast<uint64_t>(top);
  *CanaryOf(uthread) = kStackCanary;
  // As junction_switch leaves a stack: six registers, then where it returns to.
  auto* words = reinterpret_cast<uint64_t*>(top) - 8;
  words[6] = reinterpret_cast<uint64_t>(&junction_uthread_start);
  uthread.saved_kernel_rsp = reinterpret_cast<uint64_t>(words);
  uthread.state = UthreadState::kNew;
  return memory;
}

void FreeUthreadSlot(Uthread& uthread) { ArenaFree(uthread.slot(), kUthreadSlotSize_bytes); }

void AddUthread(UthreadGroup& group, Uthread& uthread) {
  uthread.group = &group;
  group.uthreads.PushBack(uthread.group_node);
  ++group.uthread_count;
}

}  // namespace junction

// The first act of a new uthread: the switch's other half, then the way out (entry.S).
void junction_first_switch() {
  junction::FinishSwitch();
  junction::UnlockKernel();
}
