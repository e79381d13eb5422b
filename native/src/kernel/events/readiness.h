// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <poll.h>

#include <cstdint>

#include "kernel/files/file.h"

namespace junction {

/// All that poll(2) can ask for, and what comes unasked.
inline constexpr PollEvents kAskedEvents = 0x27c7;  // IN PRI OUT RDNORM RDBAND WRNORM WRBAND MSG RDHUP
inline constexpr PollEvents kUnaskedEvents = POLLERR | POLLHUP;
inline constexpr PollEvents kAlwaysReady = POLLIN | POLLOUT | 0x040 /* POLLRDNORM */ | 0x100 /* POLLWRNORM */;

/// What to wait for if the guest asks for `events`: wakers name POLLIN and POLLOUT only, and errors wake everybody.
constexpr PollEvents WakeInterest(PollEvents events) {
  PollEvents interest = events | kUnaskedEvents;
  if ((events & (0x040 | 0x080 | 0x2000)) != 0) {  // POLLRDNORM, POLLRDBAND, POLLRDHUP
    interest |= POLLIN;
  }
  if ((events & (0x100 | 0x200)) != 0) {  // POLLWRNORM, POLLWRBAND
    interest |= POLLOUT;
  }
  return interest;
}

/// What holds right now; a host stream is asked at the host, as descriptor `fd` of the current process or whatever else it is there.
/// Kernel lock held throughout.
PollEvents PollFile(File& file, int32_t fd);

/// True if waiting for it makes sense to epoll: not for regular files and the like (EPERM).
inline bool CanPoll(const File& file) { return file.kind != FileKind::kHostFile && file.kind != FileKind::kText; }

}  // namespace junction
