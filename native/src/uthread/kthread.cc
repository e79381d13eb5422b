// SPDX-License-Identifier: Apache-2.0
// Host threads: how they begin, what they do when no uthread is ready, how they are woken.
#include <asm/prctl.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>
#include <ctime>

#include "nic/nic_layout.h"
#include "uthread/arena.h"
#include "uthread/clock.h"
#include "uthread/host_call.h"
#include "uthread/kick.h"
#include "uthread/leave.h"
#include "uthread/uthread.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif
#ifndef PR_SYS_DISPATCH_ON
#define PR_SYS_DISPATCH_ON 1
#endif

extern "C" void junction_switch(uint64_t* save_rsp, uint64_t load_rsp);

namespace junction {
namespace {

// One arena block: the object, the idle context's stack, the stack of host signal handlers (an AVX-512 frame takes 4 KiB).
constexpr size_t kKthreadBlock_bytes = 32768;
constexpr size_t kIdleStackEnd = 16384;

static_assert(sizeof(Kthread) <= 2048);

constexpr uint64_t kSecond_ns = 1'000'000'000;

timespec ToTimespec(uint64_t duration_ns) {
  return {static_cast<time_t>(duration_ns / kSecond_ns), static_cast<long>(duration_ns % kSecond_ns)};
}

bool HasNews(const Kthread& kthread) {
  return (kthread.attention.load(std::memory_order_relaxed) &
          (kAttentionHostSignal | kAttentionTick | kAttentionRequest)) != 0;
}

bool WasWoken(const Kthread& kthread) {
  return kthread.park_word.load(std::memory_order_acquire) != 0 || HasNews(kthread);
}

// Both ends of a link on one CPU wait for each other's time slice: whoever spins keeps the other from answering. A wake-up tends to put the
// sleeper where the waker runs, so it leaves, if there is another CPU: to all the others for a moment, which moves it, then to wherever.
// Not more often than the host itself balances its CPUs.
constexpr uint64_t kStay_ns = 4'000'000;
void LeaveCpuOfPeer(NetKeeper& net) {
  if (!net.shares_cpu() || !g_uthread_hooks.has_net_news()) {
    return;
  }
  const uint32_t shared = OwnCpu();
  const uint64_t now_ns = MonotonicNow_ns();
  if (now_ns - net.moved_at_ns < kStay_ns) {
    return;
  }
  net.moved_at_ns = now_ns;
  uint64_t all[kMostCpus / 64] = {};
  if (HostCall(SYS_sched_getaffinity, 0, sizeof(all), all) < 0) {
    return;
  }
  uint64_t others[kMostCpus / 64];
  uint64_t any = 0;
  for (uint32_t i = 0; i < kMostCpus / 64; ++i) {
    others[i] = i == shared / 64 ? all[i] & ~(1ULL << (shared % 64)) : all[i];
    any |= others[i];
  }
  if (any != 0 && HostCall(SYS_sched_setaffinity, 0, sizeof(others), others) == 0) {
    HostCall(SYS_sched_setaffinity, 0, sizeof(all), all);
    net.has_moved = true;
  }
}

// Sleeps so that peers of the NIC can wake it too. Who wakes us sets park_word or the attention word before it touches the doorbell, and our
// own signal handlers disarm it: so nothing comes between the look and the sleep.
void ParkOnDoorbell(Kthread& kthread, uint64_t timeout_ns, const timespec* timeout) {
  NetKeeper& net = Arena().net;
  const auto has_cause = [&kthread]() { return WasWoken(kthread) || g_uthread_hooks.has_net_news(); };
  bool is_done = false;
  if (kthread.parks_in_poller) {
    ArmDoorbell(net, true);
    is_done = has_cause() || g_uthread_hooks.poll_host(timeout_ns);
  }
  if (!is_done) {
    ArmDoorbell(net, false);
    if (!has_cause()) {
      HostCall(SYS_futex, net.doorbell, FUTEX_WAIT, kInFutex, timeout);
    }
  }
  DisarmDoorbell(net);
  LeaveCpuOfPeer(net);
}

// Host wait until somebody wakes this kthread or the nearest timer is due. Kernel lock not held.
void ParkOnHost(Kthread& kthread, uint64_t deadline_ns) {
  ++kthread.parks;
  Count(&ControlIdle::parks);
  uint64_t timeout_ns = kNever;
  if (deadline_ns != kNever) {
    const uint64_t now_ns = MonotonicNow_ns();
    if (now_ns >= deadline_ns) {
      return;
    }
    timeout_ns = deadline_ns - now_ns;
  }
  const timespec timeout = ToTimespec(timeout_ns);
  const timespec* const limit = timeout_ns == kNever ? nullptr : &timeout;
  if (kthread.keeps_net.load(std::memory_order_relaxed) != 0) {
    ParkOnDoorbell(kthread, timeout_ns, limit);
    return;
  }
  if (kthread.parks_in_poller && g_uthread_hooks.poll_host(timeout_ns)) {
    return;
  }
  HostCall(SYS_futex, &kthread.park_word, FUTEX_WAIT, 0, limit);
}

// A wake-up on another core takes 3 to 50 us (FACTS.md), a look at a word that the other core writes a tenth of one. So where the instance
// has a second core a kthread looks for a while before it parks, as long as that mostly pays: after n vain spins in a row the next 2^n
// waits park at once. An idle instance, or two uProcs that the host runs on one core, so lose one spin in a thousand waits.
constexpr uint64_t kSpin_ns = 20'000;
constexpr uint32_t kMostVainSpins = 10;
constexpr uint32_t kLooksPerClock = 16;
constexpr uint32_t kFirstSpin = 16;  // waits; most short-lived processes never get there

// Kernel lock held.
bool MaySpin(Kthread& kthread) {
  if (kthread.keeps_net.load(std::memory_order_relaxed) != 0) {
    // Even with one core: the frames come from another one. net_keeper.h has the reasons for and against.
    const NetKeeper& net = Arena().net;
    return net.spin_ns != 0 && net.predictor.ShouldSpin() && !net.shares_cpu() && MonotonicNow_ns() < net.SpinEnd_ns();
  }
  if (kthread.group->kthread_limit < 2 || kthread.parks_in_poller) {
    return false;
  }
  if (kthread.waits_until_spin != 0) {
    --kthread.waits_until_spin;
    return false;
  }
  return true;
}

enum class SpinResult : uint8_t {
  kHit,  // there is something to do
  kVain,
  kContended,  // vain, and the host gave the CPU to somebody else meanwhile
  kOwnTimer,   // a timer of the instance's own came first, which says nothing of frames
};

// Between two looks at the clock pass a few hundred nanoseconds, unless the host runs somebody else.
constexpr uint64_t kDescheduled_ns = 100'000;

// Until when a spin that MaySpin allows may go on. Kernel lock held.
uint64_t SpinEnd_ns(const Kthread& kthread) {
  return kthread.keeps_net.load(std::memory_order_relaxed) != 0 ? Arena().net.SpinEnd_ns()
                                                                : MonotonicNow_ns() + kSpin_ns;
}

// Not a hit: the kthread has to park. Kernel lock not held.
SpinResult Spin(Kthread& kthread, uint64_t latest_ns, uint64_t deadline_ns) {
  const bool keeps_net = kthread.keeps_net.load(std::memory_order_relaxed) != 0;
  uint64_t now_ns = MonotonicNow_ns();
  const uint64_t end_ns = deadline_ns < latest_ns ? deadline_ns : latest_ns;
  bool has_news = false;
  bool is_contended = false;
  do {
    for (uint32_t i = 0; i < kLooksPerClock && !has_news; ++i) {
      __builtin_ia32_pause();
      has_news = WasWoken(kthread) || (keeps_net && g_uthread_hooks.has_net_news());
    }
    const uint64_t before_ns = now_ns;
    now_ns = MonotonicNow_ns();
    is_contended = now_ns - before_ns > kDescheduled_ns;
  } while (!has_news && !is_contended && now_ns < end_ns);
  // Sequentially consistent, as WakeLater's accesses: either it sees the 0 and wakes us, or we see its park_word and do not park.
  kthread.is_spinning.store(0, std::memory_order_seq_cst);
  return has_news                  ? SpinResult::kHit
         : is_contended            ? SpinResult::kContended
         : deadline_ns < latest_ns ? SpinResult::kOwnTimer
                                   : SpinResult::kVain;
}

// Kernel lock held.
void LearnFromSpin(Kthread& kthread, SpinResult result) {
  const bool was_hit = result == SpinResult::kHit;
  if (kthread.keeps_net.load(std::memory_order_relaxed) != 0) {
    SpinPredictor& predictor = Arena().net.predictor;
    if (was_hit) {
      predictor.Hit(MonotonicNow_ns() - Arena().net.last_frames_ns);
    } else if (result == SpinResult::kContended) {
      predictor.Contended();
    } else if (result == SpinResult::kVain) {
      predictor.Vain();
    }
    Count(&ControlIdle::spins);
    Count(&ControlIdle::spin_hits, was_hit ? 1 : 0);
    return;
  }
  if (was_hit) {
    kthread.vain_spins = 0;
  } else if (kthread.vain_spins < kMostVainSpins) {
    ++kthread.vain_spins;
  }
  kthread.waits_until_spin = was_hit ? 0 : 1U << kthread.vain_spins;
}

// One parked kthread of a group wakes for its timers; the others sleep on.
uint64_t DeadlineToKeep(Kthread& kthread) {
  UthreadGroup& group = *kthread.group;
  const uint64_t deadline_ns = group.timers.NextDeadline_ns();
  if (group.timer_keeper != nullptr && group.keeper_deadline_ns <= deadline_ns) {
    return kNever;
  }
  group.timer_keeper = &kthread;
  group.keeper_deadline_ns = deadline_ns;
  return deadline_ns;
}

// What the kthread is to see to for all others while it sleeps. Returns until when it may. Kernel lock held.
uint64_t TakeRoles(Kthread& kthread) {
  NetKeeper& net = Arena().net;
  const uint64_t deadline_ns = DeadlineToKeep(kthread);
  const uint64_t net_deadline_ns = TakeNetTimers(net, kthread);
  const bool keeps_net = TakeKeeping(net, kthread);
  if (kthread.parks_in_poller && net.exists()) {
    g_uthread_hooks.watch_net(keeps_net);
  }
  return net_deadline_ns < deadline_ns ? net_deadline_ns : deadline_ns;
}

// Kernel lock held.
void GiveUpRoles(Kthread& kthread) {
  StopKeeping(Arena().net, kthread);
  if (kthread.group->timer_keeper == &kthread) {
    kthread.group->timer_keeper = nullptr;
  }
}

// Kernel lock held on entry and return.
void Idle(Kthread& kthread) {
  kthread.parks_in_poller = g_uthread_hooks.has_host_waiters();
  kthread.park_word.store(0, std::memory_order_relaxed);
  kthread.is_parked = true;
  const uint64_t deadline_ns = TakeRoles(kthread);
  // A signal that came before park_word was cleared has left its mark here.
  const bool has_news = HasNews(kthread);
  const bool spins = !has_news && MaySpin(kthread);
  const uint64_t spin_end_ns = spins ? SpinEnd_ns(kthread) : 0;
  kthread.is_spinning.store(spins ? 1 : 0, std::memory_order_relaxed);
  UnlockKernel();
  const SpinResult spin = spins ? Spin(kthread, spin_end_ns, deadline_ns) : SpinResult::kVain;
  const bool parks = !has_news && spin != SpinResult::kHit && spin != SpinResult::kOwnTimer;
  if (parks) {
    ParkOnHost(kthread, deadline_ns);
  }
  LockKernel();
  kthread.is_parked = false;
  if (spins) {
    LearnFromSpin(kthread, spin);
  }
  if (parks && kthread.keeps_net.load(std::memory_order_relaxed) != 0) {
    Arena().net.has_slept = true;
  }
  GiveUpRoles(kthread);
}

void NoticeAttention(Kthread& kthread) {
  const uint32_t attention = kthread.attention.load(std::memory_order_relaxed);
  if (attention == 0) {
    return;
  }
  kthread.attention.fetch_and(~(kAttentionTick | kAttentionHostSignal | kAttentionRequest), std::memory_order_acquire);
  if ((attention & kAttentionTick) != 0) {
    kthread.tick_deadline_ns = kNever;
    kthread.tick_ends_quantum = false;
  }
  if ((attention & kAttentionHostSignal) != 0) {
    g_uthread_hooks.take_host_signals(kthread);
  }
  if ((attention & kAttentionRequest) != 0) {
    g_uthread_hooks.serve_requests(kthread, false);
  }
}

void FreeDead(Kthread& kthread) {
  if (kthread.dead != nullptr) {
    Uthread& dead = *kthread.dead;
    kthread.dead = nullptr;
    g_uthread_hooks.uthread_is_gone(dead);
  }
}

void SetHostMask(uint64_t mask) { HostCall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, nullptr, sizeof(mask)); }

// No signal may come any more: its handler would run in memory that is somebody else's. What has come goes to the others.
// Kernel lock held.
[[noreturn]] void LeaveHost(Kthread& kthread) {
  SetHostMask(~0ULL);
  NoticeAttention(kthread);
  UnlockKernel();
  junction_host_exit_thread(&kthread.is_on_host);
  __builtin_unreachable();
}

void StartOnHost(void* argument) {
  auto& kthread = *static_cast<Kthread*>(argument);
  KERNEL_CHECK(AttachKthread(kthread) == 0);
  SetHostMask(0);
  RunKthread(kthread);
}

// Host signals wait until the new thread has a GS base of its own: a handler would take it for the kthread that made it.
void StartKthread(UthreadGroup& group) {
  constexpr uint64_t kThreadFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
  // From now on registers may not wait in a machine for their uthread: another kthread could take it up.
  SaveMachineState();
  Kthread* const kthread = AllocateKthread(group);
  SetHostMask(~0ULL);
  if (kthread != nullptr &&
      IsHostError(junction_host_fork(kThreadFlags, IdleStackTop(*kthread), &StartOnHost, kthread))) {
    FreeKthread(*kthread);
  }
  SetHostMask(0);
  CurrentKthread()->attention.fetch_or(kAttentionState, std::memory_order_relaxed);
}

Kthread* FindParked(const UthreadGroup& group) {
  for (ListNode* node = group.kthreads.first(); node != nullptr; node = group.kthreads.Next(node)) {
    auto* const kthread = JUNCTION_OWNER(node, Kthread, group_node);
    if (kthread->is_parked) {
      return kthread;
    }
  }
  return nullptr;
}

}  // namespace

