// SPDX-License-Identifier: Apache-2.0
// Guest signals, wholly in the Junction kernel: dispositions, masks, queues, frames. Host signals are only carriers: a kick that
// gets a kthread out of guest code, faults of guest instructions, and what the host side sends to the first uProc (SIGTERM …).
// Read first: signal(7), sigaction(2), struct rt_sigframe in Linux' arch/x86/include/asm/sigframe.h.
#pragma once

#include <csignal>
#include <cstdint>

#include "base/list.h"
#include "uthread/wait_queue.h"

namespace junction {

struct GuestThread;
struct Kthread;
struct UProc;

/// The kernel's struct sigaction of x86-64 (arch/x86/include/uapi/asm/signal.h).
struct KernelSigaction {
  uint64_t handler;
  uint64_t flags;
  uint64_t restorer;
  uint64_t mask;
};

inline constexpr uint64_t kSaRestorer = 0x04000000;
inline constexpr int kSignals = 64;
constexpr uint64_t SignalBit(int signal) { return 1ULL << (signal - 1); }
inline constexpr uint64_t kUnblockable = SignalBit(SIGKILL) | SignalBit(SIGSTOP);

/// Shared by the threads of a process (CLONE_SIGHAND).
struct SignalActions {
  uint32_t references = 1;
  KernelSigaction actions[kSignals + 1] = {};  // by number; [0] unused
};

/// `set` has a bit for each number that waits; standard signals are there at most once, real-time ones are queued.
struct PendingSignals {
  uint64_t set;
  List queue;  // QueuedSignal in signals.cc, in order of arrival
  uint32_t queued_count;
};

/// Results of handlers that an interrupt ended, as in Linux (include/linux/errno.h). Delivery turns them into EINTR or a restart.
inline constexpr int64_t kRestartSys = -512;     // restarted if no handler runs or it has SA_RESTART
inline constexpr int64_t kRestartNoIntr = -513;  // always restarted
inline constexpr int64_t kRestartNoHand = -514;  // restarted only if no handler runs
inline constexpr int64_t kRestartBlock = -516;   // as NoHand, by thread.restart.resume

/// siginfo of kill(2) and friends by the current process; code SI_USER, SI_TKILL …
siginfo_t MakeUserSiginfo(int signal, int code);
/// siginfo of the kernel (SI_KERNEL).
siginfo_t MakeKernelSiginfo(int signal);

/// Queues a signal for any thread of the process that does not block it, or drops it if it is ignored. Wakes, stops, continues,
/// begins the end as the signal demands. Kernel lock held. 0 or -EAGAIN (queue limit, real-time signals).
int64_t SendToProcess(UProc& process, const siginfo_t& info);
int64_t SendToThread(GuestThread& thread, const siginfo_t& info);

/// A fault of the current guest thread: cannot be blocked or ignored. Kernel lock held.
void SendFault(GuestThread& thread, const siginfo_t& info);

/// Sets the mask (kUnblockable is taken out) and looks what becomes deliverable. Kernel lock held.
void SetSignalMask(GuestThread& thread, uint64_t mask);

/// A thread that could have taken signals of its process no longer will (it blocks them or ends): others get told. Kernel lock held.
void RetargetPending(UProc& process, const GuestThread& thread);

/// After pending, masks or is_ending changed: recomputes thread.interrupt_pending and interrupts it. Kernel lock held.
void RefreshInterrupt(GuestThread& thread);

/// Takes the first pending signal that is in `set` (thread's first, then the process'). False if there is none. Kernel lock held.
bool TakePending(GuestThread& thread, uint64_t set, siginfo_t* out);

/// The queued siginfo of a POSIX timer's signal that was not taken yet, so that its si_overrun can be raised; null if there is none.
siginfo_t* FindQueuedTimer(PendingSignals& pending, int signal, int timer_id);

/// The temporary mask of ppoll, pselect6, epoll_pwait, sigsuspend: set before the wait; put back by delivery or at once if the call was
/// not interrupted. `mask_address` 0 = no mask. 0 or -EFAULT, -EINVAL. Kernel lock held.
int64_t SetWaitMask(GuestThread& thread, uint64_t mask_address, uint64_t size_bytes);
void RestoreWaitMask(GuestThread& thread, int64_t result);

/// The way out of the kernel when something is pending (UthreadHooks::handle_attention): ends, stops or delivers. Kernel lock held.
void HandleAttention(uint32_t attention);

/// Kthread::host_signals become guest signals of its uProc (UthreadHooks::take_host_signals). Kernel lock held.
void TakeHostSignals(Kthread& kthread);

/// First process of an instance: what the host ignores for us (nohup …) the guest ignores too. Before InstallHostHandlers.
void InheritHostDispositions(SignalActions& actions);

/// Host signal handlers of this process image. Host signals are to stay blocked until a kthread is attached. 0 or -errno.
int64_t InstallHostHandlers();

/// Frees what is queued. Kernel lock held.
void ClearPending(PendingSignals& pending);

/// exec: handlers become default, ignored ones stay; alternate stack is gone.
void ResetActionsForExec(UProc& process);

}  // namespace junction
