// SPDX-License-Identifier: Apache-2.0
// User-level threads (uthreads) on host threads (kthreads). Read first: uthread/README.md.
//
// A uthread slot, kUthreadSlotSize_bytes in the arena, aligned to its size:
//
//   slot  +----------------------------+
//         | Uthread (kernel layer's    |  registers at the kernel's door, state, waits
//         |  GuestThread) up to 2 KiB  |
//         +----------------------------+
//         | vector state, kXsaveMax    |  xsavec format; valid while has_vector_state
//         +----------------------------+
//         | kernel stack, grows down   |  canary in its lowest word
//         +----------------------------+ slot + kUthreadSlotSize_bytes
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/list.h"
#include "uthread/panic.h"
#include "base/timer.h"
#include "uthread/uthread_layout.h"
#include "uthread/wait_queue.h"

namespace junction {

inline constexpr size_t kUthreadSlotSize_bytes = 16384;
inline constexpr size_t kUthreadObjectMax_bytes = 2048;
inline constexpr size_t kXsaveMax_bytes = 4096 - kUthreadObjectMax_bytes + 1024;  // AVX-512 takes 2696 in standard form

/// Guest registers as of its entry into the kernel.
struct GuestFrame {
  uint64_t rax;  // syscall: its result
  uint64_t rdi, rsi, rdx, r10, r8, r9;
  uint64_t rcx, r11;
  uint64_t rbx, rbp, r12, r13, r14, r15;
  uint64_t rip, rsp, rflags;

  /// Syscall argument `index` (0 to 5) as the guest gave it.
  uint64_t arg(int index) const { return (&rdi)[index]; }
};

enum class UthreadState : uint8_t {
  kNew,      // never ran; -> kReady
  kReady,    // in its group's run queue
  kRunning,  // on a kthread, in guest or kernel code
  kBlocked,  // in Park; woken by a waiter, its timer or Interrupt -> kReady
  kDead,     // its slot is given back once it is off its stack
};

enum class WakeReason : uint8_t {
  kWoken,        // by a wait queue or MakeReady: look at the condition again
  kTimedOut,     // the deadline has passed
  kInterrupted,  // a signal is to be delivered, or the uthread is to end: leave the call with -EINTR (or a restart code)
};

struct Kthread;
struct UthreadGroup;

/// First member of the kernel layer's GuestThread. All fields under the kernel lock unless said otherwise.
struct Uthread {
  // --- read by assembly: uthread_layout.h
  uint64_t kernel_stack_top;
  GuestFrame frame;           // owner kthread only
  uint64_t syscall_number;    // of the call in flight
  uint64_t saved_kernel_rsp;  // while it does not run
  uint32_t
      has_full_frame;  // 1: leave by iretq with all registers (after an interrupt, a signal, rt_sigreturn); 0: after a syscall
  uint32_t reserved0;

  // --- the rest
  uint64_t fs_base;
  bool has_vector_state;  // vector_state() is valid; else vector registers are as after execve (initial)
  UthreadState state;
  bool is_interruptible;  // of the present Park
  // A signal is deliverable or the thread must end: Park returns kInterrupted at once, and leaving the kernel handles it. Set by the
  // kernel layer.
  bool interrupt_pending;
  WakeReason wake_reason;
  UthreadGroup* group;
  Kthread* kthread;  // while kRunning
  ListNode run_node;
  ListNode group_node;
  Timer park_timer;
  uint32_t ready_at_tick;  // UthreadGroup::ticks when it became ready

