// SPDX-License-Identifier: Apache-2.0
// Parts of making a clone, for instance_clone.cc and clone_child.cc. Kernel lock held throughout; -errno on failure.
#pragma once

#include <cstdint>

#include "base/clone_protocol.h"
#include "base/control_block.h"
#include "kernel/process/uproc.h"

namespace junction {

/// What the fork leaves to the child. In the image's own memory.
struct CloneStart {
  Kthread* kthread;
  int32_t connection;  // to the monitor
};

/// First code of the clone, all host signals blocked, on CloneStack(): never returns.
[[noreturn]] void RunClone(void* start);
void* CloneStackTop();

/// Lives in the arena's header page: 0 = the child still copies, 1 = done, 2 = it gave up. A futex word.
std::atomic<uint32_t>& CloneProgress();

// clone_memory.cc

/// Whether the guest's shared mappings can be copied.
CloneRefusal CheckSharedMemory(const UProc& process);
/// The used part of the arena in a new memfd: its descriptor.
int64_t CopyArena();
/// The memfds of the guest's shared mappings.
struct SharedMemoryCopies {
  struct Object {
    const void* object;  // MappedObject
    uint64_t low;        // offsets in the object
    uint64_t high;
    int32_t fd;
  };
  static constexpr uint32_t kMax = 16;
  Object objects[kMax];
  uint32_t count;
};
/// Copies, while the arena is still the template's and its kernel stands still.
int64_t CopySharedMemory(const UProc& process, SharedMemoryCopies& copies);
/// Maps the copies in the place of the template's memory and closes them.
int64_t MapSharedMemory(const UProc& process, const SharedMemoryCopies& copies);

// clone_files.cc

/// Whether each descriptor can be had anew; `value` names the one that cannot.
CloneRefusal CheckFiles(UProc& process, int32_t* value);

struct CloneOutput {
  int32_t fds[2];  // new stdout and stderr
};
/// Replaces what the clone has of the template's descriptors. `ports` is a copy of the template's table. The clone's own control block is
/// mapped, its arena too; the arena's new memfd is `arena_fd`, which is closed.
int64_t RemakeFiles(UProc& process, int32_t arena_fd, const CloneOutput& output, const ControlPort* ports,
                    int32_t* value);

}  // namespace junction
