// SPDX-License-Identifier: Apache-2.0
// Guest signal dispositions. The host's handler of every guest handler is junction_signal_entry (entry.S), which finds the
// guest's here. Three signals are always handled by us: SIGSYS is the net; SIGSEGV and SIGBUS also tell the kernel that a
// guest pointer was bad. Their guest dispositions exist only in this table.
#pragma once

#include <csignal>
#include <cstdint>

namespace junction {

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
inline constexpr uint64_t kNeverBlocked = SignalBit(SIGSYS);
/// While the kernel works, all are blocked but those by which its own copies of guest memory fault.
inline constexpr uint64_t kKernelMask = ~(SignalBit(SIGSEGV) | SignalBit(SIGBUS));

constexpr bool IsAlwaysHandled(int signal) { return signal == SIGSYS || signal == SIGSEGV || signal == SIGBUS; }

/// Shared by the threads of a process; a vfork child has its own, as POSIX wants. Writers hold UProc::signal_lock.
struct SignalTable {
  KernelSigaction actions[kSignals + 1];  // by number; [0] unused
};

/// The first table of a process.
extern SignalTable g_first_signal_table;

/// Installs our handlers of the three signals, and guest handlers' host side for the rest as they are (default or ignored).
int64_t InstallHostHandlers();

/// Tells the host about the disposition of one signal.
int64_t InstallGuestAction(int signal, const KernelSigaction& action);

}  // namespace junction
