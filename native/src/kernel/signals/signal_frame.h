// SPDX-License-Identifier: Apache-2.0
// The frame of a handler on the guest's stack, byte for byte Linux': runtimes read and edit it.
// Read first: struct rt_sigframe in arch/x86/include/asm/sigframe.h, struct ucontext in arch/x86/include/uapi/asm, and the FP_XSTATE
// part of uapi/asm/sigcontext.h.
//
//   sp before - 128 (red zone), or top of the alternate stack
//         +------------------------------+
//         | FP_XSTATE_MAGIC2             |  4 bytes
//         | xsave image, standard format |
//         +------------------------------+ fpstate, multiple of 64
//         | siginfo, 128 bytes           |
//         | ucontext, 304 bytes          |
//         | pretcode                     |
//         +------------------------------+ rsp in the handler: 8 below a multiple of 16
#pragma once

#include <csignal>
#include <cstdint>

#include "kernel/process/guest_thread.h"
#include "kernel/signals/signals.h"

namespace junction {

/// stack_t.
struct SignalStack {
  uint64_t low;
  int32_t flags;
  uint32_t padding;
  uint64_t size_bytes;
};

/// struct sigcontext_64.
struct SignalContext {
  uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
  uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
  uint16_t cs, gs, fs, ss;
  uint64_t error_code, trap_number, old_mask, cr2;
  uint64_t fpstate;
  uint64_t reserved[8];
};
static_assert(sizeof(SignalContext) == 256);

struct SignalUcontext {
  uint64_t flags;
  uint64_t link;
  SignalStack stack;
  SignalContext context;
  uint64_t mask;
};
static_assert(sizeof(SignalUcontext) == 304);

/// struct rt_sigframe without its siginfo, which is written only for SA_SIGINFO.
struct SignalFrameHead {
  uint64_t return_address;
  SignalUcontext ucontext;
};
static_assert(sizeof(SignalFrameHead) == 312 && sizeof(siginfo_t) == 128);

/// Builds the frame for `info` and lets the thread go on in the handler. The mask is not changed yet. False if the frame cannot be
/// written: then nothing has changed. Kernel lock held; current thread.
bool PushSignalFrame(GuestThread& thread, const siginfo_t& info, const KernelSigaction& action);

/// rt_sigreturn: takes registers, mask, vector state and alternate stack out of the frame at rsp - 8. False if it cannot be read or
/// its vector state is not sound.
bool PopSignalFrame(GuestThread& thread);

}  // namespace junction
