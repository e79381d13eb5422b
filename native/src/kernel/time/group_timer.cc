// SPDX-License-Identifier: Apache-2.0
#include "kernel/time/group_timer.h"

namespace junction {

void ArmInProcess(UProc& process, Timer& timer, uint64_t deadline_ns) {
  UthreadGroup& group = process.group;
  group.timers.Arm(timer, deadline_ns);
  Kthread& self = *CurrentKthread();
  if (self.group == &group) {
    // On its way out this kthread sets its host timer, or it parks until the deadline.
    self.attention.fetch_or(kAttentionArm, std::memory_order_relaxed);
    return;
  }
  if (group.timers.NextDeadline_ns() != deadline_ns) {
    return;
  }
  for (ListNode* node = group.kthreads.first(); node != nullptr; node = group.kthreads.Next(node)) {
    Kick(*JUNCTION_OWNER(node, Kthread, group_node), kAttentionArm);
  }
}

}  // namespace junction