bool HasParkedKthread(const UthreadGroup& group) { return group.kthread_limit > 1 && FindParked(group) != nullptr; }

void WakeToKeepNet(UthreadGroup& group) {
  if (Kthread* const parked = group.kthread_limit > 1 ? FindParked(group) : nullptr; parked != nullptr) {
    parked->is_parked = false;
    WakeLater(*parked);
  }
}

bool CanSpreadOut(const UthreadGroup& group) {
  return group.kthread_limit > 1 && (group.kthread_count < group.kthread_limit || FindParked(group) != nullptr);
}

void SpreadOut(UthreadGroup& group) {
  if (Kthread* const parked = FindParked(group); parked != nullptr) {
    parked->is_parked = false;
    WakeLater(*parked);
  } else if (group.kthread_count < group.kthread_limit) {
    StartKthread(group);
  }
}

Kthread* AllocateKthread(UthreadGroup& group) {
  void* const memory = ArenaAllocate(kKthreadBlock_bytes);
  if (memory == nullptr) {
    return nullptr;
  }
  auto* const kthread = new (memory) Kthread{};
  Arena().has_company.store(Arena().has_first_kthread, std::memory_order_relaxed);
  Arena().has_first_kthread = 1;
  kthread->self = kthread;
  kthread->group = &group;
  kthread->memory = static_cast<char*>(memory);
  kthread->signal_stack = kthread->memory + kIdleStackEnd;
  kthread->tick_timer = -1;
  kthread->tick_deadline_ns = kNever;
  kthread->waits_until_spin = kFirstSpin;
  kthread->syscall_counter = &kthread->own_counter;
  kthread->in_kernel.store(1, std::memory_order_relaxed);
  kthread->is_on_host.store(1, std::memory_order_relaxed);
  group.kthreads.PushBack(kthread->group_node);
  ++group.kthread_count;
  return kthread;
}

