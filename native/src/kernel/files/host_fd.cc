// SPDX-License-Identifier: Apache-2.0
// The host's side of the descriptor table: numbers that are given by the host, kept from the guest, or moved.
#include <fcntl.h>
#include <linux/limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>

#include "kernel/events/host_poller.h"
#include "kernel/files/fd_table.h"
#include "kernel/files/host_file.h"
#include "uthread/arena.h"
#include "uthread/host_call.h"

namespace junction {
namespace {

constexpr int32_t kReservedLow =
    56;  // above what programs count on to be there, below 64, where tables are still small
constexpr uint32_t kAdoptedMax = 256;  // descriptors that an instance may be started with

int64_t DuplicateHostFd(int32_t fd, uint32_t minimum, bool is_close_on_exec) {
  return HostCall(SYS_fcntl, fd, is_close_on_exec ? F_DUPFD_CLOEXEC : F_DUPFD, minimum);
}

// The number that a new host descriptor will have in the table: its own if the table has it free, else moved. What is lower and free in
// the table but not at the host is in flight elsewhere, so the host's choice is a lowest free number too.
int64_t PlaceHostFd(FdTable& table, int32_t host_fd, bool is_close_on_exec) {
  while (!IsFdFree(table, static_cast<uint32_t>(host_fd))) {
    const int64_t minimum = FindFreeFd(table, static_cast<uint32_t>(host_fd) + 1);
    const int64_t moved =
        minimum < 0 ? minimum : DuplicateHostFd(host_fd, static_cast<uint32_t>(minimum), is_close_on_exec);
    HostCall(SYS_close, host_fd);
    if (moved < 0) {
      return moved == -EINVAL ? -EMFILE : moved;  // EINVAL: the number is at the limit
    }
    host_fd = static_cast<int32_t>(moved);
  }
  if (!EnsureFdCapacity(table, static_cast<uint32_t>(host_fd) + 1)) {
    HostCall(SYS_close, host_fd);
    return -EMFILE;
  }
  return host_fd;
}

File* NewHostFile(FileKind kind, uint32_t open_flags) {
  auto* const file = ArenaNew<File>();
  if (file != nullptr) {
    InitFile(*file, kHostFileOps, kind, open_flags & ~static_cast<uint32_t>(O_CLOEXEC));
  }
  return file;
}

int32_t SocketOption(int32_t fd, int option) {
  int32_t value = 0;
  uint32_t size = sizeof(value);
  HostCall(SYS_getsockopt, fd, SOL_SOCKET, option, &value, &size);
  return value;
}

int64_t AdoptOne(FdTable& table, int32_t fd) {
  const int64_t flags = HostCall(SYS_fcntl, fd, F_GETFL);
  const FileKind kind = ClassifyHostFd(fd);
  File* const file = NewHostFile(kind, flags < 0 ? 0 : static_cast<uint32_t>(flags));
  if (file == nullptr || !EnsureFdCapacity(table, static_cast<uint32_t>(fd) + 1)) {
    return -ENOMEM;
  }
  if (kind == FileKind::kHostStream) {
    file->host_domain = SocketOption(fd, SO_DOMAIN);
    file->host_type = SocketOption(fd, SO_TYPE);
    file->host_protocol = SocketOption(fd, SO_PROTOCOL);
  }
  EnterFd(table, static_cast<uint32_t>(fd), *file, false);
  return 0;
}

int32_t* FindReserved(FdTable& table, int32_t now) {
  for (auto& slot : table.reserved) {
    if (slot.now == now) {
      return &slot.now;
    }
  }
  return nullptr;
}

// A duplicate of a kernel descriptor at a number that is free in the table and at the host.
int64_t DuplicateReserved(FdTable& table, int32_t fd, uint32_t minimum) {
  const int64_t flags = HostCall(SYS_fcntl, fd, F_GETFD);
  if (flags < 0) {
    return flags;
  }
  for (;;) {
    const int64_t moved = DuplicateHostFd(fd, minimum, (flags & FD_CLOEXEC) != 0);
    if (moved < 0) {
      return moved;
    }
    const auto number = static_cast<uint32_t>(moved);
    if (IsFdFree(table, number) && EnsureFdCapacity(table, number + 1)) {
      return moved;
    }
    HostCall(SYS_close, moved);
    if (number >= kMaxDescriptors) {
      return -EMFILE;
    }
    minimum = number + 1;
  }
}

}  // namespace

void CloseHostFd(int32_t fd) {
  const KernelUnlockGuard unlocked;
  HostCall(SYS_close, fd);
}

void FillPlaceholders(FdTable& table) {
  const int32_t source = ReservedHostFd(g_image.arena_fd);
  for (uint32_t fd = 0; fd < table.capacity && table.bare_count != 0; ++fd) {
    FdEntry& entry = table.entries[fd];
    if (entry.file == nullptr || !entry.file->is_virtual() || entry.has_placeholder) {
      continue;
    }
    const int64_t placed = DuplicateHostFd(source, fd, true);
    if (placed == fd) {
      entry.has_placeholder = true;
      --table.bare_count;
    } else if (placed >= 0) {
      HostCall(SYS_close, placed);  // the number is in flight
    } else {
      return;
    }
  }
}

int64_t InstallHostFd(int32_t host_fd, FileKind kind, uint32_t open_flags) {
  FdTable& table = CurrentFdTable();
  const bool is_close_on_exec = (open_flags & O_CLOEXEC) != 0;
  const int64_t fd = PlaceHostFd(table, host_fd, is_close_on_exec);
  if (fd < 0) {
    return fd;
  }
  File* const file = NewHostFile(kind, open_flags);
  if (file == nullptr) {
    HostCall(SYS_close, fd);
    return -ENFILE;
  }
  EnterFd(table, static_cast<uint32_t>(fd), *file, is_close_on_exec);
  return fd;
}

int64_t AdoptHostDescriptors(FdTable& table) {
  pollfd probes[kAdoptedMax];
  for (uint32_t fd = 0; fd < kAdoptedMax; ++fd) {
    probes[fd] = pollfd{static_cast<int>(fd), 0, 0};
  }
  uint32_t count = DescriptorLimit();
  count = count < kAdoptedMax ? count : kAdoptedMax;
  HostCall(SYS_poll, probes, count, 0);
  for (uint32_t fd = 0; fd < count; ++fd) {
    // What is close-on-exec was opened by our own start.
    if ((probes[fd].revents & POLLNVAL) != 0 || !IsFdFree(table, fd) || static_cast<int32_t>(fd) == g_image.arena_fd ||
        (HostCall(SYS_fcntl, fd, F_GETFD) & FD_CLOEXEC) != 0) {
      continue;
    }
    if (const int64_t error = AdoptOne(table, static_cast<int32_t>(fd)); error != 0) {
      return error;
    }
  }
  return 0;
}

int64_t AdoptHostDescriptors() { return AdoptHostDescriptors(CurrentFdTable()); }

bool IsReservedHostFd(int32_t fd) { return fd >= 0 && FindReserved(CurrentFdTable(), fd) != nullptr; }

int64_t ReserveHostFd(FdTable& table, int32_t fd) {
  if (fd < 0) {
    return -EBADF;
  }
  for (auto& slot : table.reserved) {
    if (slot.now == fd) {  // since before an exec
      slot.home = fd;
      return fd;
    }
  }
  for (auto& slot : table.reserved) {
    if (slot.now >= 0) {
      continue;
    }
    int64_t number = fd;
    if (fd < kReservedLow || !IsFdFree(table, static_cast<uint32_t>(fd)) ||
        !EnsureFdCapacity(table, static_cast<uint32_t>(fd) + 1)) {
      number = DuplicateReserved(table, fd, kReservedLow);
      if (number < 0) {
        return number;
      }
      HostCall(SYS_close, fd);
    }
    slot.home = slot.now = static_cast<int32_t>(number);
    slot.purpose = ReservedFor::kOther;
    table.entries[number].is_reserved = true;
    return number;
  }
  return -EMFILE;
}

int64_t ReserveHostFd(int32_t fd) { return ReserveHostFd(CurrentFdTable(), fd); }

int64_t ReserveHostFd(FdTable& table, int32_t fd, ReservedFor purpose) {
  HostCall(SYS_fcntl, fd, F_SETFD, 0);
  const int64_t number = ReserveHostFd(table, fd);
  for (auto& slot : table.reserved) {
    if (number >= 0 && slot.now == number) {
      slot.purpose = purpose;
    }
  }
  return number;
}

int32_t FindReservedFd(const FdTable& table, ReservedFor purpose) {
  for (const auto& slot : table.reserved) {
    if (slot.now >= 0 && slot.purpose == purpose) {
      return slot.now;
    }
  }
  return -1;
}

int32_t ReservedHostFd(int32_t home) {
  for (const auto& slot : CurrentFdTable().reserved) {
    if (slot.home == home && slot.now >= 0) {
      return slot.now;
    }
  }
  return home;
}

void ReleaseReservedHostFd(int32_t home) {
  FdTable& table = CurrentFdTable();
  const int32_t now = ReservedHostFd(home);
  if (int32_t* const slot = FindReserved(table, now); slot != nullptr) {
    *slot = -1;
    UnreserveFd(table, now);
  }
  HostCall(SYS_close, now);
}

int64_t VacateReserved(FdTable& table, int32_t fd) {
  int32_t* const slot = FindReserved(table, fd);
  if (slot == nullptr) {
    return 0;
  }
  const int64_t moved = DuplicateReserved(table, fd, static_cast<uint32_t>(kReservedLow));
  if (moved < 0) {
    return moved;
  }
  table.entries[moved].is_reserved = true;
  UnreserveFd(table, fd);
  *slot = static_cast<int32_t>(moved);
  HostCall(SYS_close, fd);
  return 0;
}

}  // namespace junction
