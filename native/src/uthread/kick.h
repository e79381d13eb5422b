// SPDX-License-Identifier: Apache-2.0
// Getting another kthread's attention. Inside of the uthread layer.
#pragma once

#include "uthread/arena.h"
#include "uthread/uthread.h"

namespace junction {

/// The host signal by which a kthread is kicked out of guest code or the poller; its host timer sends it too.
inline constexpr int kKickSignal = 34;

/// Wakes `kthread` (parked or in guest code) once the kernel lock is released. Kernel lock held.
void WakeLater(Kthread& kthread);

/// True if the kthread's host timer is not armed, or too late, for what waits. Kernel lock held.
inline bool MustArmTick(const Kthread& kthread) {
  const UthreadGroup& group = *kthread.group;
  return (group.ready_count != 0 && !kthread.tick_ends_quantum) ||
         group.timers.NextDeadline_ns() < kthread.tick_deadline_ns ||
         (kthread.tick_deadline_ns == kNever && Arena().net.needs_tick());
}

/// The oldest ready uthread of `group`, or null. Kernel lock held.
Uthread* TakeReady(UthreadGroup& group);

/// Uthreads have waited for a whole tick: gets another kthread to run them, a parked one or, up to the limit, a new one. Kernel lock held.
void SpreadOut(UthreadGroup& group);

/// A parked kthread of the group, woken so that it sees to the NIC while the others run guest code; none if all run. Kernel lock held.
void WakeToKeepNet(UthreadGroup& group);
bool HasParkedKthread(const UthreadGroup& group);

/// True if guest code must not run without end: others are ready, wait for a time, or wait for the host or the NIC, which only ticks ask
/// then. Kernel lock held.
inline bool NeedsTick(const UthreadGroup& group) {
  return group.ready_count != 0 || group.timers.root != nullptr || g_uthread_hooks.has_host_waiters() ||
         Arena().net.needs_tick();
}

/// True if uthreads that wait could run elsewhere. Kernel lock held.
bool CanSpreadOut(const UthreadGroup& group);

/// Wake-ups to make, with all that they need: once the lock is free, the kthreads may end and their memory be another's.
struct WakeBatch {
  struct Wake {
    std::atomic<uint32_t>* park_word;  // null: to be kicked
    int32_t host_pid;
    int32_t host_tid;
  };
  uint32_t count;
  Wake wakes[kMaxWakes];
};

/// Empties the kthread's wake_list. One that it names sleeps or runs as of now; if that changes before the wake-up is made, it has
/// seen what this lock holder did. Kernel lock held.
void TakeWakes(Kthread& self, WakeBatch& batch);
/// Kernel lock not held.
void MakeWakes(const WakeBatch& batch);

}  // namespace junction
