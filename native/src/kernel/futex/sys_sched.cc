// SPDX-License-Identifier: Apache-2.0
// sched_yield, CPU affinity, getcpu, membarrier. A guest sees as many CPUs as its core limit, numbered from 0 (Go sizes itself by this;
// FACTS: worth 2x at low load). Where its threads really run is the host's affair.
#include <linux/membarrier.h>
#include <sys/syscall.h>

#include "kernel/door/guest_handlers.h"
#include "kernel/guest/guest_memory.h"
#include "uthread/host_cpu.h"

namespace junction {
namespace {

constexpr uint32_t kMaxCpus = 64;  // one word of mask
constexpr size_t kMaskSize_bytes = 8;

uint32_t VisibleCpus() {
  const uint32_t limit = g_image.control->core_limit.load(std::memory_order_relaxed);
  return limit == 0 ? 1 : (limit < kMaxCpus ? limit : kMaxCpus);
}

uint64_t VisibleMask() {
  const uint32_t cpus = VisibleCpus();
  return cpus == kMaxCpus ? ~0ULL : (1ULL << cpus) - 1;
}

// CPUs of a thread; one that never chose, or whose choice is gone since the limit fell, may use all.
uint64_t AffinityOf(const GuestThread& thread) {
  const uint64_t mask = thread.affinity & VisibleMask();
  return mask == 0 ? VisibleMask() : mask;
}

GuestThread* ThreadOf(Call& call, int32_t tid) { return tid == 0 ? &call.thread() : FindThread(tid); }

// What a guest may ask of membarrier: not the barrier for restartable sequences (rseq is ENOSYS), nor MEMBARRIER_CMD_GLOBAL, which may hold a
// kthread for milliseconds (Linux has it not either on machines with nohz_full CPUs).
constexpr int64_t kBarriers = MEMBARRIER_CMD_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED |
                              MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |
                              MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE |
                              MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE;
constexpr int32_t kGetRegistrations = 512;  // MEMBARRIER_CMD_GET_REGISTRATIONS, Linux 6.3

}  // namespace

int64_t SysSchedYield(Call&) {
  Yield();
  return 0;
}

int64_t SysSchedGetaffinity(Call& call) {
  const auto size_bytes = static_cast<uint32_t>(call.arg(1));
  if (size_bytes < kMaskSize_bytes || size_bytes % kMaskSize_bytes != 0) {
    return -EINVAL;
  }
  const GuestThread* const thread = ThreadOf(call, call.int_arg(0));
  if (thread == nullptr) {
    return -ESRCH;
  }
  const uint64_t mask = AffinityOf(*thread);
  return CopyToGuest(call.arg(2), &mask, sizeof(mask)) ? static_cast<int64_t>(sizeof(mask)) : -EFAULT;
}

int64_t SysSchedSetaffinity(Call& call) {
  uint64_t mask = 0;
  const uint64_t size_bytes = static_cast<uint32_t>(call.arg(1));
  if (!CopyFromGuest(&mask, call.arg(2), size_bytes < sizeof(mask) ? size_bytes : sizeof(mask))) {
    return -EFAULT;
  }
  GuestThread* const thread = ThreadOf(call, call.int_arg(0));
  if (thread == nullptr) {
    return -ESRCH;
  }
  if ((mask & VisibleMask()) == 0) {
    return -EINVAL;
  }
  thread->affinity = mask;
  return 0;
}

int64_t SysGetcpu(Call& call) {
  uint32_t cpu = OwnCpu() % VisibleCpus();
  const uint64_t mask = AffinityOf(call.thread());
  if ((mask >> cpu & 1) == 0) {
    cpu = static_cast<uint32_t>(__builtin_ctzll(mask));
  }
  const uint32_t node = 0;
  if ((call.arg(0) != 0 && !CopyToGuest(call.arg(0), &cpu, sizeof(cpu))) ||
      (call.arg(1) != 0 && !CopyToGuest(call.arg(1), &node, sizeof(node)))) {
    return -EFAULT;
  }
  return 0;
}

// The host's answer is right for any number of kthreads, and quick where there is one.
int64_t SysMembarrier(Call& call) {
  const int32_t command = call.int_arg(0);
  if (static_cast<uint32_t>(call.arg(1)) != 0) {
    return -EINVAL;
  }
  if (command == MEMBARRIER_CMD_QUERY || command == kGetRegistrations) {
    const int64_t mask = call.ToHost();
    return mask < 0 ? mask : mask & kBarriers;
  }
  return (command & kBarriers) == command && command > 0 ? call.ToHost() : -EINVAL;
}

}  // namespace junction
