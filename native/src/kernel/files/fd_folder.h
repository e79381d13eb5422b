// SPDX-License-Identifier: Apache-2.0
// Listings of /proc/<pid>/fd: the host knows nothing of virtual descriptors, and shows our own.
#pragma once

#include <cstdint>

#include "kernel/files/file.h"

namespace junction {

/// What File::extra of a host file that is such a folder points to; in the arena, freed with the file.
struct FdFolder {
  int32_t pid;
  uint32_t next;  // of the listing: 0 ".", 1 "..", then descriptor + 2
};

/// Makes an open folder list the descriptors of process `pid`. Without effect if memory is short. Kernel lock held.
void ListDescriptors(File& folder, int32_t pid);

/// The folder of a host file, or null for all others.
inline FdFolder* FdFolderOf(const File& file) {
  return file.kind == FileKind::kHostFile ? static_cast<FdFolder*>(file.extra) : nullptr;
}

}  // namespace junction
