// SPDX-License-Identifier: Apache-2.0
// stat and access. The host knows all but the instance's own objects (by descriptor or by /proc/self/fd/N) and which program this is.
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>

#include "kernel/door/guest_handlers.h"
#include "kernel/files/fd_table.h"
#include "kernel/files/host_file.h"
#include "kernel/files/proc_path.h"

namespace junction {
namespace {

using Kind = ProcPath::Kind;

constexpr uint64_t kAnonymousDevice = 0xf;  // as small as Linux' pseudo file systems have it; the number means nothing
constexpr int32_t kOwnBlock_bytes = 4096;

void StatFile(File& file, struct stat& out) {
  out = {};
  out.st_dev = kAnonymousDevice;
  out.st_nlink = 1;
  out.st_uid = static_cast<uint32_t>(HostCall(SYS_geteuid));
  out.st_gid = static_cast<uint32_t>(HostCall(SYS_getegid));
  out.st_blksize = kOwnBlock_bytes;
  out.st_mode = 0600;  // an anonymous inode has no type
  out.st_ino = file.kind == FileKind::kPipe ? file.inode : 1;
  if (file.ops->stat != nullptr) {
    file.ops->stat(file, out);
  }
}

// The link itself: lstat of /proc/self/fd/N.
void StatLink(const File& file, struct stat& out) {
  out = {};
  out.st_dev = kAnonymousDevice;
  out.st_nlink = 1;
  out.st_ino = file.inode;
  out.st_mode = S_IFLNK | 0700;
  out.st_size = 64;
  out.st_blksize = 1024;
}

// What a path or descriptor means here.
struct Target {
  File* file = nullptr;             // a virtual one
  bool is_link = false;             // of it, the link in /proc
  const char* host_path = nullptr;  // ask the host for this path instead
};

Target FindTarget(const ProcPath& path, bool follows) {
  Target target;
  if (path.kind == Kind::kExe && follows) {
    if (const UProc* const process = ProcessOf(path); process != nullptr) {
      target.host_path = process->exe_path;
    }
  } else if (path.kind == Kind::kFd || (path.kind == Kind::kStdio && follows)) {
    target.file = VirtualFileOf(path);
    target.is_link = !follows;
  }
  return target;
}

// The virtual file at a descriptor, if the path is empty and that means the descriptor itself.
File* AtDescriptor(int32_t fd, uint64_t path, uint32_t flags) {
  if ((flags & AT_EMPTY_PATH) == 0) {
    return nullptr;
  }
  File* const file = GetFile(fd);
  if (file == nullptr || !file->is_virtual()) {
    return nullptr;
  }
  char first = '\0';
  return path == 0 || (CopyFromGuest(&first, path, 1) && first == '\0') ? file : nullptr;
}

Target FindTargetAt(int32_t fd, uint64_t path, uint32_t flags) {
  Target target;
  target.file = AtDescriptor(fd, path, flags);
  return target.file != nullptr ? target : FindTarget(ReadProcPath(path), (flags & AT_SYMLINK_NOFOLLOW) == 0);
}

struct stat StatTarget(const Target& target) {
  struct stat status;
  if (target.is_link) {
    StatLink(*target.file, status);
  } else {
    StatFile(*target.file, status);
  }
  return status;
}

int64_t StoreStat(uint64_t address, const struct stat& status) {
  return CopyToGuest(address, &status, sizeof(status)) ? 0 : -EFAULT;
}

int64_t StoreStatx(uint64_t address, const struct stat& from) {
  struct statx out = {};
  out.stx_mask = STATX_BASIC_STATS;
  out.stx_blksize = static_cast<uint32_t>(from.st_blksize);
  out.stx_nlink = static_cast<uint32_t>(from.st_nlink);
  out.stx_uid = from.st_uid;
  out.stx_gid = from.st_gid;
  out.stx_mode = static_cast<uint16_t>(from.st_mode);
  out.stx_ino = from.st_ino;
  out.stx_size = static_cast<uint64_t>(from.st_size);
  out.stx_dev_minor = static_cast<uint32_t>(from.st_dev);
  return CopyToGuest(address, &out, sizeof(out)) ? 0 : -EFAULT;
}

// stat and lstat.
int64_t StatPath(Call& call, bool follows) {
  const ProcPath path = ReadProcPath(call.arg(0));
  if (path.kind == Kind::kNone) {
    return call.ToHost();
  }
  const KernelLockGuard locked;
  const Target target = FindTarget(path, follows);
  if (target.file != nullptr) {
    return StoreStat(call.arg(1), StatTarget(target));
  }
  return target.host_path != nullptr ? HostCall(SYS_stat, target.host_path, call.arg(1)) : call.ToHostUnlocked();
}

// The mode bits of virtual files are their owner's, who is the caller: only executing is refused.
int64_t Access(Call& call, int32_t directory, uint64_t guest_path, uint32_t mode, uint32_t flags) {
  const ProcPath path = ReadProcPath(guest_path);
  if (path.kind == Kind::kNone && (flags & AT_EMPTY_PATH) == 0) {
    return call.ToHost();
  }
  const KernelLockGuard locked;
  const Target target = FindTargetAt(directory, guest_path, flags);
  if (target.file != nullptr) {
    constexpr uint32_t kExecute = 1;
    return (mode & ~7U) != 0 ? -EINVAL : ((mode & kExecute) != 0 ? -EACCES : 0);
  }
  return target.host_path != nullptr ? HostCall(SYS_access, target.host_path, mode) : call.ToHostUnlocked();
}

}  // namespace

int64_t SysStat(Call& call) { return StatPath(call, true); }

int64_t SysLstat(Call& call) { return StatPath(call, false); }

int64_t SysFstat(Call& call) {
  File* const file = GetFile(call.int_arg(0));
  if (file == nullptr) {
    return -EBADF;
  }
  if (!file->is_virtual()) {
    return call.ToHostUnlocked();
  }
  struct stat status;
  StatFile(*file, status);
  return StoreStat(call.arg(1), status);
}

int64_t SysNewfstatat(Call& call) {
  const Target target = FindTargetAt(call.int_arg(0), call.arg(1), static_cast<uint32_t>(call.arg(3)));
  if (target.file != nullptr) {
    return StoreStat(call.arg(2), StatTarget(target));
  }
  if (target.host_path != nullptr) {
    return HostCall(SYS_stat, target.host_path, call.arg(2));
  }
  const int64_t error = CheckDirectory(call.int_arg(0), call.arg(1));
  return error != 0 ? error : call.ToHostUnlocked();
}

int64_t SysStatx(Call& call) {
  const auto flags = static_cast<uint32_t>(call.arg(2));
  const Target target = FindTargetAt(call.int_arg(0), call.arg(1), flags);
  if (target.file != nullptr) {
    constexpr uint32_t kSyncFlags = AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC;
    constexpr uint32_t kKnown = kSyncFlags | AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
    constexpr uint64_t kReservedMask = 0x80000000;  // STATX__RESERVED
    if ((flags & ~kKnown) != 0 || (flags & kSyncFlags) == kSyncFlags || (call.arg(3) & kReservedMask) != 0) {
      return -EINVAL;
    }
    return StoreStatx(call.arg(4), StatTarget(target));
  }
  if (target.host_path != nullptr) {
    return HostCall(SYS_statx, AT_FDCWD, target.host_path, flags, call.arg(3), call.arg(4));
  }
  const int64_t error = CheckDirectory(call.int_arg(0), call.arg(1));
  return error != 0 ? error : call.ToHostUnlocked();
}

int64_t SysAccess(Call& call) { return Access(call, AT_FDCWD, call.arg(0), static_cast<uint32_t>(call.arg(1)), 0); }

int64_t SysFaccessat(Call& call) {
  return Access(call, call.int_arg(0), call.arg(1), static_cast<uint32_t>(call.arg(2)), 0);
}

int64_t SysFaccessat2(Call& call) {
  return Access(call, call.int_arg(0), call.arg(1), static_cast<uint32_t>(call.arg(2)),
                static_cast<uint32_t>(call.arg(3)));
}

}  // namespace junction
