// SPDX-License-Identifier: Apache-2.0
// Files of the host behind guest descriptors: what they are, and reads and writes that never block the kthread.
#pragma once

#include <cstdint>

#include "kernel/door/call.h"
#include "kernel/files/file.h"

namespace junction {

/// Of host files and streams. They are read and written through the functions below, not through it.
extern const FileOps kHostFileOps;

/// What a host descriptor is: kHostStream if reading or writing it may block.
FileKind ClassifyHostFd(int32_t fd);

/// The guest's own read, readv or preadv2 of a host descriptor. Kernel lock held; released, and may park.
int64_t ReadHost(Call& call, File& file, int32_t fd, GuestBuffer& to, bool is_nonblocking);
/// The guest's own write, writev or pwritev2.
int64_t WriteHost(Call& call, File& file, int32_t fd, GuestBuffer& from, bool is_nonblocking);

/// A read into, a write out of any memory: for copies between descriptors.
int64_t ReadHostBuffer(File& file, int32_t fd, GuestBuffer& to, bool is_nonblocking);
int64_t WriteHostBuffer(File& file, int32_t fd, GuestBuffer& from, bool is_nonblocking);

/// Sends SIGPIPE to the current thread; -EPIPE.
int64_t BrokenPipe();

/// Parks for `*pause_ns`, which starts at kFirstPause_ns and doubles up to kLastPause_ns: for host conditions that have no event. 0 or
/// kRestartSys.
inline constexpr uint64_t kFirstPause_ns = 1'000'000;
inline constexpr uint64_t kLastPause_ns = 10'000'000;
int64_t Pause(uint64_t* pause_ns);

}  // namespace junction
