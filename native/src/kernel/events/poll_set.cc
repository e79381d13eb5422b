// SPDX-License-Identifier: Apache-2.0
#include "kernel/events/poll_set.h"
#include "kernel/net/instance_net.h"

#include <cerrno>
#include <new>

#include "kernel/events/host_poller.h"
#include "kernel/time/guest_time.h"
#include "uthread/arena.h"
#include "uthread/uthread.h"

namespace junction {
namespace {

constexpr uint64_t kAskAgain_ns = 2'000'000;

}  // namespace

PollSet::~PollSet() {
  ForEach([this](Entry& entry) {
    entry.waiter.node.Unlink();
    if (is_waiting_ && entry.file != nullptr) {
      Unreference(*entry.file);
    }
  });
  for (Block* block = first_.next; block != nullptr;) {
    Block* const next = block->next;
    ArenaFree(block, kBlock_bytes);
    block = next;
  }
}

PollSet::Block* PollSet::MakeRoom() {
  if (last_->count < last_->capacity) {
    return last_;
  }
  void* const memory = ArenaAllocate(kBlock_bytes);
  if (memory == nullptr) {
    return nullptr;
  }
  auto* const block = new (memory) Block;
  block->capacity = kPerBlock;
  last_->next = block;
  last_ = block;
  return block;
}

void PollSet::Look(Entry& entry) { entry.holds = PollFile(*entry.file, entry.fd) & (entry.asked | unasked_); }

bool PollSet::Add(int32_t fd, PollEvents events) {
  Block* const block = MakeRoom();
  if (block == nullptr) {
    return false;
  }
  auto* const entry = new (&block->entries()[block->count++]) Entry;
  entry->file = fd < 0 ? nullptr : GetFile(fd);
  entry->fd = fd;
  entry->asked = events;
  entry->holds = entry->file != nullptr || fd < 0 ? 0 : POLLNVAL;
  return true;
}

int64_t PollSet::Count() {
  int64_t count = 0;
  ForEach([&count](const Entry& entry) { count += entry.holds != 0 ? 1 : 0; });
  return count;
}

void PollSet::StartWaiting() {
  is_waiting_ = true;
  ForEach([this](Entry& entry) {
    if (entry.file == nullptr) {
      return;
    }
    Reference(*entry.file);
    if (entry.file->kind == FileKind::kHostStream) {
      // A new registration brings an edge of what holds: nothing that came since the look before is lost.
      const int64_t error = WatchHostFd(*entry.file, entry.fd);
      must_ask_again_ |= error != 0;
    }
    entry.waiter.uthread = CurrentUthread();
    entry.waiter.interest = WakeInterest(entry.asked);
    entry.file->wait.Add(entry.waiter);
  });
}

int64_t PollSet::Wait(bool may_wait, uint64_t deadline_ns) {
  if (MayHaveFrames()) {
    PollNet();
  }
  ForEach([this](Entry& entry) {
    if (entry.file != nullptr) {
      Look(entry);
    }
  });
  int64_t count = Count();
  if (count != 0 || !may_wait) {
    return count;
  }
  StartWaiting();
  while (count == 0) {
    uint64_t wake_ns = deadline_ns;
    if (must_ask_again_) {
      const uint64_t again_ns = DeadlineAfter(kAskAgain_ns);
      wake_ns = again_ns < deadline_ns ? again_ns : deadline_ns;
    }
    const WakeReason reason = Park(wake_ns);
    // What no waker told of has not changed.
    ForEach([this](Entry& entry) {
      if (entry.file != nullptr && (entry.waiter.was_notified || must_ask_again_)) {
        entry.waiter.was_notified = false;
        Look(entry);
      }
    });
    count = Count();
    if (count == 0 && reason == WakeReason::kInterrupted) {
      return -EINTR;
    }
    if (count == 0 && reason == WakeReason::kTimedOut && wake_ns == deadline_ns) {
      return 0;
    }
  }
  return count;
}

}  // namespace junction
