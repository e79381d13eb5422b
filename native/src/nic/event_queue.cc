// SPDX-License-Identifier: Apache-2.0
#include "nic/event_queue.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/unique_fd.h"
#include "nic/doorbell.h"
#include "nic/wake_instance.h"

namespace junction {
namespace {

constexpr uint32_t kMask = kEventQueueSlots - 1;
// How often a producer tries for a place that others take before it: more rounds than there are producers to lose against.
constexpr int kTries = 1024;

constexpr uint64_t EmptyWord(uint32_t position) { return uint64_t{position} << 32; }
constexpr uint64_t FilledWord(uint32_t position, const NicEvent& event) {
  return EmptyWord(position) | uint64_t{event.instance & kMaxEventInstance} << 8 | (event.queue_pair & 0x7f) << 1 | 1;
}
constexpr uint32_t PositionOf(uint64_t word) { return static_cast<uint32_t>(word >> 32); }
constexpr bool IsFilled(uint64_t word) { return (word & 1) != 0; }

Result<EventQueuePage*> Map(int fd, const std::string& path) {
  void* const address = mmap(nullptr, sizeof(EventQueuePage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (address == MAP_FAILED) {
    return ErrnoError("map " + path);
  }
  return static_cast<EventQueuePage*>(address);
}

}  // namespace

Result<EventQueue> EventQueue::Create(const std::string& path) {
  if (auto old = Open(path); old) {
    old->FindHead();
    return old;
  }
  const std::string temporary = path + ".new";
  const UniqueFd fd(open(temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid() || ftruncate(fd.get(), sizeof(EventQueuePage)) != 0) {
    return ErrnoError("make " + temporary);
  }
  auto page = Map(fd.get(), temporary);
  if (!page) {
    return std::unexpected(page.error());
  }
  EventQueue queue;
  queue.page_ = *page;
  for (uint32_t i = 0; i < kEventQueueSlots; ++i) {
    queue.page_->slots[i].store(EmptyWord(i), std::memory_order_relaxed);
  }
  queue.page_->version = kEventQueueVersion;
  queue.page_->slot_count = kEventQueueSlots;
  queue.page_->magic = kEventQueueMagic;
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    return ErrnoError("make " + path);
  }
  return queue;
}

Result<EventQueue> EventQueue::Open(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  struct stat info{};
  if (!fd.valid() || fstat(fd.get(), &info) != 0) {
    return ErrnoError("open " + path);
  }
  if (info.st_size != static_cast<off_t>(sizeof(EventQueuePage))) {
    return ErrnoError(path, EPROTO);
  }
  auto page = Map(fd.get(), path);
  if (!page) {
    return std::unexpected(page.error());
  }
  EventQueue queue;
  queue.page_ = *page;
  if (queue.page_->magic != kEventQueueMagic || queue.page_->version != kEventQueueVersion ||
      queue.page_->slot_count != kEventQueueSlots) {
    return ErrnoError(path, EPROTO);
  }
  return queue;
}

// Each slot waits for, or holds, one of the kEventQueueSlots positions from the head on.
void EventQueue::FindHead() {
  head_ = PositionOf(page_->slots[0].load(std::memory_order_acquire));
  for (const std::atomic<uint64_t>& slot : page_->slots) {
    const uint32_t position = PositionOf(slot.load(std::memory_order_acquire));
    if (static_cast<int32_t>(position - head_) < 0) {
      head_ = position;
    }
  }
}

EventQueue::EventQueue(EventQueue&& other) noexcept { *this = std::move(other); }

EventQueue& EventQueue::operator=(EventQueue&& other) noexcept {
  std::swap(page_, other.page_);
  std::swap(head_, other.head_);
  return *this;
}

EventQueue::~EventQueue() {
  if (page_ != nullptr) {
    munmap(page_, sizeof(*page_));
  }
}

bool EventQueue::Post(const NicEvent& event) {
  uint32_t tail = page_->tail.load(std::memory_order_relaxed);
  for (int i = 0; i < kTries; ++i) {
    std::atomic<uint64_t>& slot = page_->slots[tail & kMask];
    uint64_t word = slot.load(std::memory_order_acquire);
    if (word == EmptyWord(tail) && slot.compare_exchange_strong(word, FilledWord(tail, event),
                                                                std::memory_order_release,  // pairs with Take's acquire
                                                                std::memory_order_relaxed)) {
      page_->tail.compare_exchange_strong(tail, tail + 1, std::memory_order_relaxed);  // or another has done it
      WakeSleeper(page_->doorbell, -1);
      return true;
    }
    if (PositionOf(word) == tail - kEventQueueSlots) {
      break;  // the event of a whole turn before is still there
    }
    // Position `tail` is taken: whoever took it may have been killed before it could say so.
    if (page_->tail.compare_exchange_strong(tail, tail + 1, std::memory_order_relaxed)) {
      ++tail;
    }
  }
  page_->overflows.fetch_add(1, std::memory_order_relaxed);
  return false;
}

std::optional<NicEvent> EventQueue::Take() {
  std::atomic<uint64_t>& slot = page_->slots[head_ & kMask];
  const uint64_t word = slot.load(std::memory_order_acquire);  // pairs with Post's release
  if (!IsFilled(word)) {
    return std::nullopt;
  }
  slot.store(EmptyWord(head_ + kEventQueueSlots), std::memory_order_release);
  ++head_;
  return NicEvent{.instance = static_cast<uint32_t>(word >> 8) & kMaxEventInstance,
                  .queue_pair = static_cast<uint32_t>(word >> 1) & 0x7f};
}

void EventQueue::Wait(uint32_t timeout_ms) {
  PrepareToSleep(page_->doorbell, kInFutex);
  if (!IsFilled(page_->slots[head_ & kMask].load(std::memory_order_acquire))) {
    const timespec limit = {.tv_sec = timeout_ms / 1000, .tv_nsec = static_cast<long>(timeout_ms % 1000) * 1'000'000};
    syscall(SYS_futex, &page_->doorbell, FUTEX_WAIT, kInFutex, &limit, nullptr, 0);
  }
  StayAwake(page_->doorbell);
}

}  // namespace junction
