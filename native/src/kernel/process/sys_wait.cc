// SPDX-License-Identifier: Apache-2.0
// wait4 and waitid. Read first: wait(2), wait4(2).
#include <sys/resource.h>
#include <sys/wait.h>

#include <climits>
#include <csignal>

#include "kernel/door/guest_handlers.h"
#include "kernel/events/pidfd.h"
#include "kernel/files/file.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/process/process.h"

namespace junction {
namespace {

constexpr uint32_t kClone = static_cast<uint32_t>(__WCLONE);
constexpr uint32_t kAnyKind = static_cast<uint32_t>(__WALL);
constexpr uint32_t kOwnThreadOnly = 0x20000000;  // __WNOTHREAD: children have no thread of their own here
constexpr uint32_t kKinds = kClone | kAnyKind | kOwnThreadOnly;

struct WaitRequest {
  int type;  // P_ALL, P_PID, P_PGID
  int32_t id;
  uint32_t options;  // WEXITED, WSTOPPED, WCONTINUED, WNOHANG, WNOWAIT, __W…
};

// What was found of a child.
struct WaitNews {
  int32_t pid = 0;  // 0 = nothing yet
  int code = 0;     // CLD_EXITED …
  int status = 0;   // of siginfo
  int wait_status = 0;
  uint64_t user_us = 0;
  uint64_t system_us = 0;
};

bool IsMeant(const UProc& child, const WaitRequest& request) {
  if ((request.type == P_PID && child.pid != request.id) ||
      (request.type == P_PGID && child.process_group != request.id)) {
    return false;
  }
  const bool is_clone = child.exit_signal != SIGCHLD;
  return (request.options & kAnyKind) != 0 || is_clone == ((request.options & kClone) != 0);
}

// Takes what the request asks for, if the child has it to tell.
bool TakeNews(UProc& process, UProc& child, const WaitRequest& request, WaitNews& news) {
  const bool keeps = (request.options & WNOWAIT) != 0;
  news.user_us = child.user_us + child.child_user_us;
  news.system_us = child.system_us + child.child_system_us;
  news.pid = child.pid;
  if (child.state == UProcState::kZombie) {
    if ((request.options & WEXITED) == 0) {
      return false;
    }
    news.wait_status = child.wait_status;
    const int signal = child.wait_status & 0x7f;
    news.code = signal == 0 ? CLD_EXITED : (child.wait_status & 0x80) != 0 ? CLD_DUMPED : CLD_KILLED;
    news.status = signal == 0 ? child.wait_status >> 8 & 0xff : signal;
    if (!keeps) {
      BuryProcess(child, &process);
    }
    return true;
  }
  if (child.stop_signal != 0 && (request.options & WSTOPPED) != 0) {
    news.code = CLD_STOPPED;
    news.status = child.stop_signal;
    news.wait_status = child.stop_signal << 8 | 0x7f;
    child.stop_signal = keeps ? child.stop_signal : 0;
    return true;
  }
  if (child.has_continued && (request.options & WCONTINUED) != 0) {
    news.code = CLD_CONTINUED;
    news.status = SIGCONT;
    news.wait_status = 0xffff;
    child.has_continued = keeps;
    return true;
  }
  return false;
}

// 1 = news, 0 = none yet, -ECHILD = there is no such child.
int64_t LookAtChildren(UProc& process, const WaitRequest& request, WaitNews& news) {
  bool has_candidate = false;
  for (ListNode* node = process.children.first(); node != nullptr;) {
    UProc& child = *JUNCTION_OWNER(node, UProc, sibling_node);
    node = process.children.Next(node);
    if (!IsMeant(child, request)) {
      continue;
    }
    has_candidate = true;
    if (TakeNews(process, child, request, news)) {
      return 1;
    }
  }
  return has_candidate ? 0 : -ECHILD;
}

// 1 with news, 0 if WNOHANG found none, or an error.
int64_t Wait(UProc& process, const WaitRequest& request, WaitNews& news) {
  Waiter waiter(process.child_changed);
  while (true) {
    const int64_t result = LookAtChildren(process, request, news);
    if (result != 0 || (request.options & WNOHANG) != 0) {
      return result;
    }
    if (Park(kNever) == WakeReason::kInterrupted) {
      return kRestartSys;
    }
  }
}

timeval ToTimeval(uint64_t microseconds) {
  constexpr uint64_t kSecond = 1'000'000;
  return {static_cast<time_t>(microseconds / kSecond), static_cast<suseconds_t>(microseconds % kSecond)};
}

bool WriteUsage(uint64_t address, const WaitNews& news) {
  if (address == 0) {
    return true;
  }
  rusage usage = {};
  usage.ru_utime = ToTimeval(news.user_us);
  usage.ru_stime = ToTimeval(news.system_us);
  return CopyToGuest(address, &usage, sizeof(usage));
}

bool WriteInfo(uint64_t address, const WaitNews& news) {
  if (address == 0) {
    return true;
  }
  siginfo_t info = {};
  if (news.code != 0) {
    info.si_signo = SIGCHLD;
    info.si_code = news.code;
    info.si_pid = news.pid;
    info.si_uid = static_cast<uid_t>(HostCall(SYS_getuid));
    info.si_status = news.status;
  }
  return CopyToGuest(address, &info, sizeof(info));
}

// Of waitid's id types: what to look for.
int64_t MakeRequest(Call& call, WaitRequest& request) {
  const int32_t id = call.int_arg(1);
  request.id = id;
  switch (request.type) {
    case P_ALL:
      return 0;
    case P_PID:
      return id > 0 ? 0 : -EINVAL;
    case P_PGID:
      if (id < 0) {
        return -EINVAL;
      }
      request.id = id == 0 ? call.process().process_group : id;
      return 0;
    case P_PIDFD: {
      if (id < 0) {
        return -EINVAL;
      }
      File* const file = GetFile(id);
      if (file == nullptr || file->kind != FileKind::kPidfd) {
        return -EBADF;
      }
      const UProc* const process = ProcessOfPidfd(*file);
      if (process == nullptr) {
        return -ECHILD;  // waited for already
      }
      request.type = P_PID;
      request.id = process->pid;
      return 0;
    }
    default:
      return -EINVAL;
  }
}

}  // namespace

int64_t SysWait4(Call& call) {
  const int32_t pid = call.int_arg(0);
  const auto options = static_cast<uint32_t>(call.arg(2));
  if ((options & ~(WNOHANG | WUNTRACED | WCONTINUED | kKinds)) != 0) {
    return -EINVAL;
  }
  if (pid == INT_MIN) {
    return -ESRCH;
  }
  WaitRequest request = {P_ALL, 0, options | WEXITED};
  if (pid > 0) {
    request.type = P_PID;
    request.id = pid;
  } else if (pid != -1) {
    request.type = P_PGID;
    request.id = pid == 0 ? call.process().process_group : -pid;
  }
  WaitNews news;
  const int64_t result = Wait(call.process(), request, news);
  if (result <= 0) {
    return result;
  }
  const bool has_status = call.arg(1) == 0 || CopyToGuest(call.arg(1), &news.wait_status, sizeof(news.wait_status));
  if (!WriteUsage(call.arg(3), news) || !has_status) {
    return -EFAULT;
  }
  return news.pid;
}

int64_t SysWaitid(Call& call) {
  const auto options = static_cast<uint32_t>(call.arg(3));
  if ((options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | kKinds)) != 0 ||
      (options & (WEXITED | WSTOPPED | WCONTINUED)) == 0) {
    return -EINVAL;
  }
  WaitRequest request = {call.int_arg(0), 0, options};
  if (const int64_t error = MakeRequest(call, request); error != 0) {
    return error;
  }
  bool is_nonblocking_pidfd = false;
  if (call.int_arg(0) == P_PIDFD && GetFile(call.int_arg(1))->is_nonblocking()) {
    is_nonblocking_pidfd = true;
    request.options |= WNOHANG;
  }
  WaitNews news;
  const int64_t result = Wait(call.process(), request, news);
  if (result < 0) {
    return result;
  }
  if (result == 0) {
    news.code = 0;
    if (is_nonblocking_pidfd && (options & WNOHANG) == 0) {
      return -EAGAIN;
    }
  } else if (!WriteUsage(call.arg(4), news)) {
    return -EFAULT;
  }
  return WriteInfo(call.arg(2), news) ? 0 : -EFAULT;
}

}  // namespace junction
