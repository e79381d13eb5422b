// SPDX-License-Identifier: Apache-2.0
// POSIX message queues are the host's; waits are ours. Read first: mq_overview(7).
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>

#include <cerrno>

#include "kernel/door/guest_handlers.h"
#include "kernel/events/host_poller.h"
#include "kernel/files/host_file.h"
#include "kernel/time/guest_time.h"

namespace junction {
namespace {

// struct mq_attr of the kernel (include/uapi/linux/mqueue.h).
struct QueueAttributes {
  int64_t flags;
  int64_t most_messages;
  int64_t message_size_bytes;
  int64_t messages;
  int64_t reserved[4];
};

File* GetQueue(Call& call) {
  File* const file = GetFile(call.int_arg(0));
  return file != nullptr && file->kind == FileKind::kHostStream && file->host_domain == 0 ? file : nullptr;
}

// Nanoseconds until the time of CLOCK_REALTIME at `address`; kNever for none. 0 or -errno.
int64_t ReadDeadline(uint64_t address, uint64_t* deadline_ns) {
  *deadline_ns = kNever;
  if (address == 0) {
    return 0;
  }
  timespec time;
  if (const int64_t error = ReadTimespec(address, time); error != 0) {
    return error;
  }
  *deadline_ns = MonotonicDeadline(CLOCK_REALTIME, ToNanoseconds(time));
  return 0;
}

// mq_timedsend and mq_timedreceive, which have the same arguments.
int64_t Transfer(Call& call, PollEvents events) {
  uint64_t deadline_ns;
  if (const int64_t error = ReadDeadline(call.arg(4), &deadline_ns); error != 0) {
    return error;
  }
  File* const file = GetQueue(call);
  if (file == nullptr) {
    return -EBADF;
  }
  const FileReference kept(*file);
  for (;;) {
    int64_t result;
    {
      const KernelUnlockGuard unlocked;
      result = HostCall(static_cast<long>(call.number()), call.arg(0), call.arg(1), call.arg(2), call.arg(3), nullptr);
    }
    if (result != -EAGAIN || file->is_nonblocking()) {
      return result;
    }
    file->ready &= ~events;
    const uint64_t now_ns = MonotonicNow_ns();
    if (now_ns >= deadline_ns) {
      return -ETIMEDOUT;
    }
    const uint64_t left_ns = deadline_ns == kNever ? kNever : deadline_ns - now_ns;
    result = WaitForHost(*file, call.int_arg(0), events, left_ns);
    if (result != 0) {
      return result == -EAGAIN ? -ETIMEDOUT : result;
    }
  }
}

}  // namespace

int64_t SysMqOpen(Call& call) {
  const auto flags = static_cast<uint32_t>(call.arg(1));
  int64_t result;
  {
    const KernelUnlockGuard unlocked;
    result = HostCall(SYS_mq_open, call.arg(0), flags | O_NONBLOCK, call.arg(2), call.arg(3));
  }
  if (result < 0) {
    return result;
  }
  // The host's own mark of such descriptors, whatever the flags say.
  result = InstallHostFd(static_cast<int32_t>(result), FileKind::kHostStream,
                         (flags & (O_ACCMODE | O_NONBLOCK)) | O_CLOEXEC);
  if (result >= 0) {
    GetFile(static_cast<int32_t>(result))->status_flags |= kIsHostNonblocking;
  }
  return result;
}

int64_t SysMqTimedsend(Call& call) { return Transfer(call, POLLOUT); }

int64_t SysMqTimedreceive(Call& call) { return Transfer(call, POLLIN); }

int64_t SysMqGetsetattr(Call& call) {
  QueueAttributes wanted = {};
  if (call.arg(1) != 0) {
    if (!CopyFromGuest(&wanted, call.arg(1), sizeof(wanted))) {
      return -EFAULT;
    }
    if ((wanted.flags & ~int64_t{O_NONBLOCK}) != 0) {
      return -EINVAL;
    }
  }
  File* const file = GetQueue(call);
  if (file == nullptr) {
    return -EBADF;
  }
  QueueAttributes now = {};
  if (const int64_t error = HostCall(SYS_mq_getsetattr, call.arg(0), nullptr, &now); error != 0) {
    return error;
  }
  now.flags = file->status_flags & O_NONBLOCK;
  if (call.arg(1) != 0) {
    file->status_flags =
        (file->status_flags & ~static_cast<uint32_t>(O_NONBLOCK)) | static_cast<uint32_t>(wanted.flags);
  }
  return call.arg(2) == 0 || CopyToGuest(call.arg(2), &now, sizeof(now)) ? 0 : -EFAULT;
}

}  // namespace junction
