// SPDX-License-Identifier: Apache-2.0
// The end of a process. Read first: do_exit, exit_notify and forget_original_parent in Linux' kernel/exit.c; POSIX 3.264 (orphaned
// process group).
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <csignal>

#include "base/request_protocol.h"
#include "kernel/door/control_slots.h"
#include "kernel/events/timer_file.h"
#include "kernel/files/file.h"
#include "kernel/memory/memory.h"
#include "kernel/net/instance_net.h"
#include "kernel/process/process.h"
#include "kernel/request/uproc_addition.h"
#include "kernel/time/posix_timer.h"
#include "uthread/host_call.h"

namespace junction {
namespace {

constexpr uint64_t kMicroseconds = 1'000'000;
constexpr int kInitPid = 1;  // who looks after orphans that no process of the instance wants

uint64_t ToMicroseconds(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * kMicroseconds + static_cast<uint64_t>(time.tv_usec);
}

void SendSimple(UProc& to, int signal, const UProc& from) {
  siginfo_t info = {};
  info.si_signo = signal;
  info.si_code = SI_USER;
  info.si_pid = from.pid;
  SendToProcess(to, info);
}

bool IsEnding(const UProc& process) {
  return process.state == UProcState::kEnding || process.state == UProcState::kZombie;
}

// Calls `act` for each process of the instance.
template <typename Act>
void ForEachProcess(Act act) {
  const List& processes = TheInstance().processes;
  for (ListNode* node = processes.first(); node != nullptr;) {
    UProc& process = *JUNCTION_OWNER(node, UProc, instance_node);
    node = processes.Next(node);
    act(process);
  }
}

// True if `process` keeps its group from being orphaned.
bool IsLink(const UProc& process) {
  const UProc* const parent = process.parent;
  return parent != nullptr && parent->session == process.session && parent->process_group != process.process_group;
}

// A group that has just lost its last link to its session would never be continued: as Linux' kill_orphaned_pgrp.
void HangUpIfOrphaned(int32_t group, const UProc* ignored, const UProc& cause) {
  bool has_stopped = false;
  ForEachProcess([&](const UProc& process) {
    has_stopped = has_stopped || (process.process_group == group && process.state == UProcState::kStopped);
  });
  if (!has_stopped || !IsOrphanedGroup(group, ignored)) {
    return;
  }
  ForEachProcess([&](UProc& process) {
    if (process.process_group == group && &process != ignored) {
      SendSimple(process, SIGHUP, cause);
      SendSimple(process, SIGCONT, cause);
    }
  });
}

UProc* FindHeir(const UProc& process) {
  for (UProc* ancestor = process.parent; ancestor != nullptr; ancestor = ancestor->parent) {
    if (ancestor->is_child_subreaper && !IsEnding(*ancestor)) {
      return ancestor;
    }
  }
  UProc* const init = TheInstance().init;
  return init == &process || init == nullptr || IsEnding(*init) ? nullptr : init;
}

bool WillBeWaitedFor(const UProc& zombie) {
  if (zombie.parent == nullptr) {
    return false;
  }
  const KernelSigaction& action = zombie.parent->actions->actions[SIGCHLD];
  constexpr uint64_t kIgnore = 1;  // SIG_IGN
  return zombie.exit_signal != SIGCHLD || (action.handler != kIgnore && (action.flags & SA_NOCLDWAIT) == 0);
}

void TellOfEnd(UProc& zombie) {
  const int signal = zombie.wait_status & 0x7f;
  if (signal == 0) {
    NotifyParent(zombie, CLD_EXITED, zombie.wait_status >> 8 & 0xff);
  } else {
    NotifyParent(zombie, (zombie.wait_status & 0x80) != 0 ? CLD_DUMPED : CLD_KILLED, signal);
  }
  if (!WillBeWaitedFor(zombie) && &zombie != TheInstance().init) {
    BuryProcess(zombie, nullptr);
  }
}

void HandOverChild(UProc& child, UProc& from, UProc* heir) {
  const bool was_link = IsLink(child);
  child.sibling_node.Unlink();
  child.parent = heir;
  child.parent_pid = heir != nullptr ? heir->pid : kInitPid;
  if (heir != nullptr) {
    heir->children.PushBack(child.sibling_node);
  }
  if (child.exit_signal != 0) {
    child.exit_signal = SIGCHLD;
  }
  if (child.state == UProcState::kZombie) {
    TellOfEnd(child);
    return;
  }
  if (child.death_signal != 0) {
    SendSimple(child, child.death_signal, from);
  }
  if (was_link) {
    HangUpIfOrphaned(child.process_group, nullptr, from);
  }
}

void HandOverChildren(UProc& process) {
  UProc* const heir = FindHeir(process);
  while (ListNode* const node = process.children.first()) {
    HandOverChild(*JUNCTION_OWNER(node, UProc, sibling_node), process, heir);
  }
}

// Before anybody can see the end: who waits for a process finds its ports and file locks free.
void ReleaseResources(UProc& process, bool is_own) {
  MoveTimerFiles(process);
  ReleasePosixTimers(process);
  if (process.files != nullptr) {
    const bool is_shared = process.files->references > 1;
    UnreferenceFdTable(*process.files);
    process.files = nullptr;
    if (is_own && !is_shared) {
      HostCall(SYS_close_range, 0, ~0U, 0);
    }
  }
  if (process.memory != nullptr) {
    UnreferenceAddressSpace(*process.memory);
    process.memory = nullptr;
  }
  if (process.exec_scratch != nullptr) {
    ArenaFree(process.exec_scratch, process.exec_scratch_bytes);
    process.exec_scratch = nullptr;
  }
  ClearPending(process.pending);
}

void Measure(UProc& process) {
  rusage usage = {};
  if (HostCall(SYS_getrusage, RUSAGE_SELF, &usage) == 0) {
    process.user_us = ToMicroseconds(usage.ru_utime);
    process.system_us = ToMicroseconds(usage.ru_stime);
  }
}

// So that who started the instance sees the death as it was. The first process of a pid namespace cannot die so: it goes on.
void DieBySignal(int signal) {
  g_image.control->exit_signal.store(static_cast<uint32_t>(signal), std::memory_order_release);
  const KernelSigaction by_default = {};
  HostCall(SYS_rt_sigaction, signal, &by_default, nullptr, sizeof(uint64_t));
  HostCall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);  // a core file would hold the whole arena
  const uint64_t others = ~SignalBit(signal);
  HostCall(SYS_rt_sigprocmask, SIG_SETMASK, &others, nullptr, sizeof(others));
  HostCall(SYS_tgkill, HostCall(SYS_getpid), HostCall(SYS_gettid), signal);
}

// The end of a clone's first process does what that of a pid namespace's first process does for other instances. Its monitor, not being
// its parent, reads the exit code here.
void EndClone(int exit_code) {
  g_image.control->exit_code.store(1 + static_cast<uint32_t>(exit_code), std::memory_order_release);
  ForEachProcess([](UProc& other) {
    if (other.state != UProcState::kZombie) {
      HostCall(SYS_kill, other.group.host_pid, SIGKILL);
    }
  });
}

// The host has ended it. Its threads will never run again. Their slots stay: waiters on their stacks may still be linked in queues.
void EndDeadProcess(UProc& process) {
  process.wait_status = SIGKILL;
  while (GuestThread* const thread = NextThread(process, nullptr)) {
    UnlinkThreadId(*thread);
    ClearPending(thread->pending);
    thread->group_node.Unlink();
    --process.group.uthread_count;
    thread->state = UthreadState::kDead;
  }
  PassOnNetKeeping(process.group);
  EndProcess(process, nullptr);
}

}  // namespace

