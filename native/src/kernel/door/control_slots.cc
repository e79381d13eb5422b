// SPDX-License-Identifier: Apache-2.0
#include "kernel/door/control_slots.h"

#include <sys/syscall.h>

#include <cerrno>

#include "uthread/host_call.h"

namespace junction {
namespace {

bool TakeIf(ControlThread& slot, uint32_t holder, uint32_t thread_id) {
  return slot.host_tid.compare_exchange_strong(holder, thread_id, std::memory_order_acq_rel);
}

}  // namespace

ControlThread* ClaimControlThread(ControlBlock* control, int32_t thread_id) {
  const auto id = static_cast<uint32_t>(thread_id);
  for (ControlThread& slot : control->threads) {
    if (slot.host_tid.load(std::memory_order_relaxed) == id) {
      return &slot;
    }
  }
  for (ControlThread& slot : control->threads) {
    if (slot.host_tid.load(std::memory_order_relaxed) == 0 && TakeIf(slot, 0, id)) {
      return &slot;
    }
  }
  for (ControlThread& slot : control->threads) {
    const uint32_t holder = slot.host_tid.load(std::memory_order_relaxed);
    if (HostCall(SYS_tkill, static_cast<int32_t>(holder), 0) == -ESRCH && TakeIf(slot, holder, id)) {
      return &slot;
    }
  }
  return &control->threads[kControlBlockThreads - 1];
}

void ReleaseControlThread(ControlThread* slot, int32_t thread_id) {
  TakeIf(*slot, static_cast<uint32_t>(thread_id), 0);
}

}  // namespace junction
