// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace junction {

struct File;

/// A new open /proc/self/maps of the current process: read it from the start, seek as in a regular file. Each line is made as it is
/// read, as in Linux. Null if memory is short. Kernel lock held.
File* NewMapsFile();

}  // namespace junction
