// SPDX-License-Identifier: Apache-2.0
// Host signals: only carriers of news for the Junction kernel. Read first: the table at the top of entry.S, signal(7),
// Documentation/admin-guide/syscall-user-dispatch.rst of Linux.
//
// A handler runs on the kthread's own signal stack with all signals blocked, so nothing nests. It touches no kernel object but the
// kthread's atomics and the registers of the uthread that it interrupted in guest code. All else happens in normal kernel context: it
// redirects the interrupted context there.
#include <sys/syscall.h>
#include <ucontext.h>

#include <cerrno>

#include "base/request_protocol.h"
#include "kernel/guest/fault_table.h"
#include "kernel/process/process.h"
#include "kernel/process/uproc.h"
#include "kernel/request/instance_request.h"
#include "kernel/signals/signal_sets.h"
#include "uthread/host_call.h"
#include "uthread/kick.h"
#include "uthread/panic.h"
#include "uthread/text_buffer.h"

#ifndef SYS_USER_DISPATCH
#define SYS_USER_DISPATCH 2
#endif

extern "C" {
extern const char junction_entry[], junction_entry_saved[], junction_interrupt_entry[];
extern const char junction_leave_again[], junction_leave_end[];
void junction_host_signal(int signal, siginfo_t* info, ucontext_t* context);
}

