// SPDX-License-Identifier: Apache-2.0
// System V messages and semaphores are the host's; waits are ours. The host has nothing to wait on for several of them at once, so a
// waiter asks again and again, less and less often. Read first: sysvipc(7), msgop(2), semop(2); none of the calls is restarted.
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/syscall.h>

#include <cerrno>

#include "kernel/door/guest_handlers.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/time/guest_time.h"
#include "uthread/kernel_lock.h"

namespace junction {
namespace {

constexpr uint64_t kFirstNap_ns = 50'000;
constexpr uint64_t kLongestNap_ns = 5'000'000;
constexpr uint64_t kMostOperations = 500;  // SEMOPM of Linux: more are E2BIG for the host

// Calls `attempt`, which must not wait, until it answers other than `would_wait`.
template <typename Attempt>
int64_t AskAgain(int64_t would_wait, uint64_t deadline_ns, Attempt attempt) {
  for (uint64_t nap_ns = kFirstNap_ns;; nap_ns = nap_ns < kLongestNap_ns ? nap_ns * 2 : kLongestNap_ns) {
    int64_t result;
    {
      const KernelUnlockGuard unlocked;
      result = attempt();
    }
    if (result != would_wait) {
      return result;
    }
    if (MonotonicNow_ns() >= deadline_ns) {
      return -EAGAIN;
    }
    const uint64_t next_ns = DeadlineAfter(nap_ns);
    if (Park(next_ns < deadline_ns ? next_ns : deadline_ns) == WakeReason::kInterrupted) {
      return -EINTR;
    }
  }
}

// True if the guest wants no wait; a bad address is the host's to tell.
bool HasNoWait(uint64_t operations, uint64_t count) {
  for (uint64_t i = 0; i < count && i < kMostOperations; ++i) {
    sembuf operation;
    if (!CopyFromGuest(&operation, operations + i * sizeof(operation), sizeof(operation))) {
      return true;
    }
    if ((operation.sem_flg & IPC_NOWAIT) != 0) {
      return true;
    }
  }
  return false;
}

int64_t Operate(Call& call, uint64_t deadline_ns) {
  if (PointsIntoKernel(call.thread())) {
    return -EFAULT;
  }
  const auto attempt = [&call] {
    const timespec no_time = {};
    return HostCall(SYS_semtimedop, call.arg(0), call.arg(1), call.arg(2), &no_time);
  };
  const bool is_final = HasNoWait(call.arg(1), static_cast<uint32_t>(call.arg(2)));
  return AskAgain(-EAGAIN, is_final ? 0 : deadline_ns, attempt);
}

}  // namespace

int64_t SysMsgsnd(Call& call) {
  if (PointsIntoKernel(call.thread())) {
    return -EFAULT;
  }
  const bool is_final = (call.int_arg(3) & IPC_NOWAIT) != 0;
  return AskAgain(-EAGAIN, is_final ? 0 : kNever, [&call] {
    return HostCall(SYS_msgsnd, call.arg(0), call.arg(1), call.arg(2), call.arg(3) | IPC_NOWAIT);
  });
}

int64_t SysMsgrcv(Call& call) {
  if (PointsIntoKernel(call.thread())) {
    return -EFAULT;
  }
  const auto attempt = [&call] {
    return HostCall(SYS_msgrcv, call.arg(0), call.arg(1), call.arg(2), call.arg(3), call.arg(4) | IPC_NOWAIT);
  };
  if ((call.int_arg(4) & IPC_NOWAIT) != 0) {
    const KernelUnlockGuard unlocked;
    return attempt();
  }
  return AskAgain(-ENOMSG, kNever, attempt);
}

int64_t SysSemop(Call& call) { return Operate(call, kNever); }

int64_t SysSemtimedop(Call& call) {
  if (call.arg(3) == 0) {
    return Operate(call, kNever);
  }
  timespec timeout;
  if (const int64_t error = ReadTimespec(call.arg(3), timeout); error != 0) {
    return error;
  }
  return Operate(call, DeadlineAfter(ToNanoseconds(timeout)));
}

}  // namespace junction
