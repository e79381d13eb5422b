// SPDX-License-Identifier: Apache-2.0
#include "kernel/uproc.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <cerrno>

#include "kernel/address_map.h"
#include "kernel/dispatch.h"
#include "kernel/guest_memory.h"
#include "kernel/host_call.h"
#include "kernel/signal_table.h"
#include "kernel/text_buffer.h"
#include "kernel/thread_block.h"

extern "C" {
uint64_t junction_fixed_low = junction::kImageLow;
uint64_t junction_fixed_high = junction::kFixedAreaHigh;
uint64_t junction_threads_low = junction::kThreadAreaLow;
uint64_t junction_threads_high = junction::kThreadAreaHigh;
// Empty until there is a far image.
uint64_t junction_far_low = ~0ULL;
uint64_t junction_far_high = 0;
}

namespace junction {

UProc g_uproc;

int64_t StartKernel(ControlBlock* control, const LoaderHooks& hooks) {
  g_uproc.hooks = hooks;
  const int64_t area = HostCall(SYS_mmap, kThreadAreaLow, kThreadAreaSize_bytes, PROT_NONE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (IsHostError(area)) {
    return area;
  }
  const int64_t moved = HostCall(SYS_mremap, control, kControlBlockSize_bytes, kControlBlockSize_bytes,
                                 MREMAP_MAYMOVE | MREMAP_FIXED, kControlBlockAddress);
  if (IsHostError(moved)) {
    return moved;
  }
  g_uproc.control = reinterpret_cast<ControlBlock*>(kControlBlockAddress);
  PrepareDispatch(g_uproc.control->strace.load(std::memory_order_relaxed) != 0);
  if (const int64_t error = InstallHostHandlers(); error != 0) {
    return error;
  }
  ThreadBlock* thread = AllocateThreadBlock();
  if (thread == nullptr) {
    return -ENOMEM;
  }
  thread->signals = &g_first_signal_table;
  thread->affinity = ~0ULL;
  if (const int64_t error = AttachThread(thread); error != 0) {
    return error;
  }
  g_uproc.control->processes_started.fetch_add(1, std::memory_order_relaxed);
  return 0;
}

void KernelPanic(const char* text, uint64_t value) {
  TextBuffer<256> line;
  line.Add("junction kernel: ").Add(text).Add(" (").AddHex(value).Add(")\n");
  HostCall(SYS_write, 2, line.data(), line.size());
  while (true) {
    HostCall(SYS_exit_group, 134);
  }
}

int64_t CopyTextFromGuest(char* to, uint64_t from, size_t capacity_bytes) {
  const int64_t length = junction_copy_text(to, reinterpret_cast<const char*>(from), capacity_bytes);
  if (length < 0) {
    return -EFAULT;
  }
  return static_cast<size_t>(length) == capacity_bytes ? -ENAMETOOLONG : length;
}

}  // namespace junction
