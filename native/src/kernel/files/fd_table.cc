// SPDX-License-Identifier: Apache-2.0
#include "kernel/files/fd_table.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cerrno>

#include "kernel/events/host_poller.h"
#include "uthread/arena.h"
#include "uthread/host_call.h"

namespace junction {
namespace {

constexpr uint32_t kFirstCapacity = 64;
constexpr int kRlimitNofile = 7;  // RLIMIT_NOFILE

void FreeEntries(FdTable& table) { ArenaFree(table.entries, table.capacity * sizeof(FdEntry)); }

}  // namespace

uint32_t DescriptorLimit() {
  rlimit64 limit{};
  HostCall(SYS_prlimit64, 0, kRlimitNofile, nullptr, &limit);
  return limit.rlim_cur < kMaxDescriptors ? static_cast<uint32_t>(limit.rlim_cur) : kMaxDescriptors;
}

bool EnsureFdCapacity(FdTable& table, uint32_t count) {
  if (count <= table.capacity) {
    return true;
  }
  if (count > kMaxDescriptors) {
    return false;
  }
  uint32_t capacity = table.capacity;
  while (capacity < count) {
    capacity *= 2;
  }
  auto* const entries = static_cast<FdEntry*>(ArenaAllocate(capacity * sizeof(FdEntry)));
  if (entries == nullptr) {
    return false;
  }
  memcpy(entries, table.entries, table.capacity * sizeof(FdEntry));
  FreeEntries(table);
  table.entries = entries;
  table.capacity = capacity;
  return true;
}

int64_t FindFreeFd(FdTable& table, uint32_t minimum) {
  uint32_t fd = minimum > table.first_free ? minimum : table.first_free;
  while (!IsFdFree(table, fd)) {
    ++fd;
  }
  if (minimum <= table.first_free) {
    table.first_free = fd;
  }
  return EnsureFdCapacity(table, fd + 1) ? fd : -EMFILE;
}

void EnterFd(FdTable& table, uint32_t fd, File& file, bool is_close_on_exec) {
  FdEntry& entry = table.entries[fd];
  entry = FdEntry{};
  entry.file = &file;
  entry.is_close_on_exec = is_close_on_exec;
  if (fd == table.first_free) {
    table.first_free = fd + 1;
  }
  if (file.is_virtual()) {
    ++table.bare_count;
  }
}

File& TakeFd(FdTable& table, uint32_t fd, FdEntry* was) {
  FdEntry& entry = table.entries[fd];
  File& file = *entry.file;
  *was = entry;
  if (file.is_virtual() && !entry.has_placeholder) {
    --table.bare_count;
  }
  entry = FdEntry{};
  if (fd < table.first_free) {
    table.first_free = fd;
  }
  return file;
}

void DropFd(File& file) {
  if (file.ops->flush != nullptr) {
    file.ops->flush(file);
  }
  Unreference(file);
}

File* GetFile(int32_t fd) {
  const FdTable& table = CurrentFdTable();
  const auto index = static_cast<uint32_t>(fd);
  return index < table.capacity ? table.entries[index].file : nullptr;
}

int64_t InstallFile(File& file, bool is_close_on_exec, int32_t minimum) {
  FdTable& table = CurrentFdTable();
  const int64_t fd = FindFreeFd(table, static_cast<uint32_t>(minimum));
  if (fd < 0 || fd >= DescriptorLimit()) {
    Unreference(file);
    return -EMFILE;
  }
  EnterFd(table, static_cast<uint32_t>(fd), file, is_close_on_exec);
  return fd;
}

int64_t CloseDescriptor(int32_t fd) {
  if (GetFile(fd) == nullptr) {
    return -EBADF;
  }
  FdTable& table = CurrentFdTable();
  const auto index = static_cast<uint32_t>(fd);
  if (table.entries[index].file->kind == FileKind::kHostStream) {
    ForgetHostFd(*table.entries[index].file, fd);
  }
  FdEntry was;
  File& file = TakeFd(table, index, &was);
  if (!file.is_virtual() || was.has_placeholder) {
    // The host may take long over the last close of a file. The number is nobody's until it is done.
    table.entries[index].is_reserved = true;
    CloseHostFd(fd);
    UnreserveFd(table, fd);
  }
  DropFd(file);
  return 0;
}

FdTable* NewFdTable() {
  auto* const table = ArenaNew<FdTable>();
  if (table == nullptr) {
    return nullptr;
  }
  table->entries = static_cast<FdEntry*>(ArenaAllocate(kFirstCapacity * sizeof(FdEntry)));
  if (table->entries == nullptr) {
    ArenaDelete(table);
    return nullptr;
  }
  table->references = 1;
  table->capacity = kFirstCapacity;
  for (auto& slot : table->reserved) {
    slot.home = slot.now = -1;
  }
  return table;
}

FdTable* CopyFdTable(const FdTable& table) {
  auto* const copy = ArenaNew<FdTable>(table);
  if (copy == nullptr) {
    return nullptr;
  }
  copy->references = 1;
  copy->entries = static_cast<FdEntry*>(ArenaAllocate(table.capacity * sizeof(FdEntry)));
  if (copy->entries == nullptr) {
    ArenaDelete(copy);
    return nullptr;
  }
  for (uint32_t fd = 0; fd < table.capacity; ++fd) {
    FdEntry& entry = copy->entries[fd];
    entry = table.entries[fd];
    entry.is_reserved = false;  // one that is being closed right now is nobody's in the child
    if (entry.file != nullptr) {
      Reference(*entry.file);
    }
  }
  copy->first_free = 0;
  for (const auto& slot : table.reserved) {
    if (slot.now >= 0) {
      copy->entries[slot.now].is_reserved = true;
    }
  }
  return copy;
}

void UnreferenceFdTable(FdTable& table) {
  if (--table.references != 0) {
    return;
  }
  for (uint32_t fd = 0; fd < table.capacity; ++fd) {
    if (table.entries[fd].file != nullptr) {
      FdEntry was;
      DropFd(TakeFd(table, fd, &was));
    }
  }
  FreeEntries(table);
  ArenaDelete(&table);
}

void CloseOnExec(FdTable& table) {
  for (uint32_t fd = 0; fd < table.capacity; ++fd) {
    FdEntry& entry = table.entries[fd];
    if (entry.file == nullptr) {
      continue;
    }
    if (entry.has_placeholder) {  // close-on-exec at the host
      entry.has_placeholder = false;
      ++table.bare_count;
    }
    if (entry.is_close_on_exec) {
      FdEntry was;
      DropFd(TakeFd(table, fd, &was));
    }
  }
  for (auto& slot : table.reserved) {
    if (slot.now >= 0 && HostCall(SYS_fcntl, slot.now, F_GETFD) < 0) {
      UnreserveFd(table, slot.now);
      slot.home = slot.now = -1;
    }
  }
}

}  // namespace junction
