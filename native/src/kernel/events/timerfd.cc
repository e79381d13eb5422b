// SPDX-License-Identifier: Apache-2.0
// Read first: timerfd_create(2), fs/timerfd.c of Linux.
//
// The timer is in the queue of the process that set it last ("home"), where that process' kthreads fire it; readers may be anywhere. A
// periodic one that nobody waits for is not armed again by its expiry: what it missed is counted when somebody looks.
#include <fcntl.h>
#include <poll.h>
#include <sys/timerfd.h>

#include "kernel/door/guest_handlers.h"
#include "kernel/events/timer_file.h"
#include "kernel/files/file.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/time/group_timer.h"
#include "kernel/time/guest_time.h"
#include "uthread/arena.h"

namespace junction {
namespace {

struct TimerFile;

struct HomeEntry {
  ListNode node;  // in UProc::timer_files
  TimerFile* file;
};

struct TimerFile : File {
  Timer timer;
  HomeEntry home_entry;
  UProc* home;  // null = not armed
  clockid_t clock;
  uint64_t deadline_ns;  // of the next expiry, CLOCK_MONOTONIC; kNever = not set, or a single one is over
  uint64_t interval_ns;  // 0 = once
  uint64_t expirations;  // not read yet
};

void Disarm(TimerFile& file) {
  if (file.home != nullptr) {
    file.home->group.timers.Cancel(file.timer);
    file.home_entry.node.Unlink();
    file.home = nullptr;
  }
}

void Arm(TimerFile& file, UProc& home) {
  Disarm(file);
  if (file.deadline_ns != kNever) {
    file.home = &home;
    home.timer_files.PushBack(file.home_entry.node);
    ArmInProcess(home, file.timer, file.deadline_ns);
  }
}

// Counts what has expired by now. True if the next expiry lies ahead and the timer is to be armed for it.
bool Advance(TimerFile& file) {
  const uint64_t now_ns = MonotonicNow_ns();
  if (file.deadline_ns == kNever || now_ns < file.deadline_ns) {
    return false;
  }
  if (file.interval_ns == 0) {
    ++file.expirations;
    file.deadline_ns = kNever;
    return false;
  }
  const uint64_t count = (now_ns - file.deadline_ns) / file.interval_ns + 1;
  file.expirations += count;
  file.deadline_ns = AddTimes(file.deadline_ns, count * file.interval_ns);
  return true;
}

void OnExpiry(Timer& timer) {
  auto& file = *static_cast<TimerFile*>(timer.context);
  UProc& home = *file.home;
  const bool is_armed_again = Advance(file) && !file.wait.empty();
  Disarm(file);
  if (is_armed_again) {
    Arm(file, home);
  }
  file.wait.Wake(POLLIN);
}

// Somebody looks: counts, and arms what OnExpiry left unarmed.
void CatchUp(TimerFile& file) {
  Advance(file);
  if (file.home == nullptr && file.deadline_ns != kNever) {
    Arm(file, CurrentProcess());
  }
}

int64_t WaitForExpiry(TimerFile& file, bool is_nonblocking) {
  CatchUp(file);
  if (file.expirations != 0) {
    return 0;
  }
  if (is_nonblocking) {
    return -EAGAIN;
  }
  const FileReference reference(file);
  const Waiter waiter(file.wait, POLLIN);
  while (file.expirations == 0) {
    if (Park(kNever) == WakeReason::kInterrupted) {
      return kRestartSys;
    }
    CatchUp(file);
  }
  return 0;
}

int64_t ReadTimerFile(File& base, GuestBuffer& to, bool is_nonblocking) {
  auto& file = static_cast<TimerFile&>(base);
  if (to.size() < sizeof(uint64_t)) {
    return -EINVAL;
  }
  const FileReference reference(file);
  if (const int64_t error = WaitForExpiry(file, is_nonblocking); error != 0) {
    return error;
  }
  const uint64_t count = file.expirations;
  file.expirations = 0;
  return to.CopyOut(&count, sizeof(count)) == sizeof(count) ? static_cast<int64_t>(sizeof(count)) : -EFAULT;
}

PollEvents PollTimerFile(File& base) {
  auto& file = static_cast<TimerFile&>(base);
  CatchUp(file);
  return file.expirations != 0 ? POLLIN : 0;
}

void ReleaseTimerFile(File& base) {
  auto& file = static_cast<TimerFile&>(base);
  Disarm(file);
  ArenaDelete(&file);
}

constexpr FileOps kTimerOps = {
    .name = "[timerfd]",
    .read = &ReadTimerFile,
    .write = nullptr,
    .poll = &PollTimerFile,
    .ioctl = nullptr,
    .stat = nullptr,
    .release = &ReleaseTimerFile,
    .flush = nullptr,
};

// The descriptor's timer, or null and `error`.
TimerFile* Find(int32_t fd, int64_t& error) {
  File* const file = GetFile(fd);
  error = file == nullptr ? -EBADF : -EINVAL;
  return file != nullptr && file->kind == FileKind::kTimerfd ? static_cast<TimerFile*>(file) : nullptr;
}

itimerspec CurrentSetting(TimerFile& file) {
  CatchUp(file);
  itimerspec setting = {};
  setting.it_interval = ToTimespec(file.interval_ns);
  if (file.deadline_ns != kNever) {
    const uint64_t now_ns = MonotonicNow_ns();
    setting.it_value = ToTimespec(now_ns < file.deadline_ns ? file.deadline_ns - now_ns : 1);
  }
  return setting;
}

void Set(TimerFile& file, bool is_absolute, const itimerspec& setting) {
  Disarm(file);
  file.expirations = 0;
  file.interval_ns = ToNanoseconds(setting.it_interval);
  const uint64_t value_ns = ToNanoseconds(setting.it_value);
  if (value_ns == 0) {
    file.deadline_ns = kNever;
    return;
  }
  file.deadline_ns = is_absolute ? MonotonicDeadline(file.clock, value_ns) : DeadlineAfter(value_ns);
  Arm(file, CurrentProcess());
}

}  // namespace

void MoveTimerFiles(UProc& process) {
  UProc* heir = nullptr;
  List& all = TheInstance().processes;
  for (ListNode* node = all.first(); node != nullptr && heir == nullptr; node = all.Next(node)) {
    auto& candidate = *JUNCTION_OWNER(node, UProc, instance_node);
    if (&candidate != &process && (candidate.state == UProcState::kAlive || candidate.state == UProcState::kStopped)) {
      heir = &candidate;
    }
  }
  while (ListNode* const node = process.timer_files.first()) {
    TimerFile& file = *JUNCTION_OWNER(node, HomeEntry, node)->file;
    Disarm(file);
    if (heir != nullptr) {
      Arm(file, *heir);
    }
  }
}

int64_t SysTimerfdCreate(Call& call) {
  const clockid_t clock = call.int_arg(0);
  const int32_t flags = call.int_arg(1);
  if ((flags & ~(TFD_CLOEXEC | TFD_NONBLOCK)) != 0) {
    return -EINVAL;
  }
  switch (clock) {
    case CLOCK_MONOTONIC:
    case CLOCK_REALTIME:
    case CLOCK_BOOTTIME:
      break;
    case CLOCK_REALTIME_ALARM:
    case CLOCK_BOOTTIME_ALARM:
      return -EPERM;  // CAP_WAKE_ALARM
    default:
      return -EINVAL;
  }
  auto* const file = ArenaNew<TimerFile>();
  if (file == nullptr) {
    return -ENOMEM;
  }
  InitFile(*file, kTimerOps, FileKind::kTimerfd, O_RDWR | static_cast<uint32_t>(flags & TFD_NONBLOCK));
  file->timer.fire = &OnExpiry;
  file->timer.context = file;
  file->home_entry.file = file;
  file->clock = clock;
  file->deadline_ns = kNever;
  return InstallFile(*file, (flags & TFD_CLOEXEC) != 0);
}

int64_t SysTimerfdSettime(Call& call) {
  const int32_t flags = call.int_arg(1);
  itimerspec setting;
  if (!CopyFromGuest(&setting, call.arg(2), sizeof(setting))) {
    return -EFAULT;
  }
  if ((flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) != 0 || !IsValidTime(setting.it_value) ||
      !IsValidTime(setting.it_interval)) {
    return -EINVAL;
  }
  int64_t error;
  TimerFile* const file = Find(call.int_arg(0), error);
  if (file == nullptr) {
    return error;
  }
  const itimerspec old = CurrentSetting(*file);
  Set(*file, (flags & TFD_TIMER_ABSTIME) != 0, setting);
  return call.arg(3) == 0 || CopyToGuest(call.arg(3), &old, sizeof(old)) ? 0 : -EFAULT;
}

int64_t SysTimerfdGettime(Call& call) {
  int64_t error;
  TimerFile* const file = Find(call.int_arg(0), error);
  if (file == nullptr) {
    return error;
  }
  const itimerspec setting = CurrentSetting(*file);
  return CopyToGuest(call.arg(1), &setting, sizeof(setting)) ? 0 : -EFAULT;
}

}  // namespace junction
