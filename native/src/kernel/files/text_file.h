// SPDX-License-Identifier: Apache-2.0
// A text that is made when it is opened and read like a regular file (/proc/net). In pieces, as it may be long. Kernel lock held.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/list.h"
#include "kernel/files/file.h"

namespace junction {

struct TextPiece {
  ListNode node;
  uint32_t size_bytes;
  uint32_t reserved;
  static constexpr uint32_t kCapacity_bytes = 16384 - 24;
  char text[kCapacity_bytes];
};
static_assert(sizeof(TextPiece) == 16384);

struct TextFile : File {
  List pieces;
  uint64_t size_bytes;
  uint64_t position;
  bool is_short;  // memory ran out while it was made: what is there is right, the rest is missing
};

/// `ops` is MakeTextFileOps of its name below /proc/<pid>. Null if memory is short.
TextFile* NewTextFile(const FileOps& ops);
void AppendText(TextFile& file, const char* text, size_t size_bytes);

/// Where lseek leads to in a made text that is read up to `now_at`: the position, or -EINVAL. Such a text has no end to seek from.
int64_t SeekText(uint64_t now_at, int64_t offset, int whence);

int64_t ReadTextFile(File& file, GuestBuffer& to, bool is_nonblocking);
int64_t SeekTextFile(File& file, int64_t offset, int whence);
void StatTextFile(File& file, struct stat& out);
void ReleaseTextFile(File& file);

constexpr FileOps MakeTextFileOps(const char* name) {
  return {.name = name,
          .read = ReadTextFile,
          .write = nullptr,
          .poll = nullptr,
          .ioctl = nullptr,
          .stat = StatTextFile,
          .release = ReleaseTextFile,
          .flush = nullptr,
          .seek = SeekTextFile};
}

}  // namespace junction
