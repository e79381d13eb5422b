// SPDX-License-Identifier: Apache-2.0
// What execve and the start of a further program have in common: the host executes junction_run itself, which maps the arena again and goes
// on with the same UProc (loader/second_stage.cc).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/process/exec_stage.h"

namespace junction {

struct UProc;

/// Arguments of the second stage that are made up here.
struct StageTexts {
  static constexpr size_t kNumber_bytes = 24;
  char control[64];
  char arena[kNumber_bytes];
  char process[kNumber_bytes];
};

/// Fills argv[0] to argv[kStageFile - 1]. The process is the current one. Kernel lock held.
void BeginStageArguments(StageTexts& texts, const UProc& process, const char* name, const char** argv);

/// Writes a number and a NUL.
void WriteStageNumber(char (&to)[StageTexts::kNumber_bytes], uint64_t value, unsigned base);

/// Returns only if the host refuses: -errno. The memory at `scratch`, which must hold all arguments that are not the guest's, is freed by the
/// new image. The process has one thread and one kthread. Kernel lock held, released meanwhile.
int64_t ExecuteSecondStage(UProc& process, void* scratch, size_t scratch_bytes, const char* const* argv, uint64_t envp);

}  // namespace junction
