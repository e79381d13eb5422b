// SPDX-License-Identifier: Apache-2.0
#include "kernel/door/prepare.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <cerrno>

#include "kernel/door/control_slots.h"
#include "kernel/door/dispatch.h"
#include "kernel/events/host_poller.h"
#include "kernel/net/instance_net.h"
#include "kernel/process/process.h"
#include "kernel/process/uproc.h"
#include "kernel/request/instance_request.h"
#include "kernel/signals/signals.h"
#include "uthread/address_map.h"
#include "uthread/arena.h"
#include "uthread/clock.h"
#include "uthread/host_call.h"
#include "uthread/vector_state.h"

extern "C" void junction_entry();

namespace junction {
namespace {

void SetUpKthread(Kthread& kthread) {
  kthread.entry = &junction_entry;
  ControlThread* const slot = ClaimControlThread(g_image.control, kthread.host_tid);
  kthread.syscall_counter = &slot->guest_syscalls;
  kthread.group->kthread_limit = g_image.control->core_limit.load(std::memory_order_relaxed);
}

int64_t MoveControlBlock(ControlBlock* control) {
  if (reinterpret_cast<uint64_t>(control) == kControlBlockAddress) {
    g_image.control = control;
    return 0;
  }
  const int64_t moved = HostCall(SYS_mremap, control, kControlBlockSize_bytes, kControlBlockSize_bytes,
                                 MREMAP_MAYMOVE | MREMAP_FIXED, kControlBlockAddress);
  if (IsHostError(moved)) {
    return moved;
  }
  g_image.control = reinterpret_cast<ControlBlock*>(kControlBlockAddress);
  return 0;
}

}  // namespace

int64_t PrepareKernel(int arena_fd, ControlBlock* control, uint64_t vdso) {
  if (const int64_t error = MapArena(arena_fd); error != 0) {
    return error;
  }
  if (const int64_t error = MoveControlBlock(control); error != 0) {
    return error;
  }
  if (PrepareVectorState() != 0) {
    return -ENOTSUP;
  }
  Arena().idle_counters = &g_image.control->idle;
  PrepareClock(vdso);
  PrepareDispatch(g_image.control->strace.load(std::memory_order_relaxed) != 0);
  g_uthread_hooks = {
      .poll_host = &PollHost,
      .has_host_waiters = &HasHostWaiters,
      .handle_attention = &HandleAttention,
      .uthread_is_gone = &ForgetThread,
      .take_host_signals = &TakeHostSignals,
      .serve_requests = &ServeRequests,
      .kthread_attached = &SetUpKthread,
      .poll_net = &PollNet,
      .has_net_news = &MayHaveFrames,
      .watch_net = &WatchNetEvent,
  };
  return 0;
}

}  // namespace junction
