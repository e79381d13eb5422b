// SPDX-License-Identifier: Apache-2.0
#include "scheduler/doorbell.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <new>
#include <utility>

namespace junction::scheduler {

Result<std::unique_ptr<Doorbell>> Doorbell::Open(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  struct stat info{};
  if (!file.valid() || fstat(file.get(), &info) != 0) {
    return ErrnoError("doorbell " + path);
  }
  const bool is_new = info.st_size != static_cast<off_t>(kSchedulerDoorbellSize_bytes);
  if (is_new && ftruncate(file.get(), kSchedulerDoorbellSize_bytes) != 0) {
    return ErrnoError("doorbell " + path);
  }
  void* address = mmap(nullptr, kSchedulerDoorbellSize_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (address == MAP_FAILED) {
    return ErrnoError("map the doorbell " + path);
  }
  auto* page = static_cast<SchedulerDoorbell*>(address);
  if (page->magic != kSchedulerDoorbellMagic) {
    page = new (address) SchedulerDoorbell{};
    page->magic = kSchedulerDoorbellMagic;
  }
  UniqueFd rang(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!rang.valid()) {
    return ErrnoError("eventfd");
  }
  return std::unique_ptr<Doorbell>(new Doorbell(page, std::move(rang)));
}

Doorbell::Doorbell(SchedulerDoorbell* page, UniqueFd rang)
    : page_(page), rang_(std::move(rang)), thread_([this] { Run(); }) {}

Doorbell::~Doorbell() {
  is_stopping_.store(true, std::memory_order_seq_cst);
  armed_.release();
  // Bumped, so that a wait that is about to begin does not, and woken, so that one under way ends.
  page_->rings.fetch_add(1, std::memory_order_seq_cst);
  syscall(SYS_futex, &page_->rings, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  thread_.join();
  munmap(page_, kSchedulerDoorbellSize_bytes);
}

void Doorbell::Arm(uint64_t seen_work) {
  seen_work_.store(seen_work, std::memory_order_relaxed);  // the semaphore orders it
  armed_.release();
}

void Doorbell::Taken() {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t size = read(rang_.get(), &count, sizeof(count));  // only resets it
}

void Doorbell::Run() {
  for (;;) {
    armed_.acquire();
    if (is_stopping_.load(std::memory_order_seq_cst)) {
      return;
    }
    WaitForWork();
    wakeups_.fetch_add(1, std::memory_order_relaxed);
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t size = write(rang_.get(), &one, sizeof(one));  // an eventfd of 0 takes it
  }
}

void Doorbell::WaitForWork() {
  // The order of producer and daemon is crossed: the producer writes work and reads sleeping, we write sleeping and read
  // work. With seq_cst on all four at least one side sees the other's write.
  page_->sleeping.store(1, std::memory_order_seq_cst);
  for (;;) {
    const uint32_t rings = page_->rings.load(std::memory_order_seq_cst);
    if (page_->work.load(std::memory_order_seq_cst) != seen_work_.load(std::memory_order_relaxed) ||
        is_stopping_.load(std::memory_order_seq_cst)) {
      break;
    }
    syscall(SYS_futex, &page_->rings, FUTEX_WAIT, rings, nullptr, nullptr, 0);
  }
  page_->sleeping.store(0, std::memory_order_seq_cst);
}

}  // namespace junction::scheduler
