// SPDX-License-Identifier: Apache-2.0
// The process table, and how threads of a process are made to leave.
#include "kernel/process/process.h"

#include <sys/syscall.h>

#include <csignal>

#include "uthread/host_call.h"

namespace junction {

ProcessImage g_image;

UProc* FindProcess(int32_t pid) {
  const List& processes = TheInstance().processes;
  for (ListNode* node = processes.first(); node != nullptr; node = processes.Next(node)) {
    auto* const process = JUNCTION_OWNER(node, UProc, instance_node);
    if (process->pid == pid) {
      return process;
    }
  }
  return nullptr;
}

void LinkProcess(UProc& process, UProc* parent) {
  Instance& instance = TheInstance();
  process.references = 1;
  process.parent = parent;
  process.parent_pid = parent != nullptr ? parent->pid : 0;
  instance.processes.PushBack(process.instance_node);
  ++instance.process_count;
  if (parent != nullptr) {
    parent->children.PushBack(process.sibling_node);
  }
}

void ReleaseProcess(UProc& process) {
  if (--process.references == 0) {
    TheInstance().dying.PushBack(process.instance_node);
  }
}

void FreeDeadProcesses() {
  List& dying = TheInstance().dying;
  for (ListNode* node = dying.first(); node != nullptr;) {
    auto* const process = JUNCTION_OWNER(node, UProc, instance_node);
    node = dying.Next(node);
    // Its id may be another's by now: then this waits for that one's end too, which harms nobody.
    if (HostCall(SYS_kill, process->group.host_pid, 0) != -ESRCH) {
      continue;
    }
    process->instance_node.Unlink();
    if (process->last_thread != nullptr) {
      FreeUthreadSlot(*process->last_thread);
    }
    while (ListNode* const kthread = process->group.kthreads.first()) {
      FreeKthread(*JUNCTION_OWNER(kthread, Kthread, group_node));
    }
    ArenaDelete(process);
  }
}

void ForgetThread(Uthread& uthread) { FreeUthreadSlot(uthread); }

void EndThread(GuestThread& thread) {
  thread.is_ending = true;
  if (thread.is_vfork_parent) {
    MakeReady(thread, WakeReason::kInterrupted);
  }
  RefreshInterrupt(thread);
}

void BeginGroupExit(UProc& process, int32_t wait_status) {
  if (process.is_group_exiting || process.state == UProcState::kZombie) {
    return;
  }
  process.is_group_exiting = true;
  process.wait_status = wait_status;
  process.state = UProcState::kEnding;
  process.stop_signal = 0;
  for (GuestThread* thread = NextThread(process, nullptr); thread != nullptr; thread = NextThread(process, thread)) {
    EndThread(*thread);
  }
  process.resumed.Wake();
}

bool EndOtherThreads(UProc& process, GuestThread& survivor) {
  Waiter waiter(process.thread_left);
  while (process.group.uthread_count > 1) {
    if (survivor.is_ending) {
      return false;  // another thread's execve was first, or the process ends
    }
    for (GuestThread* thread = NextThread(process, nullptr); thread != nullptr; thread = NextThread(process, thread)) {
      if (thread != &survivor && !thread->is_ending) {
        EndThread(*thread);
      }
    }
    process.resumed.Wake();
    // The end of the whole process wakes us too: by the other threads, which it makes leave as well.
    Park(kNever, false);
  }
  return !survivor.is_ending;
}

void EndVfork(UProc& process) {
  process.is_vfork_child = false;
  process.state_changed.Wake();
}

void NotifyParent(UProc& child, int code, int status) {
  UProc* const parent = child.parent;
  child.state_changed.Wake();
  if (parent == nullptr) {
    return;
  }
  const bool is_end = code == CLD_EXITED || code == CLD_KILLED || code == CLD_DUMPED;
  const KernelSigaction& action = parent->actions->actions[SIGCHLD];
  const bool is_wanted = is_end || (action.flags & SA_NOCLDSTOP) == 0;
  const int signal = is_end ? child.exit_signal : SIGCHLD;
  if (signal != 0 && is_wanted) {
    constexpr uint64_t kMicrosecondsPerTick = 10000;
    siginfo_t info = {};
    info.si_signo = signal;
    info.si_code = code;
    info.si_pid = child.pid;
    info.si_uid = static_cast<uid_t>(HostCall(SYS_getuid));
    info.si_status = status;
    info.si_utime = static_cast<clock_t>(child.user_us / kMicrosecondsPerTick);
    info.si_stime = static_cast<clock_t>(child.system_us / kMicrosecondsPerTick);
    SendToProcess(*parent, info);
  }
  parent->child_changed.Wake();
}

}  // namespace junction
