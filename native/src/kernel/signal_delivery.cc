// SPDX-License-Identifier: Apache-2.0
// What happens between a host signal and a guest handler. Read first: signal(7), and the table at the top of entry.S.
//
// The host runs junction_signal_entry with all signals blocked, so the whole of this is free of nesting. It puts the
// interrupted context in order, so that it looks as if the guest had been interrupted at its own `syscall` instruction or
// right after it, then the guest's handler runs on the same frame with the mask that the host would have given it.
#include <sys/syscall.h>
#include <ucontext.h>

#include <cerrno>

#include "kernel/host_call.h"
#include "kernel/signal_table.h"
#include "kernel/thread_block.h"
#include "kernel/uproc.h"

#ifndef SYS_USER_DISPATCH
#define SYS_USER_DISPATCH 2
#endif

extern "C" {
extern const char junction_entry[], junction_pass[], junction_pass_syscall[], junction_pass_done[];
extern const char emulated_saved[], emulated_clobber[], emulated_block[], emulated_unmask[], emulated_unmasked[],
    emulated_tail[], emulated_end[];
extern const char host_unmasked[], host_syscall[], host_done[], host_end[], trace_saved[], trace_block[], trace_end[];
extern const char junction_open_load[], junction_openat_load[];
extern const char junction_copy_move[], junction_copy_fault[], junction_copy_text_load[], junction_copy_text_fault[];
extern const char junction_restorer[], signal_unmasked[], signal_entry_end[];
extern const char __executable_start[], __etext[];

extern const uint64_t junction_kernel_mask;
const uint64_t junction_kernel_mask = junction::kKernelMask;
void junction_signal_entry();
void junction_net_entry();
int junction_net(int signal, siginfo_t* info, ucontext_t* context);
uint64_t junction_deliver_signal(int signal, siginfo_t* info, ucontext_t* context, uint64_t* mask);
}

