// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdint>
#include <span>

#include "uthread/host_call.h"

namespace junction {

/// A regular file mapped for reading, by host calls only. Shorter files may fault behind their end if they shrink meanwhile: a
/// guest that truncates its own program while it starts harms itself only.
class FileView {
 public:
  FileView() = default;
  FileView(const FileView&) = delete;
  FileView& operator=(const FileView&) = delete;
  ~FileView() {
    if (address_ != nullptr) {
      HostCall(SYS_munmap, address_, size_bytes_);
    }
  }

  /// 0, or -errno; -EACCES if it is no regular file, -ENOEXEC if it is empty. The descriptor stays the caller's.
  int64_t Open(int fd) {
    if (const int64_t error = HostCall(SYS_fstat, fd, &status_); error != 0) {
      return error;
    }
    if (!S_ISREG(status_.st_mode)) {
      return -EACCES;
    }
    if (status_.st_size <= 0) {
      return -ENOEXEC;
    }
    const int64_t address = HostCall(SYS_mmap, nullptr, status_.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (IsHostError(address)) {
      return address;
    }
    address_ = reinterpret_cast<const uint8_t*>(address);
    size_bytes_ = static_cast<uint64_t>(status_.st_size);
    return 0;
  }

  std::span<const uint8_t> bytes() const { return {address_, size_bytes_}; }
  const struct stat& status() const { return status_; }

 private:
  const uint8_t* address_ = nullptr;
  uint64_t size_bytes_ = 0;
  struct stat status_ = {};
};

/// A host descriptor of a guest-side function.
class HostFd {
 public:
  explicit HostFd(int64_t fd) : fd_(fd) {}
  HostFd(const HostFd&) = delete;
  HostFd& operator=(const HostFd&) = delete;
  ~HostFd() {
    if (fd_ >= 0) {
      HostCall(SYS_close, fd_);
    }
  }
  int get() const { return static_cast<int>(fd_); }
  /// 0 or -errno of the open.
  int64_t error() const { return fd_ < 0 ? fd_ : 0; }

 private:
  int64_t fd_;
};

}  // namespace junction
