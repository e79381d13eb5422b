// SPDX-License-Identifier: Apache-2.0
// Making and ending threads and processes; ids, groups and sessions. Host ids are the guest's, and groups and sessions are told to the
// host too (best effort), so that a terminal's signals reach whom they should.
#include <linux/sched.h>
#include <sys/syscall.h>

#include "kernel/door/guest_handlers.h"
#include "kernel/process/process.h"

namespace junction {
namespace {

constexpr uint64_t kNamespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
constexpr uint64_t kAddressEnd = 0x7ffffffff000;

bool HasAll(uint64_t flags, uint64_t wanted) { return (flags & wanted) == wanted; }

// Combinations that clone(2) refuses.
int64_t CheckClone(const UProc& process, const CloneArguments& arguments) {
  const uint64_t flags = arguments.flags;
  if ((HasAll(flags, CLONE_SIGHAND) && !HasAll(flags, CLONE_VM)) ||
      (HasAll(flags, CLONE_THREAD) && !HasAll(flags, CLONE_SIGHAND)) ||
      (HasAll(flags, CLONE_FS) && (flags & (CLONE_NEWNS | CLONE_NEWUSER)) != 0)) {
    return -EINVAL;
  }
  if (HasAll(flags, CLONE_PIDFD) && (flags & (CLONE_THREAD | CLONE_PARENT_SETTID | CLONE_DETACHED)) != 0) {
    return -EINVAL;
  }
  if (HasAll(flags, CLONE_PARENT) && &process == TheInstance().init) {
    return -EINVAL;
  }
  if ((flags & kNamespaces) != 0 || (HasAll(flags, CLONE_SETTLS) && arguments.tls >= kAddressEnd)) {
    return -EPERM;
  }
  return 0;
}

int64_t Clone(GuestThread& thread, const CloneArguments& arguments) {
  if (const int64_t error = CheckClone(*thread.process, arguments); error != 0) {
    return error;
  }
  return HasAll(arguments.flags, CLONE_THREAD) ? CloneThread(thread, arguments) : CloneProcess(thread, arguments);
}

bool HasProcessOf(int32_t session, int32_t group) {
  const List& processes = TheInstance().processes;
  for (ListNode* node = processes.first(); node != nullptr; node = processes.Next(node)) {
    const auto* const process = JUNCTION_OWNER(node, UProc, instance_node);
    if (process->process_group == group && process->session == session) {
      return true;
    }
  }
  return false;
}

bool IsGroup(int32_t group) {
  const List& processes = TheInstance().processes;
  for (ListNode* node = processes.first(); node != nullptr; node = processes.Next(node)) {
    if (JUNCTION_OWNER(node, UProc, instance_node)->process_group == group) {
      return true;
    }
  }
  return false;
}

// 0 names the caller.
UProc* FindOrSelf(Call& call, int32_t pid) {
  if (pid == 0) {
    return &call.process();
  }
  return FindProcess(pid);
}

}  // namespace

int64_t SysClone(Call& call) {
  return Clone(call.thread(), {call.arg(0) & 0xffffffff, call.arg(1), call.arg(2), call.arg(3), call.arg(4)});
}

int64_t SysFork(Call& call) { return Clone(call.thread(), {SIGCHLD, 0, 0, 0, 0}); }

int64_t SysVfork(Call& call) { return Clone(call.thread(), {CLONE_VFORK | CLONE_VM | SIGCHLD, 0, 0, 0, 0}); }

int64_t SysExit(Call& call) {
  UProc& process = call.process();
  if (call.thread().tid == process.pid && !process.is_group_exiting) {
    process.wait_status = (call.int_arg(0) & 0xff) << 8;  // the process', should the others end in the same way
  }
  ExitCurrentThread();
}

int64_t SysExitGroup(Call& call) {
  BeginGroupExit(call.process(), (call.int_arg(0) & 0xff) << 8);
  ExitCurrentThread();
}

int64_t SysGetpid(Call& call) { return call.process().pid; }

int64_t SysGettid(Call& call) { return call.thread().tid; }

int64_t SysGetppid(Call& call) { return call.process().parent_pid; }

int64_t SysSetTidAddress(Call& call) {
  call.thread().clear_child_tid = call.arg(0);
  return call.thread().tid;
}

int64_t SysSetpgid(Call& call) {
  UProc& self = call.process();
  const int32_t pid = call.int_arg(0) == 0 ? self.pid : call.int_arg(0);
  const int32_t group = call.int_arg(1) == 0 ? pid : call.int_arg(1);
  if (group < 0) {
    return -EINVAL;
  }
  UProc* const process = FindProcess(pid);
  if (process == nullptr || (process != &self && process->parent != &self)) {
    return -ESRCH;
  }
  if (process != &self) {
    if (process->session != self.session) {
      return -EPERM;
    }
    if (process->has_execed) {
      return -EACCES;
    }
  }
  if (process->session == process->pid) {
    return -EPERM;  // a session's leader
  }
  if (group != pid && !HasProcessOf(self.session, group)) {
    return -EPERM;
  }
  process->process_group = group;
  HostCall(SYS_setpgid, process->group.host_pid, group);
  return 0;
}

int64_t SysGetpgid(Call& call) {
  const UProc* const process = FindOrSelf(call, call.int_arg(0));
  return process != nullptr ? process->process_group : -ESRCH;
}

int64_t SysGetpgrp(Call& call) { return call.process().process_group; }

int64_t SysGetsid(Call& call) {
  const UProc* const process = FindOrSelf(call, call.int_arg(0));
  return process != nullptr ? process->session : -ESRCH;
}

int64_t SysSetsid(Call& call) {
  UProc& self = call.process();
  if (IsGroup(self.pid)) {
    return -EPERM;
  }
  self.session = self.pid;
  self.process_group = self.pid;
  HostCall(SYS_setsid);
  return self.pid;
}

}  // namespace junction