namespace junction {
namespace {

constexpr uint32_t kArchX86_64 = 0xc000003e;  // AUDIT_ARCH_X86_64
constexpr uint64_t kFlagTrap = 0x100;
constexpr uint64_t kFlagNestedTask = 0x4000;
constexpr uint64_t kFlagAlignmentCheck = 0x40000;
constexpr greg_t kKernelFlags = 0x202;
constexpr uint64_t kSyscall_bytes = 2;

// The host keeps some flags of the guest's for a handler.
void ClearFlag(uint64_t flag) {
  const uint64_t flags = __builtin_ia32_readeflags_u64();
  if ((flags & flag) != 0) {
    __builtin_ia32_writeeflags_u64(flags & ~flag);
  }
}

uint64_t Address(const char* label) { return reinterpret_cast<uint64_t>(label); }

uint64_t Rip(const ucontext_t& context) { return static_cast<uint64_t>(context.uc_mcontext.gregs[REG_RIP]); }

void GoTo(ucontext_t& context, const char* label) {
  context.uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(Address(label));
}

bool IsLeaving(uint64_t rip) { return rip >= Address(junction_leave_again) && rip < Address(junction_leave_end); }

void CopyRegisters(const ucontext_t& context, GuestFrame& frame) {
  const auto get = [&context](int index) { return static_cast<uint64_t>(context.uc_mcontext.gregs[index]); };
  frame.rax = get(REG_RAX);
  frame.rdi = get(REG_RDI);
  frame.rsi = get(REG_RSI);
  frame.rdx = get(REG_RDX);
  frame.r10 = get(REG_R10);
  frame.r8 = get(REG_R8);
  frame.r9 = get(REG_R9);
  frame.rcx = get(REG_RCX);
  frame.r11 = get(REG_R11);
  frame.rbx = get(REG_RBX);
  frame.rbp = get(REG_RBP);
  frame.r12 = get(REG_R12);
  frame.r13 = get(REG_R13);
  frame.r14 = get(REG_R14);
  frame.r15 = get(REG_R15);
  frame.rip = get(REG_RIP);
  frame.rsp = get(REG_RSP);
  frame.rflags = get(REG_EFL);
}

// The host's handler returns into the kernel: at `label`, on the empty kernel stack of the uthread.
void ReturnToKernel(Kthread& kthread, ucontext_t& context, const char* label) {
  kthread.in_kernel.store(1, std::memory_order_relaxed);
  GoTo(context, label);
  context.uc_mcontext.gregs[REG_RSP] = static_cast<greg_t>(kthread.current->kernel_stack_top);
  context.uc_mcontext.gregs[REG_EFL] = kKernelFlags;
  ClearFlag(kFlagNestedTask);  // what a handler returns to has the handler's, whatever the context says
}

// The attention word is set: sees to it that the kthread looks at it soon.
void GetIntoKernel(Kthread& kthread, ucontext_t& context) {
  const uint64_t rip = Rip(context);
  if (IsLeaving(rip)) {
    // The frame is whole in memory, so leaving can start over, with a look at the attention word.
    ReturnToKernel(kthread, context, junction_leave_again);
    return;
  }
  if (kthread.in_kernel.load(std::memory_order_relaxed) != 0) {
    if (rip >= Address(junction_host_park_begin) && rip <= Address(junction_host_park_syscall)) {
      GoTo(context, junction_host_park_abort);
    }
    return;
  }
  Uthread& uthread = *kthread.current;
  CopyRegisters(context, uthread.frame);
  if (rip >= Address(junction_entry) && rip < Address(junction_entry_saved)) {
    uthread.frame.rip = uthread.frame.rcx - kSyscall_bytes;  // rax is still the number
  }
  uthread.has_full_frame = 1;
  ReturnToKernel(kthread, context, junction_interrupt_entry);
}

bool ResolveFault(ucontext_t& context) {
  const uint64_t resume = FindFaultResume(Rip(context));
  if (resume != 0) {
    context.uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(resume);
  }
  return resume != 0;
}

[[noreturn]] void PanicOnFault(int signal, const siginfo_t& info, const ucontext_t& context) {
  constexpr const char* kNames[] = {"r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rdi",
                                    "rsi", "rbp", "rbx", "rdx", "rax", "rcx", "rsp", "rip", "rflags"};
  TextBuffer<1024> text;
  text.Add("junction kernel: signal ").AddSigned(signal).Add(" code ").AddSigned(info.si_code).Add(" address ");
  text.AddHex(reinterpret_cast<uint64_t>(info.si_addr)).Add(" in the kernel:");
  for (int i = 0; i < 18; ++i) {
    text.AddChar(' ').Add(kNames[i]).AddChar('=').AddHex(static_cast<uint64_t>(context.uc_mcontext.gregs[i]));
  }
  text.AddChar('\n');
  HostCall(SYS_write, 2, text.data(), text.size());
  KernelPanic("fault in the kernel at", Rip(context));
}

void RecordFault(Kthread& kthread, int signal, const siginfo_t& info, const ucontext_t& context) {
  auto& thread = *static_cast<GuestThread*>(kthread.current);
  thread.fault = {
      .signal = signal,
      .code = info.si_code,
      .address = reinterpret_cast<uint64_t>(info.si_addr),
      .trap_number = static_cast<uint64_t>(context.uc_mcontext.gregs[REG_TRAPNO]),
      .error_code = static_cast<uint64_t>(context.uc_mcontext.gregs[REG_ERR]),
      .cr2 = static_cast<uint64_t>(context.uc_mcontext.gregs[REG_CR2]),
  };
  thread.interrupt_pending = true;
  kthread.attention.fetch_or(kAttentionInterrupt, std::memory_order_relaxed);
}

// A guest that steps itself by the trap flag walks into the kernel with it.
bool EndsSingleStep(int signal, const siginfo_t& info, ucontext_t& context) {
  if (signal != SIGTRAP || info.si_code != TRAP_TRACE) {
    return false;
  }
  context.uc_mcontext.gregs[REG_EFL] &= ~static_cast<greg_t>(kFlagTrap);
  return true;
}

void TakeFault(Kthread& kthread, int signal, const siginfo_t& info, ucontext_t& context) {
  const bool is_in_kernel = kthread.in_kernel.load(std::memory_order_relaxed) != 0;
  if (is_in_kernel && (ResolveFault(context) || EndsSingleStep(signal, info, context))) {
    return;
  }
  if (is_in_kernel || kthread.current == nullptr) {
    PanicOnFault(signal, info, context);
  }
  RecordFault(kthread, signal, info, context);
  if (IsLeaving(Rip(context))) {
    // iretq refused the registers of the frame, which an rt_sigreturn made up: the frame is what the guest's handler is to see.
    ReturnToKernel(kthread, context, junction_interrupt_entry);
    return;
  }
  CopyRegisters(context, kthread.current->frame);
  kthread.current->has_full_frame = 1;
  ReturnToKernel(kthread, context, junction_interrupt_entry);
}

// The net: a `syscall` that no trampoline replaced. It goes on at the normal entry.
void TakeTrappedCall(const siginfo_t& info, ucontext_t& context) {
  if (info.si_arch != kArchX86_64) {
    context.uc_mcontext.gregs[REG_RAX] = -ENOSYS;  // int 0x80: 32-bit calls
    return;
  }
  g_image.control->sud_traps.fetch_add(1, std::memory_order_relaxed);
  if (CurrentKthread()->in_kernel.load(std::memory_order_relaxed) != 0) {
    // The kernel itself, in the vDSO: where the host has no clock that user space can read, that makes a host call.
    auto* const registers = context.uc_mcontext.gregs;
    registers[REG_RAX] = HostCall(static_cast<long>(registers[REG_RAX]), registers[REG_RDI], registers[REG_RSI],
                                  registers[REG_RDX], registers[REG_R10], registers[REG_R8], registers[REG_R9]);
    return;
  }
  context.uc_mcontext.gregs[REG_RCX] = context.uc_mcontext.gregs[REG_RIP];
  GoTo(context, junction_entry);
}

void NoteSignal(Kthread& kthread, int signal, const siginfo_t& info) {
  if (signal == kKickSignal) {
    if (info.si_code == SI_TIMER) {
      kthread.attention.fetch_or(kAttentionTick, std::memory_order_relaxed);
    }
    return;  // else whoever kicks has set the attention word
  }
  if (signal == kRequestSignal && info.si_code == SI_QUEUE) {
    NoteRequest(reinterpret_cast<uint64_t>(info.si_value.sival_ptr));
    kthread.attention.fetch_or(kAttentionRequest, std::memory_order_release);
    kthread.park_word.store(1, std::memory_order_release);
    return;
  }
  kthread.host_signals.fetch_or(SignalBit(signal), std::memory_order_release);
  kthread.attention.fetch_or(kAttentionHostSignal, std::memory_order_release);
  kthread.park_word.store(1, std::memory_order_release);
}

int64_t Install(int signal, const KernelSigaction& action) {
  const int64_t result = HostCall(SYS_rt_sigaction, signal, &action, nullptr, sizeof(uint64_t));
  return result == -EINVAL ? 0 : result;  // SIGKILL, SIGSTOP
}

}  // namespace

void InheritHostDispositions(SignalActions& actions) {
  for (int signal = 1; signal <= kSignals; ++signal) {
    KernelSigaction action = {};
    if (HostCall(SYS_rt_sigaction, signal, nullptr, &action, sizeof(uint64_t)) == 0 &&
        action.handler == kIgnoreHandler) {
      actions.actions[signal].handler = kIgnoreHandler;
    }
  }
}

int64_t InstallHostHandlers() {
  KernelSigaction action = {
      .handler = reinterpret_cast<uint64_t>(&junction_host_signal),
      .flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | kSaRestorer,
      .restorer = reinterpret_cast<uint64_t>(&junction_restorer),
      .mask = ~0ULL,
  };
  for (int signal = 1; signal <= kSignals; ++signal) {
    KernelSigaction own = action;
    if (signal == SIGPIPE) {
      own.handler = kIgnoreHandler;  // writes to host sockets answer EPIPE; the guest's SIGPIPE is the socket code's
    } else if (signal == SIGCHLD) {
      own.flags |= SA_NOCLDWAIT | SA_NOCLDSTOP;  // host zombies vanish by themselves; guests wait for UProcs
    }
    if (const int64_t error = Install(signal, own); error != 0) {
      return error;
    }
  }
  return 0;
}

void TakeHostSignals(Kthread& kthread) {
  uint64_t arrived = kthread.host_signals.exchange(0, std::memory_order_acquire);
  auto& process = *reinterpret_cast<UProc*>(kthread.group);
  for (; arrived != 0; arrived &= arrived - 1) {
    const int signal = __builtin_ctzll(arrived) + 1;
    if (signal == SIGCHLD) {
      ReapHostDeaths();
      continue;
    }
    if (signal == kRequestSignal) {
      EndIfOrphanOfClone();
      continue;
    }
    siginfo_t info = {};  // SI_USER of process 0: from outside of the instance
    info.si_signo = signal;
    SendToProcess(process, info);
  }
}

}  // namespace junction

void junction_host_signal(int signal, siginfo_t* info, ucontext_t* context) {
  using namespace junction;
  ClearFlag(kFlagAlignmentCheck);
  if (signal == SIGSYS && info->si_code == SYS_USER_DISPATCH) {
    TakeTrappedCall(*info, *context);
    return;
  }
  Kthread& kthread = *CurrentKthread();
  if (IsIn(signal, kSynchronousSignals) && info->si_code > 0) {
    TakeFault(kthread, signal, *info, *context);
    return;
  }
  NoteSignal(kthread, signal, *info);
  if (kthread.keeps_net.load(std::memory_order_relaxed) != 0) {
    DisarmDoorbell(Arena().net);  // as park_word for others: it is about to sleep on it, or does already
  }
  GetIntoKernel(kthread, *context);
}
