// SPDX-License-Identifier: Apache-2.0
// Read first: eventfd(2).
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <cerrno>

#include "kernel/door/guest_handlers.h"
#include "kernel/files/file.h"
#include "uthread/arena.h"
#include "uthread/uthread.h"

namespace junction {
namespace {

constexpr uint64_t kMostCount = UINT64_MAX - 1;

struct EventFile : File {
  uint64_t count;
  bool is_semaphore;
};

int64_t ReadEvent(File& file, GuestBuffer& to, bool is_nonblocking) {
  auto& event = static_cast<EventFile&>(file);
  if (to.size() < sizeof(event.count)) {
    return -EINVAL;
  }
  while (event.count == 0) {
    if (is_nonblocking) {
      return -EAGAIN;
    }
    Waiter waiter(file.wait, POLLIN, true);
    if (Park(kNever) == WakeReason::kInterrupted) {
      if (event.count != 0) {
        waiter.node.Unlink();
        file.wait.Wake(POLLIN);
      }
      return kRestartSys;
    }
  }
  const uint64_t value = event.is_semaphore ? 1 : event.count;
  if (to.CopyOut(&value, sizeof(value)) != sizeof(value)) {
    return -EFAULT;  // nothing is lost by it
  }
  event.count -= value;
  if (!file.wait.empty()) {
    file.wait.Wake(POLLOUT);
    if (event.count != 0) {
      file.wait.Wake(POLLIN);  // semaphore: one reader a wake-up
    }
  }
  return sizeof(value);
}

int64_t WriteEvent(File& file, GuestBuffer& from, bool is_nonblocking) {
  auto& event = static_cast<EventFile&>(file);
  if (from.size() < sizeof(event.count)) {
    return -EINVAL;
  }
  uint64_t value;
  if (from.CopyIn(&value, sizeof(value)) != sizeof(value)) {
    return -EFAULT;
  }
  if (value > kMostCount) {
    return -EINVAL;
  }
  while (value > kMostCount - event.count) {
    if (is_nonblocking) {
      return -EAGAIN;
    }
    Waiter waiter(file.wait, POLLOUT, true);
    if (Park(kNever) == WakeReason::kInterrupted) {
      return kRestartSys;
    }
  }
  event.count += value;
  if (!file.wait.empty()) {
    file.wait.Wake(POLLIN);
  }
  return sizeof(value);
}

PollEvents PollEvent(File& file) {
  const auto& event = static_cast<EventFile&>(file);
  return (event.count != 0 ? POLLIN : 0) | (event.count < kMostCount ? POLLOUT : 0);
}

void ReleaseEvent(File& file) { ArenaDelete(&static_cast<EventFile&>(file)); }

const FileOps kEventOps = {
    .name = "eventfd",
    .read = ReadEvent,
    .write = WriteEvent,
    .poll = PollEvent,
    .ioctl = nullptr,
    .stat = nullptr,
    .release = ReleaseEvent,
    .flush = nullptr,
};

int64_t MakeEvent(uint32_t count, uint32_t flags) {
  constexpr uint32_t kKnown = EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK;
  if ((flags & ~kKnown) != 0) {
    return -EINVAL;
  }
  auto* const event = ArenaNew<EventFile>();
  if (event == nullptr) {
    return -ENOMEM;
  }
  InitFile(*event, kEventOps, FileKind::kEventfd, O_RDWR | (flags & EFD_NONBLOCK));
  event->count = count;
  event->is_semaphore = (flags & EFD_SEMAPHORE) != 0;
  return InstallFile(*event, (flags & EFD_CLOEXEC) != 0);
}

}  // namespace

int64_t SysEventfd(Call& call) { return MakeEvent(static_cast<uint32_t>(call.arg(0)), 0); }

int64_t SysEventfd2(Call& call) {
  return MakeEvent(static_cast<uint32_t>(call.arg(0)), static_cast<uint32_t>(call.arg(1)));
}

}  // namespace junction
