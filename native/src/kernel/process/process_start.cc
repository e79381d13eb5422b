// SPDX-License-Identifier: Apache-2.0
// How a host process becomes a uProc: the first of an instance, and each fresh image that an execve made. Both come from the loader
// (enter_program.cc), which maps the program between the two halves.
//
// After an execve the UProc is the old one, with its descriptors, pending signals, timers and parent. Its one kthread is taken up again (the
// idle stack holds nothing any more), its one thread gives way to a new one with the process' id.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>

#include "kernel/door/loader_hooks.h"
#include "kernel/door/prepare.h"
#include "kernel/files/file.h"
#include "kernel/memory/memory.h"
#include "kernel/net/instance_net.h"
#include "kernel/process/exec_stage.h"
#include "kernel/process/process.h"
#include "kernel/signals/signals.h"
#include "kernel/time/posix_timer.h"
#include "uthread/clock.h"
#include "uthread/host_call.h"

namespace junction {

LoaderHooks g_loader_hooks;

namespace {

constexpr uint64_t kInitialFlags = 0x202;  // interrupts on, and the bit that is always 1
constexpr int kDispatchOption = 59;        // PR_SET_SYSCALL_USER_DISPATCH

void SetHostMask(uint64_t mask) { HostCall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, nullptr, sizeof(mask)); }

GuestThread* NewMainThread(UProc& process, uint64_t signal_mask) {
  auto* const thread = static_cast<GuestThread*>(AllocateUthreadSlot());
  if (thread == nullptr) {
    return nullptr;
  }
  thread->process = &process;
  thread->tid = process.pid;
  thread->signal_mask = signal_mask & ~kUnblockable;
  thread->alternate_stack_flags = SS_DISABLE;
  thread->affinity = ~0ULL;
  LinkThreadId(*thread);
  AddUthread(process.group, *thread);
  return thread;
}

bool GiveInitialParts(UProc& process) {
  process.files = NewFdTable();
  process.actions = ArenaNew<SignalActions>();
  process.memory = NewAddressSpace();
  return process.files != nullptr && process.actions != nullptr && process.memory != nullptr;
}

// Nobody else is there yet, so there is no lock to take.
int64_t MakeFirstProcess(const ProcessStart& start, Kthread** kthread) {
  auto* const instance = ArenaNew<Instance>();
  auto* const process = ArenaNew<UProc>();
  if (instance == nullptr || process == nullptr || !PrepareThreadIds(*instance)) {
    return -ENOMEM;
  }
  Arena().kernel_root = instance;
  instance->init = process;
  instance->has_crash_reports = g_image.crash_report;
  process->pid = static_cast<int32_t>(HostCall(SYS_getpid));
  process->group.host_pid = process->pid;
  process->process_group = static_cast<int32_t>(HostCall(SYS_getpgid, 0));
  process->session = static_cast<int32_t>(HostCall(SYS_getsid, 0));
  process->exit_signal = SIGCHLD;
  process->is_dumpable = true;
  process->start_ns = MonotonicNow_ns();
  LinkProcess(*process, nullptr);
  process->parent_pid = static_cast<int32_t>(HostCall(SYS_getppid));
  *kthread = AllocateKthread(process->group);
  if (*kthread == nullptr || !GiveInitialParts(*process) || NewMainThread(*process, start.signal_mask) == nullptr) {
    return -ENOMEM;
  }
  InheritHostDispositions(*process->actions);
  for (int fd = 1; fd <= 2; ++fd) {
    struct stat status;
    instance->output_inodes[fd - 1] = HostCall(SYS_fstat, fd, &status) == 0 ? status.st_ino : 0;
  }
  const int64_t number = ReserveHostFd(*process->files, start.arena_fd);
  if (number < 0) {
    return number;
  }
  g_image.arena_fd = static_cast<int>(number);
  if (start.nic != nullptr) {
    if (const int64_t error = MakeInstanceNet(*process->files, *start.nic); error != 0) {
      return error;
    }
  }
  return AdoptHostDescriptors(*process->files);
}

// A clone's control block is known by its descriptor, which execve named by a path.
int64_t KeepControlDescriptor(UProc& process) {
  if (!TheInstance().is_clone) {
    return 0;
  }
  constexpr size_t kPrefix = sizeof(kDescriptorPath) - 1;
  int32_t fd = 0;
  for (const char* digit = g_image.control_path + kPrefix; *digit >= '0' && *digit <= '9'; ++digit) {
    fd = fd * 10 + (*digit - '0');
  }
  const int64_t number = ReserveHostFd(*process.files, fd);
  g_image.control_fd = static_cast<int>(number);
  return number < 0 ? number : 0;
}

// The kthread that made the exec: it ran the only thread.
Kthread& KthreadOfExec(UProc& process) {
  const List& kthreads = process.group.kthreads;
  ListNode* node = kthreads.first();
  while (JUNCTION_OWNER(node, Kthread, group_node)->current == nullptr) {
    node = kthreads.Next(node);
  }
  return *JUNCTION_OWNER(node, Kthread, group_node);
}

// The host's exec ended the process' other host threads, and all that the host kept for this one.
Kthread* TakeUpKthread(UProc& process) {
  Kthread& kept = KthreadOfExec(process);
  kept.current = nullptr;
  kept.state_owner = nullptr;
  kept.dead = nullptr;
  kept.tick_timer = -1;
  kept.tick_deadline_ns = kNever;
  kept.in_kernel.store(1, std::memory_order_relaxed);
  kept.is_parked = false;
  kept.keeps_net.store(0, std::memory_order_relaxed);
  kept.parks_in_poller = false;
  kept.wake_count = 0;
  return &kept;
}

void FreeOtherKthreads(UProc& process, const Kthread& kept) {
  const List& kthreads = process.group.kthreads;
  for (ListNode* node = kthreads.first(); node != nullptr;) {
    Kthread* const kthread = JUNCTION_OWNER(node, Kthread, group_node);
    node = kthreads.Next(node);
    if (kthread != &kept) {
      FreeKthread(*kthread);
    }
  }
}

bool ReplaceThread(UProc& process) {
  GuestThread& old = *NextThread(process, nullptr);
  UnlinkThreadId(old);
  old.group_node.Unlink();
  --process.group.uthread_count;
  GuestThread* const thread = NewMainThread(process, old.signal_mask);
  if (thread == nullptr) {
    return false;
  }
  thread->affinity = old.affinity;
  thread->nice = old.nice;
  thread->policy = old.policy;
  thread->is_ending = old.is_ending;
  thread->pending = old.pending;
  if (old.pending.queue.empty()) {
    thread->pending.queue = List{};
  } else {
    // The ring's neighbours pointed to the old head.
    thread->pending.queue.head.next->previous = &thread->pending.queue.head;
    thread->pending.queue.head.previous->next = &thread->pending.queue.head;
  }
  FreeUthreadSlot(old);
  return true;
}

bool ReplaceParts(UProc& process) {
  UnreferenceAddressSpace(*process.memory);
  process.memory = NewAddressSpace();
  if (process.files->references > 1) {
    FdTable* const own = CopyFdTable(*process.files);
    UnreferenceFdTable(*process.files);
    process.files = own;
  }
  if (process.actions->references > 1) {
    auto* const own = ArenaNew<SignalActions>(*process.actions);
    --process.actions->references;
    process.actions = own;
    if (own != nullptr) {
      own->references = 1;
    }
  }
  return process.memory != nullptr && process.files != nullptr && process.actions != nullptr;
}

// Kernel lock held.
int64_t ContinueProcess(UProc& process, Kthread& kthread, int arena_fd) {
  FreeOtherKthreads(process, kthread);
  if (process.exec_scratch != nullptr) {
    ArenaFree(process.exec_scratch, process.exec_scratch_bytes);
    process.exec_scratch = nullptr;
  }
  if (!ReplaceParts(process) || !ReplaceThread(process)) {
    return -ENOMEM;
  }
  process.has_execed = true;
  process.is_dumpable = true;
  process.exit_signal = SIGCHLD;
  ResetActionsForExec(process);
  ForgetTimersForExec(process);
  EndVfork(process);
  const int64_t number = ReserveHostFd(*process.files, arena_fd);
  g_image.arena_fd = static_cast<int>(number);
  const int64_t control = KeepControlDescriptor(process);
  CloseOnExec(*process.files);
  return number < 0 ? number : control;
}

// Children that ended before the new image had its handlers.
void ReapHostZombies() {
  while (HostCall(SYS_wait4, -1, nullptr, WNOHANG | __WALL, nullptr) > 0) {
  }
}

}  // namespace

