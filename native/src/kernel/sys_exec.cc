// SPDX-License-Identifier: Apache-2.0
// execve: the host executes junction_run itself, which then loads the guest's program (RunSecondStage). Everything that may be
// wrong with the program is found out before, so that the guest gets its error and lives on. Descriptors, the environment,
// ignored signals and the limits pass by the host's own rules.
//
//   argv of the second stage:  name | control path | plan path | signal mask (hex) | file | name as given | guest's argv...
#include "kernel/exec_stage.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kernel/guest_handlers.h"
#include "kernel/guest_memory.h"
#include "kernel/guest_path.h"
#include "kernel/host_call.h"
#include "kernel/text_buffer.h"
#include "kernel/uproc.h"

namespace junction {
namespace {

constexpr size_t kMaxArguments = 0x20000;  // as many pointers as fit the host's own limit on argument space

// Lives in a mapping of its own, of exactly the size that the call needs: the kernel stack is small.
struct ExecScratch {
  ExecPlan plan;
  char mask_text[24];
  const char* argv[];  // of the second stage, ends with a null pointer
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

void WriteMask(char* to, uint64_t mask) {
  TextBuffer<20> text;
  text.AddUnsigned(mask, 16);
  for (size_t i = 0; i < text.size(); ++i) {
    to[i] = text.data()[i];
  }
  to[text.size()] = '\0';
}

int64_t BuildArguments(ExecScratch& scratch, uint64_t mask, uint64_t guest_argv, size_t guest_count) {
  WriteMask(scratch.mask_text, mask);
  size_t count = 0;
  const auto add = [&](const char* argument) { scratch.argv[count++] = argument; };
  add(kSecondStageName);
  add(g_uproc.control_path);
  add(g_uproc.plan_path);
  add(scratch.mask_text);
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

// plan.file names the program; argv and envp are the guest's.
int64_t Execute(ThreadBlock& thread, ExecScratch& scratch, uint64_t argv, size_t argument_count, uint64_t envp) {
  if (IsOwnExePath(scratch.plan.file)) {
    CopyPath(scratch.plan.file, g_uproc.exe_path);
  }
  if (const int64_t error = g_uproc.hooks.plan_exec(&scratch.plan); error != 0) {
    return error;
  }
  if (const int64_t error = BuildArguments(scratch, thread.mask, argv, argument_count); error != 0) {
    return error;
  }
  return HostCall(SYS_execve, "/proc/self/exe", scratch.argv, envp);
}

// Fills the plan's file name; an error ends the call.
template <typename FillName>
int64_t ExecuteWith(Call& call, uint64_t argv, uint64_t envp, FillName fill_name) {
  const int64_t argument_count = CountPointers(argv);
  if (argument_count < 0) {
    return argument_count;
  }
  constexpr size_t kOwnArguments = 6 + 64;
  const size_t size_bytes = sizeof(ExecScratch) + (static_cast<size_t>(argument_count) + kOwnArguments) * sizeof(char*);
  const int64_t mapping =
      HostCall(SYS_mmap, nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (IsHostError(mapping)) {
    return -ENOMEM;
  }
  auto& scratch = *reinterpret_cast<ExecScratch*>(mapping);
  ThreadBlock& thread = call.thread();
  thread.exec_scratch = &scratch;
  thread.exec_scratch_size_bytes = size_bytes;
  int64_t result = fill_name(scratch.plan);
  if (result == 0) {
    result = Execute(thread, scratch, argv, static_cast<size_t>(argument_count), envp);
  }
  thread.exec_scratch = nullptr;
  HostCall(SYS_munmap, mapping, size_bytes);
  return result;
}

}  // namespace

int64_t SysExecve(Call& call) {
  return ExecuteWith(call, call.arg(1), call.arg(2), [&](ExecPlan& plan) -> int64_t {
    const int64_t length = CopyTextFromGuest(plan.file, call.arg(0), sizeof(plan.file));
    if (length <= 0) {
      return length == 0 ? -ENOENT : length;
    }
    CopyPath(plan.as_given, plan.file);
    return 0;
  });
}

int64_t SysExecveat(Call& call) {
  const int directory = call.fd(0);
  const auto flags = static_cast<uint32_t>(call.arg(4));
  if ((flags & ~static_cast<uint32_t>(AT_EMPTY_PATH)) != 0) {
    return -EINVAL;
  }
  return ExecuteWith(call, call.arg(2), call.arg(3), [&](ExecPlan& plan) -> int64_t {
    const int64_t length = CopyTextFromGuest(plan.as_given, call.arg(1), sizeof(plan.as_given));
    if (length < 0) {
      return length;
    }
    if (length == 0 && (flags & AT_EMPTY_PATH) == 0) {
      return -ENOENT;
    }
    if (plan.as_given[0] == '/' || directory == AT_FDCWD) {
      CopyPath(plan.file, plan.as_given);
      return 0;
    }
    // As Linux shows it: /dev/fd/N or /dev/fd/N/path; the host resolves it through /proc.
    TextBuffer<64> prefix;
    prefix.Add("/proc/self/fd/").AddUnsigned(static_cast<uint32_t>(directory));
    if (length > 0) {
      prefix.AddChar('/');
    }
    if (prefix.size() + static_cast<size_t>(length) >= sizeof(plan.file)) {
      return -ENAMETOOLONG;
    }
    size_t size = 0;
    for (size_t i = 0; i < prefix.size(); ++i) {
      plan.file[size++] = prefix.data()[i];
    }
    for (int64_t i = 0; i <= length; ++i) {
      plan.file[size++] = plan.as_given[i];
    }
    if (length == 0) {
      // The descriptor may close on exec: name the file itself, if it still has a name.
      char target[PATH_MAX];
      const int64_t target_length = HostCall(SYS_readlink, plan.file, target, sizeof(target) - 1);
      if (target_length > 0 && target[0] == '/') {
        target[target_length] = '\0';
        if (HostCall(SYS_faccessat, AT_FDCWD, target, 0) == 0) {
          CopyPath(plan.file, target);
        }
      }
    }
    CopyPath(plan.as_given, plan.file);
    return 0;
  });
}

}  // namespace junction
