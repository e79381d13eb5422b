// SPDX-License-Identifier: Apache-2.0
#include "uthread/panic.h"

#include <sys/syscall.h>

#include "uthread/arena.h"
#include "uthread/host_call.h"
#include "uthread/text_buffer.h"

namespace junction {

void KernelPanic(const char* text, uint64_t value) {
  TextBuffer<256> line;
  line.Add("junction kernel: ").Add(text).Add(" (").AddHex(value).Add(")\n");
  HostCall(SYS_write, 2, line.data(), line.size());
  // Whoever waits for the kernel lock ends as well: what it guards may be half changed.
  if (IsArenaMapped()) {
    Arena().lock.is_broken.store(1, std::memory_order_release);
  }
  while (true) {
    HostCall(SYS_exit_group, 134);
  }
}

}  // namespace junction
