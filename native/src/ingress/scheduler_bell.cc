// SPDX-License-Identifier: Apache-2.0
#include "ingress/scheduler_bell.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace junction::ingress {
namespace {

constexpr uint64_t kLookEvery_ns = 1'000'000'000;

}  // namespace

SchedulerBell::~SchedulerBell() { Unmap(); }

void SchedulerBell::Unmap() {
  if (page_ != nullptr) {
    munmap(page_, kSchedulerDoorbellSize_bytes);
    page_ = nullptr;
  }
}

void SchedulerBell::Look(uint64_t now_ns) {
  if (path_.empty()) {
    next_look_ns_ = UINT64_MAX;
    return;
  }
  next_look_ns_ = now_ns + kLookEvery_ns;
  struct stat status;
  if (stat(path_.c_str(), &status) != 0) {
    Unmap();
    return;
  }
  if (page_ != nullptr && status.st_dev == device_ && status.st_ino == inode_) {
    return;
  }
  Unmap();
  const UniqueFd fd(open(path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid() || fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
      status.st_size < static_cast<off_t>(kSchedulerDoorbellSize_bytes)) {
    return;
  }
  void* const page = mmap(nullptr, kSchedulerDoorbellSize_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (page == MAP_FAILED) {
    return;
  }
  auto* const doorbell = static_cast<SchedulerDoorbell*>(page);
  if (doorbell->magic != kSchedulerDoorbellMagic) {
    munmap(page, kSchedulerDoorbellSize_bytes);  // not written yet, or something else: look again later
    return;
  }
  page_ = doorbell;
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

void SchedulerBell::Wake() {
  counters_.doorbell_rings.Add();
  page_->rings.fetch_add(1, std::memory_order_release);  // pairs with the daemon's load when it has woken up
  syscall(SYS_futex, &page_->rings, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

}  // namespace junction::ingress