void FreeKthread(Kthread& kthread) {
  kthread.group_node.Unlink();
  --kthread.group->kthread_count;
  ArenaFree(kthread.memory, kKthreadBlock_bytes);
}

void* IdleStackTop(Kthread& kthread) { return kthread.memory + kIdleStackEnd; }

int64_t AttachKthread(Kthread& kthread) {
  __asm__ volatile("wrgsbase %0" : : "r"(&kthread));
  kthread.host_pid = static_cast<int32_t>(HostCall(SYS_getpid));
  kthread.host_tid = static_cast<int32_t>(HostCall(SYS_gettid));
  stack_t stack = {};
  stack.ss_sp = kthread.signal_stack;
  stack.ss_size = kKthreadBlock_bytes - kIdleStackEnd;
  if (const int64_t error = HostCall(SYS_sigaltstack, &stack, nullptr); error != 0) {
    return error;
  }
  g_uthread_hooks.kthread_attached(kthread);
  // The range ends one byte late, as the host compares the address after the instruction.
  return HostCall(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, junction_host_text_begin,
                  junction_host_text_end + 1 - junction_host_text_begin, nullptr);
}

void RunKthread(Kthread& kthread) {
  LockKernel();
  while (true) {
    FreeDead(kthread);
    NoticeAttention(kthread);
    if (const Kthread* const last = kthread.group->last_kthread; last != nullptr && last != &kthread) {
      LeaveHost(kthread);
    }
    if (kthread.group->timers.root != nullptr) {
      kthread.group->timers.RunDue(MonotonicNow_ns());
    }
    if (Arena().net.exists()) {
      g_uthread_hooks.poll_net();
    }
    Uthread* const next = TakeReady(*kthread.group);
    if (next == nullptr) {
      g_uthread_hooks.serve_requests(kthread, true);
      if (kthread.group->run_queue.empty()) {
        Idle(kthread);
      }
      continue;
    }
    next->state = UthreadState::kRunning;
    next->kthread = &kthread;
    kthread.current = next;
    junction_switch(&kthread.idle_rsp, next->saved_kernel_rsp);
  }
}

