// SPDX-License-Identifier: Apache-2.0
// Paths below /proc and /dev that mean something else in an instance than at the host.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/files/file.h"

namespace junction {

struct UProc;

/// No path that ParseProcPath knows is longer, its NUL included.
inline constexpr size_t kProcPathCapacity_bytes = 64;

/// Files of /proc/net that an instance with a NIC has of its own.
enum class ProcNet : uint8_t {
  kArp,
  kDev,
  kIfInet6,
  kNetstat,
  kRoute,
  kSnmp,
  kSockstat,
  kSockstat6,
  kTcp,
  kTcp6,
  kUdp,
  kUdp6,
};

struct ProcPath {
  enum class Kind : uint8_t {
    kNone,
    kExe,    // /proc/self/exe, /proc/<pid>/exe
    kFd,     // /proc/self/fd/N, /proc/<pid>/fd/N, /dev/fd/N
    kStdio,  // /dev/stdin …: at the host a link to a link
    kMaps,   // /proc/self/maps
    kFds,    // /proc/self/fd, /dev/fd: the folder
    kNet,    // /proc/net/tcp, /proc/self/net/tcp …
  };
  Kind kind = Kind::kNone;
  int32_t pid = 0;              // 0 = the caller's own
  int32_t fd = -1;              // kFd, kStdio
  ProcNet net = ProcNet::kArp;  // kNet
};

ProcPath ParseProcPath(const char* text);

/// The same for a path of the guest; kNone for one that cannot be read: the host finds its error. Any context.
ProcPath ReadProcPath(uint64_t path);

/// The host has the first process of a clone under another number than the guest. True if `path` is one of its folder below /proc; `out` is the
/// host's then. Kernel lock held.
bool TranslateProcPath(uint64_t path, char (&out)[kProcPathCapacity_bytes + 16]);

/// The process that a path means, null if the instance has none such. Kernel lock held.
UProc* ProcessOf(const ProcPath& path);

/// The virtual file that a path of kind kFd or kStdio names, else null. Kernel lock held.
File* VirtualFileOf(const ProcPath& path);

/// What readlink of /proc/self/fd/N says of a virtual file: bytes written to `to`, not ended by NUL.
size_t DescribeFile(const File& file, char* to, size_t capacity_bytes);

}  // namespace junction
