// SPDX-License-Identifier: Apache-2.0
// The kernel lock: one an instance, held by whoever touches kernel objects, in whichever uProc. Guest code and host calls run outside
// of it, so it is held for well under a microsecond; one lock keeps every subsystem sequential and lets a dead holder be seen.
#pragma once

#include <atomic>
#include <cstdint>

namespace junction {

/// Lies in the arena. Not recursive. A holder must not return to the guest, park or make a host call that may block.
struct KernelLock {
  // 0 = free; else the holder's host thread id, with kWaiters set if somebody sleeps for it. Acquire in Lock pairs with release in Unlock.
  std::atomic<uint32_t> word;
  std::atomic<uint32_t> is_broken;  // a holder died inside: the instance ends
};

/// Takes the kernel lock for the current kthread. May spin, then sleeps on the host's futex. Kernel context only.
void LockKernel();

/// Releases it, then wakes the kthreads that were made runnable under it.
void UnlockKernel();

class KernelLockGuard {
 public:
  KernelLockGuard() { LockKernel(); }
  ~KernelLockGuard() { UnlockKernel(); }
  KernelLockGuard(const KernelLockGuard&) = delete;
  KernelLockGuard& operator=(const KernelLockGuard&) = delete;
};

/// Releases the lock for a host call and takes it again.
class KernelUnlockGuard {
 public:
  KernelUnlockGuard() { UnlockKernel(); }
  ~KernelUnlockGuard() { LockKernel(); }
  KernelUnlockGuard(const KernelUnlockGuard&) = delete;
  KernelUnlockGuard& operator=(const KernelUnlockGuard&) = delete;
};

}  // namespace junction
