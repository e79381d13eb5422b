// SPDX-License-Identifier: Apache-2.0
// The temporary mask of calls that wait with one. Read first: sigsuspend(2), ppoll(2); set_user_sigmask in Linux' kernel/signal.c.
#include <cerrno>

#include "kernel/guest/guest_memory.h"
#include "kernel/process/guest_thread.h"
#include "kernel/signals/signals.h"

namespace junction {
namespace {

constexpr uint64_t kSigset_bytes = 8;

bool WasInterrupted(int64_t result) { return result == -EINTR || (result <= kRestartSys && result >= kRestartBlock); }

}  // namespace

int64_t SetWaitMask(GuestThread& thread, uint64_t mask_address, uint64_t size_bytes) {
  if (mask_address == 0) {
    return 0;
  }
  if (size_bytes != kSigset_bytes) {
    return -EINVAL;
  }
  uint64_t mask;
  if (!CopyFromGuest(&mask, mask_address, sizeof(mask))) {
    return -EFAULT;
  }
  thread.wait_mask = thread.signal_mask;
  thread.has_wait_mask = true;
  SetSignalMask(thread, mask);
  return 0;
}

void RestoreWaitMask(GuestThread& thread, int64_t result) {
  if (!thread.has_wait_mask) {
    return;
  }
  if (WasInterrupted(result)) {
    // The handler's frame saves wait_mask; if none runs, the way out puts it back. Either way it must look.
    CurrentKthread()->attention.fetch_or(kAttentionInterrupt, std::memory_order_relaxed);
    thread.interrupt_pending = true;
    return;
  }
  thread.has_wait_mask = false;
  SetSignalMask(thread, thread.wait_mask);
}

}  // namespace junction
