// SPDX-License-Identifier: Apache-2.0
// Sending signals. Read first: kill(2), tkill(2), rt_sigqueueinfo(2). As in Linux a target that does not exist is told before a bad
// signal number.
#include <sys/syscall.h>

#include <cerrno>
#include <climits>

#include "kernel/door/guest_handlers.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/signals/signal_sets.h"

namespace junction {
namespace {

bool CanSend(int signal) { return signal == 0 || IsValidSignal(signal); }

// The host knows who is who: a uProc's host process has its id and its users. Within a process all is allowed.
bool MaySignal(const UProc& self, const UProc& target, int signal) {
  if (&self == &target || (signal == SIGCONT && self.session == target.session)) {
    return true;
  }
  return HostCall(SYS_kill, target.group.host_pid, 0) != -EPERM;
}

// Signal 0 only asks whether the process exists and may be signalled.
int64_t Send(UProc& process, const siginfo_t& info) {
  if (!CanSend(info.si_signo)) {
    return -EINVAL;
  }
  if (!MaySignal(CurrentProcess(), process, info.si_signo)) {
    return -EPERM;
  }
  return info.si_signo == 0 ? 0 : SendToProcess(process, info);
}

// A thread's id stands for its process too.
UProc* FindTarget(int32_t id) {
  if (UProc* const process = FindProcess(id); process != nullptr) {
    return process;
  }
  const GuestThread* const thread = FindThread(id);
  return thread == nullptr ? nullptr : thread->process;
}

int64_t KillProcess(int32_t pid, const siginfo_t& info) {
  UProc* const process = FindTarget(pid);
  return process == nullptr ? -ESRCH : Send(*process, info);
}

// `group` 0: every process but the caller's and the one with pid 1; then those that refuse do not count.
int64_t KillMany(int32_t group, const UProc& self, const siginfo_t& info) {
  int64_t result = -ESRCH;
  List& processes = TheInstance().processes;
  ListNode* next = nullptr;
  for (ListNode* node = processes.first(); node != nullptr; node = next) {
    next = processes.Next(node);
    auto& process = *JUNCTION_OWNER(node, UProc, instance_node);
    const bool is_meant = group != 0 ? process.process_group == group : process.pid > 1 && &process != &self;
    if (is_meant) {
      const int64_t sent = Send(process, info);
      result = result == 0 || (group == 0 && sent == -EPERM) ? 0 : sent;
    }
  }
  return result;
}

int64_t SendToOne(int32_t process_id, int32_t thread_id, const siginfo_t& info) {
  GuestThread* const thread = FindThread(thread_id);
  if (thread == nullptr || (process_id != 0 && thread->process->pid != process_id)) {
    return -ESRCH;
  }
  if (!CanSend(info.si_signo)) {
    return -EINVAL;
  }
  if (!MaySignal(CurrentProcess(), *thread->process, info.si_signo)) {
    return -EPERM;
  }
  return info.si_signo == 0 ? 0 : SendToThread(*thread, info);
}

// A siginfo made by the guest: only to itself may a thread pretend that the kernel or kill(2) sent it. 0, -EFAULT or -EPERM.
int64_t ReadSiginfo(uint64_t address, int signal, bool is_to_self, siginfo_t& out) {
  if (!CopyFromGuest(&out, address, sizeof(out))) {
    return -EFAULT;
  }
  out.si_signo = signal;
  return !is_to_self && (out.si_code >= 0 || out.si_code == SI_TKILL) ? -EPERM : 0;
}

}  // namespace

int64_t SysKill(Call& call) {
  const int32_t pid = call.int_arg(0);
  const siginfo_t info = MakeUserSiginfo(call.int_arg(1), SI_USER);
  const UProc& self = call.process();
  if (pid > 0) {
    return KillProcess(pid, info);
  }
  if (pid == INT_MIN) {
    return -ESRCH;
  }
  if (pid == -1) {
    return KillMany(0, self, info);
  }
  return KillMany(pid == 0 ? self.process_group : -pid, self, info);
}

int64_t SysTkill(Call& call) {
  const int32_t thread_id = call.int_arg(0);
  if (thread_id <= 0) {
    return -EINVAL;
  }
  return SendToOne(0, thread_id, MakeUserSiginfo(call.int_arg(1), SI_TKILL));
}

int64_t SysTgkill(Call& call) {
  const int32_t process_id = call.int_arg(0);
  const int32_t thread_id = call.int_arg(1);
  if (process_id <= 0 || thread_id <= 0) {
    return -EINVAL;
  }
  return SendToOne(process_id, thread_id, MakeUserSiginfo(call.int_arg(2), SI_TKILL));
}

int64_t SysRtSigqueueinfo(Call& call) {
  const int32_t pid = call.int_arg(0);
  siginfo_t info;
  if (const int64_t error = ReadSiginfo(call.arg(2), call.int_arg(1), pid == call.thread().tid, info); error != 0) {
    return error;
  }
  return KillProcess(pid, info);
}

int64_t SysRtTgsigqueueinfo(Call& call) {
  const int32_t process_id = call.int_arg(0);
  const int32_t thread_id = call.int_arg(1);
  siginfo_t info;
  const bool is_to_self = thread_id == call.thread().tid;
  if (process_id <= 0 || thread_id <= 0) {
    // Linux copies before it looks at the ids.
    return CopyFromGuest(&info, call.arg(3), sizeof(info)) ? -EINVAL : -EFAULT;
  }
  if (const int64_t error = ReadSiginfo(call.arg(3), call.int_arg(2), is_to_self, info); error != 0) {
    return error;
  }
  return SendToOne(process_id, thread_id, info);
}

}  // namespace junction
