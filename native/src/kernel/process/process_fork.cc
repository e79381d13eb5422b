// SPDX-License-Identifier: Apache-2.0
// New processes: a host clone for each. The child's objects are made in the arena first, so that the child finds them; it starts on its
// kthread's idle stack, since the parent's kernel stack lies in memory that both share, and sleeps for the kernel lock until the
// parent has entered it in the tables. Read first: clone(2), vfork(2).
//
//   parent (memory lock, kernel lock)             child
//   objects, host clone ------------------------> AttachKthread
//   pid, tables, ready                            LockKernel ... waits
//   unlock ------------------------------------->  own poller, child tid
//   vfork: parks until exec or end                RunKthread: leaves the kernel as the first uthread
#include <linux/sched.h>
#include <sys/syscall.h>

#include <csignal>

#include "kernel/events/host_poller.h"
#include "kernel/events/pidfd.h"
#include "kernel/files/file.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/guest/guest_path.h"
#include "kernel/memory/memory.h"
#include "kernel/process/new_process.h"
#include "kernel/process/process.h"
#include "kernel/sockets/fd_transit.h"
#include "uthread/clock.h"
#include "uthread/host_call.h"

namespace junction {
namespace {

constexpr uint64_t kHostFlags = CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SYSVSEM | CLONE_IO;

UProc& ProcessOf(Kthread& kthread) { return *reinterpret_cast<UProc*>(kthread.group); }

void SetHostMask(uint64_t mask) { HostCall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, nullptr, sizeof(mask)); }

// A host thread begins: the first code of a child. All host signals are blocked.
[[noreturn]] void RunChild(Kthread& kthread, bool shares_memory) {
  KERNEL_CHECK(AttachKthread(kthread) == 0);
  if (TheInstance().is_clone) {
    HangOnClone();
  }
  SetHostMask(0);  // from here on the kthread is whole; and a bad address below must be a fault that is handled
  {
    const KernelLockGuard lock;
    UProc& process = ProcessOf(kthread);
    GuestThread& thread = *NextThread(process, nullptr);
    kthread.current = &thread;
    if (!shares_memory) {
      ResetHostPoller();
      ApplyForkAdvice(*process.memory);
    }
    if (thread.set_child_tid != 0) {
      CopyToGuest(thread.set_child_tid, &thread.tid, sizeof(thread.tid));
    }
    kthread.current = nullptr;
  }
  RunKthread(kthread);
}

void RunForkedChild(void* kthread) { RunChild(*static_cast<Kthread*>(kthread), false); }
void RunSharingChild(void* kthread) { RunChild(*static_cast<Kthread*>(kthread), true); }

SignalActions* ShareOrCopy(SignalActions& actions, bool is_shared) {
  if (is_shared) {
    ++actions.references;
    return &actions;
  }
  auto* const copy = ArenaNew<SignalActions>(actions);
  if (copy != nullptr) {
    copy->references = 1;
  }
  return copy;
}

FdTable* ShareOrCopy(FdTable& files, bool is_shared) {
  if (is_shared) {
    ++files.references;
    return &files;
  }
  return CopyFdTable(files);
}

AddressSpace* ShareOrCopy(AddressSpace& memory, bool is_shared) {
  if (is_shared) {
    ++memory.references;
    return &memory;
  }
  return CopyAddressSpace(memory);
}

void CopyProcess(UProc& to, const UProc& from, uint64_t flags) {
  to.state = UProcState::kAlive;
  to.process_group = from.process_group;
  to.session = from.session;
  to.exit_signal = static_cast<int32_t>(flags & CSIGNAL);
  to.is_dumpable = from.is_dumpable;
  to.is_vfork_child = (flags & (CLONE_VFORK | CLONE_VM)) != 0;
  to.start_ns = MonotonicNow_ns();
  CopyPath(to.exe_path, from.exe_path);
}

bool MakeChild(GuestThread& parent, const CloneArguments& arguments, NewChild& child) {
  UProc& process = *parent.process;
  child.process = ArenaNew<UProc>();
  if (child.process == nullptr) {
    return false;
  }
  const uint64_t flags = arguments.flags;
  CopyProcess(*child.process, process, flags);
  child.process->files = ShareOrCopy(*process.files, (flags & CLONE_FILES) != 0);
  child.process->memory = ShareOrCopy(*process.memory, (flags & CLONE_VM) != 0);
  child.process->actions = ShareOrCopy(*process.actions, (flags & CLONE_SIGHAND) != 0);
  child.kthread = AllocateKthread(child.process->group);
  void* const slot = AllocateUthreadSlot();
  child.thread = static_cast<GuestThread*>(slot);
  if (child.process->files == nullptr || child.process->memory == nullptr || child.process->actions == nullptr ||
      child.kthread == nullptr || slot == nullptr) {
    return false;
  }
  CopyThread(slot, parent, arguments);
  child.thread->process = child.process;
  if ((flags & CLONE_CHILD_SETTID) != 0) {
    child.thread->set_child_tid = arguments.child_tid;
  }
  return true;
}

// Only the end of the thread interrupts this.
void WaitForVfork(GuestThread& parent, UProc& child) {
  ReferenceProcess(child);
  parent.is_vfork_parent = true;
  {
    Waiter waiter(child.state_changed);
    while (child.is_vfork_child && !parent.is_ending) {
      Park(kNever, false);
    }
  }
  parent.is_vfork_parent = false;
  ReleaseProcess(child);
}

int64_t ForkLocked(GuestThread& parent, const CloneArguments& arguments, NewChild& child) {
  FreeDeadProcesses();
  // Descriptors that travel between processes pass through it, so parent and child must share one. Without it the fork goes on: such
  // a message then loses its descriptors, as the sender is told by MSG_CTRUNC.
  static_cast<void>(PrepareFdTransit());
  if (!MakeChild(parent, arguments, child)) {
    FreeChild(child);
    return -ENOMEM;
  }
  const int64_t pid = ForkHost(*child.kthread, arguments.flags & kHostFlags,
                               (arguments.flags & CLONE_VM) != 0 ? &RunSharingChild : &RunForkedChild);
  if (IsHostError(pid)) {
    FreeChild(child);
    return pid;
  }
  if (FindProcess(static_cast<int32_t>(pid)) != nullptr) {
    DiscardChild(child, static_cast<int32_t>(pid));
    return -EAGAIN;
  }
  UProc& process = *parent.process;
  EnterChild(child, static_cast<int32_t>(pid), (arguments.flags & CLONE_PARENT) != 0 ? process.parent : &process);
  MakeReady(*child.thread);
  return pid;
}

}  // namespace

int64_t CloneProcess(GuestThread& parent, const CloneArguments& arguments) {
  AddressSpace& memory = *parent.process->memory;
  {
    const KernelUnlockGuard unlocked;
    LockMemory(memory);
  }
  NewChild child;
  const int64_t pid = ForkLocked(parent, arguments, child);
  if (pid > 0) {
    ReferenceProcess(*child.process);
    const auto child_pid = static_cast<int32_t>(pid);
    if ((arguments.flags & CLONE_PARENT_SETTID) != 0) {
      CopyToGuest(arguments.parent_tid, &child_pid, sizeof(child_pid));
    }
    if ((arguments.flags & CLONE_PIDFD) != 0) {
      const auto fd = static_cast<int32_t>(OpenPidfd(*child.process));
      CopyToGuest(arguments.parent_tid, &fd, sizeof(fd));
    }
  }
  {
    const KernelUnlockGuard unlocked;
    UnlockMemory(memory);
  }
  if (pid > 0) {
    if ((arguments.flags & CLONE_VFORK) != 0) {
      WaitForVfork(parent, *child.process);
    }
    ReleaseProcess(*child.process);
  }
  return pid;
}

}  // namespace junction
