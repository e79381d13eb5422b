// SPDX-License-Identifier: Apache-2.0
// Threads and processes on the host's. A child thread (or vfork child) gets a ThreadBlock of its own before the host makes it;
// a forked child goes on with its copy of the parent's. Neither inherits the net: each arms it anew.
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <csignal>

#include "kernel/control_slots.h"
#include "kernel/guest_handlers.h"
#include "kernel/host_call.h"
#include "kernel/signal_table.h"
#include "kernel/uproc.h"

extern "C" void junction_child_start(junction::ThreadBlock* thread);

namespace junction {
namespace {

constexpr uint64_t kNamespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

struct CloneArguments {
  uint64_t flags;
  uint64_t stack;
  uint64_t parent_tid;
  uint64_t child_tid;
  uint64_t tls;
};

void LockAll() {
  g_uproc.memory_lock.Lock();
  g_uproc.signal_lock.Lock();
}

void UnlockAll() {
  g_uproc.signal_lock.Unlock();
  g_uproc.memory_lock.Unlock();
}

// The table of a vfork child lies at the low end of its own stack slot.
SignalTable* CopySignalTable(ThreadBlock* child, const SignalTable& from) {
  char* slot = reinterpret_cast<char*>(child) + kThreadBlockSpace_bytes - kThreadSlotSize_bytes;
  auto* table = reinterpret_cast<SignalTable*>(slot + kThreadGuardSize_bytes);
  *table = from;
  return table;
}

// A child that shares our memory: a thread, or a vfork child.
int64_t CloneSharing(ThreadBlock& parent, const CloneArguments& arguments) {
  ThreadBlock* child = AllocateThreadBlock();
  if (child == nullptr) {
    return -EAGAIN;
  }
  child->return_address = parent.return_address;
  child->guest = parent.guest;
  child->guest_rsp = arguments.stack != 0 ? arguments.stack : parent.guest_rsp;
  child->mask = parent.mask;
  child->affinity = parent.affinity;
  for (int i = 0; i < 6; ++i) {
    child->callee_saved[i] = parent.callee_saved[i];
  }
  child->signals = (arguments.flags & CLONE_SIGHAND) != 0 ? parent.signals : CopySignalTable(child, *parent.signals);
  auto** top = static_cast<ThreadBlock**>(child->kernel_stack) - 1;
  *top = child;
  const int64_t result =
      junction_host_clone(arguments.flags, top, arguments.parent_tid, arguments.child_tid, arguments.tls);
  if (IsHostError(result)) {
    FreeThreadBlock(child);
    return result;
  }
  if ((arguments.flags & CLONE_VFORK) != 0) {
    // The child has left our memory by now, by exec or exit.
    if (child->exec_scratch != nullptr) {
      HostCall(SYS_munmap, child->exec_scratch, child->exec_scratch_size_bytes);
    }
    FreeThreadBlock(child);
  }
  return result;
}

int64_t CloneCopying(ThreadBlock& thread, const CloneArguments& arguments) {
  LockAll();
  const int64_t result =
      HostCall(SYS_clone, arguments.flags, nullptr, arguments.parent_tid, arguments.child_tid, arguments.tls);
  UnlockAll();
  if (result != 0) {
    return result;
  }
  KeepOnlyThreadBlock(&thread);
  KERNEL_CHECK(AttachThread(&thread) == 0);
  g_uproc.control->processes_started.fetch_add(1, std::memory_order_relaxed);
  if (arguments.stack != 0) {
    thread.guest_rsp = arguments.stack;
  }
  return 0;
}

int64_t Clone(ThreadBlock& thread, const CloneArguments& arguments) {
  if ((arguments.flags & (kNamespaces | CLONE_PTRACE)) != 0) {
    return -EPERM;
  }
  return (arguments.flags & CLONE_VM) != 0 ? CloneSharing(thread, arguments) : CloneCopying(thread, arguments);
}

void ReleaseIfOfProcess(ThreadBlock* block, void* process) {
  if (block->process_id == static_cast<ThreadBlock*>(process)->process_id && block->control_thread != nullptr) {
    ReleaseControlThread(block->control_thread, block->thread_id);
  }
}

}  // namespace

int64_t SysClone(Call& call) {
  return Clone(call.thread(), {call.arg(0), call.arg(1), call.arg(2), call.arg(3), call.arg(4)});
}

int64_t SysFork(Call& call) { return Clone(call.thread(), {SIGCHLD, 0, 0, 0, 0}); }

int64_t SysVfork(Call& call) { return Clone(call.thread(), {CLONE_VFORK | CLONE_VM | SIGCHLD, 0, 0, 0, 0}); }

int64_t SysExit(Call& call) {
  ThreadBlock& thread = call.thread();
  // Not even a fault signal may come any more: the block is somebody else's once its state says so.
  const uint64_t all = ~0ULL;
  HostCall(SYS_rt_sigprocmask, SIG_SETMASK, &all, nullptr, sizeof(all));
  ReleaseControlThread(thread.control_thread, thread.thread_id);
  junction_host_exit(reinterpret_cast<uint32_t*>(thread.state), call.fd(0));
}

int64_t SysExitGroup(Call& call) {
  ForEachThreadBlock(&ReleaseIfOfProcess, &call.thread());
  while (true) {
    HostCall(SYS_exit_group, call.fd(0));
  }
}

}  // namespace junction

// First code of a thread or vfork child, on its own kernel stack, with all signals blocked.
void junction_child_start(junction::ThreadBlock* thread) {
  KERNEL_CHECK(junction::AttachThread(thread) == 0);
  if (thread->process_id == thread->thread_id) {
    junction::g_uproc.control->processes_started.fetch_add(1, std::memory_order_relaxed);
  }
}
