// SPDX-License-Identifier: Apache-2.0
// Threads: how one makes another, and how it ends. Read first: clone(2), set_tid_address(2).
#include <linux/sched.h>

#include <csignal>

#include "kernel/futex/futex.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/process/process.h"
#include "uthread/vector_state.h"

namespace junction {
namespace {

bool IsInMachine(const GuestThread& thread) { return CurrentKthread()->state_owner == &thread; }

void CopyVectorState(GuestThread& to, GuestThread& from) {
  if (IsInMachine(from)) {
    SaveVectorState(from);
  }
  to.has_vector_state = from.has_vector_state;
  if (from.has_vector_state) {
    __builtin_memcpy(to.vector_state(), from.vector_state(), VectorStateSize_bytes());
  }
}

// Signals of the process that only this thread was about to take.
void PassSignalsOn(UProc& process) {
  if (process.pending.set == 0) {
    return;
  }
  for (GuestThread* other = NextThread(process, nullptr); other != nullptr; other = NextThread(process, other)) {
    if (!other->is_ending) {
      RefreshInterrupt(*other);
    }
  }
}

}  // namespace

uint64_t ReadFsBase(GuestThread& thread) {
  if (IsInMachine(thread)) {
    __asm__ volatile("rdfsbase %0" : "=r"(thread.fs_base));
  }
  return thread.fs_base;
}

void WriteFsBase(GuestThread& thread, uint64_t value) {
  thread.fs_base = value;
  if (IsInMachine(thread)) {
    __asm__ volatile("wrfsbase %0" : : "r"(value));
  }
}

uint32_t InheritedPolicy(const GuestThread& parent) {
  constexpr uint32_t kResetOnFork = 0x40000000;  // SCHED_RESET_ON_FORK
  return (parent.policy & kResetOnFork) != 0 ? 0 /* SCHED_OTHER */ : parent.policy;
}

GuestThread& CopyThread(void* slot, GuestThread& parent, const CloneArguments& arguments) {
  auto& child = *static_cast<GuestThread*>(slot);
  child.frame = parent.frame;
  child.frame.rax = 0;
  if (arguments.stack != 0) {
    child.frame.rsp = arguments.stack;
  }
  child.has_full_frame = parent.has_full_frame;
  child.syscall_number = parent.syscall_number;
  child.fs_base = (arguments.flags & CLONE_SETTLS) != 0 ? arguments.tls : ReadFsBase(parent);
  CopyVectorState(child, parent);
  child.signal_mask = parent.signal_mask;
  child.affinity = parent.affinity;
  child.nice = parent.nice;
  child.policy = InheritedPolicy(parent);
  __builtin_memcpy(child.name, parent.name, sizeof(child.name));
  if ((arguments.flags & CLONE_CHILD_CLEARTID) != 0) {
    child.clear_child_tid = arguments.child_tid;
  }
  // A child on the same memory must not run its handlers on the parent's alternate stack, unless the parent waits.
  if ((arguments.flags & (CLONE_VM | CLONE_VFORK)) != CLONE_VM) {
    child.alternate_stack_low = parent.alternate_stack_low;
    child.alternate_stack_size_bytes = parent.alternate_stack_size_bytes;
    child.alternate_stack_flags = parent.alternate_stack_flags;
  } else {
    child.alternate_stack_flags = SS_DISABLE;
  }
  return child;
}

int64_t CloneThread(GuestThread& parent, const CloneArguments& arguments) {
  UProc& process = *parent.process;
  if (parent.is_ending) {
    return kRestartNoIntr;  // no new threads while the others are made to leave
  }
  void* const slot = AllocateUthreadSlot();
  if (slot == nullptr) {
    return -EAGAIN;
  }
  GuestThread& child = CopyThread(slot, parent, arguments);
  child.process = &process;
  child.tid = NewThreadId();
  LinkThreadId(child);
  // Linux does not look at the results either.
  if ((arguments.flags & CLONE_PARENT_SETTID) != 0) {
    CopyToGuest(arguments.parent_tid, &child.tid, sizeof(child.tid));
  }
  if ((arguments.flags & CLONE_CHILD_SETTID) != 0) {
    CopyToGuest(arguments.child_tid, &child.tid, sizeof(child.tid));
  }
  const int32_t tid = child.tid;
  AddUthread(process.group, child);
  MakeReady(child);
  return tid;
}

void ExitCurrentThread() {
  GuestThread& thread = CurrentThread();
  UProc& process = *thread.process;
  const bool is_last = process.group.uthread_count == 1;
  thread.is_ending = true;
  ReleaseThreadFutexes(thread);
  ClearPending(thread.pending);
  UnlinkThreadId(thread);
  if (is_last) {
    EndProcess(process, &thread);
    ExitHostProcess(process);
  }
  PassSignalsOn(process);
  process.thread_left.Wake();
  ExitUthread();
}

}  // namespace junction