void RetireOtherKthreads(UthreadGroup& group) {
  Kthread& self = *CurrentKthread();
  group.last_kthread = &self;
  while (group.kthread_count > 1) {
    for (ListNode* node = group.kthreads.first(); node != nullptr;) {
      auto& kthread = *JUNCTION_OWNER(node, Kthread, group_node);
      node = group.kthreads.Next(node);
      if (&kthread == &self) {
        continue;
      }
      if (kthread.is_on_host.load(std::memory_order_acquire) == 0) {
        FreeKthread(kthread);
      } else if (kthread.is_parked) {
        kthread.is_parked = false;
        WakeLater(kthread);
      }
    }
    const KernelUnlockGuard unlocked;
    HostCall(SYS_sched_yield);
  }
  group.last_kthread = nullptr;
}

void EnterKthread(Kthread& kthread) {
  __asm__ volatile(
      "mov %0, %%rsp\n\t"
      "xor %%ebp, %%ebp\n\t"
      "call *%1\n\t"
      "ud2"
      :
      : "r"(IdleStackTop(kthread)), "r"(&RunKthread), "D"(&kthread)
      : "memory");
  __builtin_unreachable();
}

void Kick(Kthread& kthread, uint32_t attention) {
  kthread.attention.fetch_or(attention, std::memory_order_release);
  kthread.park_word.store(1, std::memory_order_release);
  HostCall(SYS_tgkill, kthread.host_pid, kthread.host_tid, kKickSignal);
}

