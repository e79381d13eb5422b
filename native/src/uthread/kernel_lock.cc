// SPDX-License-Identifier: Apache-2.0
#include "uthread/kernel_lock.h"

#include <linux/futex.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>
#include <ctime>

#include "uthread/arena.h"
#include "uthread/host_call.h"
#include "uthread/kick.h"
#include "uthread/uthread.h"

namespace junction {
namespace {

constexpr uint32_t kWaiters = 0x80000000;
constexpr int kSpins = 400;  // about the time for which the lock is held, several times over
constexpr timespec kLivenessPeriod = {0, 50'000'000};

// The holder is gone without having released it: what the lock guards may be half changed, so the instance ends.
void CheckHolder(uint32_t word) {
  if (Arena().lock.is_broken.load(std::memory_order_acquire) != 0) {
    while (true) {
      HostCall(SYS_exit_group, 134);
    }
  }
  const uint32_t holder = word & ~kWaiters;
  if (holder != 0 && HostCall(SYS_tkill, holder, 0) == -ESRCH &&
      (Arena().lock.word.load(std::memory_order_relaxed) & ~kWaiters) == holder) {
    KernelPanic("the kernel lock's holder is gone", holder);
  }
}

void LockSlowly(KernelLock& lock, uint32_t self) {
  KERNEL_CHECK((lock.word.load(std::memory_order_relaxed) & ~kWaiters) != self);
  for (int i = 0; i < kSpins; ++i) {
    uint32_t expected = 0;
    if (lock.word.load(std::memory_order_relaxed) == 0 &&
        lock.word.compare_exchange_weak(expected, self, std::memory_order_acquire)) {
      return;
    }
    __builtin_ia32_pause();
  }
  // From here on we cannot know whether others sleep too, so the word keeps saying so.
  while (true) {
    uint32_t word = lock.word.load(std::memory_order_relaxed);
    if (word == 0) {
      if (lock.word.compare_exchange_weak(word, self | kWaiters, std::memory_order_acquire)) {
        return;
      }
      continue;
    }
    if ((word & kWaiters) == 0 && !lock.word.compare_exchange_weak(word, word | kWaiters, std::memory_order_relaxed)) {
      continue;
    }
    if (HostCall(SYS_futex, &lock.word, FUTEX_WAIT, word | kWaiters, &kLivenessPeriod) == -ETIMEDOUT) {
      CheckHolder(word);
    }
  }
}

void Release(KernelLock& lock) {
  if (lock.word.exchange(0, std::memory_order_release) & kWaiters) [[unlikely]] {
    HostCall(SYS_futex, &lock.word, FUTEX_WAKE, 1);
  }
}

[[gnu::noinline]] void UnlockAndWake(Kthread& self) {
  WakeBatch batch;
  TakeWakes(self, batch);
  Release(Arena().lock);
  MakeWakes(self, batch);
}

}  // namespace

void LockKernel() {
  KernelLock& lock = Arena().lock;
  const auto self = static_cast<uint32_t>(CurrentKthread()->host_tid);
  // The only kthread makes the second one itself, with the lock in its hand: so nobody can come in between.
  if (Arena().has_company.load(std::memory_order_relaxed) == 0) {
    KERNEL_CHECK(lock.word.load(std::memory_order_relaxed) == 0);
    lock.word.store(self, std::memory_order_relaxed);
    return;
  }
  uint32_t expected = 0;
  if (!lock.word.compare_exchange_strong(expected, self, std::memory_order_acquire)) [[unlikely]] {
    LockSlowly(lock, self);
  }
}

void UnlockKernel() {
  Kthread& self = *CurrentKthread();
  if ((self.wake_count | self.rings.load(std::memory_order_relaxed)) != 0) [[unlikely]] {
    UnlockAndWake(self);
    return;
  }
  Release(Arena().lock);
}

}  // namespace junction
