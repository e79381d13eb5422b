// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernel/signals/signals.h"
#include "uthread/uthread.h"

namespace junction {

struct UProc;

/// What a call that was interrupted continues with when no handler runs (restart_syscall(2)); see kRestartBlock.
struct RestartBlock {
  int64_t (*resume)(struct GuestThread& thread) = nullptr;
  uint64_t deadline_ns = 0;
  uint64_t arguments[4] = {};
};

/// A fault of a guest instruction, as the host's handler saw it.
struct GuestFault {
  int32_t signal;  // 0 = none that waits to be sent
  int32_t code;
  uint64_t address;
  // Of the last fault, for the sigcontext of any frame (as Linux keeps them in thread_struct).
  uint64_t trap_number;
  uint64_t error_code;
  uint64_t cr2;
};

/// One guest thread: a uthread with what Linux knows of a thread. Lies at the start of a uthread slot. Kernel lock held for all but
/// the frame.
struct GuestThread : Uthread {
  UProc* process;
  int32_t tid;

  // signals
  uint64_t signal_mask;    // never has SIGKILL, SIGSTOP
  uint64_t wait_mask;      // what the mask goes back to after a sigsuspend, ppoll …
  bool has_wait_mask;      // the frame that is built next saves wait_mask rather than signal_mask
  PendingSignals pending;  // sent to this thread
  uint64_t sigwait_set;    // signals it waits for in sigtimedwait
  uint64_t alternate_stack_low;
  uint64_t alternate_stack_size_bytes;
  uint32_t alternate_stack_flags;
  GuestFault fault;  // owner kthread only

  // life
  uint64_t clear_child_tid;  // guest address: zeroed and woken at the end; 0 = none
  uint64_t robust_list;      // guest address of its struct robust_list_head; 0 = none
  bool is_ending;            // must leave: ExitThread at the next way out
  RestartBlock restart;
  uint64_t affinity;  // CPUs as sched_setaffinity set it
  char name[16];      // comm
  int32_t nice;
  uint32_t policy;  // sched_setscheduler's: SCHED_OTHER, _BATCH or _IDLE, with SCHED_RESET_ON_FORK

  // PI futexes that it owns or waits for (futex.cc)
  List pi_owned;
  void* pi_waits_for;

  bool is_vfork_parent;     // waits for its vfork child: only the end of the thread interrupts that
  uint64_t set_child_tid;   // guest address where a forked child writes its id before it runs; 0 = none
  GuestThread* next_by_id;  // thread_ids.cc
};
static_assert(sizeof(GuestThread) <= kUthreadObjectMax_bytes);

inline GuestThread& CurrentThread() { return *static_cast<GuestThread*>(CurrentUthread()); }

}  // namespace junction
