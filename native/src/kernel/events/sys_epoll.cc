// SPDX-License-Identifier: Apache-2.0
// Read first: epoll_ctl(2), epoll_wait(2); the order of checks is that of Linux' fs/eventpoll.c.
#include <fcntl.h>
#include <sys/epoll.h>

#include "kernel/door/guest_handlers.h"
#include "kernel/events/epoll.h"
#include "kernel/events/host_poller.h"
#include "kernel/events/readiness.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/net/instance_net.h"
#include "kernel/time/guest_time.h"

namespace junction {
namespace {

constexpr uint64_t kMillisecond_ns = 1'000'000;
constexpr uint64_t kUserMemoryEnd = 0x7ffffffff000;  // TASK_SIZE_MAX
constexpr uint32_t kWaitsPerHarvest = 16;  // a program that always has something ready must learn of host events too
constexpr uint32_t kExclusiveMayHave =
    EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;

uint32_t g_waits;  // of this process image

int64_t CreateEpoll(bool is_close_on_exec) {
  EpollFile* const epoll = NewEpollFile();
  return epoll == nullptr ? -ENOMEM : InstallFile(*epoll, is_close_on_exec);
}

bool IsUserRange(uint64_t address, uint64_t size_bytes) {
  return size_bytes <= kUserMemoryEnd && address <= kUserMemoryEnd - size_bytes;
}

struct EpollWait {
  int32_t fd;
  uint64_t events_address;
  int32_t max_events;
  bool may_wait;
  uint64_t deadline_ns;
};

// Waits until there is something to report, or not any longer.
int64_t WaitEpoll(EpollFile& epoll, const EpollWait& wait) {
  const FileReference reference(epoll);
  while (true) {
    const Waiter waiter(epoll.waiters);
    // What the idle context would find at once is looked for here only if others run first.
    if (epoll.host_item_count != 0 && CurrentKthread()->group->ready_count != 0) {
      HarvestHostNow();
    }
    if (epoll.ready.empty() && MayHaveFrames()) {
      PollNet();
    }
    WakeReason reason = WakeReason::kWoken;
    if (epoll.ready.empty()) {
      reason = Park(wait.deadline_ns);
    }
    const int64_t count = HarvestEpoll(epoll, wait.events_address, wait.max_events);
    if (count != 0) {
      return count;
    }
    if (reason != WakeReason::kWoken) {
      return reason == WakeReason::kTimedOut ? 0 : -EINTR;
    }
  }
}

int64_t DoEpollWait(const EpollWait& wait) {
  if (wait.max_events <= 0 || wait.max_events > INT32_MAX / static_cast<int32_t>(sizeof(epoll_event))) {
    return -EINVAL;
  }
  if (!IsUserRange(wait.events_address, static_cast<uint64_t>(wait.max_events) * sizeof(epoll_event))) {
    return -EFAULT;
  }
  File* const file = GetFile(wait.fd);
  if (file == nullptr) {
    return -EBADF;
  }
  EpollFile* const epoll = AsEpoll(*file);
  if (epoll == nullptr) {
    return -EINVAL;
  }
  WatchEpollItems(*epoll);
  if (epoll->host_item_count != 0 && ++g_waits % kWaitsPerHarvest == 0) {
    HarvestHostNow();
  }
  // Also if something is ready: who always has something to do must learn of others' frames too.
  if (MayHaveFrames()) {
    PollNet();
  }
  int64_t count = HarvestEpoll(*epoll, wait.events_address, wait.max_events);
  if (count == 0 && epoll->host_item_count != 0 && !wait.may_wait) {
    HarvestHostNow();
    count = HarvestEpoll(*epoll, wait.events_address, wait.max_events);
  }
  return count != 0 || !wait.may_wait ? count : WaitEpoll(*epoll, wait);
}

EpollWait FromMilliseconds(Call& call) {
  const int32_t timeout_ms = call.int_arg(3);
  EpollWait wait = {call.int_arg(0), call.arg(1), call.int_arg(2), timeout_ms != 0, kNever};
  if (timeout_ms > 0) {
    wait.deadline_ns = DeadlineAfter(static_cast<uint64_t>(timeout_ms) * kMillisecond_ns);
  }
  return wait;
}

int64_t WaitWithMask(Call& call, const EpollWait& wait) {
  if (const int64_t error = SetWaitMask(call.thread(), call.arg(4), call.arg(5)); error != 0) {
    return error;
  }
  const int64_t result = DoEpollWait(wait);
  RestoreWaitMask(call.thread(), result);
  return result;
}

// Checks that only epoll_ctl with EPOLLEXCLUSIVE makes.
bool IsExclusiveAllowed(int32_t operation, const File& target, uint32_t events) {
  if (operation == EPOLL_CTL_MOD) {
    return false;
  }
  return operation != EPOLL_CTL_ADD || (target.kind != FileKind::kEpoll && (events & ~kExclusiveMayHave) == 0);
}

}  // namespace

int64_t SysEpollCreate(Call& call) { return call.int_arg(0) <= 0 ? -EINVAL : CreateEpoll(false); }

int64_t SysEpollCreate1(Call& call) {
  const int32_t flags = call.int_arg(0);
  return (flags & ~EPOLL_CLOEXEC) != 0 ? -EINVAL : CreateEpoll((flags & EPOLL_CLOEXEC) != 0);
}

int64_t SysEpollCtl(Call& call) {
  const int32_t operation = call.int_arg(1);
  const int32_t fd = call.int_arg(2);
  epoll_event event = {};
  if (operation != EPOLL_CTL_DEL && !CopyFromGuest(&event, call.arg(3), sizeof(event))) {
    return -EFAULT;
  }
  File* const file = GetFile(call.int_arg(0));
  File* const target = GetFile(fd);
  if (file == nullptr || target == nullptr) {
    return -EBADF;
  }
  if (!CanPoll(*target)) {
    return -EPERM;
  }
  EpollFile* const epoll = AsEpoll(*file);
  if (epoll == nullptr || file == target) {
    return -EINVAL;
  }
  if ((event.events & EPOLLEXCLUSIVE) != 0 && !IsExclusiveAllowed(operation, *target, event.events)) {
    return -EINVAL;
  }
  switch (operation) {
    case EPOLL_CTL_ADD:
      return AddEpollItem(*epoll, *target, fd, event);
    case EPOLL_CTL_MOD:
      return ChangeEpollItem(*epoll, *target, fd, event);
    case EPOLL_CTL_DEL:
      return RemoveEpollItem(*epoll, *target, fd);
    default:
      return -EINVAL;
  }
}

int64_t SysEpollWait(Call& call) { return DoEpollWait(FromMilliseconds(call)); }

int64_t SysEpollPwait(Call& call) { return WaitWithMask(call, FromMilliseconds(call)); }

int64_t SysEpollPwait2(Call& call) {
  EpollWait wait = {call.int_arg(0), call.arg(1), call.int_arg(2), true, kNever};
  if (call.arg(3) != 0) {
    timespec timeout;
    if (const int64_t error = ReadTimespec(call.arg(3), timeout); error != 0) {
      return error;
    }
    const uint64_t timeout_ns = ToNanoseconds(timeout);
    wait.may_wait = timeout_ns != 0;
    wait.deadline_ns = DeadlineAfter(timeout_ns);
  }
  return WaitWithMask(call, wait);
}

}  // namespace junction
