// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernel/file.h"

namespace junction {

struct UProc;

/// The process that a descriptor of pidfd_open stands for, zombies too; null if it has been waited for, or `file` is no such
/// descriptor (FileKind::kPidfd). Kernel lock held.
UProc* ProcessOfPidfd(File& file);

}  // namespace junction
