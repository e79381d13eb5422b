// SPDX-License-Identifier: Apache-2.0
// Calls that open something, and readlink. Files are the host's; what /proc says of the instance's own objects is ours.
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>

#include "kernel/door/guest_handlers.h"
#include "kernel/events/host_poller.h"
#include "kernel/files/fd_folder.h"
#include "kernel/files/fd_table.h"
#include "kernel/files/host_file.h"
#include "kernel/files/pipe.h"
#include "kernel/files/proc_path.h"
#include "kernel/guest/guest_path.h"
#include "kernel/memory/memory_maps.h"
#include "kernel/net/instance_net.h"
#include "kernel/sockets/proc_net.h"

namespace junction {
namespace {

using Kind = ProcPath::Kind;

// Flags that are of the opening only.
constexpr uint32_t kNotKept = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW;

struct Opening {
  int32_t directory;
  uint64_t path;  // of the guest, or a text of ours
  uint32_t flags;
  uint32_t mode;

  uint32_t access() const { return flags & O_ACCMODE; }
  bool is_nonblocking() const { return (flags & O_NONBLOCK) != 0; }
};

int64_t OpenAtHost(const Opening& opening) {
  const KernelUnlockGuard unlocked;
  const uint32_t added = (opening.flags & O_PATH) != 0 ? 0 : O_NONBLOCK;  // FIFOs and terminals would block
  return HostCall(SYS_openat, opening.directory, opening.path, opening.flags | added, opening.mode);
}

bool IsFifo(const Opening& opening) {
  struct stat status;
  return HostCall(SYS_newfstatat, opening.directory, opening.path, &status, 0) == 0 && S_ISFIFO(status.st_mode);
}

// Opening a FIFO for writing waits for a reader: the host says ENXIO until there is one.
int64_t OpenAwaited(const Opening& opening) {
  int64_t result = OpenAtHost(opening);
  if (result != -ENXIO || opening.is_nonblocking() || opening.access() != O_WRONLY || !IsFifo(opening)) {
    return result;
  }
  uint64_t pause_ns = kFirstPause_ns;
  while (result == -ENXIO) {
    if (const int64_t error = Pause(&pause_ns); error != 0) {
      return error;
    }
    result = OpenAtHost(opening);
  }
  return result;
}

// A FIFO that is open for reading has, or had, a writer. A read into memory that cannot be written takes nothing: EOF without writers,
// else EAGAIN, or EFAULT for bytes that are there.
bool HasHadWriter(int32_t fd) {
  static constexpr char kReadOnly[8] = {};
  return PollHostFd(fd, POLLIN) != 0 || HostCall(SYS_read, fd, kReadOnly, 1) != 0;
}

int64_t AwaitWriter(int32_t fd, File& file) {
  const FileReference kept(file);
  uint64_t pause_ns = kFirstPause_ns;
  while (!HasHadWriter(fd)) {
    const int64_t error = Pause(&pause_ns);
    if (GetFile(fd) != &file) {
      return -EBADF;  // closed by another thread that guessed the number
    }
    if (error != 0) {
      CloseDescriptor(fd);
      return error;
    }
  }
  return fd;
}

int64_t OpenHostFile(const Opening& opening) {
  FdTable& table = CurrentFdTable();
  if (table.bare_count != 0) {
    FillPlaceholders(table);
  }
  const int64_t host_fd = OpenAwaited(opening);
  if (host_fd < 0) {
    return host_fd;
  }
  const FileKind kind =
      (opening.flags & O_PATH) != 0 ? FileKind::kHostFile : ClassifyHostFd(static_cast<int32_t>(host_fd));
  const int64_t result = InstallHostFd(static_cast<int32_t>(host_fd), kind, opening.flags);
  if (result < 0) {
    return result;
  }
  const auto fd = static_cast<int32_t>(result);
  File& file = *GetFile(fd);
  file.status_flags &= ~kNotKept;
  if (kind != FileKind::kHostStream) {
    return fd;
  }
  file.status_flags |= kIsHostNonblocking;
  struct stat status;
  if (opening.access() == O_RDONLY && !opening.is_nonblocking() && HostCall(SYS_fstat, fd, &status) == 0 &&
      S_ISFIFO(status.st_mode)) {
    return AwaitWriter(fd, file);
  }
  return fd;
}

// /proc/self/fd/N of a virtual file.
int64_t OpenVirtual(File& file, uint32_t flags) {
  if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) {
    return -EEXIST;
  }
  if ((flags & O_DIRECTORY) != 0) {
    return -ENOTDIR;
  }
  if ((flags & O_NOFOLLOW) != 0) {
    return -ELOOP;
  }
  const bool is_close_on_exec = (flags & O_CLOEXEC) != 0;
  if (file.kind == FileKind::kText || (flags & O_PATH) != 0) {
    return InstallFile(Reference(file), is_close_on_exec);
  }
  if (file.kind != FileKind::kPipe) {
    return -ENXIO;  // as sockets and anonymous inodes on Linux
  }
  if ((flags & O_DIRECT) != 0) {
    return -EINVAL;
  }
  File* const end = ReopenPipe(file, flags & (O_ACCMODE | O_NONBLOCK));
  return end == nullptr ? -ENFILE : InstallFile(*end, is_close_on_exec);
}

int64_t OpenMaps(uint32_t flags) {
  if ((flags & O_ACCMODE) != O_RDONLY) {
    return -EACCES;
  }
  File* const file = NewMapsFile();
  return file == nullptr ? -ENOMEM : InstallFile(*file, (flags & O_CLOEXEC) != 0);
}

int64_t OpenNetFile(ProcNet which, uint32_t flags) {
  if ((flags & O_ACCMODE) != O_RDONLY) {
    return -EACCES;
  }
  File* const file = NewProcNetFile(which);
  return file == nullptr ? -ENOMEM : InstallFile(*file, (flags & O_CLOEXEC) != 0);
}

int64_t OpenPath(Opening opening) {
  const ProcPath path = ReadProcPath(opening.path);
  switch (path.kind) {
    case Kind::kExe:
      if (const UProc* const process = ProcessOf(path); process != nullptr && (opening.flags & O_NOFOLLOW) == 0) {
        opening.path = reinterpret_cast<uint64_t>(process->exe_path);
      }
      break;
    case Kind::kFd:
    case Kind::kStdio:
      if (File* const file = VirtualFileOf(path); file != nullptr) {
        return OpenVirtual(*file, opening.flags);
      }
      break;
    case Kind::kMaps:
      if (ProcessOf(path) == &CurrentProcess()) {
        return OpenMaps(opening.flags);
      }
      break;
    case Kind::kNet:
      if (HasNic()) {
        return OpenNetFile(path.net, opening.flags);
      }
      break;
    default:
      break;
  }
  char translated[kProcPathCapacity_bytes + 16];
  if (TranslateProcPath(opening.path, translated)) {
    opening.path = reinterpret_cast<uint64_t>(translated);
  }
  if (const int64_t error = CheckDirectory(opening.directory, opening.path); error != 0) {
    return error;
  }
  const int64_t fd = OpenHostFile(opening);
  if (fd >= 0 && path.kind == Kind::kFds) {
    if (const UProc* const process = ProcessOf(path); process != nullptr) {
      ListDescriptors(*GetFile(static_cast<int32_t>(fd)), process->pid);
    }
  }
  return fd;
}

int64_t ReadLink(Call& call, int32_t directory, uint64_t guest_path, uint64_t buffer, int32_t capacity_bytes) {
  const ProcPath path = ReadProcPath(guest_path);
  const char* text = nullptr;
  char description[48];
  size_t size = 0;
  if (path.kind == Kind::kExe) {
    if (const UProc* const process = ProcessOf(path); process != nullptr) {
      text = process->exe_path;
      size = TextLength(text);
    }
  } else if (path.kind == Kind::kFd) {
    if (const File* const file = VirtualFileOf(path); file != nullptr) {
      text = description;
      size = DescribeFile(*file, description, sizeof(description));
    }
  } else if (const int64_t error = CheckDirectory(directory, guest_path); error != 0) {
    return error;
  }
  if (text == nullptr) {
    return call.ToHostUnlocked();
  }
  if (capacity_bytes <= 0) {
    return -EINVAL;
  }
  size = size < static_cast<size_t>(capacity_bytes) ? size : static_cast<size_t>(capacity_bytes);
  return CopyToGuest(buffer, text, size) ? static_cast<int64_t>(size) : -EFAULT;
}

int64_t MakeInotify(uint32_t flags) {
  if ((flags & ~static_cast<uint32_t>(IN_CLOEXEC | IN_NONBLOCK)) != 0) {
    return -EINVAL;
  }
  const int64_t host_fd = HostCall(SYS_inotify_init1, flags | IN_NONBLOCK);
  if (host_fd < 0) {
    return host_fd;
  }
  const int64_t fd = InstallHostFd(static_cast<int32_t>(host_fd), FileKind::kHostStream, flags);
  if (fd >= 0) {
    GetFile(static_cast<int32_t>(fd))->status_flags |= kIsHostNonblocking;
  }
  return fd;
}

}  // namespace

