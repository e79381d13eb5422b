// SPDX-License-Identifier: Apache-2.0
// Pipes within the instance. Read first: pipe(7), fs/pipe.c of Linux for what wakes whom.
//
//   ring, a power of two of bytes, in the arena; `head` and `tail` only grow and are masked:
//
//   0                tail             head              storage_bytes
//   +----------------+----------------+-----------------+
//   | free           | bytes to read  | free            |
//   +----------------+----------------+-----------------+
#pragma once

#include <cstdint>

#include "kernel/files/file.h"

namespace junction {

inline constexpr uint32_t kPipeDefault_bytes = 65536;
inline constexpr uint32_t kPipeMax_bytes = 1U << 20;  // /proc/sys/fs/pipe-max-size of Linux
inline constexpr uint32_t kPipeBuf_bytes = 4096;      // writes up to here are atomic; POLLOUT says that so much is free

/// In the arena, freed with its last end. Kernel lock held.
struct Pipe {
  char* storage;           // null until the first write
  uint32_t storage_bytes;  // grows up to capacity_bytes as it is needed
  uint32_t capacity_bytes;
  uint32_t head;
  uint32_t tail;
  bool is_held;  // splice and tee look at the bytes while the lock is released: readers see none
  uint32_t readers;
  uint32_t writers;
  List ends;  // PipeLink::node

  uint32_t size() const { return head - tail; }
  uint32_t space() const { return capacity_bytes - size(); }
};

struct PipeEnd;
struct PipeLink {
  ListNode node;
  PipeEnd* end;
};

/// One open description of a pipe: two at first, more when it is opened by /proc/self/fd/N.
struct PipeEnd : File {
  Pipe* pipe;
  PipeLink link;
};

extern const FileOps kPipeOps;

/// The pipe of a file of kind kPipe.
inline Pipe& PipeOf(File& file) { return *static_cast<PipeEnd&>(file).pipe; }

/// Both ends of a new pipe, a reference each. 0 or -ENFILE.
int64_t MakePipe(uint32_t status_flags, File** reader, File** writer);

/// A new description of the same pipe; `status_flags` with its access mode. Null if memory is short.
File* ReopenPipe(File& file, uint32_t status_flags);

/// F_SETPIPE_SZ: the new size or -errno.
int64_t ResizePipe(Pipe& pipe, uint64_t size_bytes);

/// Bytes in one piece at the front, for splice: readers see none until ReleasePipe. May park; -EAGAIN, 0 at the end, or the size.
int64_t HoldPipe(File& file, bool is_nonblocking, char** bytes);
/// Takes `used_bytes` away and lets readers in again.
void ReleasePipe(File& file, uint32_t used_bytes);

/// Waits until something can be written: how much, or -EAGAIN, -EPIPE (with its signal).
int64_t AwaitPipeSpace(File& file, bool is_nonblocking);

}  // namespace junction
