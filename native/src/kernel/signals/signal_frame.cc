// SPDX-License-Identifier: Apache-2.0
#include "kernel/signals/signal_frame.h"

#include <cstddef>

#include "kernel/guest/guest_memory.h"
#include "kernel/signals/alternate_stack.h"
#include "kernel/signals/signal_vector_state.h"

namespace junction {
namespace {

constexpr uint64_t kRedZone_bytes = 128;
constexpr uint64_t kUcFlags = 1 | 2 | 4;  // UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS
constexpr uint64_t kAutoDisarm = 1ULL << 31;
constexpr uint16_t kUserCs = 0x33;
constexpr uint16_t kUserSs = 0x2b;
constexpr uint64_t kFlagTrap = 0x100, kFlagDirection = 0x400, kFlagNestedTask = 0x4000, kFlagResume = 0x10000;
constexpr uint64_t kFlagsAlways = 0x202;     // interrupts on, and the bit that is always 1
constexpr uint64_t kFlagsOfGuest = 0x50dd5;  // FIX_EFLAGS of Linux: AC RF OF DF TF SF ZF AF PF CF
constexpr uint64_t kSiginfo_bytes = sizeof(siginfo_t);

struct FramePlace {
  uint64_t head;  // of SignalFrameHead
  uint64_t fpstate;
};

// False if it would not lie on the alternate stack that it has to be on.
bool PlaceFrame(const GuestThread& thread, const KernelSigaction& action, FramePlace& place) {
  const uint64_t rsp = thread.frame.rsp;
  const bool is_on_alternate = IsOnAlternateStack(thread, rsp);
  uint64_t top = rsp - kRedZone_bytes;
  bool must_be_on_alternate = is_on_alternate;
  if ((action.flags & SA_ONSTACK) != 0 && CanEnterAlternateStack(thread, rsp)) {
    top = thread.alternate_stack_low + thread.alternate_stack_size_bytes;
    must_be_on_alternate = true;
  }
  place.fpstate = (top - VectorFrameSize_bytes()) & ~63ULL;
  place.head = ((place.fpstate - kSiginfo_bytes - sizeof(SignalFrameHead)) & ~15ULL) - 8;
  const bool fits = place.head > thread.alternate_stack_low &&
                    place.head - thread.alternate_stack_low <= thread.alternate_stack_size_bytes;
  return !must_be_on_alternate || fits;
}

void SaveRegisters(const GuestThread& thread, SignalContext& out) {
  const GuestFrame& frame = thread.frame;
  out.r8 = frame.r8;
  out.r9 = frame.r9;
  out.r10 = frame.r10;
  out.r11 = frame.r11;
  out.r12 = frame.r12;
  out.r13 = frame.r13;
  out.r14 = frame.r14;
  out.r15 = frame.r15;
  out.rdi = frame.rdi;
  out.rsi = frame.rsi;
  out.rbp = frame.rbp;
  out.rbx = frame.rbx;
  out.rdx = frame.rdx;
  out.rax = frame.rax;
  out.rcx = frame.rcx;
  out.rsp = frame.rsp;
  out.rip = frame.rip;
  out.rflags = frame.rflags;
  out.cs = kUserCs;
  out.gs = 0;
  out.fs = 0;
  out.ss = kUserSs;
  out.error_code = thread.fault.error_code;
  out.trap_number = thread.fault.trap_number;
  out.cr2 = thread.fault.cr2;
  for (uint64_t& word : out.reserved) {
    word = 0;
  }
}

void RestoreRegisters(GuestThread& thread, const SignalContext& in) {
  GuestFrame& frame = thread.frame;
  frame.r8 = in.r8;
  frame.r9 = in.r9;
  frame.r10 = in.r10;
  frame.r11 = in.r11;
  frame.r12 = in.r12;
  frame.r13 = in.r13;
  frame.r14 = in.r14;
  frame.r15 = in.r15;
  frame.rdi = in.rdi;
  frame.rsi = in.rsi;
  frame.rbp = in.rbp;
  frame.rbx = in.rbx;
  frame.rdx = in.rdx;
  frame.rax = in.rax;
  frame.rcx = in.rcx;
  frame.rsp = in.rsp;
  frame.rip = in.rip;
  frame.rflags = (in.rflags & kFlagsOfGuest) | (frame.rflags & kFlagNestedTask) | kFlagsAlways;
}

SignalStack SettingsOf(const GuestThread& thread) {
  return {.low = thread.alternate_stack_low,
          .flags = static_cast<int32_t>(thread.alternate_stack_flags),
          .padding = 0,
          .size_bytes = thread.alternate_stack_size_bytes};
}

void EnterHandler(GuestThread& thread, int signal, const KernelSigaction& action, uint64_t head) {
  GuestFrame& frame = thread.frame;
  frame.rdi = static_cast<uint64_t>(signal);
  frame.rsi = head + sizeof(SignalFrameHead);
  frame.rdx = head + offsetof(SignalFrameHead, ucontext);
  frame.rax = 0;  // of a variadic function: no vector arguments
  frame.rsp = head;
  frame.rip = action.handler;
  frame.rflags &= ~(kFlagDirection | kFlagTrap | kFlagResume);
  thread.has_full_frame = 1;
}

}  // namespace

bool PushSignalFrame(GuestThread& thread, const siginfo_t& info, const KernelSigaction& action) {
  FramePlace place;
  if ((action.flags & kSaRestorer) == 0 || !PlaceFrame(thread, action, place)) {
    return false;
  }
  SignalFrameHead head;  // every word is set: this is hot
  head.return_address = action.restorer;
  head.ucontext.flags = kUcFlags;
  head.ucontext.link = 0;
  head.ucontext.stack = SettingsOf(thread);
  SaveRegisters(thread, head.ucontext.context);
  const uint64_t mask = thread.has_wait_mask ? thread.wait_mask : thread.signal_mask;
  head.ucontext.context.old_mask = mask;
  head.ucontext.context.fpstate = place.fpstate;
  head.ucontext.mask = mask;
  const bool is_written =
      CopyVectorStateOut(thread, place.fpstate) && CopyToGuest(place.head, &head, sizeof(head)) &&
      ((action.flags & SA_SIGINFO) == 0 || CopyToGuest(place.head + sizeof(head), &info, sizeof(info)));
  if (!is_written) {
    return false;
  }
  if ((thread.alternate_stack_flags & kAutoDisarm) != 0) {
    ResetAlternateStack(thread);
  }
  SetHandlerVectorState(thread);
  EnterHandler(thread, info.si_signo, action, place.head);
  return true;
}

bool PopSignalFrame(GuestThread& thread) {
  SignalFrameHead head;
  if (!CopyFromGuest(&head, thread.frame.rsp - 8, sizeof(head))) {
    return false;
  }
  SetSignalMask(thread, head.ucontext.mask);
  RestoreRegisters(thread, head.ucontext.context);
  thread.has_full_frame = 1;
  if (!CopyVectorStateIn(thread, head.ucontext.context.fpstate)) {
    return false;
  }
  SetAlternateStack(thread, head.ucontext.stack, thread.frame.rsp);  // as in Linux what it refuses is of no concern
  return true;
}

}  // namespace junction