int64_t CheckDirectory(int32_t directory, uint64_t path) {
  const File* const file = GetFile(directory);
  if (file == nullptr || !file->is_virtual()) {
    return 0;
  }
  char first;
  if (!CopyFromGuest(&first, path, 1)) {
    return -EFAULT;
  }
  return first == '/' ? 0 : (first == '\0' ? -ENOENT : -ENOTDIR);
}

int64_t SysOpen(Call& call) {
  return OpenPath({AT_FDCWD, call.arg(0), static_cast<uint32_t>(call.arg(1)), static_cast<uint32_t>(call.arg(2))});
}

int64_t SysCreat(Call& call) {
  return OpenPath({AT_FDCWD, call.arg(0), O_CREAT | O_WRONLY | O_TRUNC, static_cast<uint32_t>(call.arg(1))});
}

int64_t SysOpenat(Call& call) {
  return OpenPath(
      {call.int_arg(0), call.arg(1), static_cast<uint32_t>(call.arg(2)), static_cast<uint32_t>(call.arg(3))});
}

int64_t SysReadlink(Call& call) { return ReadLink(call, AT_FDCWD, call.arg(0), call.arg(1), call.int_arg(2)); }

int64_t SysReadlinkat(Call& call) { return ReadLink(call, call.int_arg(0), call.arg(1), call.arg(2), call.int_arg(3)); }

int64_t SysMemfdCreate(Call& call) {
  const int64_t host_fd = call.ToHostUnlocked();
  if (host_fd < 0) {
    return host_fd;
  }
  constexpr uint32_t kCloseOnExec = 1;  // MFD_CLOEXEC
  const uint32_t flags = O_RDWR | ((call.arg(1) & kCloseOnExec) != 0 ? O_CLOEXEC : 0);
  return InstallHostFd(static_cast<int32_t>(host_fd), FileKind::kHostFile, flags);
}

int64_t SysInotifyInit(Call&) { return MakeInotify(0); }

int64_t SysInotifyInit1(Call& call) { return MakeInotify(static_cast<uint32_t>(call.arg(0))); }

}  // namespace junction
