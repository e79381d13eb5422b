// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include <cerrno>

#include "kernel/door/guest_handlers.h"
#include "kernel/files/fd_table.h"
#include "kernel/files/host_file.h"
#include "kernel/files/pipe.h"

namespace junction {
namespace {

constexpr uint32_t kNonblock = O_NONBLOCK;
constexpr uint32_t kSettable = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | O_ASYNC;

struct OwnerEx {
  int32_t type;
  int32_t pid;
};

int64_t SetDescriptorFlags(int32_t fd, File& file, uint64_t flags) {
  CurrentFdTable().entries[fd].is_close_on_exec = (flags & FD_CLOEXEC) != 0;
  return file.is_virtual() ? 0 : HostCall(SYS_fcntl, fd, F_SETFD, flags & FD_CLOEXEC);
}

int64_t GetStatusFlags(int32_t fd, const File& file) {
  if (file.is_virtual()) {
    return file.status_flags;
  }
  const int64_t flags = HostCall(SYS_fcntl, fd, F_GETFL);
  if (flags < 0) {
    return flags;
  }
  const uint32_t own = kNonblock | (file.kind == FileKind::kHostStream ? static_cast<uint32_t>(O_ASYNC) : 0);
  return static_cast<int64_t>((static_cast<uint32_t>(flags) & ~own) | (file.status_flags & own));
}

int64_t SetStatusFlags(int32_t fd, File& file, uint32_t flags) {
  // Streams: the host must neither block nor send signals, so both bits stay here.
  if (file.kind == FileKind::kHostFile) {
    if (const int64_t error = HostCall(SYS_fcntl, fd, F_SETFL, flags); error != 0) {
      return error;
    }
  }
  const uint32_t settable = file.kind == FileKind::kHostStream ? kNonblock | O_ASYNC : kSettable;
  file.status_flags = (file.status_flags & ~settable) | (flags & settable);
  return 0;
}

// F_SETLKW, F_OFD_SETLKW: the host is asked again and again, without a wait there.
int64_t WaitForLock(int32_t fd, int command, uint64_t argument) {
  const int try_command = command == F_SETLKW ? F_SETLK : F_OFD_SETLK;
  uint64_t pause_ns = kFirstPause_ns;
  for (;;) {
    int64_t result;
    {
      const KernelUnlockGuard unlocked;
      result = HostCall(SYS_fcntl, fd, try_command, argument);
    }
    if (result != -EAGAIN && result != -EACCES) {
      return result;
    }
    if (const int64_t error = Pause(&pause_ns); error != 0) {
      return error;
    }
  }
}

int64_t PipeSize(Call& call, File& file, int command) {
  if (!file.is_virtual()) {
    return call.ToHostUnlocked();
  }
  if (file.kind != FileKind::kPipe) {
    return -EBADF;
  }
  return command == F_GETPIPE_SZ ? static_cast<int64_t>(PipeOf(file).capacity_bytes)
                                 : ResizePipe(PipeOf(file), static_cast<uint32_t>(call.arg(2)));
}

// Signals of descriptors are not sent: their owner is accepted and forgotten.
int64_t Owner(int command, uint64_t argument) {
  if (command != F_GETOWN_EX) {
    return 0;
  }
  const OwnerEx nobody = {1, 0};  // F_OWNER_PID
  return CopyToGuest(argument, &nobody, sizeof(nobody)) ? 0 : -EFAULT;
}

bool IsOwnerCommand(int command) {
  return command == F_SETOWN || command == F_GETOWN || command == F_SETSIG || command == F_GETSIG ||
         command == F_SETOWN_EX || command == F_GETOWN_EX;
}

}  // namespace

int64_t SysFcntl(Call& call) {
  const int32_t fd = call.int_arg(0);
  const int command = call.int_arg(1);
  const uint64_t argument = call.arg(2);
  File* const file = GetFile(fd);
  if (file == nullptr) {
    return -EBADF;
  }
  switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
      if (static_cast<uint32_t>(argument) >= DescriptorLimit()) {
        return -EINVAL;
      }
      return DuplicateFrom(fd, static_cast<int32_t>(argument), command == F_DUPFD_CLOEXEC);
    case F_GETFD:
      return CurrentFdTable().entries[fd].is_close_on_exec ? FD_CLOEXEC : 0;
    case F_SETFD:
      return SetDescriptorFlags(fd, *file, argument);
    case F_GETFL:
      return GetStatusFlags(fd, *file);
    case F_SETFL:
      return SetStatusFlags(fd, *file, static_cast<uint32_t>(argument));
    case F_GETPIPE_SZ:
    case F_SETPIPE_SZ:
      return PipeSize(call, *file, command);
    default:
      break;
  }
  if (file->kind != FileKind::kHostFile && IsOwnerCommand(command)) {
    return Owner(command, argument);
  }
  if (file->is_virtual()) {
    return -EINVAL;
  }
  if (command == F_SETLKW || command == F_OFD_SETLKW) {
    const FileReference kept(*file);
    return WaitForLock(fd, command, argument);
  }
  return call.ToHostUnlocked();
}

int64_t SysFlock(Call& call) {
  const int32_t fd = call.int_arg(0);
  File* const file = GetFile(fd);
  if (file == nullptr) {
    return -EBADF;
  }
  if (file->is_virtual()) {
    return -EINVAL;
  }
  const auto operation = static_cast<uint32_t>(call.arg(1));
  const FileReference kept(*file);
  uint64_t pause_ns = kFirstPause_ns;
  for (;;) {
    int64_t result;
    {
      const KernelUnlockGuard unlocked;
      result = HostCall(SYS_flock, fd, operation | LOCK_NB);
    }
    if (result != -EAGAIN || (operation & LOCK_NB) != 0) {
      return result;
    }
    if (const int64_t error = Pause(&pause_ns); error != 0) {
      return error;
    }
  }
}

}  // namespace junction