int64_t PrepareProcess(const ProcessStart& start) {
  SetHostMask(~0ULL);  // until there are handlers and a kthread for them
  if (const int64_t error = PrepareKernel(start.arena_fd, start.control, start.vdso); error != 0) {
    return error;
  }
  Kthread* kthread = nullptr;
  if (start.process == nullptr) {
    if (const int64_t error = MakeFirstProcess(start, &kthread); error != 0) {
      return error;
    }
  } else {
    if (const int64_t error = MapInstanceNet(*start.process->files); error != 0) {
      return error;
    }
    kthread = TakeUpKthread(*start.process);
  }
  if (const int64_t error = InstallHostHandlers(); error != 0) {
    return error;
  }
  if (const int64_t error = AttachKthread(*kthread); error != 0) {
    return error;
  }
  UProc& process = *reinterpret_cast<UProc*>(kthread->group);
  int64_t error = 0;
  {
    const KernelLockGuard lock;
    if (start.process != nullptr) {
      error = ContinueProcess(process, *kthread, start.arena_fd);
    }
    kthread->current = NextThread(process, nullptr);
  }
  ReapHostZombies();
  return error;
}

void AbandonProcess() {
  HostCall(SYS_prctl, kDispatchOption, 0, 0, 0, 0);
  SetHostMask(0);
}

void StartProcess(uint64_t entry, uint64_t stack_pointer) {
  Kthread& kthread = *CurrentKthread();
  {
    const KernelLockGuard lock;
    GuestThread& thread = CurrentThread();
    thread.frame = {};
    thread.frame.rip = entry;
    thread.frame.rsp = stack_pointer;
    thread.frame.rflags = kInitialFlags;
    thread.has_full_frame = 1;
    g_image.control->processes_started.fetch_add(1, std::memory_order_relaxed);
    kthread.current = nullptr;
    MakeReady(thread);
    RefreshInterrupt(thread);
  }
  SetHostMask(0);
  EnterKthread(kthread);  // away from the stack that is the guest's now
}

}  // namespace junction
