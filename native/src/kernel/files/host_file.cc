// SPDX-License-Identifier: Apache-2.0
#include "kernel/files/host_file.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>

#include "kernel/events/host_poller.h"
#include "kernel/files/fd_folder.h"
#include "kernel/signals/signals.h"
#include "kernel/sockets/host_socket.h"
#include "uthread/arena.h"
#include "uthread/clock.h"
#include "uthread/host_call.h"
#include "uthread/uthread.h"

namespace junction {
namespace {

constexpr uint64_t kPipeBuf_bytes = 4096;  // PIPE_BUF: a write of so much never blocks after POLLOUT (pipe(7))

void ReleaseHostFile(File& file) {
  ArenaDelete(FdFolderOf(file));
  ArenaDelete(&file);
}

// The host has just said that `events` do not hold. Waits for them unless the guest does not want to.
int64_t AwaitHost(File& file, int32_t fd, PollEvents events, bool is_nonblocking) {
  file.ready &= ~events;
  return is_nonblocking ? -EAGAIN : WaitForHost(file, fd, events, kNever);
}

// Before a call on a description that may block: 0 if it will not.
int64_t AwaitReadiness(File& file, int32_t fd, PollEvents events, bool is_nonblocking) {
  while (PollHostFd(fd, events) == 0) {
    if (const int64_t error = AwaitHost(file, fd, events, is_nonblocking); error != 0) {
      return error;
    }
  }
  return 0;
}

template <typename Transfer>
int64_t ReadStream(File& file, int32_t fd, bool is_nonblocking, Transfer transfer) {
  for (;;) {
    if ((file.status_flags & kIsHostNonblocking) == 0) {
      if (const int64_t error = AwaitReadiness(file, fd, POLLIN, is_nonblocking); error != 0) {
        return error;
      }
    }
    const int64_t result = transfer();
    if (result == -EINTR) {
      continue;
    }
    if (result != -EAGAIN) {
      return result;
    }
    if (const int64_t error = AwaitHost(file, fd, POLLIN, is_nonblocking); error != 0) {
      return error;
    }
  }
}

// One piece of guest memory to the host; what it took, or -errno.
int64_t WritePiece(File& file, int32_t fd, GuestIovec piece, bool is_nonblocking) {
  const bool may_block = (file.status_flags & kIsHostNonblocking) == 0;
  for (;;) {
    if (may_block) {
      if (const int64_t error = AwaitReadiness(file, fd, POLLOUT, is_nonblocking); error != 0) {
        return error;
      }
    }
    const uint64_t size = may_block && piece.size_bytes > kPipeBuf_bytes ? kPipeBuf_bytes : piece.size_bytes;
    int64_t result;
    {
      const KernelUnlockGuard unlocked;
      result = HostCall(SYS_write, fd, piece.base, size);
    }
    if (result != -EAGAIN && result != -EINTR) {
      return result;
    }
    if (result == -EAGAIN) {
      if (const int64_t error = AwaitHost(file, fd, POLLOUT, is_nonblocking); error != 0) {
        return error;
      }
    }
  }
}

int64_t WriteStream(File& file, int32_t fd, GuestBuffer& from, bool is_nonblocking) {
  while (from.size() != 0) {
    const GuestIovec piece = from.Piece();
    const int64_t result = piece.size_bytes == 0 ? -EFAULT : WritePiece(file, fd, piece, is_nonblocking);
    if (result == -EPIPE) {
      BrokenPipe();
    }
    if (result < 0) {
      return from.done() != 0 ? static_cast<int64_t>(from.done()) : result;
    }
    from.Advance(static_cast<uint64_t>(result));
    if (result == 0) {
      break;
    }
  }
  return static_cast<int64_t>(from.done());
}

}  // namespace

const FileOps kHostFileOps = {
    .name = "host",
    .read = nullptr,
    .write = nullptr,
    .poll = nullptr,
    .ioctl = nullptr,
    .stat = nullptr,
    .release = ReleaseHostFile,
    .flush = nullptr,
};

FileKind ClassifyHostFd(int32_t fd) {
  struct stat status;
  if (HostCall(SYS_fstat, fd, &status) != 0) {
    return FileKind::kHostFile;
  }
  switch (status.st_mode & S_IFMT) {
    case S_IFIFO:
    case S_IFSOCK:
      return FileKind::kHostStream;
    case S_IFCHR: {
      char settings[64];  // struct termios of the kernel: 36 bytes
      return HostCall(SYS_ioctl, fd, TCGETS, settings) == 0 ? FileKind::kHostStream : FileKind::kHostFile;
    }
    default:
      return FileKind::kHostFile;
  }
}

int64_t ReadHost(Call& call, File& file, int32_t fd, GuestBuffer& to, bool is_nonblocking) {
  if (file.kind == FileKind::kHostFile) {
    return call.ToHostUnlocked();
  }
  const FileReference kept(file);
  if (file.host_domain != 0) {
    return ReadHostSocket(file, fd, to, is_nonblocking ? MSG_DONTWAIT : 0);
  }
  return ReadStream(file, fd, is_nonblocking, [&call] { return call.ToHostUnlocked(); });
}

int64_t ReadHostBuffer(File& file, int32_t fd, GuestBuffer& to, bool is_nonblocking) {
  if (file.host_domain != 0) {
    return ReadHostSocket(file, fd, to, is_nonblocking ? MSG_DONTWAIT : 0);
  }
  const GuestIovec piece = to.Piece();
  const auto transfer = [fd, piece] {
    const KernelUnlockGuard unlocked;
    return HostCall(SYS_read, fd, piece.base, piece.size_bytes);
  };
  return file.kind == FileKind::kHostFile ? transfer() : ReadStream(file, fd, is_nonblocking, transfer);
}

int64_t WriteHost(Call& call, File& file, int32_t fd, GuestBuffer& from, bool is_nonblocking) {
  if (file.kind == FileKind::kHostFile) {
    return call.ToHostUnlocked();
  }
  const FileReference kept(file);
  if (file.host_domain != 0) {
    return WriteHostSocket(file, fd, from, is_nonblocking ? MSG_DONTWAIT : 0);
  }
  if (from.size() == 0) {
    return call.ToHostUnlocked();
  }
  return WriteStream(file, fd, from, is_nonblocking);
}

int64_t WriteHostBuffer(File& file, int32_t fd, GuestBuffer& from, bool is_nonblocking) {
  if (file.host_domain != 0) {
    return WriteHostSocket(file, fd, from, is_nonblocking ? MSG_DONTWAIT : 0);
  }
  if (file.kind == FileKind::kHostStream) {
    return WriteStream(file, fd, from, is_nonblocking);
  }
  const GuestIovec piece = from.Piece();
  const KernelUnlockGuard unlocked;
  return HostCall(SYS_write, fd, piece.base, piece.size_bytes);
}

int64_t BrokenPipe() {
  const siginfo_t info = MakeUserSiginfo(SIGPIPE, SI_USER);
  SendToThread(CurrentThread(), info);
  return -EPIPE;
}

int64_t Pause(uint64_t* pause_ns) {
  const WakeReason reason = Park(MonotonicNow_ns() + *pause_ns);
  *pause_ns = *pause_ns * 2 < kLastPause_ns ? *pause_ns * 2 : kLastPause_ns;
  return reason == WakeReason::kInterrupted ? kRestartSys : 0;
}

}  // namespace junction
