// SPDX-License-Identifier: Apache-2.0
// read, write and their relatives. Hot path: read and write of virtual files make no host call and allocate nothing.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "kernel/door/guest_handlers.h"
#include "kernel/files/fd_folder.h"
#include "kernel/files/fd_table.h"
#include "kernel/files/host_file.h"

namespace junction {
namespace {

constexpr uint64_t kMaxTransfer_bytes = 0x7ffff000;  // MAX_RW_COUNT of Linux

constexpr uint64_t kNoWait = 8;         // RWF_NOWAIT
constexpr uint64_t kKnownFlags = 0x1f;  // RWF_HIPRI, DSYNC, SYNC, NOWAIT, APPEND

uint64_t Clamp(uint64_t size_bytes) { return size_bytes < kMaxTransfer_bytes ? size_bytes : kMaxTransfer_bytes; }

int64_t ReadInto(Call& call, File& file, GuestBuffer& to, bool is_nonblocking) {
  if (!file.is_virtual()) {
    return ReadHost(call, file, call.int_arg(0), to, is_nonblocking);
  }
  if (file.ops->read == nullptr) {
    return -EINVAL;
  }
  const FileReference kept(file);
  return file.ops->read(file, to, is_nonblocking);
}

int64_t WriteFrom(Call& call, File& file, GuestBuffer& from, bool is_nonblocking) {
  if (!file.is_virtual()) {
    return WriteHost(call, file, call.int_arg(0), from, is_nonblocking);
  }
  if (file.ops->write == nullptr) {
    return -EINVAL;
  }
  const FileReference kept(file);
  return file.ops->write(file, from, is_nonblocking);
}

int64_t ReadPieces(Call& call, File& file, bool is_nonblocking) {
  GuestBuffer to(0, 0);
  if (const int64_t error = GuestBuffer::FromIovec(call.arg(1), call.arg(2), to); error != 0) {
    return error;
  }
  return ReadInto(call, file, to, is_nonblocking);
}

int64_t WritePieces(Call& call, File& file, bool is_nonblocking) {
  GuestBuffer from(0, 0);
  if (const int64_t error = GuestBuffer::FromIovec(call.arg(1), call.arg(2), from); error != 0) {
    return error;
  }
  return WriteFrom(call, file, from, is_nonblocking);
}

// pread64 and so on: only the host has files with positions.
int64_t AtPosition(Call& call) {
  const File* const file = GetFile(call.int_arg(0));
  if (static_cast<int64_t>(call.arg(3)) < 0) {
    return file == nullptr ? -EBADF : -EINVAL;
  }
  if (file == nullptr) {
    return -EBADF;
  }
  return file->is_virtual() ? -ESPIPE : call.ToHostUnlocked();
}

// preadv2, pwritev2 at position -1 are readv and writev with flags.
template <typename Move>
int64_t WithFlags(Call& call, Move move) {
  File* const file = GetFile(call.int_arg(0));
  if (file == nullptr) {
    return -EBADF;
  }
  const uint64_t flags = call.arg(5);
  if (static_cast<int64_t>(call.arg(3)) != -1) {
    return AtPosition(call);
  }
  if (file->kind == FileKind::kHostFile) {
    return call.ToHostUnlocked();
  }
  if ((flags & ~kKnownFlags) != 0) {
    return -EOPNOTSUPP;
  }
  return move(call, *file, file->is_nonblocking() || (flags & kNoWait) != 0);
}

}  // namespace

int64_t SysRead(Call& call) {
  File* const file = GetFile(call.int_arg(0));
  if (file == nullptr) [[unlikely]] {
    return -EBADF;
  }
  if (static_cast<int64_t>(call.arg(2)) < 0) [[unlikely]] {
    return -EINVAL;
  }
  GuestBuffer to(call.arg(1), Clamp(call.arg(2)));
  return ReadInto(call, *file, to, file->is_nonblocking());
}

int64_t SysWrite(Call& call) {
  File* const file = GetFile(call.int_arg(0));
  if (file == nullptr) [[unlikely]] {
    return -EBADF;
  }
  if (static_cast<int64_t>(call.arg(2)) < 0) [[unlikely]] {
    return -EINVAL;
  }
  GuestBuffer from(call.arg(1), Clamp(call.arg(2)));
  return WriteFrom(call, *file, from, file->is_nonblocking());
}

int64_t SysReadv(Call& call) {
  File* const file = GetFile(call.int_arg(0));
  return file == nullptr ? -EBADF : ReadPieces(call, *file, file->is_nonblocking());
}

int64_t SysWritev(Call& call) {
  File* const file = GetFile(call.int_arg(0));
  return file == nullptr ? -EBADF : WritePieces(call, *file, file->is_nonblocking());
}

int64_t SysPread64(Call& call) { return AtPosition(call); }
int64_t SysPwrite64(Call& call) { return AtPosition(call); }
int64_t SysPreadv(Call& call) { return AtPosition(call); }
int64_t SysPwritev(Call& call) { return AtPosition(call); }
int64_t SysPreadv2(Call& call) { return WithFlags(call, ReadPieces); }
int64_t SysPwritev2(Call& call) { return WithFlags(call, WritePieces); }

int64_t SysLseek(Call& call) {
  File* const file = GetFile(call.int_arg(0));
  if (file == nullptr) {
    return -EBADF;
  }
  if (!file->is_virtual()) {
    if (FdFolder* const folder = FdFolderOf(*file); folder != nullptr && call.int_arg(2) == SEEK_SET) {
      folder->next = static_cast<uint32_t>(call.arg(1));  // rewinddir, seekdir
    }
    return call.ToHostUnlocked();
  }
  if (static_cast<uint32_t>(call.arg(2)) > SEEK_HOLE) {
    return -EINVAL;
  }
  if (file->ops->seek != nullptr) {
    return file->ops->seek(*file, static_cast<int64_t>(call.arg(1)), call.int_arg(2));
  }
  switch (file->kind) {
    case FileKind::kEventfd:
    case FileKind::kEpoll:
    case FileKind::kTimerfd:
    case FileKind::kSignalfd:
      return 0;  // noop_llseek of Linux
    default:
      return -ESPIPE;
  }
}

namespace {

constexpr uint32_t kGetPeer = 0x5441;  // TIOCGPTPEER

// The commands that mean the same for every file. False: not one of them.
bool CommonIoctl(Call& call, File& file, int64_t* result) {
  const int32_t fd = call.int_arg(0);
  const auto command = static_cast<uint32_t>(call.arg(1));
  *result = 0;
  switch (command) {
    case FIOCLEX:
    case FIONCLEX:
      CurrentFdTable().entries[fd].is_close_on_exec = command == FIOCLEX;
      if (!file.is_virtual()) {
        *result = HostCall(SYS_fcntl, fd, F_SETFD, command == FIOCLEX ? FD_CLOEXEC : 0);
      }
      return true;
    case FIONBIO:
    case FIOASYNC: {
      const uint32_t flag = command == FIONBIO ? O_NONBLOCK : O_ASYNC;
      int32_t is_on;
      if (!CopyFromGuest(&is_on, call.arg(2), sizeof(is_on))) {
        *result = -EFAULT;
      } else {
        file.status_flags = is_on != 0 ? file.status_flags | flag : file.status_flags & ~flag;
      }
      return true;
    }
    default:
      return false;
  }
}

// The other side of a new terminal pair: the one ioctl that makes a descriptor.
int64_t OpenPeer(Call& call) {
  const auto flags = static_cast<uint32_t>(call.arg(2));
  int64_t result;
  {
    const KernelUnlockGuard unlocked;
    result = HostCall(SYS_ioctl, call.int_arg(0), kGetPeer, flags | O_NONBLOCK);
  }
  if (result < 0) {
    return result;
  }
  result = InstallHostFd(static_cast<int32_t>(result), FileKind::kHostStream, flags);
  if (result >= 0) {
    GetFile(static_cast<int32_t>(result))->status_flags |= kIsHostNonblocking;
  }
  return result;
}

}  // namespace

int64_t SysIoctl(Call& call) {
  File* const file = GetFile(call.int_arg(0));
  if (file == nullptr) {
    return -EBADF;
  }
  if (int64_t result; CommonIoctl(call, *file, &result)) {
    return result;
  }
  const auto command = static_cast<uint32_t>(call.arg(1));
  if (!file->is_virtual()) {
    return command == kGetPeer ? OpenPeer(call) : call.ToHostUnlocked();
  }
  return file->ops->ioctl == nullptr ? -ENOTTY : file->ops->ioctl(*file, command, call.arg(2));
}

}  // namespace junction