namespace junction {

SignalTable g_first_signal_table;

namespace {

constexpr uint32_t kArchX86_64 = 0xc000003e;  // AUDIT_ARCH_X86_64

struct FaultRow {
  const char* at;
  const char* resume;
};
// Instructions of ours that may fault on a guest's pointer, and where to go on then.
constexpr FaultRow kFaultTable[] = {
    {junction_copy_move, junction_copy_fault},
    {junction_copy_text_load, junction_copy_text_fault},
    {junction_open_load, junction_pass},
    {junction_openat_load, junction_pass},
};

uint64_t Address(const char* label) { return reinterpret_cast<uint64_t>(label); }
bool IsIn(uint64_t address, const char* from, const char* to) {
  return address >= Address(from) && address < Address(to);
}
bool IsInOrAt(uint64_t address, const char* from, const char* last) {
  return address >= Address(from) && address <= Address(last);
}

greg_t& Reg(ucontext_t* context, int index) { return context->uc_mcontext.gregs[index]; }

// The mask word of the host's frame; glibc's sigset_t is larger than the host's.
uint64_t& FrameMask(ucontext_t* context) { return *reinterpret_cast<uint64_t*>(&context->uc_sigmask); }

void RestoreArguments(ucontext_t* context, const ThreadBlock& thread) {
  Reg(context, REG_RDI) = static_cast<greg_t>(thread.guest.args[0]);
  Reg(context, REG_RSI) = static_cast<greg_t>(thread.guest.args[1]);
  Reg(context, REG_RDX) = static_cast<greg_t>(thread.guest.args[2]);
  Reg(context, REG_R10) = static_cast<greg_t>(thread.guest.args[3]);
  Reg(context, REG_R8) = static_cast<greg_t>(thread.guest.args[4]);
  Reg(context, REG_R9) = static_cast<greg_t>(thread.guest.args[5]);
}

// The call has its result in rax: as right after the guest's `syscall`.
void CompleteCall(ucontext_t* context, const ThreadBlock& thread) {
  RestoreArguments(context, thread);
  Reg(context, REG_RCX) = static_cast<greg_t>(thread.return_address);
  Reg(context, REG_RIP) = static_cast<greg_t>(thread.return_address);
}

// As right before the guest's `syscall`.
void RewindCall(ucontext_t* context, const ThreadBlock& thread) {
  RestoreArguments(context, thread);
  Reg(context, REG_RAX) = static_cast<greg_t>(thread.guest.number);
  Reg(context, REG_RIP) = static_cast<greg_t>(thread.return_address - 2);
}

// Makes the context independent of the ThreadBlock. Returns true if it was in a wait with a mask of its own.
bool SettleContext(ucontext_t* context, const ThreadBlock& thread) {
  const auto rip = static_cast<uint64_t>(Reg(context, REG_RIP));
  if (!IsIn(rip, junction_host_text_begin, junction_host_text_end)) {
    return false;
  }
  if (rip == Address(junction_pass_syscall)) {
    Reg(context, REG_RIP) = static_cast<greg_t>(thread.return_address - 2);
  } else if (rip == Address(junction_pass_done)) {
    Reg(context, REG_RCX) = static_cast<greg_t>(thread.return_address);
    Reg(context, REG_RIP) = static_cast<greg_t>(thread.return_address);
  } else if (IsIn(rip, emulated_saved, emulated_clobber)) {
    Reg(context, REG_RIP) = Reg(context, REG_RCX) - 2;
  } else if (IsInOrAt(rip, emulated_clobber, emulated_block)) {
    RewindCall(context, thread);
  } else if (IsIn(rip, emulated_unmasked, emulated_tail) || IsInOrAt(rip, trace_saved, trace_block)) {
    Reg(context, REG_RAX) = thread.result;
    CompleteCall(context, thread);
  } else if (IsIn(rip, emulated_tail, emulated_end)) {
    CompleteCall(context, thread);
  } else if (IsInOrAt(rip, host_unmasked, host_syscall)) {
    RewindCall(context, thread);
  } else if (IsIn(rip, host_done, host_end)) {
    CompleteCall(context, thread);
    return thread.has_wait_mask;
  }
  return false;
}

// True if the fault was one of our own copies of guest memory and is dealt with.
bool ResolveFault(ucontext_t* context) {
  for (const FaultRow& row : kFaultTable) {
    if (static_cast<uint64_t>(Reg(context, REG_RIP)) == Address(row.at)) {
      Reg(context, REG_RIP) = static_cast<greg_t>(Address(row.resume));
      return true;
    }
  }
  return false;
}

bool IsInsideKernel(uint64_t rip) {
  if (IsIn(rip, junction_host_text_begin, junction_host_text_end)) {
    return IsIn(rip, emulated_block + 1, emulated_unmask + 1) || IsIn(rip, emulated_end, host_unmasked) ||
           IsIn(rip, trace_block + 1, trace_end) || IsIn(rip, host_end, signal_unmasked) ||
           rip >= Address(signal_entry_end);
  }
  return IsIn(rip, __executable_start, __etext);
}

void DieByDefault(int signal, const siginfo_t* info) {
  const KernelSigaction action = {reinterpret_cast<uint64_t>(SIG_DFL), kSaRestorer,
                                  reinterpret_cast<uint64_t>(junction_restorer), 0};
  HostCall(SYS_rt_sigaction, signal, &action, nullptr, 8);
  if (info->si_code <= 0 || signal == SIGSYS) {
    HostCall(SYS_tgkill, HostCall(SYS_getpid), HostCall(SYS_gettid), signal);
  }
  // A real fault happens again when the context is restored, and then by default.
}

}  // namespace

int64_t InstallGuestAction(int signal, const KernelSigaction& action) {
  KernelSigaction host = action;
  if (IsAlwaysHandled(signal)) {
    if (signal == SIGSYS) {
      return 0;
    }
    if (action.handler <= reinterpret_cast<uint64_t>(SIG_IGN)) {
      host.flags = SA_ONSTACK;
    }
    // Ours returns to faulting copies inside of the kernel; a frame for the guest gets the guest's restorer when it is delivered.
    host.flags = (host.flags | SA_SIGINFO | kSaRestorer) & ~static_cast<uint64_t>(SA_RESETHAND);
    host.restorer = reinterpret_cast<uint64_t>(junction_restorer);
  } else if (action.handler <= reinterpret_cast<uint64_t>(SIG_IGN)) {
    return HostCall(SYS_rt_sigaction, signal, &host, nullptr, 8);
  }
  host.handler = reinterpret_cast<uint64_t>(&junction_signal_entry);
  host.mask = ~0ULL;
  return HostCall(SYS_rt_sigaction, signal, &host, nullptr, 8);
}

int64_t InstallHostHandlers() {
  for (int signal = 1; signal <= kSignals; ++signal) {
    KernelSigaction& action = g_first_signal_table.actions[signal];
    if (HostCall(SYS_rt_sigaction, signal, nullptr, &action, 8) != 0) {
      continue;
    }
    if (action.handler != reinterpret_cast<uint64_t>(SIG_IGN)) {
      action = KernelSigaction{};  // a handler of the program before; execve makes it the default too
    }
    if (const int64_t error = InstallGuestAction(signal, action); error != 0 && error != -EINVAL) {
      return error;  // EINVAL: SIGKILL, SIGSTOP
    }
  }
  const KernelSigaction net = {reinterpret_cast<uint64_t>(&junction_net_entry), SA_SIGINFO | SA_ONSTACK | kSaRestorer,
                               reinterpret_cast<uint64_t>(junction_restorer), ~0ULL};
  return HostCall(SYS_rt_sigaction, SIGSYS, &net, nullptr, 8);
}

}  // namespace junction

