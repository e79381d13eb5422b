// SPDX-License-Identifier: Apache-2.0
// Read first: signalfd(2), signalfd_copyinfo of Linux' fs/signalfd.c.
//
// A signalfd tells of the signals of who reads or polls it, not of who made it. Signals wake UProc::signal_arrived, polls wait in
// File::wait: a bridge, made when a process first polls, passes the one on to the other.
#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>

#include <csignal>

#include "kernel/door/guest_handlers.h"
#include "kernel/files/file.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/process/process.h"
#include "kernel/signals/signals.h"
#include "uthread/arena.h"

namespace junction {
namespace {

struct SignalFile : File {
  uint64_t set;
  List bridges;  // Bridge::file_node
};

struct Bridge {
  Waiter waiter;  // in process->signal_arrived
  SignalFile* file;
  UProc* process;  // referenced: its object, and so the queue, outlives it
  ListNode file_node;
};

bool OnSignal(Waiter& waiter, PollEvents) {
  static_cast<Bridge*>(waiter.context)->file->wait.Wake(POLLIN);
  return true;
}

void DeleteBridge(Bridge& bridge) {
  UProc& process = *bridge.process;
  bridge.file_node.Unlink();
  ArenaDelete(&bridge);  // its waiter leaves the process' queue
  ReleaseProcess(process);
}

// If memory is short a poll that waits may miss signals: it still sees those that are there when it begins.
void BridgeTo(SignalFile& file, UProc& process) {
  for (ListNode* node = file.bridges.first(); node != nullptr; node = file.bridges.Next(node)) {
    if (JUNCTION_OWNER(node, Bridge, file_node)->process == &process) {
      return;
    }
  }
  auto* const bridge = ArenaNew<Bridge>();
  if (bridge == nullptr) {
    return;
  }
  bridge->waiter.notify = &OnSignal;
  bridge->waiter.context = bridge;
  bridge->file = &file;
  bridge->process = &ReferenceProcess(process);
  file.bridges.PushBack(bridge->file_node);
  process.signal_arrived.Add(bridge->waiter);
}

// Which members of a siginfo mean something: siginfo_layout of Linux' kernel/signal.c.
enum class Layout { kKill, kRealtime, kTimer, kChild, kFault, kPoll };

Layout LayoutOfKernelCode(int signal) {
  switch (signal) {
    case SIGILL:
    case SIGFPE:
    case SIGSEGV:
    case SIGBUS:
    case SIGTRAP:
      return Layout::kFault;
    case SIGCHLD:
      return Layout::kChild;
    case SIGIO:
      return Layout::kPoll;
    default:
      return Layout::kKill;
  }
}

Layout LayoutOf(const siginfo_t& info) {
  if (info.si_code > SI_USER && info.si_code < SI_KERNEL) {
    return LayoutOfKernelCode(info.si_signo);
  }
  if (info.si_code == SI_TIMER) {
    return Layout::kTimer;
  }
  if (info.si_code == SI_SIGIO) {
    return Layout::kPoll;
  }
  return info.si_code < 0 ? Layout::kRealtime : Layout::kKill;
}

void FillByLayout(const siginfo_t& info, signalfd_siginfo& out) {
  switch (LayoutOf(info)) {
    case Layout::kTimer:
      out.ssi_tid = static_cast<uint32_t>(info.si_timerid);
      out.ssi_overrun = static_cast<uint32_t>(info.si_overrun);
      break;
    case Layout::kFault:
      out.ssi_addr = reinterpret_cast<uint64_t>(info.si_addr);
      return;
    case Layout::kPoll:
      out.ssi_band = static_cast<uint32_t>(info.si_band);
      out.ssi_fd = info.si_fd;
      return;
    case Layout::kChild:
      out.ssi_pid = static_cast<uint32_t>(info.si_pid);
      out.ssi_uid = info.si_uid;
      out.ssi_status = info.si_status;
      out.ssi_utime = static_cast<uint64_t>(info.si_utime);
      out.ssi_stime = static_cast<uint64_t>(info.si_stime);
      return;
    case Layout::kKill:
      out.ssi_pid = static_cast<uint32_t>(info.si_pid);
      out.ssi_uid = info.si_uid;
      return;
    case Layout::kRealtime:
      out.ssi_pid = static_cast<uint32_t>(info.si_pid);
      out.ssi_uid = info.si_uid;
      break;
  }
  out.ssi_ptr = reinterpret_cast<uint64_t>(info.si_value.sival_ptr);
  out.ssi_int = info.si_value.sival_int;
}

bool CopyOut(const siginfo_t& info, GuestBuffer& to) {
  signalfd_siginfo out = {};
  out.ssi_signo = static_cast<uint32_t>(info.si_signo);
  out.ssi_errno = info.si_errno;
  out.ssi_code = info.si_code;
  FillByLayout(info, out);
  return to.CopyOut(&out, sizeof(out)) == sizeof(out);
}

// Takes the first signal that is there or, if it may wait, comes. 0 or -EAGAIN, kRestartSys.
int64_t TakeOne(SignalFile& file, bool may_wait, siginfo_t& info) {
  GuestThread& thread = CurrentThread();
  if (TakePending(thread, file.set, &info)) {
    return 0;
  }
  if (!may_wait) {
    return -EAGAIN;
  }
  const Waiter waiter(thread.process->signal_arrived);
  while (!TakePending(thread, file.set, &info)) {
    if (Park(kNever) == WakeReason::kInterrupted) {
      return TakePending(thread, file.set, &info) ? 0 : kRestartSys;
    }
  }
  return 0;
}

int64_t ReadSignalFile(File& base, GuestBuffer& to, bool is_nonblocking) {
  auto& file = static_cast<SignalFile&>(base);
  if (to.size() < sizeof(signalfd_siginfo)) {
    return -EINVAL;
  }
  const FileReference reference(file);
  int64_t done = 0;
  while (to.size() >= sizeof(signalfd_siginfo)) {
    siginfo_t info;
    const int64_t error = TakeOne(file, !is_nonblocking && done == 0, info);
    if (error != 0) {
      return done != 0 ? done : error;
    }
    if (!CopyOut(info, to)) {
      return done != 0 ? done : -EFAULT;
    }
    done += static_cast<int64_t>(sizeof(signalfd_siginfo));
  }
  return done;
}

PollEvents PollSignalFile(File& base) {
  auto& file = static_cast<SignalFile&>(base);
  GuestThread& thread = CurrentThread();
  BridgeTo(file, *thread.process);
  return ((thread.pending.set | thread.process->pending.set) & file.set) != 0 ? POLLIN : 0;
}

void ReleaseSignalFile(File& base) {
  auto& file = static_cast<SignalFile&>(base);
  while (ListNode* const node = file.bridges.first()) {
    DeleteBridge(*JUNCTION_OWNER(node, Bridge, file_node));
  }
  ArenaDelete(&file);
}

constexpr FileOps kSignalOps = {
    .name = "[signalfd]",
    .read = &ReadSignalFile,
    .write = nullptr,
    .poll = &PollSignalFile,
    .ioctl = nullptr,
    .stat = nullptr,
    .release = &ReleaseSignalFile,
    .flush = nullptr,
};

int64_t Create(uint64_t set, int32_t flags) {
  auto* const file = ArenaNew<SignalFile>();
  if (file == nullptr) {
    return -ENOMEM;
  }
  InitFile(*file, kSignalOps, FileKind::kSignalfd, O_RDWR | static_cast<uint32_t>(flags & SFD_NONBLOCK));
  file->set = set;
  return InstallFile(*file, (flags & SFD_CLOEXEC) != 0);
}

int64_t CreateOrChange(Call& call, int32_t flags) {
  const int32_t fd = call.int_arg(0);
  uint64_t set;
  if (call.arg(2) != sizeof(set)) {
    return -EINVAL;
  }
  if (!CopyFromGuest(&set, call.arg(1), sizeof(set))) {
    return -EFAULT;
  }
  if ((flags & ~(SFD_CLOEXEC | SFD_NONBLOCK)) != 0) {
    return -EINVAL;
  }
  set &= ~kUnblockable;
  if (fd == -1) {
    return Create(set, flags);
  }
  File* const file = GetFile(fd);
  if (file == nullptr) {
    return -EBADF;
  }
  if (file->kind != FileKind::kSignalfd) {
    return -EINVAL;
  }
  static_cast<SignalFile*>(file)->set = set;
  file->wait.Wake(POLLIN);
  call.process().signal_arrived.Wake();
  return fd;
}

}  // namespace

int64_t SysSignalfd(Call& call) { return CreateOrChange(call, 0); }

int64_t SysSignalfd4(Call& call) { return CreateOrChange(call, call.int_arg(3)); }

}  // namespace junction