  char* slot() { return reinterpret_cast<char*>(this); }
  void* vector_state() { return slot() + kUthreadObjectMax_bytes; }
};

static_assert(offsetof(Uthread, kernel_stack_top) == UT_STACK_TOP);
static_assert(offsetof(Uthread, frame) == UT_FRAME);
static_assert(offsetof(Uthread, frame.rip) == UT_RIP);
static_assert(offsetof(Uthread, frame.rsp) == UT_RSP);
static_assert(offsetof(Uthread, frame.rflags) == UT_RFLAGS);
static_assert(offsetof(Uthread, frame.rbx) == UT_RBX);
static_assert(offsetof(Uthread, frame.r15) == UT_R15);
static_assert(offsetof(Uthread, syscall_number) == UT_NUMBER);
static_assert(offsetof(Uthread, saved_kernel_rsp) == UT_KERNEL_RSP);
static_assert(offsetof(Uthread, has_full_frame) == UT_FULL_FRAME);

/// The uthreads of one uProc and the kthreads that run them. First member of the kernel layer's UProc.
struct UthreadGroup {
  List run_queue;  // Uthread::run_node, oldest first
  List uthreads;   // Uthread::group_node
  List kthreads;   // Kthread::group_node
  uint32_t ready_count;
  uint32_t uthread_count;
  uint32_t kthread_count;
  uint32_t kthread_limit;  // the instance's cores; 0 counts as 1
  int32_t host_pid;
  TimerQueue timers;
  Kthread* timer_keeper;  // parked no longer than to `keeper_deadline_ns`, so others need not wake for timers
  uint64_t keeper_deadline_ns;
  Kthread* last_kthread;  // set while the others of the group have to end (RetireOtherKthreads)
  uint32_t ticks;         // of all its kthreads: how stale a ready uthread is
};

/// Reasons for the slow way out of the kernel, bits of Kthread::attention.
inline constexpr uint32_t kAttentionInterrupt = 1;  // the current uthread's interrupt_pending, or signals from the host
inline constexpr uint32_t kAttentionState = 2;      // registers in the machine are another uthread's
inline constexpr uint32_t kAttentionTick = 4;       // the quantum is over or a timer is due
inline constexpr uint32_t kAttentionArm = 8;        // somebody waits: the preemption timer must be armed
inline constexpr uint32_t kAttentionHostSignal = 16;  // Kthread::host_signals is not empty
inline constexpr uint32_t kAttentionRequest = 32;     // the hook serve_requests has something to do

inline constexpr uint32_t kMaxWakes = 16;

/// A host thread that carries uthreads. In the arena.
struct Kthread {
  // --- read by assembly
  Kthread* self;
  Uthread* current;  // null while idle
  std::atomic<uint32_t>
      attention;  // set by anybody (or), looked at on the way out; plus a kick where it runs guest code
  std::atomic<uint32_t> in_kernel;  // written by this kthread and its signal handlers only
  std::atomic<uint64_t>* syscall_counter;
  uint64_t idle_rsp;  // saved while a uthread runs
  uint64_t scratch;
  void (*entry)();  // where trampolines jump to; the kernel layer sets it

