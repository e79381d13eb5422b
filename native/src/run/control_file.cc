// SPDX-License-Identifier: Apache-2.0
#include "run/control_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

namespace junction {

Result<ControlFile> CreateControlFile(const std::string& path, const ControlSettings& settings) {
  ControlFile file;
  if (path.empty()) {
    file.fd.Reset(memfd_create("junction-control", MFD_CLOEXEC));
  } else {
    if (unlink(path.c_str()) != 0 && errno != ENOENT) {
      return ErrnoError("replace the control block " + path);
    }
    file.fd.Reset(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  }
  if (!file.fd.valid() || ftruncate(file.fd.get(), kControlBlockSize_bytes) != 0) {
    return ErrnoError("make the control block " + path);
  }
  void* address = mmap(nullptr, kControlBlockSize_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd.get(), 0);
  if (address == MAP_FAILED) {
    return ErrnoError("map the control block " + path);
  }
  // A new file is zero, and so is a new block: to write that again would make all of its pages.
  file.block = static_cast<ControlBlock*>(address);
  file.block->size_bytes = kControlBlockSize_bytes;
  file.block->core_limit.store(settings.core_limit, std::memory_order_relaxed);
  file.block->strace.store(settings.has_strace ? 1 : 0, std::memory_order_relaxed);
  file.block->spin_us.store(settings.spin_us, std::memory_order_relaxed);
  file.block->version = kControlBlockVersion;
  file.block->magic = kControlBlockMagic;
  return file;
}

void NoteAsked(const ControlFile& control) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (control.block != nullptr) {
    control.block->asked_at_ns.store(
        static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec),
        std::memory_order_relaxed);
  }
}

}  // namespace junction
