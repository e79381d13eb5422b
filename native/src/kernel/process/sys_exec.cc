// SPDX-License-Identifier: Apache-2.0
// execve: the host executes junction_run itself, which maps the arena again and goes on with the same UProc (loader/second_stage.cc). Everything
// that may be wrong with the program is found out before, so that the guest gets its error and lives on. The environment and the
// limits pass by the host's own rules. Read first: execve(2), de_thread in Linux' fs/exec.c.
//
//   argv of the second stage:  name | control path | plan path | arena | UProc | file | name as given | guest's argv...
#include <fcntl.h>
#include <sys/syscall.h>

#include <csignal>

#include "kernel/door/guest_handlers.h"
#include "kernel/door/loader_hooks.h"
#include "kernel/files/file.h"
#include "kernel/futex/futex.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/guest/guest_path.h"
#include "kernel/process/process.h"
#include "kernel/process/second_stage_exec.h"
#include "uthread/text_buffer.h"

namespace junction {
namespace {

constexpr size_t kArenaBlock_bytes = 1 << 20;
constexpr size_t kOwnArguments = 7 + 64;  // those of the second stage, of `#!` lines, the null pointer

// In the arena: the kernel stack is small, and the memory of a vfork child is its parent's. The new image frees it.
struct ExecScratch {
  ExecPlan plan;
  StageTexts texts;
  char link_target[PATH_MAX];
  const char* argv[];  // of the second stage, ends with a null pointer
};

constexpr size_t kMaxArguments = (kArenaBlock_bytes - sizeof(ExecScratch)) / sizeof(char*) - kOwnArguments;

struct ExecArguments {
  uint64_t argv;
  uint64_t envp;
};

// Number of pointers in the guest's array, or -EFAULT, -E2BIG.
int64_t CountPointers(uint64_t array) {
  if (array == 0) {
    return 0;
  }
  for (size_t count = 0; count < kMaxArguments; ++count) {
    uint64_t pointer;
    if (!CopyFromGuest(&pointer, array + count * sizeof(pointer), sizeof(pointer))) {
      return -EFAULT;
    }
    if (pointer == 0) {
      return static_cast<int64_t>(count);
    }
  }
  return -E2BIG;
}

int64_t BuildArguments(ExecScratch& scratch, UProc& process, uint64_t guest_argv, size_t guest_count) {
  BeginStageArguments(scratch.texts, process, kSecondStageName, scratch.argv);
  size_t count = kStageFile;
  const auto add = [&](const char* argument) { scratch.argv[count++] = argument; };
  add(scratch.plan.file);
  add(scratch.plan.as_given);
  size_t first = 0;
  if (scratch.plan.is_script) {
    const char* argument = scratch.plan.interpreter_args;
    for (uint32_t i = 0; i < scratch.plan.interpreter_arg_count; ++i) {
      add(argument);
      while (*argument++ != '\0') {
      }
    }
    add(scratch.plan.script);
    first = 1;  // the script's own argv[0] gives way
  } else if (guest_count == 0) {
    add("");  // as Linux since 5.18
  }
  for (size_t i = first; i < guest_count; ++i) {
    uint64_t pointer;
    if (!CopyFromGuest(&pointer, guest_argv + i * sizeof(pointer), sizeof(pointer))) {
      return -EFAULT;
    }
    add(reinterpret_cast<const char*>(pointer));
  }
  scratch.argv[count] = nullptr;
  return 0;
}

// Robust and PI futexes are given up with the memory; the thread id stays, as nobody is left there who would wait for it.
void LeaveFutexes(GuestThread& thread) {
  const uint64_t clear_child_tid = thread.clear_child_tid;
  thread.clear_child_tid = 0;
  ReleaseThreadFutexes(thread);
  thread.clear_child_tid = clear_child_tid;
}

// Returns only if the host refuses. Kernel lock held.
int64_t ExecuteOnHost(UProc& process, GuestThread& thread, ExecScratch& scratch, size_t scratch_bytes, uint64_t envp) {
  const bool was_alone = process.group.uthread_count == 1;
  if (!EndOtherThreads(process, thread)) {
    return -EINTR;  // the thread ends on its way out
  }
  LeaveFutexes(thread);
  RetireOtherKthreads(process.group);
  const int64_t result = ExecuteSecondStage(process, &scratch, scratch_bytes, scratch.argv, envp);
  if (!was_alone) {
    BeginGroupExit(process, SIGKILL);  // its other threads are gone: there is no way back
  }
  return result;
}

// plan.file names the program; argv and envp are the guest's.
int64_t Execute(Call& call, ExecScratch& scratch, size_t scratch_bytes, const ExecArguments& arguments,
                size_t argument_count) {
  UProc& process = call.process();
  if (IsOwnExePath(scratch.plan.file)) {
    CopyPath(scratch.plan.file, process.exe_path);
  }
  {
    const KernelUnlockGuard unlocked;
    if (const int64_t error = g_loader_hooks.plan_exec(&scratch.plan); error != 0) {
      return error;
    }
  }
  if (const int64_t error = BuildArguments(scratch, process, arguments.argv, argument_count); error != 0) {
    return error;
  }
  return ExecuteOnHost(process, call.thread(), scratch, scratch_bytes, arguments.envp);
}

// Fills the plan's file name; an error ends the call.
template <typename FillName>
int64_t ExecuteWith(Call& call, const ExecArguments& arguments, FillName fill_name) {
  const int64_t argument_count = CountPointers(arguments.argv);
  if (argument_count < 0) {
    return argument_count;
  }
  const size_t size_bytes = sizeof(ExecScratch) + (static_cast<size_t>(argument_count) + kOwnArguments) * sizeof(char*);
  auto* const scratch = static_cast<ExecScratch*>(ArenaAllocate(size_bytes));
  if (scratch == nullptr) {
    return -ENOMEM;
  }
  int64_t result = fill_name(*scratch);
  if (result == 0) {
    result = Execute(call, *scratch, size_bytes, arguments, static_cast<size_t>(argument_count));
  }
  ArenaFree(scratch, size_bytes);
  return result;
}

// As Linux shows it: /dev/fd/N or /dev/fd/N/path; the host resolves it through /proc.
int64_t NameByDescriptor(ExecScratch& scratch, int directory, size_t length) {
  ExecPlan& plan = scratch.plan;
  TextBuffer<64> prefix;
  prefix.Add("/proc/self/fd/").AddUnsigned(static_cast<uint32_t>(directory));
  if (length > 0) {
    prefix.AddChar('/');
  }
  if (prefix.size() + length >= sizeof(plan.file)) {
    return -ENAMETOOLONG;
  }
  __builtin_memcpy(plan.file, prefix.data(), prefix.size());
  __builtin_memcpy(plan.file + prefix.size(), plan.as_given, length + 1);
  if (length == 0) {
    // The descriptor may close on exec: name the file itself, if it still has a name.
    char* const target = scratch.link_target;
    const int64_t target_length = HostCall(SYS_readlink, plan.file, target, PATH_MAX - 1);
    if (target_length > 0 && target[0] == '/') {
      target[target_length] = '\0';
      if (HostCall(SYS_faccessat, AT_FDCWD, target, 0) == 0) {
        CopyPath(plan.file, target);
      }
    }
  }
  CopyPath(plan.as_given, plan.file);
  return 0;
}

}  // namespace

int64_t SysExecve(Call& call) {
  return ExecuteWith(call, {call.arg(1), call.arg(2)}, [&](ExecScratch& scratch) -> int64_t {
    const int64_t length = CopyTextFromGuest(scratch.plan.file, call.arg(0), sizeof(scratch.plan.file));
    if (length <= 0) {
      return length == 0 ? -ENOENT : length;
    }
    CopyPath(scratch.plan.as_given, scratch.plan.file);
    return 0;
  });
}

int64_t SysExecveat(Call& call) {
  const int32_t directory = call.int_arg(0);
  const auto flags = static_cast<uint32_t>(call.arg(4));
  if ((flags & ~static_cast<uint32_t>(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) != 0) {
    return -EINVAL;
  }
  return ExecuteWith(call, {call.arg(2), call.arg(3)}, [&](ExecScratch& scratch) -> int64_t {
    ExecPlan& plan = scratch.plan;
    const int64_t length = CopyTextFromGuest(plan.as_given, call.arg(1), sizeof(plan.as_given));
    if (length < 0) {
      return length;
    }
    if (length == 0 && (flags & AT_EMPTY_PATH) == 0) {
      return -ENOENT;
    }
    if (plan.as_given[0] == '/' || (directory == AT_FDCWD && length > 0)) {
      CopyPath(plan.file, plan.as_given);
    } else if (directory == AT_FDCWD) {
      return -EACCES;  // the current folder
    } else if (const File* const file = GetFile(directory); file == nullptr || file->is_virtual()) {
      return file == nullptr ? -EBADF : length == 0 ? -EACCES : -ENOTDIR;
    } else if (const int64_t error = NameByDescriptor(scratch, directory, static_cast<size_t>(length)); error != 0) {
      return error;
    }
    if ((flags & AT_SYMLINK_NOFOLLOW) != 0 && length > 0 &&
        HostCall(SYS_readlink, plan.file, scratch.link_target, PATH_MAX - 1) > 0) {
      return -ELOOP;
    }
    return 0;
  });
}

}  // namespace junction
