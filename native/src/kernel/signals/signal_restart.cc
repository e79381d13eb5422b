// SPDX-License-Identifier: Apache-2.0
#include "kernel/signals/signal_restart.h"

#include <sys/syscall.h>

#include <cerrno>

namespace junction {
namespace {

constexpr uint64_t kSyscall_bytes = 2;

bool IsAfterCall(const GuestThread& thread) { return thread.has_full_frame == 0; }

bool IsRestartCode(int64_t result) {
  return result == kRestartSys || result == kRestartNoIntr || result == kRestartNoHand || result == kRestartBlock;
}

// The entry saves only what a call keeps: rcx and r11 are as the `syscall` instruction would have left them.
void CompleteFrame(GuestThread& thread) {
  thread.frame.rcx = thread.frame.rip;
  thread.frame.r11 = thread.frame.rflags;
  thread.has_full_frame = 1;
}

// The two bytes before a call's return address are always a `syscall` instruction (entry.S).
void Restart(GuestThread& thread, uint64_t number) {
  thread.frame.rip -= kSyscall_bytes;
  thread.frame.rax = number;
  CompleteFrame(thread);
}

}  // namespace

void SettleCallForHandler(GuestThread& thread, const KernelSigaction& action) {
  if (!IsAfterCall(thread)) {
    return;
  }
  const auto result = static_cast<int64_t>(thread.frame.rax);
  if (!IsRestartCode(result)) {
    CompleteFrame(thread);
  } else if (result == kRestartNoIntr || (result == kRestartSys && (action.flags & SA_RESTART) != 0)) {
    Restart(thread, thread.syscall_number);
  } else {
    thread.frame.rax = static_cast<uint64_t>(-EINTR);
    CompleteFrame(thread);
  }
}

void SettleCallWithoutHandler(GuestThread& thread) {
  const auto result = static_cast<int64_t>(thread.frame.rax);
  if (IsAfterCall(thread) && IsRestartCode(result)) {
    Restart(thread, result == kRestartBlock ? SYS_restart_syscall : thread.syscall_number);
  }
}

}  // namespace junction
