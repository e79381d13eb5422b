// SPDX-License-Identifier: Apache-2.0
#include "kernel/process/second_stage_exec.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include <csignal>

#include "kernel/files/file.h"
#include "kernel/process/uproc.h"
#include "uthread/host_call.h"
#include "uthread/text_buffer.h"

namespace junction {

void WriteStageNumber(char (&to)[StageTexts::kNumber_bytes], uint64_t value, unsigned base) {
  TextBuffer<StageTexts::kNumber_bytes - 1> text;
  text.AddUnsigned(value, base);
  __builtin_memcpy(to, text.data(), text.size());
  to[text.size()] = '\0';
}

void BeginStageArguments(StageTexts& texts, const UProc& process, const char* name, const char** argv) {
  WriteStageNumber(texts.arena, static_cast<uint64_t>(ReservedHostFd(g_image.arena_fd)), 10);
  WriteStageNumber(texts.process, reinterpret_cast<uint64_t>(&process), 16);
  argv[kStageName] = name;
  argv[kStageControlPath] = g_image.control_path;
  if (g_image.control_fd >= 0) {
    TextBuffer<sizeof(texts.control)> path;
    path.Add(kDescriptorPath).AddUnsigned(static_cast<uint64_t>(ReservedHostFd(g_image.control_fd))).AddChar('\0');
    __builtin_memcpy(texts.control, path.data(), path.size());
    argv[kStageControlPath] = texts.control;
  }
  argv[kStagePlanPath] = g_image.plan_path;
  argv[kStageArenaFd] = texts.arena;
  argv[kStageProcess] = texts.process;
}

int64_t ExecuteSecondStage(UProc& process, void* scratch, size_t scratch_bytes, const char* const* argv,
                           uint64_t envp) {
  process.exec_scratch = scratch;
  process.exec_scratch_bytes = scratch_bytes;
  int64_t result;
  {
    const KernelUnlockGuard unlocked;
    // A host signal for the new image waits until it has its handlers.
    const uint64_t all = ~0ULL;
    uint64_t before = 0;
    HostCall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof(all));
    HostCall(SYS_fcntl, ReservedHostFd(g_image.arena_fd), F_SETFD, 0);
    // Not /proc/self: the process' first host thread may be among those that were retired, and the memory with it.
    result = HostCall(SYS_execve, "/proc/thread-self/exe", argv, envp);
    HostCall(SYS_rt_sigprocmask, SIG_SETMASK, &before, nullptr, sizeof(before));
  }
  process.exec_scratch = nullptr;
  return result;
}

}  // namespace junction
