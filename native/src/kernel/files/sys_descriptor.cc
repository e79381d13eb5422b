// SPDX-License-Identifier: Apache-2.0
// Descriptors as numbers: close, dup, close_range.
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/syscall.h>

#include <cerrno>

#include "kernel/door/guest_handlers.h"
#include "kernel/events/host_poller.h"
#include "kernel/files/fd_table.h"
#include "uthread/host_call.h"
#include "uthread/uthread.h"

namespace junction {
namespace {

// A host duplicate of `from` at `to`: 0, -EBUSY if the number is in flight elsewhere, or the host's -errno.
int64_t DuplicateAtHost(FdTable& table, int32_t from, int32_t to, bool is_close_on_exec, bool by_force) {
  FdEntry& entry = table.entries[to];
  const bool is_ours = entry.file != nullptr && (!entry.file->is_virtual() || entry.has_placeholder);
  if (is_ours || by_force) {
    const int64_t result = HostCall(SYS_dup3, from, to, is_close_on_exec ? O_CLOEXEC : 0);
    return result < 0 ? result : 0;
  }
  const int64_t result = HostCall(SYS_fcntl, from, is_close_on_exec ? F_DUPFD_CLOEXEC : F_DUPFD, to);
  if (result < 0 || result == to) {
    return result < 0 ? result : 0;
  }
  HostCall(SYS_close, result);
  return -EBUSY;
}

// `file` replaces what is at `to`. The host's side is done for host files.
void ReplaceFd(FdTable& table, int32_t to, File& file, bool is_close_on_exec, bool had_host_number) {
  File& added = Reference(file);
  const auto index = static_cast<uint32_t>(to);
  File* old = nullptr;
  if (table.entries[index].file != nullptr) {
    FdEntry was;
    old = &TakeFd(table, index, &was);
  }
  if (file.is_virtual() && had_host_number) {
    HostCall(SYS_close, to);
  }
  EnterFd(table, index, added, is_close_on_exec);
  if (old != nullptr) {
    DropFd(*old);
  }
}

// One try; -EBUSY if the number is in flight.
int64_t TryDuplicateTo(int32_t from, int32_t to, bool is_close_on_exec, bool by_force) {
  File* const file = GetFile(from);
  if (file == nullptr) {
    return -EBADF;
  }
  FdTable& table = CurrentFdTable();
  if (table.entries[to].is_reserved) {
    if (const int64_t error = VacateReserved(table, to); error != 0) {
      return error;
    }
    if (table.entries[to].is_reserved) {
      return -EBUSY;  // is being closed
    }
  }
  const FdEntry old = table.entries[to];
  if (old.file != nullptr && old.file->kind == FileKind::kHostStream) {
    ForgetHostFd(*old.file, to);
  }
  if (!file->is_virtual()) {
    if (const int64_t error = DuplicateAtHost(table, from, to, is_close_on_exec, by_force); error != 0) {
      return error;
    }
  }
  const bool had_host_number = old.file != nullptr && (!old.file->is_virtual() || old.has_placeholder);
  ReplaceFd(table, to, *file, is_close_on_exec, had_host_number);
  return to;
}

int64_t CloseRange(FdTable& table, uint32_t first, uint32_t last) {
  for (uint32_t fd = first; fd <= last && fd < table.capacity; ++fd) {
    if (table.entries[fd].file != nullptr) {
      CloseDescriptor(static_cast<int32_t>(fd));
    }
  }
  return 0;
}

int64_t MarkRange(FdTable& table, uint32_t first, uint32_t last) {
  for (uint32_t fd = first; fd <= last && fd < table.capacity; ++fd) {
    FdEntry& entry = table.entries[fd];
    if (entry.file == nullptr || entry.is_close_on_exec) {
      continue;
    }
    entry.is_close_on_exec = true;
    if (!entry.file->is_virtual()) {
      HostCall(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
    }
  }
  return 0;
}

}  // namespace

int64_t DuplicateTo(int32_t from, int32_t to, bool is_close_on_exec) {
  if (GetFile(from) == nullptr || to < 0 || static_cast<uint32_t>(to) >= DescriptorLimit()) {
    return -EBADF;
  }
  if (!EnsureFdCapacity(CurrentFdTable(), static_cast<uint32_t>(to) + 1)) {
    return -EMFILE;
  }
  for (int tries = 0;; ++tries) {
    const int64_t result = TryDuplicateTo(from, to, is_close_on_exec, tries == kPlacingTries);
    if (result != -EBUSY || tries == kPlacingTries) {
      return result;
    }
    Yield();
  }
}

int64_t DuplicateFrom(int32_t from, int32_t minimum, bool is_close_on_exec) {
  File* const file = GetFile(from);
  if (file == nullptr) {
    return -EBADF;
  }
  if (file->is_virtual()) {
    return InstallFile(Reference(*file), is_close_on_exec, minimum);
  }
  FdTable& table = CurrentFdTable();
  int64_t lowest = FindFreeFd(table, static_cast<uint32_t>(minimum));
  while (lowest >= 0) {
    const int64_t fd = HostCall(SYS_fcntl, from, is_close_on_exec ? F_DUPFD_CLOEXEC : F_DUPFD, lowest);
    if (fd < 0) {
      return fd == -EINVAL ? -EMFILE : fd;
    }
    const auto number = static_cast<uint32_t>(fd);
    if (IsFdFree(table, number) && EnsureFdCapacity(table, number + 1)) {
      EnterFd(table, number, Reference(*file), is_close_on_exec);
      return fd;
    }
    HostCall(SYS_close, fd);
    lowest = FindFreeFd(table, number + 1);  // virtual ones take numbers that the host has free
  }
  return lowest;
}

int64_t SysClose(Call& call) { return CloseDescriptor(call.int_arg(0)); }

int64_t SysDup(Call& call) { return DuplicateFrom(call.int_arg(0), 0, false); }

int64_t SysDup2(Call& call) {
  const int32_t from = call.int_arg(0);
  if (from == call.int_arg(1)) {
    return GetFile(from) == nullptr ? -EBADF : from;
  }
  return DuplicateTo(from, call.int_arg(1), false);
}

int64_t SysDup3(Call& call) {
  const auto flags = static_cast<uint32_t>(call.arg(2));
  if ((flags & ~static_cast<uint32_t>(O_CLOEXEC)) != 0 || call.int_arg(0) == call.int_arg(1)) {
    return -EINVAL;
  }
  return DuplicateTo(call.int_arg(0), call.int_arg(1), (flags & O_CLOEXEC) != 0);
}

int64_t SysCloseRange(Call& call) {
  const auto first = static_cast<uint32_t>(call.arg(0));
  const auto last = static_cast<uint32_t>(call.arg(1));
  const auto flags = static_cast<uint32_t>(call.arg(2));
  if ((flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) != 0 || first > last) {
    return -EINVAL;
  }
  FdTable& table = CurrentFdTable();
  if ((flags & CLOSE_RANGE_UNSHARE) != 0 && table.references > 1) {
    return -EINVAL;  // threads of a process cannot part: the host's table is one
  }
  return (flags & CLOSE_RANGE_CLOEXEC) != 0 ? MarkRange(table, first, last) : CloseRange(table, first, last);
}

}  // namespace junction
