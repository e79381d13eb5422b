// SPDX-License-Identifier: Apache-2.0
// The state of one uProc: what all threads of a guest process share. Lives in the image of junction_run; a fork copies it.
#pragma once

#include <linux/limits.h>

#include <cstdint>

#include "base/control_block.h"
#include "kernel/host_lock.h"

namespace junction {

/// Host memory that the guest must not replace: [low, high).
struct AddressRange {
  uint64_t low = 0;
  uint64_t high = 0;
  bool Overlaps(uint64_t address, uint64_t size_bytes) const {
    return address < high && (size_bytes > UINT64_MAX - address || address + size_bytes > low);
  }
};

/// An executable file mapping to look for `syscall` sites in.
struct CodeMapping {
  int fd;
  uint64_t address;
  uint64_t size_bytes;
  uint64_t file_offset;
  int protection;
};

/// What execve learned about a program before the point of no return.
struct ExecPlan {
  char file[PATH_MAX];         // what to load, in the guest's view
  char as_given[PATH_MAX];     // AT_EXECFN
  char interpreter_args[512];  // of `#!` lines: argument strings, each ending in NUL, to put before the script's own
  uint32_t interpreter_arg_count;
  bool is_script;  // argv[0] gives way to interpreter_args and the script's path
  char script[PATH_MAX];
};

/// What the loader, the layer above, does for the kernel. All pointers are set before the guest starts.
struct LoaderHooks {
  /// Rewrites the sites of a new mapping; a site that cannot be rewritten is left to the net.
  void (*patch_mapping)(const CodeMapping& mapping);
  /// The guest gives up or replaces a range: forget patched images in it.
  void (*forget_range)(uint64_t address, uint64_t size_bytes);
  /// True if the range holds trampolines.
  bool (*is_trampoline)(uint64_t address, uint64_t size_bytes);
  /// Reads and checks the program at plan->file (`#!` lines included): 0 or -errno as execve(2) gives it.
  int64_t (*plan_exec)(ExecPlan* plan);
};

struct UProc {
  ControlBlock* control = nullptr;
  LoaderHooks hooks = {};
  char exe_path[PATH_MAX] = {};      // of the guest's program, absolute
  char control_path[PATH_MAX] = {};  // see ProgramSpec
  char plan_path[PATH_MAX] = {};
  uint64_t brk_start = 0;
  uint64_t brk_now = 0;  // as the guest set it; mapped up to the next page
  uint64_t brk_limit = 0;
  HostLock memory_lock;  // brk and the patched images
  HostLock signal_lock;  // writers of signal tables
};

/// The calling process' uProc.
extern UProc g_uproc;

/// Prepares the kernel in a fresh process: thread area, the caller's ThreadBlock, signal handlers, the net. From here on the
/// caller may use no libc function that makes a syscall. 0 or -errno.
int64_t StartKernel(ControlBlock* control, const LoaderHooks& hooks);

/// Prints `junction kernel: <text>` to descriptor 2 and ends the process: an invariant of ours is broken.
[[noreturn]] void KernelPanic(const char* text, uint64_t value = 0);

}  // namespace junction

#define KERNEL_CHECK(condition)                      \
  do {                                               \
    if (!(condition)) [[unlikely]] {                 \
      ::junction::KernelPanic(#condition, __LINE__); \
    }                                                \
  } while (false)

extern "C" {
/// Read by entry.S: the fixed area, the thread area, the span of far images and their trampolines; 1 while calls are printed.
extern uint64_t junction_fixed_low;
extern uint64_t junction_fixed_high;
extern uint64_t junction_threads_low;
extern uint64_t junction_threads_high;
extern uint64_t junction_far_low;
extern uint64_t junction_far_high;
extern uint8_t junction_strace;
[[noreturn]] void junction_enter_guest(uint64_t rip, uint64_t rsp);
}
