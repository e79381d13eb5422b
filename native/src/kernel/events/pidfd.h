// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernel/files/file.h"

namespace junction {

struct UProc;

/// The process that a descriptor of pidfd_open stands for, zombies too; null if it has been waited for, or `file` is no such
/// descriptor (FileKind::kPidfd). Kernel lock held.
UProc* ProcessOfPidfd(File& file);

/// A new descriptor of the current process for `process`, close-on-exec: its number, -EMFILE or -ENOMEM. `flags` may have O_NONBLOCK.
int64_t OpenPidfd(UProc& process, uint32_t flags = 0);

}  // namespace junction
