// SPDX-License-Identifier: Apache-2.0
#include "kernel/files/fd_folder.h"

#include <dirent.h>

#include <cerrno>

#include "kernel/door/guest_handlers.h"
#include "kernel/files/fd_table.h"
#include "uthread/arena.h"
#include "uthread/text_buffer.h"

namespace junction {
namespace {

// struct linux_dirent64 of getdents64(2).
struct Entry {
  uint64_t inode;
  int64_t next;
  uint16_t size_bytes;
  uint8_t type;
  char name[13];
};
constexpr size_t kNameOffset = offsetof(Entry, name);

Entry MakeEntry(uint32_t position) {
  TextBuffer<12> name;
  if (position < 2) {
    name.Add(position == 0 ? "." : "..");
  } else {
    name.AddUnsigned(position - 2);
  }
  Entry entry = {};
  entry.inode = position + 1;
  entry.next = static_cast<int64_t>(position) + 1;
  entry.size_bytes = static_cast<uint16_t>((kNameOffset + name.size() + 1 + 7) & ~size_t{7});
  entry.type = position < 2 ? DT_DIR : DT_LNK;
  memcpy(entry.name, name.data(), name.size());
  return entry;
}

// The next position from `position` on that has an entry; past the end of the table if there is none.
uint32_t Skip(const FdTable& table, uint32_t position) {
  while (position >= 2 && position - 2 < table.capacity && table.entries[position - 2].file == nullptr) {
    ++position;
  }
  return position;
}

int64_t ListEntries(FdFolder& folder, const FdTable& table, uint64_t to, uint64_t capacity_bytes) {
  uint64_t done = 0;
  for (;;) {
    const uint32_t position = Skip(table, folder.next);
    if (position >= 2 && position - 2 >= table.capacity) {
      return static_cast<int64_t>(done);
    }
    const Entry entry = MakeEntry(position);
    if (entry.size_bytes > capacity_bytes - done) {
      return done != 0 ? static_cast<int64_t>(done) : -EINVAL;
    }
    if (!CopyToGuest(to + done, &entry, entry.size_bytes)) {
      return done != 0 ? static_cast<int64_t>(done) : -EFAULT;
    }
    done += entry.size_bytes;
    folder.next = position + 1;
  }
}

}  // namespace

void ListDescriptors(File& folder, int32_t pid) {
  auto* const listing = ArenaNew<FdFolder>();
  if (listing != nullptr) {
    listing->pid = pid;
    folder.extra = listing;
  }
}

int64_t SysGetdents64(Call& call) {
  File* const file = GetFile(call.int_arg(0));
  if (file == nullptr) {
    return -EBADF;
  }
  if (file->is_virtual()) {
    return -ENOTDIR;
  }
  FdFolder* const folder = FdFolderOf(*file);
  if (folder == nullptr) {
    return call.ToHostUnlocked();
  }
  const UProc* const process = FindProcess(folder->pid);
  if (process == nullptr || process->files == nullptr) {
    return -ENOENT;
  }
  return ListEntries(*folder, *process->files, call.arg(1), static_cast<uint32_t>(call.arg(2)));
}

}  // namespace junction