void WakeLater(Kthread& kthread) {
  Kthread& self = *CurrentKthread();
  kthread.park_word.store(1, std::memory_order_release);
  if (kthread.is_waking || &kthread == &self) {
    return;
  }
  if (kthread.is_spinning.load(std::memory_order_relaxed) != 0) {
    kthread.park_word.exchange(1, std::memory_order_seq_cst);
    if (kthread.is_spinning.load(std::memory_order_seq_cst) != 0) {
      return;
    }
  }
  if (self.wake_count == kMaxWakes) {
    HostCall(SYS_tgkill, kthread.host_pid, kthread.host_tid, kKickSignal);
    return;
  }
  kthread.is_waking = true;
  self.wake_list[self.wake_count++] = &kthread;
}

void TakeWakes(Kthread& self, WakeBatch& batch) {
  batch.count = self.wake_count;
  self.wake_count = 0;
  for (uint32_t i = 0; i < batch.count; ++i) {
    Kthread& kthread = *self.wake_list[i];
    kthread.is_waking = false;
    const bool needs_kick = kthread.parks_in_poller || kthread.current != nullptr;
    const bool keeps_net = kthread.keeps_net.load(std::memory_order_relaxed) != 0;
    std::atomic<uint32_t>* const word = keeps_net ? Arena().net.doorbell : &kthread.park_word;
    batch.wakes[i] = {needs_kick ? nullptr : word, kthread.host_pid, kthread.host_tid};
  }
  const uint32_t rings = self.rings.load(std::memory_order_relaxed);
  batch.ring_count = rings == 0 ? 0 : g_uthread_hooks.find_peer_events(rings, batch.ring_fds);
}

void MakeWakes(Kthread& self, const WakeBatch& batch) {
  const uint64_t one = 1;
  for (uint32_t i = 0; i < batch.ring_count; ++i) {
    HostCall(SYS_write, batch.ring_fds[i], &one, sizeof(one));  // to an eventfd: never blocks, as nobody adds more
  }
  self.rings.store(0, std::memory_order_release);
  for (uint32_t i = 0; i < batch.count; ++i) {
    const WakeBatch::Wake& wake = batch.wakes[i];
    if (wake.park_word == nullptr) {
      HostCall(SYS_tgkill, wake.host_pid, wake.host_tid, kKickSignal);
    } else {
      if (wake.park_word == Arena().net.doorbell) {
        // park_word is set; the exchange is a full barrier, so a keeper that arms the doorbell behind it sees that. Another keeper, if the
        // one meant has woken meanwhile, is woken in vain.
        wake.park_word->exchange(kAwake, std::memory_order_seq_cst);
      }
      HostCall(SYS_futex, wake.park_word, FUTEX_WAKE, 1);
    }
  }
}

}  // namespace junction
