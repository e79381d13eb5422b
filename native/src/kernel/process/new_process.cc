// SPDX-License-Identifier: Apache-2.0
#include "kernel/process/new_process.h"

#include <sys/syscall.h>

#include <csignal>

#include "kernel/files/file.h"
#include "kernel/memory/memory.h"
#include "kernel/process/process.h"
#include "uthread/host_call.h"

namespace junction {
namespace {

void DropParts(UProc& process) {
  if (process.files != nullptr) {
    UnreferenceFdTable(*process.files);
  }
  if (process.memory != nullptr) {
    UnreferenceAddressSpace(*process.memory);
  }
  if (process.actions != nullptr && --process.actions->references == 0) {
    ArenaDelete(process.actions);
  }
}

}  // namespace

void FreeChild(NewChild& child) {
  if (child.process == nullptr) {
    return;
  }
  DropParts(*child.process);
  if (child.thread != nullptr) {
    FreeUthreadSlot(*child.thread);
  }
  if (child.kthread != nullptr) {
    FreeKthread(*child.kthread);
  }
  ArenaDelete(child.process);
}

int64_t ForkHost(Kthread& kthread, uint64_t host_flags, void (*run)(void* kthread)) {
  const uint64_t all = ~0ULL;
  uint64_t before = 0;
  // What comes for the child must wait until it has a kthread of its own: its GS base is the parent's until then.
  HostCall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof(all));
  const int64_t pid = junction_host_fork(host_flags | SIGCHLD, IdleStackTop(kthread), run, &kthread);
  HostCall(SYS_rt_sigprocmask, SIG_SETMASK, &before, nullptr, sizeof(before));
  return pid;
}

void EnterChild(NewChild& child, int32_t pid, UProc* parent) {
  UProc& process = *child.process;
  process.pid = pid;
  process.group.host_pid = pid;
  child.kthread->host_pid = pid;
  child.kthread->host_tid = pid;
  child.thread->tid = pid;
  LinkProcess(process, parent);
  LinkThreadId(*child.thread);
  AddUthread(process.group, *child.thread);
  g_image.control->processes_started.fetch_add(1, std::memory_order_relaxed);
}

void DiscardChild(NewChild& child, int32_t pid) {
  HostCall(SYS_kill, pid, SIGKILL);
  UProc& process = *child.process;
  DropParts(process);
  process.pid = pid;
  process.group.host_pid = pid;
  process.last_thread = child.thread;
  TheInstance().dying.PushBack(process.instance_node);
}

}  // namespace junction
