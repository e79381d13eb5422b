// SPDX-License-Identifier: Apache-2.0
// The way out of the kernel with something pending. Read first: signal(7); exit_to_user_mode_loop, get_signal, handle_signal of Linux.
#include <sys/syscall.h>

#include <cerrno>

#include "kernel/process/process.h"
#include "kernel/process/uproc.h"
#include "kernel/signals/crash_report.h"
#include "kernel/signals/signal_frame.h"
#include "kernel/signals/signal_restart.h"
#include "kernel/signals/signal_sets.h"

namespace junction {
namespace {

siginfo_t FaultSiginfo(const GuestFault& fault) {
  siginfo_t info = {};
  info.si_signo = fault.signal;
  info.si_code = fault.code;
  info.si_addr = reinterpret_cast<void*>(fault.address);
  return info;
}

void SendRecordedFault(GuestThread& thread) {
  if (thread.fault.signal != 0) {
    const siginfo_t info = FaultSiginfo(thread.fault);
    thread.fault.signal = 0;
    SendFault(thread, info);
  }
}

// Only SIGKILL (through is_ending) and SIGCONT end it.
void WaitWhileStopped(GuestThread& thread) {
  UProc& process = *thread.process;
  while (process.state == UProcState::kStopped && !thread.is_ending) {
    Waiter waiter(process.resumed);
    Park(kNever, false);
  }
}

void Stop(UProc& process, int signal) {
  if (signal != SIGSTOP && IsOrphanedGroup(process.process_group, nullptr)) {
    return;
  }
  process.state = UProcState::kStopped;
  process.stop_signal = signal;
  process.has_continued = false;
  for (GuestThread* thread = NextThread(process, nullptr); thread != nullptr; thread = NextThread(process, thread)) {
    RefreshInterrupt(*thread);
  }
  NotifyParent(process, CLD_STOPPED, signal);
}

void ActByDefault(GuestThread& thread, const siginfo_t& info) {
  const int signal = info.si_signo;
  if (IsIn(signal, kIgnoredByDefault)) {
    return;
  }
  if (IsIn(signal, kStopSignals)) {
    Stop(*thread.process, signal);
    return;
  }
  if (IsIn(signal, kCrashSignals)) {
    ReportCrash(thread, info);
  }
  BeginGroupExit(*thread.process, signal);  // no core is written, so the status has no core bit
  ExitCurrentThread();
}

// The frame could not be written: the thread dies, unless it has a handler for that on another stack.
void FailDelivery(GuestThread& thread, int signal) {
  if (signal == SIGSEGV) {
    thread.process->actions->actions[SIGSEGV].handler = 0;
  }
  SendFault(thread, MakeKernelSiginfo(SIGSEGV));
}

void RunHandler(GuestThread& thread, const siginfo_t& info, const KernelSigaction& action) {
  const int signal = info.si_signo;
  SettleCallForHandler(thread, action);
  if (!PushSignalFrame(thread, info, action)) {
    FailDelivery(thread, signal);
    return;
  }
  thread.has_wait_mask = false;
  uint64_t mask = thread.signal_mask | action.mask;
  if ((action.flags & SA_NODEFER) == 0) {
    mask |= SignalBit(signal);
  }
  SetSignalMask(thread, mask);
}

void Deliver(GuestThread& thread, const siginfo_t& info) {
  KernelSigaction& slot = thread.process->actions->actions[info.si_signo];
  const KernelSigaction action = slot;
  if (action.handler == kIgnoreHandler) {
    return;
  }
  if (action.handler == 0) {
    ActByDefault(thread, info);
    return;
  }
  if ((action.flags & SA_RESETHAND) != 0) {
    slot.handler = 0;
  }
  RunHandler(thread, info, action);
}

}  // namespace

void HandleAttention(uint32_t attention) {
  if ((attention & kAttentionHostSignal) != 0) {
    TakeHostSignals(*CurrentKthread());
  }
  GuestThread& thread = CurrentThread();
  SendRecordedFault(thread);
  siginfo_t info;
  while (true) {
    if (thread.is_ending) {
      ExitCurrentThread();
    }
    if (thread.process->state == UProcState::kStopped) {
      WaitWhileStopped(thread);
    } else if (TakePending(thread, ~thread.signal_mask, &info)) {
      Deliver(thread, info);
    } else {
      break;
    }
  }
  SettleCallWithoutHandler(thread);
  if (thread.has_wait_mask) {
    thread.has_wait_mask = false;
    SetSignalMask(thread, thread.wait_mask);
  }
  RefreshInterrupt(thread);
}

}  // namespace junction