using junction::Address;
using junction::CurrentThread;
using junction::KernelSigaction;
using junction::Reg;
using junction::SignalBit;
using junction::ThreadBlock;

// Hot as a trap can be: a `syscall` that no trampoline replaced. 1 = it goes on at the normal entry; 0 = somebody sent SIGSYS.
int junction_net(int, siginfo_t* info, ucontext_t* context) {
  if (info->si_code != SYS_USER_DISPATCH) {
    return 0;
  }
  if (info->si_arch != junction::kArchX86_64) {
    Reg(context, REG_RAX) = -ENOSYS;  // int 0x80 and sysenter: 32-bit calls
    return 1;
  }
  junction::g_uproc.control->sud_traps.fetch_add(1, std::memory_order_relaxed);
  Reg(context, REG_RCX) = Reg(context, REG_RIP);
  Reg(context, REG_RIP) = static_cast<greg_t>(Address(junction_entry));
  return 1;
}

// Returns the guest handler to run and its mask, or 0 to go back to the interrupted context.
uint64_t junction_deliver_signal(int signal, siginfo_t* info, ucontext_t* context, uint64_t* mask) {
  ThreadBlock& thread = *CurrentThread();
  const bool is_always_handled = junction::IsAlwaysHandled(signal);
  if (is_always_handled && signal != SIGSYS) {
    if (info->si_code > 0 && junction::ResolveFault(context)) {
      return 0;
    }
    if (junction::IsInsideKernel(static_cast<uint64_t>(Reg(context, REG_RIP)))) {
      if (info->si_code > 0) {
        junction::KernelPanic("fault in the kernel at", static_cast<uint64_t>(Reg(context, REG_RIP)));
      }
      // Sent by somebody while the kernel works: block it there and let it come again when the guest's mask is back.
      junction::FrameMask(context) |= SignalBit(signal);
      junction::HostCall(SYS_tgkill, thread.process_id, thread.thread_id, signal);
      return 0;
    }
  }
  const bool has_wait_mask = junction::SettleContext(context, thread);
  KernelSigaction& slot = thread.signals->actions[signal];
  const KernelSigaction action = slot;
  if (action.handler == reinterpret_cast<uint64_t>(SIG_IGN) && info->si_code <= 0) {
    return 0;
  }
  if (action.handler <= reinterpret_cast<uint64_t>(SIG_IGN)) {
    if (is_always_handled) {
      junction::DieByDefault(signal, info);
    }
    return 0;  // else the disposition changed while the signal was on its way
  }
  if (is_always_handled && (action.flags & junction::kSaRestorer) != 0) {
    // The word below the ucontext is where the handler returns to (struct rt_sigframe).
    reinterpret_cast<uint64_t*>(context)[-1] = action.restorer;
  }
  if ((action.flags & SA_RESETHAND) != 0) {
    slot.handler = reinterpret_cast<uint64_t>(SIG_DFL);
  }
  uint64_t blocked = (has_wait_mask ? thread.wait_mask : junction::FrameMask(context)) | action.mask;
  if ((action.flags & SA_NODEFER) == 0) {
    blocked |= SignalBit(signal);
  }
  *mask = blocked & ~junction::kNeverBlocked;
  return action.handler;
}
