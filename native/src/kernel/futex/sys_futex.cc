// SPDX-License-Identifier: Apache-2.0
// futex, set_robust_list, get_robust_list: arguments and their errors; futex.h does the rest.
#include <linux/futex.h>

#include <ctime>

#include "kernel/door/guest_handlers.h"
#include "kernel/futex/futex.h"
#include "kernel/futex/futex_table.h"
#include "kernel/guest/guest_memory.h"
#include "uthread/clock.h"

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

namespace junction {
namespace {

constexpr uint64_t kSecond_ns = 1000000000;
constexpr uint64_t kRobustHeadSize_bytes = sizeof(robust_list_head);

bool HasTimeout(int operation) {
  return operation == FUTEX_WAIT || operation == FUTEX_LOCK_PI || operation == FUTEX_LOCK_PI2 ||
         operation == FUTEX_WAIT_BITSET || operation == FUTEX_WAIT_REQUEUE_PI;
}

bool MayUseRealtime(int operation) {
  return operation == FUTEX_WAIT_BITSET || operation == FUTEX_WAIT_REQUEUE_PI || operation == FUTEX_LOCK_PI2;
}

// The point in time `time_ns` of CLOCK_REALTIME on CLOCK_MONOTONIC.
uint64_t MonotonicOf(uint64_t time_ns) {
  const uint64_t now_ns = RealtimeNow_ns();
  const uint64_t monotonic_ns = MonotonicNow_ns();
  return time_ns <= now_ns ? monotonic_ns : monotonic_ns + (time_ns - now_ns);
}

// The deadline of a wait: 0, -EFAULT or -EINVAL.
int64_t ReadDeadline(uint64_t address, int operation, bool is_realtime, uint64_t* deadline_ns) {
  *deadline_ns = kNever;
  if (address == 0) {
    return 0;
  }
  timespec time;
  if (!CopyFromGuest(&time, address, sizeof(time))) {
    return -EFAULT;
  }
  if (time.tv_sec < 0 || static_cast<uint64_t>(time.tv_nsec) >= kSecond_ns) {
    return -EINVAL;
  }
  constexpr uint64_t kLongest_s = INT64_MAX / kSecond_ns;
  if (static_cast<uint64_t>(time.tv_sec) >= kLongest_s) {
    return 0;
  }
  const uint64_t time_ns = static_cast<uint64_t>(time.tv_sec) * kSecond_ns + static_cast<uint64_t>(time.tv_nsec);
  if (operation == FUTEX_WAIT) {
    *deadline_ns = MonotonicNow_ns() + time_ns;
  } else {
    *deadline_ns = is_realtime || operation == FUTEX_LOCK_PI ? MonotonicOf(time_ns) : time_ns;
  }
  return 0;
}

}  // namespace

int64_t SysFutex(Call& call) {
  const int flags = call.int_arg(1);
  const int operation = flags & FUTEX_CMD_MASK;
  const bool is_private = (flags & FUTEX_PRIVATE_FLAG) != 0;
  const bool is_realtime = (flags & FUTEX_CLOCK_REALTIME) != 0;
  const FutexWord word = {call.arg(0), is_private};
  const FutexWord second = {call.arg(4), is_private};
  const int32_t count = call.int_arg(2);
  const auto value = static_cast<uint32_t>(call.arg(2));
  const auto third = static_cast<uint32_t>(call.arg(5));
  uint64_t deadline_ns = kNever;
  if (HasTimeout(operation)) {
    if (const int64_t error = ReadDeadline(call.arg(3), operation, is_realtime, &deadline_ns); error != 0) {
      return error;
    }
  }
  if (is_realtime && !MayUseRealtime(operation)) {
    return -ENOSYS;
  }
  switch (operation) {
    case FUTEX_WAIT:
      return WaitOnFutex(call.thread(), {word, value, kAnyBitset, deadline_ns});
    case FUTEX_WAIT_BITSET:
      return WaitOnFutex(call.thread(), {word, value, third, deadline_ns});
    case FUTEX_WAKE:
      return WakeFutexBitset(word, count, kAnyBitset);
    case FUTEX_WAKE_BITSET:
      return WakeFutexBitset(word, count, third);
    case FUTEX_REQUEUE:
      return RequeueFutex({word, second, count, call.int_arg(3), false, 0});
    case FUTEX_CMP_REQUEUE:
      return RequeueFutex({word, second, count, call.int_arg(3), true, third});
    case FUTEX_WAKE_OP:
      return WakeFutexOp({word, second, count, call.int_arg(3), third});
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
      return LockPiFutex(call.thread(), word, deadline_ns, false);
    case FUTEX_TRYLOCK_PI:
      return LockPiFutex(call.thread(), word, kNever, true);
    case FUTEX_UNLOCK_PI:
      return UnlockPiFutex(call.thread(), word);
    case FUTEX_WAIT_REQUEUE_PI:
      return WaitRequeuePiFutex(call.thread(), {word, value, kAnyBitset, deadline_ns}, second.address);
    case FUTEX_CMP_REQUEUE_PI:
      return RequeuePiFutex({word, second, count, call.int_arg(3), true, third});
    default:
      return -ENOSYS;
  }
}

int64_t SysSetRobustList(Call& call) {
  if (call.arg(1) != kRobustHeadSize_bytes) {
    return -EINVAL;
  }
  call.thread().robust_list = call.arg(0);
  return 0;
}

int64_t SysGetRobustList(Call& call) {
  const int32_t tid = call.int_arg(0);
  const GuestThread* const thread = tid == 0 ? &call.thread() : FindThread(tid);
  if (thread == nullptr) {
    return -ESRCH;
  }
  const uint64_t head = thread->robust_list;
  return CopyToGuest(call.arg(2), &kRobustHeadSize_bytes, sizeof(kRobustHeadSize_bytes)) &&
                 CopyToGuest(call.arg(1), &head, sizeof(head))
             ? 0
             : -EFAULT;
}

}  // namespace junction
