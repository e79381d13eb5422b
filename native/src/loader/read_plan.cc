// SPDX-License-Identifier: Apache-2.0
#include "kernel/guest/guest_path.h"
#include "loader/file_view.h"
#include "loader/patch_plan.h"
#include "uthread/text_buffer.h"

namespace junction {
namespace {

// A regular file that only its owner could write, as junction_plan leaves them; and its size.
bool IsPlanFile(int fd, uint64_t& size_bytes) {
  struct stat status;
  if (HostCall(SYS_fstat, fd, &status) != 0 || !S_ISREG(status.st_mode) ||
      (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return false;
  }
  size_bytes = static_cast<uint64_t>(status.st_size);
  return true;
}

}  // namespace

int64_t OpenPlan(const char* folder, const PlanKey& key, PlanHeader& header) {
  if (folder[0] == '\0') {
    return -1;
  }
  char name[kPlanFileName_bytes];
  WritePlanFileName(key, name);
  TextBuffer<512> path;
  path.Add(folder).AddChar('/').Add(name).AddChar('\0');
  if (path.data()[path.size() - 1] != '\0') {
    return -1;  // too long
  }
  const int64_t fd = HostCall(SYS_openat, AT_FDCWD, path.data(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
  if (IsHostError(fd)) {
    return -1;
  }
  uint64_t size_bytes = 0;
  if (!IsPlanFile(static_cast<int>(fd), size_bytes) ||
      HostCall(SYS_pread64, fd, &header, sizeof(header), 0) != static_cast<int64_t>(sizeof(header)) ||
      !IsPlanFor(header, size_bytes, key)) {
    HostCall(SYS_close, fd);
    return -1;
  }
  return fd;
}

}  // namespace junction