bool IsOrphanedGroup(int32_t process_group, const UProc* ignored) {
  bool is_orphaned = true;
  ForEachProcess([&](const UProc& process) {
    if (process.process_group == process_group && &process != ignored && process.state != UProcState::kZombie) {
      is_orphaned = is_orphaned && !IsLink(process);
    }
  });
  return is_orphaned;
}

void EndProcess(UProc& process, GuestThread* last_thread) {
  const bool is_own = CurrentKthread()->group == &process.group;
  process.state = UProcState::kEnding;
  process.is_group_exiting = true;
  if (process.is_added) {
    TellOfAdditionsEnd(process, is_own);
  }
  ReleaseResources(process, is_own);
  EndVfork(process);
  HandOverChildren(process);
  if (IsLink(process)) {
    HangUpIfOrphaned(process.process_group, &process, process);
  }
  if (is_own) {
    Measure(process);
  }
  if (last_thread != nullptr) {
    process.group.timers.Cancel(last_thread->park_timer);
    last_thread->group_node.Unlink();
    --process.group.uthread_count;
    last_thread->state = UthreadState::kDead;
    process.last_thread = last_thread;
  }
  process.state = UProcState::kZombie;
  TellOfEnd(process);
}

void BuryProcess(UProc& zombie, UProc* parent) {
  if (parent != nullptr) {
    parent->child_user_us += zombie.user_us + zombie.child_user_us;
    parent->child_system_us += zombie.system_us + zombie.child_system_us;
  }
  if (--zombie.actions->references == 0) {
    ArenaDelete(zombie.actions);
  }
  zombie.actions = nullptr;
  zombie.sibling_node.Unlink();
  zombie.instance_node.Unlink();
  --TheInstance().process_count;
  zombie.parent = nullptr;
  ReleaseProcess(zombie);
}