  // --- the rest
  UthreadGroup* group;
  Uthread* state_owner;  // whose FS base and vector registers are in the machine; null = nobody's
  int32_t host_tid;
  int32_t host_pid;
  std::atomic<uint32_t> park_word;  // futex: 1 = stay awake
  bool is_parked;                   // under the kernel lock
  std::atomic<uint32_t>
      is_spinning;            // parked, but still looks at park_word: whoever sets that need not wake it on the host
  uint32_t waits_until_spin;  // how many more waits go to the host at once
  uint32_t vain_spins;        // in a row: the more, the longer until the next try
  bool parks_in_poller;       // in the host poller rather than on park_word: woken by a kick
  std::atomic<uint64_t> host_signals;  // arrived from outside, bit n-1; not yet turned into guest signals
  int32_t tick_timer;                  // host timer id, -1 = none yet
  uint64_t tick_deadline_ns;           // armed for; kNever = not armed
  bool tick_ends_quantum;              // armed at a time when uthreads were ready
  ListNode group_node;
  Uthread* dead;                  // switched away from for good: its slot can be freed
  Kthread* wake_list[kMaxWakes];  // to wake after the kernel lock is released
  uint32_t wake_count;
  void* signal_stack;
  uint64_t parks;  // statistics: host waits
  uint64_t switches;
  uint32_t polls_due_in;             // switches until the host poller gets a look in, though uthreads are ready
  uint32_t net_polls_due_in;         // the same for the NIC
  std::atomic<uint32_t> keeps_net;   // it is NetKeeper::keeper: sleeps on the doorbell rather than on park_word; its signal handlers look
  bool is_waking;                    // in some kthread's wake_list already
  char* memory;                      // this object's arena block
  std::atomic<uint32_t> is_on_host;  // 0 once its host thread has left its stack for ever
  std::atomic<uint64_t>
      own_counter;  // syscall_counter points here until the kernel layer gives it a place in the control block
};

static_assert(offsetof(Kthread, current) == KT_CURRENT);
static_assert(offsetof(Kthread, attention) == KT_ATTENTION);
static_assert(offsetof(Kthread, in_kernel) == KT_IN_KERNEL);
static_assert(offsetof(Kthread, syscall_counter) == KT_COUNTER);
static_assert(offsetof(Kthread, idle_rsp) == KT_IDLE_RSP);
static_assert(offsetof(Kthread, scratch) == KT_SCRATCH);
static_assert(offsetof(Kthread, entry) == KT_ENTRY);

/// The kthread that runs this code. Kernel context only.
inline Kthread* CurrentKthread() {
  Kthread* self;
  __asm__ volatile("mov %%gs:0, %0" : "=r"(self));
  return self;
}

/// The uthread whose kernel stack this is. Not on the idle context. Changes across Park only in the kthread it runs on.
inline Uthread* CurrentUthread() {
  Uthread* current;
  __asm__ volatile("mov %%gs:8, %0" : "=r"(current));
  return current;
}

/// Waits, kernel lock held (released while others run). `deadline_ns` of CLOCK_MONOTONIC or kNever. With `is_interruptible` false
/// only waiters and the deadline end it. Returns kInterrupted at once if an interrupt is pending.
WakeReason Park(uint64_t deadline_ns, bool is_interruptible = true);

/// Lets others run first: the current uthread goes to the end of the run queue. Kernel lock held.
void Yield();

/// Makes a new or blocked uthread ready; no effect on one that is ready or runs. Kernel lock held.
void MakeReady(Uthread& uthread, WakeReason reason = WakeReason::kWoken);

/// After interrupt_pending was set: ends an interruptible Park, or gets the kthread that runs it into the kernel. Kernel lock held.
void Interrupt(Uthread& uthread);

/// Ends the current uthread: never returns. Its slot is freed by `FreeUthreadSlot` later. Kernel lock held.
[[noreturn]] void ExitUthread();

/// A zeroed slot with its stack prepared; null if memory is short. The kernel layer constructs its GuestThread in it. Kernel lock held.
void* AllocateUthreadSlot();
void FreeUthreadSlot(Uthread& uthread);

/// Enters `uthread` into `group`; its first act will be to leave the kernel with its frame (junction_leave). Kernel lock held.
void AddUthread(UthreadGroup& group, Uthread& uthread);

/// Saves the machine's FS base and vector registers into their owner, if any; afterwards they are nobody's. Kernel context.
void SaveMachineState();

/// What the current uthread's vector registers are, into its slot (for a signal frame, a clone). They stay in the machine too.
void SaveVectorState(Uthread& uthread);

/// Makes `kthread` look at its attention word soon; kernel lock held or not.
void Kick(Kthread& kthread, uint32_t attention);

/// New kthread object for `group` in the arena, in the group's list; null if memory is short. Kernel lock held.
Kthread* AllocateKthread(UthreadGroup& group);
void FreeKthread(Kthread& kthread);

/// Makes the calling host thread `kthread`: GS base, alternate signal stack, the net (Syscall User Dispatch). 0 or -errno.
int64_t AttachKthread(Kthread& kthread);

/// Before the host process ends or is replaced: the group's other kthreads end and are freed, so that none dies with the kernel lock in
/// its hand. They must have nothing to run. May release the kernel lock meanwhile.
void RetireOtherKthreads(UthreadGroup& group);

/// Stack for the code that a new host thread starts with (junction_host_fork): the kthread's idle context, 16-byte aligned top.
void* IdleStackTop(Kthread& kthread);

/// Runs uthreads for ever, on the kthread's idle context. Takes the kernel lock itself.
[[noreturn]] void RunKthread(Kthread& kthread);

/// The same from any stack: goes over to the kthread's idle context first.
[[noreturn]] void EnterKthread(Kthread& kthread);

/// Hooks of the layer above; set before the first kthread runs.
struct UthreadHooks {
  /// Host descriptors that somebody waits for: waits up to `timeout_ns` (0 = only looks, kNever = no limit) and wakes their queues.
  /// Called without the kernel lock; false if there is nothing to wait for (the kthread parks on its futex then).
  bool (*poll_host)(uint64_t timeout_ns);
  bool (*has_host_waiters)();
  /// On the way out of the kernel with attention bits other than tick, state and arm: signals, stop, exit. Kernel lock held; may park.
  void (*handle_attention)(uint32_t attention);
  /// The slot's last user is gone.
  void (*uthread_is_gone)(Uthread& uthread);
  /// Kthread::host_signals of an idle kthread: becomes guest signals of its uProc. Kernel lock held; no current uthread.
  void (*take_host_signals)(Kthread& kthread);
  /// After kAttentionRequest at a safe point: on the slow way out or, without a current uthread, between two uthreads. And with `is_idle`
  /// each time that nothing is ready and the kthread is about to park. Kernel lock held.
  void (*serve_requests)(Kthread& kthread, bool is_idle);
  /// A host thread has become `kthread`; no lock held.
  void (*kthread_attached)(Kthread& kthread);
  /// Only with a NIC (NetKeeper::exists). Takes in what came and runs the stack's timers; bounded. With or without a current uthread. Kernel
  /// lock held.
  bool (*poll_net)();
  /// A look at the rings without the lock.
  bool (*has_net_news)();
  /// A kthread is about to park in the poller: whether that is to be woken by the NIC's event descriptor. Kernel lock held.
  void (*watch_net)(bool is_watched);
};
extern UthreadHooks g_uthread_hooks;

}  // namespace junction
