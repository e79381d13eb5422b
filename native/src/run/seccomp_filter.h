// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/filter.h>

#include <span>
#include <vector>

#include "base/error.h"
#include "run/host_syscalls.h"

namespace junction {

/// A classic BPF program for seccomp(2).
using BpfProgram = std::vector<sock_filter>;

/// Code that may make host calls: [low, high), below 4 GiB. The default admits all code.
struct CallerRange {
  uint32_t low = 0;
  uint32_t high = 0;
};

/// The filter that admits `rows` (by rising number) and nothing else. Another architecture kills the process; a number
/// without a row, x32's included, gives ENOSYS; arguments outside a row's limits give the row's errno. Calls without
/// limits are decided by number alone, so that Linux answers them from its per-filter bitmap, unless `callers` is given: then a call
/// from any other address kills the process.
BpfProgram BuildSeccompFilter(std::span<const HostSyscall> rows, const CallerRange& callers = {});

/// Puts the filter onto the calling thread, or onto all threads of the process. It cannot be taken off and outlives exec.
/// Needs no_new_privs.
Result<void> InstallSeccompFilter(std::span<const sock_filter> program, bool is_for_all_threads);

}  // namespace junction
