// SPDX-License-Identifier: Apache-2.0
// Sending: who gets a signal, and what happens at once. Taking it is signal_delivery.cc.
// Read first: kernel/signals/signals.h; prepare_signal, complete_signal in Linux' kernel/signal.c.
#include "kernel/signals/signals.h"

#include <poll.h>
#include <sys/syscall.h>

#include <cerrno>

#include "kernel/process/uproc.h"
#include "kernel/signals/pending_signals.h"
#include "kernel/signals/signal_sets.h"
#include "uthread/host_call.h"

namespace junction {
namespace {

bool IsLeaving(const UProc& process) {
  return process.state == UProcState::kEnding || process.state == UProcState::kZombie;
}

uint64_t Blocked(const GuestThread& thread) { return thread.signal_mask | thread.sigwait_set; }

// The thread whose mask decides for the process whether an ignored signal is kept, and that gets it first: Linux' group leader.
GuestThread* Leader(UProc& process) {
  GuestThread* const first = NextThread(process, nullptr);
  for (GuestThread* thread = first; thread != nullptr; thread = NextThread(process, thread)) {
    if (thread->tid == process.pid) {
      return thread;
    }
  }
  return first;
}

void Continue(UProc& process) {
  if (process.state != UProcState::kStopped) {
    return;
  }
  process.state = UProcState::kAlive;
  process.stop_signal = 0;
  process.has_continued = true;
  process.resumed.Wake();
  NotifyParent(process, CLD_CONTINUED, SIGCONT);
}

// What a signal does by merely being sent. False if it is to be forgotten after that.
bool Prepare(UProc& process, const GuestThread* target, int signal) {
  if (IsIn(signal, kStopSignals)) {
    DropPending(process, SignalBit(SIGCONT));
  } else if (signal == SIGCONT) {
    DropPending(process, kStopSignals);
    Continue(process);
  }
  if (target != nullptr && IsIn(signal, Blocked(*target))) {
    return true;  // who waits for it in sigtimedwait or a signalfd gets it even if it is ignored
  }
  return !IsIgnored(signal, process.actions->actions[signal]);
}

bool Wants(const GuestThread& thread, int signal) { return !thread.is_ending && !IsIn(signal, thread.signal_mask); }

// Null if all block it or somebody waits for it in sigtimedwait: then it stays in the process' queue.
GuestThread* ChooseThread(UProc& process, GuestThread* leader, int signal) {
  if (leader != nullptr && Wants(*leader, signal) && !leader->interrupt_pending && process.group.uthread_count == 1) {
    return leader;
  }
  GuestThread* chosen = nullptr;
  for (GuestThread* thread = NextThread(process, nullptr); thread != nullptr; thread = NextThread(process, thread)) {
    if (IsIn(signal, thread->sigwait_set)) {
      return nullptr;
    }
    const bool is_better = chosen == nullptr || (chosen->interrupt_pending && !thread->interrupt_pending) ||
                           (thread == leader && !thread->interrupt_pending);
    if (Wants(*thread, signal) && is_better) {
      chosen = thread;
    }
  }
  return chosen;
}

bool IsDue(const GuestThread& thread) {
  const UProc& process = *thread.process;
  return thread.is_ending || ((thread.pending.set | process.pending.set) & ~thread.signal_mask) != 0 ||
         process.state == UProcState::kStopped;
}

// As of the last kill(2) of this process image. Asking the host would be a third of the cost of a signal to oneself, and there a
// user id that was changed since is of no interest.
uint32_t g_user_id = 0;
bool g_knows_user_id = false;

uint32_t OwnUserId(int code) {
  if (code != SI_TKILL || !g_knows_user_id) {
    g_user_id = static_cast<uint32_t>(HostCall(SYS_getuid));
    g_knows_user_id = true;
  }
  return g_user_id;
}

}  // namespace

siginfo_t MakeUserSiginfo(int signal, int code) {
  siginfo_t info = {};
  info.si_signo = signal;
  info.si_code = code;
  info.si_pid = CurrentProcess().pid;
  info.si_uid = OwnUserId(code);
  return info;
}

siginfo_t MakeKernelSiginfo(int signal) {
  siginfo_t info = {};
  info.si_signo = signal;
  info.si_code = SI_KERNEL;
  return info;
}

void DropPending(UProc& process, uint64_t set) {
  DropFrom(process.pending, set);
  for (GuestThread* thread = NextThread(process, nullptr); thread != nullptr; thread = NextThread(process, thread)) {
    DropFrom(thread->pending, set);
  }
}

int64_t SendToProcess(UProc& process, const siginfo_t& info) {
  const int signal = info.si_signo;
  if (IsLeaving(process)) {
    return 0;
  }
  if (signal == SIGKILL) {
    BeginGroupExit(process, SIGKILL);
    return 0;
  }
  GuestThread* const leader = Leader(process);
  if (!Prepare(process, leader, signal)) {
    return 0;
  }
  if (const int64_t error = Enqueue(process.pending, info); error != 0) {
    return error;
  }
  process.signal_arrived.Wake(POLLIN);
  if (GuestThread* const thread = ChooseThread(process, leader, signal); thread != nullptr) {
    RefreshInterrupt(*thread);
  }
  return 0;
}

int64_t SendToThread(GuestThread& thread, const siginfo_t& info) {
  const int signal = info.si_signo;
  UProc& process = *thread.process;
  if (IsLeaving(process) || thread.is_ending) {
    return 0;
  }
  if (signal == SIGKILL) {
    BeginGroupExit(process, SIGKILL);
    return 0;
  }
  if (!Prepare(process, &thread, signal)) {
    return 0;
  }
  if (const int64_t error = Enqueue(thread.pending, info); error != 0) {
    return error;
  }
  process.signal_arrived.Wake(POLLIN);
  if (!IsIn(signal, thread.signal_mask)) {
    RefreshInterrupt(thread);
  }
  return 0;
}

void SendFault(GuestThread& thread, const siginfo_t& info) {
  const int signal = info.si_signo;
  KernelSigaction& action = thread.process->actions->actions[signal];
  const bool is_blocked = IsIn(signal, thread.signal_mask);
  if (is_blocked || action.handler == kIgnoreHandler) {
    action.handler = 0;
    thread.signal_mask &= ~SignalBit(signal);
  }
  Enqueue(thread.pending, info);
  RefreshInterrupt(thread);
}

void RetargetPending(UProc& process, const GuestThread& thread) {
  if (process.pending.set == 0) {
    return;
  }
  for (GuestThread* other = NextThread(process, nullptr); other != nullptr; other = NextThread(process, other)) {
    if (other != &thread && (process.pending.set & ~other->signal_mask) != 0) {
      RefreshInterrupt(*other);
    }
  }
}

void SetSignalMask(GuestThread& thread, uint64_t mask) {
  const uint64_t next = mask & ~kUnblockable;
  const uint64_t newly_blocked = next & ~thread.signal_mask;
  thread.signal_mask = next;
  if ((newly_blocked & thread.process->pending.set) != 0) [[unlikely]] {
    RetargetPending(*thread.process, thread);
  }
  RefreshInterrupt(thread);
}

void RefreshInterrupt(GuestThread& thread) {
  if (thread.is_ending) {
    thread.process->resumed.Wake();  // it may be stopped: nothing else ends that wait
  }
  if (IsDue(thread)) {
    thread.interrupt_pending = true;
    Interrupt(thread);
  } else if (&thread == CurrentUthread()) {
    // Only the thread itself: another one may be about to look at what was pending.
    thread.interrupt_pending = false;
  }
}

bool TakePending(GuestThread& thread, uint64_t set, siginfo_t* out) {
  return TakeFrom(thread.pending, set, out) || TakeFrom(thread.process->pending, set, out);
}

void ResetActionsForExec(UProc& process) {
  for (KernelSigaction& action : process.actions->actions) {
    const bool is_ignored = action.handler == kIgnoreHandler;
    action = KernelSigaction{};
    action.handler = is_ignored ? kIgnoreHandler : 0;
  }
  for (GuestThread* thread = NextThread(process, nullptr); thread != nullptr; thread = NextThread(process, thread)) {
    thread->alternate_stack_low = 0;
    thread->alternate_stack_size_bytes = 0;
    thread->alternate_stack_flags = SS_DISABLE;
  }
}

}  // namespace junction
