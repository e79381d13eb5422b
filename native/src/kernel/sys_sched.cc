// SPDX-License-Identifier: Apache-2.0
// A guest sees as many CPUs as its core limit, numbered from 0 (Go sizes itself by this; FACTS: worth 2x at low load). Where
// its threads really run is the host's affair.
#include <sys/syscall.h>

#include "kernel/guest_handlers.h"
#include "kernel/guest_memory.h"
#include "kernel/host_call.h"
#include "kernel/uproc.h"

namespace junction {
namespace {

constexpr uint32_t kMaxCpus = 64;  // one word of mask
constexpr size_t kMaskSize_bytes = 8;

uint32_t VisibleCpus() {
  const uint32_t limit = g_uproc.control->core_limit.load(std::memory_order_relaxed);
  return limit == 0 ? 1 : (limit < kMaxCpus ? limit : kMaxCpus);
}

uint64_t VisibleMask() {
  const uint32_t cpus = VisibleCpus();
  return cpus == kMaxCpus ? ~0ULL : (1ULL << cpus) - 1;
}

struct FindThread {
  int32_t thread_id;
  ThreadBlock* found;
};

// Block of a thread of this process, or null for one of another process.
ThreadBlock* FindBlock(ThreadBlock& self, int32_t thread_id) {
  if (thread_id == 0 || thread_id == self.thread_id) {
    return &self;
  }
  FindThread search = {thread_id, nullptr};
  ForEachThreadBlock(
      [](ThreadBlock* block, void* context) {
        auto& wanted = *static_cast<FindThread*>(context);
        if (block->thread_id == wanted.thread_id) {
          wanted.found = block;
        }
      },
      &search);
  return search.found;
}

bool Exists(int32_t thread_id) {
  return thread_id >= 0 && (thread_id == 0 || HostCall(SYS_tkill, thread_id, 0) != -ESRCH);
}

}  // namespace

int64_t SysSchedGetaffinity(Call& call) {
  const auto size_bytes = static_cast<uint32_t>(call.arg(1));
  if (size_bytes < kMaskSize_bytes || size_bytes % kMaskSize_bytes != 0) {
    return -EINVAL;
  }
  if (!Exists(call.fd(0))) {
    return -ESRCH;
  }
  const ThreadBlock* block = FindBlock(call.thread(), call.fd(0));
  uint64_t mask = VisibleMask();
  if (block != nullptr && (block->affinity & mask) != 0) {
    mask &= block->affinity;
  }
  return CopyToGuest(call.arg(2), &mask, sizeof(mask)) ? static_cast<int64_t>(sizeof(mask)) : -EFAULT;
}

int64_t SysSchedSetaffinity(Call& call) {
  uint64_t mask = 0;
  const uint64_t size_bytes = call.arg(1) < sizeof(mask) ? call.arg(1) : sizeof(mask);
  if (!CopyFromGuest(&mask, call.arg(2), size_bytes)) {
    return -EFAULT;
  }
  if (!Exists(call.fd(0))) {
    return -ESRCH;
  }
  if ((mask & VisibleMask()) == 0) {
    return -EINVAL;
  }
  if (ThreadBlock* block = FindBlock(call.thread(), call.fd(0)); block != nullptr) {
    block->affinity = mask;
  }
  return 0;
}

int64_t SysGetcpu(Call& call) {
  uint32_t cpu = 0;
  uint32_t node = 0;
  if (const int64_t error = HostCall(SYS_getcpu, &cpu, &node, nullptr); error != 0) {
    return error;
  }
  cpu %= VisibleCpus();
  node = 0;
  if ((call.arg(0) != 0 && !CopyToGuest(call.arg(0), &cpu, sizeof(cpu))) ||
      (call.arg(1) != 0 && !CopyToGuest(call.arg(1), &node, sizeof(node)))) {
    return -EFAULT;
  }
  return 0;
}

}  // namespace junction
