// SPDX-License-Identifier: Apache-2.0
// Dispositions, masks, waiting for signals. Read first: sigaction(2), sigprocmask(2), sigtimedwait(2), sigsuspend(2), sigaltstack(2).
#include <poll.h>

#include <cerrno>
#include <ctime>

#include "kernel/door/guest_handlers.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/signals/alternate_stack.h"
#include "kernel/signals/signal_frame.h"
#include "kernel/signals/signal_sets.h"
#include "uthread/clock.h"

namespace junction {
namespace {

constexpr uint64_t kSigset_bytes = 8;
constexpr uint64_t kSecond_ns = 1'000'000'000;
// SA_NOCLDSTOP … SA_RESETHAND as UAPI_SA_FLAGS of Linux; others are forgotten, so that programs can ask what is known.
constexpr uint64_t kKnownFlags =
    0x1 | 0x2 | 0x4 | 0x800 | kSaRestorer | 0x08000000 | 0x10000000 | 0x40000000 | 0x80000000;

void SetAction(UProc& process, int signal, const KernelSigaction& next) {
  KernelSigaction& slot = process.actions->actions[signal];
  slot = next;
  slot.flags &= kKnownFlags;
  slot.mask &= ~kUnblockable;
  if (IsIgnored(signal, slot)) {
    DropPending(process, SignalBit(signal));
  }
}

// False for a time that is none.
bool ReadDeadline(uint64_t address, uint64_t& deadline_ns, bool& is_valid) {
  timespec time;
  if (!CopyFromGuest(&time, address, sizeof(time))) {
    return false;
  }
  is_valid = time.tv_sec >= 0 && time.tv_nsec >= 0 && time.tv_nsec < static_cast<long>(kSecond_ns);
  if (!is_valid) {
    return true;
  }
  const uint64_t now_ns = MonotonicNow_ns();
  const auto seconds = static_cast<uint64_t>(time.tv_sec);
  const bool is_far = seconds > (kNever - now_ns) / kSecond_ns - 2;
  deadline_ns = is_far ? kNever : now_ns + seconds * kSecond_ns + static_cast<uint64_t>(time.tv_nsec);
  return true;
}

// The signal, or -EAGAIN, -EINTR.
int64_t WaitForSignal(GuestThread& thread, uint64_t set, uint64_t deadline_ns, siginfo_t* info) {
  Waiter waiter(thread.process->signal_arrived, POLLIN);
  WakeReason reason = WakeReason::kWoken;
  while (!TakePending(thread, set, info)) {
    if (reason != WakeReason::kWoken) {
      return reason == WakeReason::kTimedOut ? -EAGAIN : -EINTR;
    }
    reason = deadline_ns <= MonotonicNow_ns() ? WakeReason::kTimedOut : Park(deadline_ns);
  }
  return info->si_signo;
}

}  // namespace

int64_t SysRtSigaction(Call& call) {
  const int signal = call.int_arg(0);
  if (call.arg(3) != kSigset_bytes) {
    return -EINVAL;
  }
  KernelSigaction next = {};
  if (call.arg(1) != 0 && !CopyFromGuest(&next, call.arg(1), sizeof(next))) {
    return -EFAULT;
  }
  if (!IsValidSignal(signal) || (call.arg(1) != 0 && IsIn(signal, kUnblockable))) {
    return -EINVAL;
  }
  const KernelSigaction previous = call.process().actions->actions[signal];
  if (call.arg(1) != 0) {
    SetAction(call.process(), signal, next);
  }
  if (call.arg(2) != 0 && !CopyToGuest(call.arg(2), &previous, sizeof(previous))) {
    return -EFAULT;
  }
  return 0;
}

int64_t SysRtSigprocmask(Call& call) {
  GuestThread& thread = call.thread();
  if (call.arg(3) != kSigset_bytes) {
    return -EINVAL;
  }
  const uint64_t previous = thread.signal_mask;
  if (call.arg(1) != 0) {
    uint64_t set;
    if (!CopyFromGuest(&set, call.arg(1), sizeof(set))) {
      return -EFAULT;
    }
    switch (call.int_arg(0)) {
      case SIG_BLOCK:
        SetSignalMask(thread, previous | set);
        break;
      case SIG_UNBLOCK:
        SetSignalMask(thread, previous & ~set);
        break;
      case SIG_SETMASK:
        SetSignalMask(thread, set);
        break;
      default:
        return -EINVAL;
    }
  }
  if (call.arg(2) != 0 && !CopyToGuest(call.arg(2), &previous, sizeof(previous))) {
    return -EFAULT;
  }
  return 0;
}

int64_t SysRtSigreturn(Call& call) {
  GuestThread& thread = call.thread();
  thread.restart.resume = nullptr;
  if (!PopSignalFrame(thread)) {
    SendFault(thread, MakeKernelSiginfo(SIGSEGV));
  }
  return static_cast<int64_t>(thread.frame.rax);  // dispatch puts it into rax
}

int64_t SysRtSigpending(Call& call) {
  if (call.arg(1) > kSigset_bytes) {
    return -EINVAL;
  }
  const GuestThread& thread = call.thread();
  const uint64_t pending = (thread.pending.set | call.process().pending.set) & thread.signal_mask;
  return CopyToGuest(call.arg(0), &pending, call.arg(1)) ? 0 : -EFAULT;
}

int64_t SysRtSigtimedwait(Call& call) {
  GuestThread& thread = call.thread();
  if (call.arg(3) != kSigset_bytes) {
    return -EINVAL;
  }
  uint64_t set;
  uint64_t deadline_ns = kNever;
  bool is_valid = true;
  if (!CopyFromGuest(&set, call.arg(0), sizeof(set)) ||
      (call.arg(2) != 0 && !ReadDeadline(call.arg(2), deadline_ns, is_valid))) {
    return -EFAULT;
  }
  if (!is_valid) {
    return -EINVAL;
  }
  siginfo_t info;
  thread.sigwait_set = set & ~kUnblockable;
  const int64_t result = WaitForSignal(thread, thread.sigwait_set, deadline_ns, &info);
  thread.sigwait_set = 0;
  RefreshInterrupt(thread);
  RetargetPending(call.process(), thread);  // what was left to this wait
  if (result > 0 && call.arg(1) != 0 && !CopyToGuest(call.arg(1), &info, sizeof(info))) {
    return -EFAULT;
  }
  return result;
}

int64_t SysRtSigsuspend(Call& call) {
  GuestThread& thread = call.thread();
  uint64_t mask;
  if (call.arg(1) != kSigset_bytes) {
    return -EINVAL;
  }
  if (!CopyFromGuest(&mask, call.arg(0), sizeof(mask))) {
    return -EFAULT;
  }
  thread.wait_mask = thread.signal_mask;
  thread.has_wait_mask = true;
  SetSignalMask(thread, mask);
  while (Park(kNever) != WakeReason::kInterrupted) {
  }
  RestoreWaitMask(thread, kRestartNoHand);
  return kRestartNoHand;
}

int64_t SysPause(Call&) {
  while (Park(kNever) != WakeReason::kInterrupted) {
  }
  return kRestartNoHand;
}

int64_t SysSigaltstack(Call& call) {
  GuestThread& thread = call.thread();
  const uint64_t rsp = thread.frame.rsp;
  SignalStack next = {};
  if (call.arg(0) != 0 && !CopyFromGuest(&next, call.arg(0), sizeof(next))) {
    return -EFAULT;
  }
  const SignalStack previous = GetAlternateStack(thread, rsp);
  if (call.arg(0) != 0) {
    if (const int64_t error = SetAlternateStack(thread, next, rsp); error != 0) {
      return error;
    }
  }
  if (call.arg(1) != 0 && !CopyToGuest(call.arg(1), &previous, sizeof(previous))) {
    return -EFAULT;
  }
  return 0;
}

int64_t SysRestartSyscall(Call& call) {
  const RestartBlock& restart = call.thread().restart;
  return restart.resume == nullptr ? -EINTR : restart.resume(call.thread());
}

}  // namespace junction
