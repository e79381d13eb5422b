// SPDX-License-Identifier: Apache-2.0
// Inside of the descriptor table, for fd_table.cc, host_fd.cc and sys_descriptor.cc. Kernel lock held throughout.
//
// A host call that makes a descriptor runs without the kernel lock, so between it and InstallHostFd a number may be open at the host
// that the table calls free ("in flight"). Nobody may dup3 over such a number: it is claimed by F_DUPFD, which never replaces.
#pragma once

#include <cstdint>

#include "kernel/files/file.h"
#include "kernel/process/uproc.h"

namespace junction {

/// The table is one arena block; RLIMIT_NOFILE beyond this counts as this.
inline constexpr uint32_t kMaxDescriptors = 65536;
inline constexpr int kPlacingTries = 100;  // for a number in flight: its open ends within a few switches

inline FdTable& CurrentFdTable() { return *CurrentProcess().files; }

/// Numbers from here on are refused: RLIMIT_NOFILE of the host process.
uint32_t DescriptorLimit();

/// Room for numbers below `count`; false if memory is short or that is too many.
bool EnsureFdCapacity(FdTable& table, uint32_t count);

inline bool IsFdFree(const FdTable& table, uint32_t fd) {
  return fd >= table.capacity || (table.entries[fd].file == nullptr && !table.entries[fd].is_reserved);
}

/// A number that was the kernel's, or busy, becomes free.
inline void UnreserveFd(FdTable& table, int32_t fd) {
  table.entries[fd].is_reserved = false;
  if (static_cast<uint32_t>(fd) < table.first_free) {
    table.first_free = static_cast<uint32_t>(fd);
  }
}

/// The lowest free number from `minimum` on, with room in the table; -EMFILE.
int64_t FindFreeFd(FdTable& table, uint32_t minimum);

/// Enters `file` (its reference is taken over) at a free number below the capacity.
void EnterFd(FdTable& table, uint32_t fd, File& file, bool is_close_on_exec);

/// Takes the file out; its reference is the caller's. The host's descriptor is left alone; the entry's flags are kept in `was`.
File& TakeFd(FdTable& table, uint32_t fd, FdEntry* was);

/// One descriptor of the file is gone: tells it and gives up the reference.
void DropFd(File& file);

/// Takes the numbers of virtual descriptors at the host as well, so that the next open gets the guest's lowest free number at once. A
/// moved one would have to be closed at its first number, and a close drops the process' record locks on that file.
void FillPlaceholders(FdTable& table);

/// Closes at the host with the lock released: the last close of a file may take long. The number must be reserved meanwhile.
void CloseHostFd(int32_t fd);

/// dup2, dup3 for different numbers: `to` or -errno.
int64_t DuplicateTo(int32_t from, int32_t to, bool is_close_on_exec);
/// dup, F_DUPFD: the lowest free number from `minimum` on.
int64_t DuplicateFrom(int32_t from, int32_t minimum, bool is_close_on_exec);

/// A call with `directory` and a path: -ENOTDIR if the directory is virtual and counts, -ENOENT for an empty path there. 0 otherwise.
int64_t CheckDirectory(int32_t directory, uint64_t path);

/// Frees the number for the guest if a host descriptor of the kernel's is there. 0 or -errno.
int64_t VacateReserved(FdTable& table, int32_t fd);

}  // namespace junction
