// SPDX-License-Identifier: Apache-2.0
// What the Junction kernel keeps for each guest thread. The GS base of the thread points to it.
//
//   slot of 32 KiB in the thread area
//   0      +----------------------------+
//          | guard page, no access      |
//   4096   +----------------------------+
//          | SignalTable of a vfork     |  only used by a process that shares memory but not dispositions
//          | child, else kernel stack   |
//          | kernel stack, grows down   |  touched only by calls that the Junction kernel answers itself
//   31744  +----------------------------+
//          | ThreadBlock                |  shares its page with the top of the stack: one page for a thread that only passes calls
//   32768  +----------------------------+
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/control_block.h"
#include "kernel/thread_block_layout.h"

namespace junction {

struct SignalTable;

/// Arguments and number of a syscall, in the order of the ABI.
struct SyscallRegisters {
  uint64_t number;
  uint64_t args[6];  // rdi rsi rdx r10 r8 r9
};

/// One guest thread. Written by its own thread only, except while a parent prepares it.
struct ThreadBlock {
  ThreadBlock* self;
  void* kernel_stack;                     // top, a multiple of 16
  std::atomic<uint64_t>* guest_syscalls;  // counter in this thread's ControlThread
  uint64_t return_address;
  SyscallRegisters guest;  // the call being answered
  uint64_t guest_rsp;
  int64_t result;
  uint64_t mask;             // the guest's signal mask while the kernel blocks all signals
  uint64_t callee_saved[6];  // rbx rbp r12 r13 r14 r15
  SyscallRegisters host;     // the host call to leave with

  SignalTable* signals;
  ControlThread* control_thread;
  std::atomic<uint32_t>* state;  // of this slot; 0 = free
  int32_t process_id;            // host pid (of the instance's namespace) that this thread belongs to
  int32_t thread_id;
  uint64_t affinity;               // CPUs the guest asked for, within the core limit
  uint64_t wait_mask;              // the temporary mask of a waiting call (ppoll, rt_sigsuspend, ...)
  bool has_wait_mask;              // the host call in TB_HOST_* uses wait_mask
  uint64_t wait_mask_argument[2];  // pselect6's pair of pointer and size
  void* exec_scratch;              // mapping that an execve of a vfork child leaves to its parent
  uint64_t exec_scratch_size_bytes;
  alignas(16) uint8_t address[128];  // copy of a socket address to pass on
};

inline constexpr size_t kThreadSlotSize_bytes = 32768;
inline constexpr size_t kThreadGuardSize_bytes = 4096;
inline constexpr size_t kThreadBlockSpace_bytes = 1024;
inline constexpr size_t kThreadSlots = 8192;

static_assert(sizeof(ThreadBlock) <= kThreadBlockSpace_bytes);
static_assert(offsetof(ThreadBlock, self) == TB_SELF);
static_assert(offsetof(ThreadBlock, kernel_stack) == TB_KERNEL_STACK);
static_assert(offsetof(ThreadBlock, guest_syscalls) == TB_COUNTER);
static_assert(offsetof(ThreadBlock, return_address) == TB_RETURN);
static_assert(offsetof(ThreadBlock, guest.number) == TB_NUMBER);
static_assert(offsetof(ThreadBlock, guest.args) == TB_RDI && TB_R9 == TB_RDI + 40);
static_assert(offsetof(ThreadBlock, guest_rsp) == TB_RSP);
static_assert(offsetof(ThreadBlock, result) == TB_RESULT);
static_assert(offsetof(ThreadBlock, mask) == TB_MASK);
static_assert(offsetof(ThreadBlock, callee_saved) == TB_RBX && TB_R15 == TB_RBX + 40);
static_assert(offsetof(ThreadBlock, host.number) == TB_HOST_NUMBER);
static_assert(offsetof(ThreadBlock, host.args) == TB_HOST_RDI && TB_HOST_R9 == TB_HOST_RDI + 40);

/// The calling thread's block. Only after the GS base is set.
inline ThreadBlock* CurrentThread() {
  ThreadBlock* self;
  __asm__("mov %%gs:0, %0" : "=r"(self));
  return self;
}

/// Takes a free slot and prepares its stack. Null if all are taken or memory is short. Any thread, signals blocked.
ThreadBlock* AllocateThreadBlock();

/// Gives back a block whose thread never ran or is gone.
void FreeThreadBlock(ThreadBlock* block);

/// In a forked child: all slots but `own` are free.
void KeepOnlyThreadBlock(ThreadBlock* own);

/// Calls `visit` for each block in use. Signals blocked; blocks may come and go meanwhile.
void ForEachThreadBlock(void (*visit)(ThreadBlock*, void*), void* context);

/// Makes `block` the calling thread's: GS base, the net, ids, a slot in the control block.
/// Returns 0 or -errno (the host has no Syscall User Dispatch: EINVAL).
int64_t AttachThread(ThreadBlock* block);

}  // namespace junction
