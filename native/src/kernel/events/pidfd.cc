// SPDX-License-Identifier: Apache-2.0
// Read first: pidfd_open(2), pidfd_send_signal(2).
#include "kernel/events/pidfd.h"

#include <fcntl.h>
#include <poll.h>

#include "kernel/door/guest_handlers.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/process/process.h"
#include "kernel/signals/signals.h"
#include "uthread/arena.h"

namespace junction {
namespace {

struct PidFile : File {
  UProc* process;      // referenced: its object outlives the process
  Waiter exit_waiter;  // in process->state_changed
};

bool HasEnded(const UProc& process) { return process.state == UProcState::kZombie; }

// Waiter::Notify: passes the process' end on to who polls the descriptor.
bool OnStateChange(Waiter& waiter, PollEvents) {
  auto& file = *static_cast<PidFile*>(waiter.context);
  file.wait.Wake(POLLIN);
  return true;
}

PollEvents PollPidFile(File& file) {
  return HasEnded(*static_cast<PidFile&>(file).process) ? POLLIN | 0x040 /* POLLRDNORM */ : 0;
}

void ReleasePidFile(File& base) {
  auto& file = static_cast<PidFile&>(base);
  UProc& process = *file.process;
  ArenaDelete(&file);
  ReleaseProcess(process);
}

constexpr FileOps kPidOps = {
    .name = "[pidfd]",
    .read = nullptr,
    .write = nullptr,
    .poll = &PollPidFile,
    .ioctl = nullptr,
    .stat = nullptr,
    .release = &ReleasePidFile,
    .flush = nullptr,
};

// What another process may not claim: to be the kernel, or kill(2).
bool MayClaim(const UProc& sender, const UProc& target, const siginfo_t& info) {
  return &sender == &target || (info.si_code < 0 && info.si_code != SI_TKILL);
}

}  // namespace

UProc* ProcessOfPidfd(File& file) {
  if (file.kind != FileKind::kPidfd) {
    return nullptr;
  }
  UProc* const process = static_cast<PidFile&>(file).process;
  return FindProcess(process->pid) == process ? process : nullptr;
}

int64_t OpenPidfd(UProc& process, uint32_t flags) {
  auto* const file = ArenaNew<PidFile>();
  if (file == nullptr) {
    return -ENOMEM;
  }
  InitFile(*file, kPidOps, FileKind::kPidfd, O_RDWR | flags);
  file->process = &ReferenceProcess(process);
  file->exit_waiter.notify = &OnStateChange;
  file->exit_waiter.context = file;
  process.state_changed.Add(file->exit_waiter);
  return InstallFile(*file, true);
}

int64_t SysPidfdOpen(Call& call) {
  const int32_t pid = call.int_arg(0);
  const uint32_t flags = static_cast<uint32_t>(call.int_arg(1));
  if ((flags & ~static_cast<uint32_t>(O_NONBLOCK)) != 0 || pid <= 0) {
    return -EINVAL;
  }
  UProc* const process = FindProcess(pid);
  if (process == nullptr) {
    return FindThread(pid) != nullptr ? -EINVAL : -ESRCH;
  }
  return OpenPidfd(*process, flags);
}

int64_t SysPidfdSendSignal(Call& call) {
  const int32_t signal = call.int_arg(1);
  if (call.int_arg(3) != 0) {
    return -EINVAL;
  }
  File* const file = GetFile(call.int_arg(0));
  if (file == nullptr || file->kind != FileKind::kPidfd) {
    return -EBADF;
  }
  siginfo_t info = MakeUserSiginfo(signal, SI_USER);
  if (call.arg(2) != 0) {
    if (!CopyFromGuest(&info, call.arg(2), sizeof(info))) {
      return -EFAULT;
    }
    if (info.si_signo != signal) {
      return -EINVAL;
    }
    if (!MayClaim(call.process(), *static_cast<PidFile&>(*file).process, info)) {
      return -EPERM;
    }
  }
  if (signal < 0 || signal > kSignals) {
    return -EINVAL;
  }
  UProc* const target = ProcessOfPidfd(*file);
  if (target == nullptr) {
    return -ESRCH;
  }
  return signal == 0 || HasEnded(*target) ? 0 : SendToProcess(*target, info);
}

}  // namespace junction
