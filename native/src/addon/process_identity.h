// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/error.h"
#include "base/unique_fd.h"

namespace junction::addon {

/// Field 22 of /proc/PID/stat: when the process started, in clock ticks since boot (proc(5)). With the pid it names a
/// process for ever. ESRCH: no such process.
Result<uint64_t> ReadStartTime(pid_t pid);

/// A process that is held by descriptor (pidfd_open(2)).
struct HeldProcess {
  UniqueFd pidfd;
  pid_t pid = 0;
  uint64_t start_time_ticks = 0;
};

/// Takes hold of a process that need not be a child. `start_time_ticks` not 0: only if it is still that one. ESRCH: it is
/// gone, or the pid is another process by now.
Result<HeldProcess> HoldProcess(pid_t pid, uint64_t start_time_ticks);

/// False: the process is gone.
Result<bool> SignalProcess(int pidfd, int signal);

}  // namespace junction::addon
