// SPDX-License-Identifier: Apache-2.0
// Which signals do what by default. Read first: signal(7), include/linux/signal.h of Linux.
#pragma once

#include <csignal>
#include <cstdint>

#include "kernel/signals/signals.h"

namespace junction {

/// The kernel's SIGRTMIN; libc keeps the first two or three for itself.
inline constexpr int kFirstRealtimeSignal = 32;

inline constexpr uint64_t kStopSignals =
    SignalBit(SIGSTOP) | SignalBit(SIGTSTP) | SignalBit(SIGTTIN) | SignalBit(SIGTTOU);
inline constexpr uint64_t kIgnoredByDefault =
    SignalBit(SIGCONT) | SignalBit(SIGCHLD) | SignalBit(SIGWINCH) | SignalBit(SIGURG);
/// Taken before all others, so that a handler's ucontext shows the instruction that faulted.
inline constexpr uint64_t kSynchronousSignals = SignalBit(SIGSEGV) | SignalBit(SIGBUS) | SignalBit(SIGILL) |
                                                SignalBit(SIGTRAP) | SignalBit(SIGFPE) | SignalBit(SIGSYS);
/// Would leave a core on Linux; with us a crash report.
inline constexpr uint64_t kCrashSignals = kSynchronousSignals | SignalBit(SIGABRT);

constexpr bool IsValidSignal(int64_t signal) { return signal >= 1 && signal <= kSignals; }
constexpr bool IsIn(int signal, uint64_t set) { return (SignalBit(signal) & set) != 0; }
inline constexpr uint64_t kIgnoreHandler = 1;  // SIG_IGN; 0 = SIG_DFL

/// True if a signal with this action has no effect.
inline bool IsIgnored(int signal, const KernelSigaction& action) {
  return action.handler == kIgnoreHandler || (action.handler == 0 && IsIn(signal, kIgnoredByDefault));
}

/// Forgets `set` where it waits in the process and its threads. Kernel lock held.
void DropPending(UProc& process, uint64_t set);

}  // namespace junction
