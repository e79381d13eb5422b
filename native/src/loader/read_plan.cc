// SPDX-License-Identifier: Apache-2.0
#include "kernel/guest_path.h"
#include "loader/file_view.h"
#include "loader/patch_plan.h"
#include "uthread/text_buffer.h"

namespace junction {

int64_t ReadPlan(const char* folder, const PlanKey& key, std::span<PatchSite> sites) {
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
  const HostFd fd(HostCall(SYS_openat, AT_FDCWD, path.data(), O_RDONLY | O_CLOEXEC, 0));
  if (fd.error() != 0) {
    return -1;
  }
  FileView file;
  return file.Open(fd.get()) == 0 ? ParsePlan(file.bytes(), key, sites) : -1;
}

}  // namespace junction
