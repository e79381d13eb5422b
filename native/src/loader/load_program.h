// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/limits.h>

#include <cstdint>

#include "kernel/door/loader_hooks.h"
#include "kernel/process/uproc.h"

namespace junction {

/// A program in memory, ready to be entered.
struct LoadedProgram {
  uint64_t start = 0;             // where to jump: the interpreter's entry, or the program's own
  uint64_t entry = 0;             // AT_ENTRY: the program's own
  uint64_t headers = 0;           // AT_PHDR
  uint64_t header_count = 0;      // AT_PHNUM
  uint64_t interpreter_base = 0;  // AT_BASE, 0 without an interpreter
  uint64_t brk_start = 0;
  uint64_t brk_limit = 0;
  char path[PATH_MAX] = {};  // of the program, absolute and without links
};

/// Maps the program and its interpreter, rewrites their sites. `random` decides the places of what may lie anywhere.
/// 0 or -errno; after an error the address space is left as it is, for a process that ends now. Host calls only.
int64_t LoadProgram(const char* file, uint64_t random, LoadedProgram& program);

/// LoaderHooks::plan_exec: checks that the program could be loaded, resolves `#!`. 0 or -errno as execve(2) has it.
int64_t PlanExec(ExecPlan* plan);

}  // namespace junction
