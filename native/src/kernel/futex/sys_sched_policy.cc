// SPDX-License-Identifier: Apache-2.0
// Scheduling policies. Threads take turns in the same way whatever they choose, so a choice is remembered and shown; real-time policies
// need a privilege that no guest has. Read first: sched(7), sched_setattr(2).
#include "kernel/door/guest_handlers.h"
#include "kernel/guest/guest_memory.h"

namespace junction {
namespace {

constexpr uint32_t kOther = 0, kFifo = 1, kRoundRobin = 2, kBatch = 3, kIdle = 5;
constexpr uint32_t kResetOnFork = 0x40000000;
constexpr int32_t kKeepPolicy = -1;
constexpr uint64_t kPage_bytes = 4096;
constexpr uint32_t kHighestPriority = 99;
constexpr uint64_t kKnownAttrFlags = 0x7f;  // SCHED_FLAG_ALL
constexpr uint64_t kAttrResetOnFork = 1;
constexpr uint64_t kAttrKeepPolicy = 8;

// struct sched_attr; <linux/sched/types.h> does not go with <sched.h>.
struct SchedAttributes {
  uint32_t size_bytes, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime_ns, deadline_ns, period_ns;
  uint32_t utilisation_min, utilisation_max;
};
static_assert(sizeof(SchedAttributes) == 56);
constexpr uint32_t kFirstAttributesSize_bytes = 48;  // SCHED_ATTR_SIZE_VER0

GuestThread* ThreadOf(Call& call, int32_t tid) { return tid == 0 ? &call.thread() : FindThread(tid); }

// Order of checks as in __sched_setscheduler of Linux.
int64_t ChoosePolicy(GuestThread& thread, uint32_t policy, uint32_t priority, bool resets_on_fork) {
  const bool is_real_time = policy == kFifo || policy == kRoundRobin;
  if (!is_real_time && policy != kOther && policy != kBatch && policy != kIdle) {
    return -EINVAL;
  }
  if (priority > kHighestPriority || is_real_time != (priority != 0)) {
    return -EINVAL;
  }
  if (is_real_time || ((thread.policy & kResetOnFork) != 0 && !resets_on_fork)) {
    return -EPERM;
  }
  thread.policy = policy | (resets_on_fork ? kResetOnFork : 0);
  return 0;
}

// `policy` may be kKeepPolicy.
int64_t SetPolicy(Call& call, int32_t policy, uint64_t parameter_address) {
  const int32_t tid = call.int_arg(0);
  if (parameter_address == 0 || tid < 0) {
    return -EINVAL;
  }
  int32_t priority;  // all of struct sched_param
  if (!CopyFromGuest(&priority, parameter_address, sizeof(priority))) {
    return -EFAULT;
  }
  GuestThread* const thread = ThreadOf(call, tid);
  if (thread == nullptr) {
    return -ESRCH;
  }
  const uint32_t wanted = policy == kKeepPolicy ? thread->policy : static_cast<uint32_t>(policy);
  return ChoosePolicy(*thread, wanted & ~kResetOnFork, static_cast<uint32_t>(priority), (wanted & kResetOnFork) != 0);
}

}  // namespace

int64_t SysSchedSetparam(Call& call) { return SetPolicy(call, kKeepPolicy, call.arg(1)); }

int64_t SysSchedSetscheduler(Call& call) {
  const int32_t policy = call.int_arg(1);
  return policy < 0 ? -EINVAL : SetPolicy(call, policy, call.arg(2));
}

int64_t SysSchedGetscheduler(Call& call) {
  const int32_t tid = call.int_arg(0);
  if (tid < 0) {
    return -EINVAL;
  }
  const GuestThread* const thread = ThreadOf(call, tid);
  return thread == nullptr ? -ESRCH : static_cast<int64_t>(thread->policy);
}

int64_t SysSchedGetparam(Call& call) {
  const int32_t tid = call.int_arg(0);
  if (call.arg(1) == 0 || tid < 0) {
    return -EINVAL;
  }
  if (ThreadOf(call, tid) == nullptr) {
    return -ESRCH;
  }
  const int32_t priority = 0;
  return CopyToGuest(call.arg(1), &priority, sizeof(priority)) ? 0 : -EFAULT;
}

int64_t SysSchedSetattr(Call& call) {
  const int32_t tid = call.int_arg(0);
  if (call.arg(1) == 0 || tid < 0 || static_cast<uint32_t>(call.arg(2)) != 0) {
    return -EINVAL;
  }
  SchedAttributes attributes = {};
  if (!CopyFromGuest(&attributes, call.arg(1), kFirstAttributesSize_bytes)) {
    return -EFAULT;
  }
  if (attributes.size_bytes != 0 &&
      (attributes.size_bytes < kFirstAttributesSize_bytes || attributes.size_bytes > kPage_bytes)) {
    const uint32_t size_bytes = sizeof(attributes);
    return CopyToGuest(call.arg(1), &size_bytes, sizeof(size_bytes)) ? -E2BIG : -EFAULT;
  }
  if (static_cast<int32_t>(attributes.policy) < 0 || (attributes.flags & ~kKnownAttrFlags) != 0) {
    return -EINVAL;
  }
  GuestThread* const thread = ThreadOf(call, tid);
  if (thread == nullptr) {
    return -ESRCH;
  }
  const bool keeps = (attributes.flags & kAttrKeepPolicy) != 0;
  return ChoosePolicy(*thread, keeps ? thread->policy & ~kResetOnFork : attributes.policy, attributes.priority,
                      (attributes.flags & kAttrResetOnFork) != 0);
}

int64_t SysSchedGetattr(Call& call) {
  const int32_t tid = call.int_arg(0);
  const auto size_bytes = static_cast<uint32_t>(call.arg(2));
  if (call.arg(1) == 0 || tid < 0 || size_bytes > kPage_bytes || size_bytes < kFirstAttributesSize_bytes ||
      static_cast<uint32_t>(call.arg(3)) != 0) {
    return -EINVAL;
  }
  const GuestThread* const thread = ThreadOf(call, tid);
  if (thread == nullptr) {
    return -ESRCH;
  }
  SchedAttributes attributes = {};
  attributes.size_bytes = size_bytes < sizeof(attributes) ? size_bytes : sizeof(attributes);
  attributes.policy = thread->policy & ~kResetOnFork;
  attributes.flags = (thread->policy & kResetOnFork) != 0 ? kAttrResetOnFork : 0;
  attributes.nice = thread->nice;
  return CopyToGuest(call.arg(1), &attributes, attributes.size_bytes) ? 0 : -EFAULT;
}

}  // namespace junction
