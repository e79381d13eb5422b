// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernel/files/proc_path.h"

namespace junction {

/// A fresh text of /proc/net, of an instance with a NIC: as things are now. Null if memory is short. Kernel lock held.
File* NewProcNetFile(ProcNet which);

}  // namespace junction