void ReapHostDeaths() {
  // The host tells the parent, or the first process where that is gone. So each looks at its own, and the first at all.
  const auto* const self = reinterpret_cast<const UProc*>(CurrentKthread()->group);
  const bool looks_at_all = self == TheInstance().init;
  const auto is_dead = [&](const UProc& process) {
    return process.state != UProcState::kZombie && (looks_at_all || process.parent == self) &&
           HostCall(SYS_kill, process.group.host_pid, 0) == -ESRCH;
  };
  // One end may bury others, the next in the table too: so all are found before, and each stays in memory until its turn.
  UProc* dead = nullptr;
  ForEachProcess([&](UProc& process) {
    if (is_dead(process)) {
      ReferenceProcess(process);
      process.next_dead = dead;
      dead = &process;
    }
  });
  while (dead != nullptr) {
    UProc& process = *dead;
    dead = process.next_dead;
    EndDeadProcess(process);
    ReleaseProcess(process);
  }
}

void EndIfOrphanOfClone() {
  const bool is_first = CurrentKthread()->group == &TheInstance().init->group;
  if (TheInstance().is_clone && !is_first && HostCall(SYS_getppid) == kInitPid) {
    while (true) {
      HostCall(SYS_exit_group, 128 + SIGKILL);
    }
  }
}

void HangOnClone() {
  HostCall(SYS_prctl, PR_SET_PDEATHSIG, kRequestSignal, 0, 0, 0);
  EndIfOrphanOfClone();  // it may have come too late
}

void ExitHostProcess(UProc& process) {
  const int status = process.wait_status;
  const int signal = status & 0x7f;
  const bool is_init = &process == TheInstance().init;
  if (is_init && TheInstance().is_clone) {
    EndClone(signal != 0 ? 128 + signal : status >> 8 & 0xff);
  }
  RetireOtherKthreads(process.group);
  PassOnNetKeeping(process.group);
  if (is_init) {
    g_image.control->arena_live_bytes.store(ArenaLive_bytes(), std::memory_order_relaxed);
  }
  Kthread& kthread = *CurrentKthread();
  if (kthread.syscall_counter != &kthread.own_counter) {
    ReleaseControlThread(reinterpret_cast<ControlThread*>(kthread.syscall_counter), kthread.host_tid);
  }
  UnlockKernel();
  if (is_init && signal != 0) {
    DieBySignal(signal);
  }
  while (true) {
    HostCall(SYS_exit_group, signal != 0 ? 128 + signal : status >> 8 & 0xff);
  }
}

}  // namespace junction
