// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>

#include <atomic>
#include <cstdint>

#include "kernel/host_call.h"

namespace junction {

/// A mutex of one process on the host's futex. Hold it only with signals blocked. A fork must hold it, so that the child's copy is sane.
class HostLock {
 public:
  void Lock() {
    uint32_t state = 0;
    if (state_.compare_exchange_strong(state, 1, std::memory_order_acquire)) {
      return;
    }
    while (state_.exchange(2, std::memory_order_acquire) != 0) {
      HostCall(SYS_futex, &state_, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2, nullptr);
    }
  }
  void Unlock() {
    if (state_.exchange(0, std::memory_order_release) == 2) {
      HostCall(SYS_futex, &state_, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
    }
  }

 private:
  std::atomic<uint32_t> state_{0};  // 0 free, 1 held, 2 held with waiters
};

class HostLockGuard {
 public:
  explicit HostLockGuard(HostLock& lock) : lock_(lock) { lock_.Lock(); }
  ~HostLockGuard() { lock_.Unlock(); }
  HostLockGuard(const HostLockGuard&) = delete;
  HostLockGuard& operator=(const HostLockGuard&) = delete;

 private:
  HostLock& lock_;
};

}  // namespace junction
