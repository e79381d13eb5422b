// SPDX-License-Identifier: Apache-2.0
#include "uthread/net_keeper.h"

#include "nic/doorbell.h"
#include "uthread/uthread.h"

namespace junction {
namespace {

// It will look for work before it parks, or a tick makes it look.
bool HasAwakeKthread(const UthreadGroup& group) {
  for (ListNode* node = group.kthreads.first(); node != nullptr; node = group.kthreads.Next(node)) {
    const auto& kthread = *JUNCTION_OWNER(node, Kthread, group_node);
    // One that has run guest code since before there was nobody who sleeps for the NIC may have no tick that would make it look.
    const bool will_look = kthread.current == nullptr || kthread.tick_deadline_ns != kNever ||
                           (kthread.attention.load(std::memory_order_relaxed) & kAttentionArm) != 0;
    if (!kthread.is_parked && will_look && kthread.is_on_host.load(std::memory_order_relaxed) != 0) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool TakeKeeping(NetKeeper& net, Kthread& kthread) {
  if (!net.exists() || net.keeper != nullptr) {
    return false;
  }
  // The frames were for another process, which is awake: it takes the role when it parks, and packets do not go by way of us again.
  if (net.worker != nullptr && net.worker != kthread.group && HasAwakeKthread(*net.worker)) {
    return false;
  }
  net.keeper = &kthread;
  kthread.keeps_net.store(1, std::memory_order_relaxed);
  return true;
}

uint64_t TakeNetTimers(NetKeeper& net, Kthread& kthread) {
  if (!net.exists() || !net.has_unkept_deadline()) {
    return kNever;
  }
  net.timer_keeper = &kthread;
  net.kept_deadline_ns = net.deadline_ns;
  return net.deadline_ns;
}

void StopKeeping(NetKeeper& net, Kthread& kthread) {
  if (net.keeper == &kthread) {
    net.keeper = nullptr;
    kthread.keeps_net.store(0, std::memory_order_relaxed);
  }
  if (net.timer_keeper == &kthread) {
    net.timer_keeper = nullptr;
  }
}

bool ForgetKeeper(NetKeeper& net, const UthreadGroup& group) {
  if (!net.exists()) {
    return false;
  }
  if (net.worker == &group) {
    net.worker = nullptr;
  }
  if (net.timer_keeper != nullptr && net.timer_keeper->group == &group) {
    net.timer_keeper = nullptr;
  }
  if (net.keeper != nullptr && net.keeper->group == &group) {
    net.keeper->keeps_net.store(0, std::memory_order_relaxed);
    net.keeper = nullptr;
    DisarmDoorbell(net);
  }
  return net.keeper == nullptr || net.has_unkept_deadline();
}

void ArmDoorbell(NetKeeper& net, bool in_poller) { PrepareToSleep(*net.doorbell, in_poller ? kInPoller : kInFutex); }

void DisarmDoorbell(NetKeeper& net) { StayAwake(*net.doorbell); }

}  // namespace junction
