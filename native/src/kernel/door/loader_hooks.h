// SPDX-License-Identifier: Apache-2.0
// What the loader, the layer above, does for the kernel.
#pragma once

#include <linux/limits.h>

#include <cstdint>

namespace junction {

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

/// All pointers are set before the guest starts. Called without the kernel lock, under the memory lock (memory.h) where they touch mappings.
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
extern LoaderHooks g_loader_hooks;

}  // namespace junction
