// SPDX-License-Identifier: Apache-2.0
// What execve finds out before the point of no return. Read first: execve(2).
#include <fcntl.h>
#include <sys/syscall.h>

#include "kernel/guest_path.h"
#include "kernel/loader_hooks.h"
#include "loader/elf_image.h"
#include "loader/file_view.h"
#include "loader/load_program.h"
#include "loader/script_line.h"

namespace junction {
namespace {

constexpr int kMaxScripts = 5;  // as Linux: a script's interpreter may be a script

int64_t CheckExecutable(const char* path, int fd) {
  struct stat status;
  if (const int64_t error = HostCall(SYS_fstat, fd, &status); error != 0) {
    return error;
  }
  if (!S_ISREG(status.st_mode)) {
    return -EACCES;
  }
  return HostCall(SYS_faccessat, AT_FDCWD, path, X_OK);
}

// The interpreter of a dynamic program has to be there; what is wrong inside of it shows when it is loaded.
int64_t CheckElf(const char* path) {
  const HostFd fd(HostCall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0));
  if (fd.error() != 0) {
    return fd.error();
  }
  FileView view;
  if (const int64_t error = view.Open(fd.get()); error != 0) {
    return error;
  }
  const auto bytes = view.bytes();
  ElfHeaderTable table;
  ElfImage image;
  if (ParseElfHeader(bytes, bytes.size(), table) != 0 ||
      ParseElfImage(bytes, bytes.subspan(table.offset, table.size_bytes), bytes.size(), image) != 0) {
    return -ENOEXEC;
  }
  if (image.interpreter_bytes == 0) {
    return 0;
  }
  const auto text = bytes.subspan(image.interpreter_offset, image.interpreter_bytes);
  if (text.back() != '\0') {
    return -ENOEXEC;
  }
  const char* const interpreter = reinterpret_cast<const char*>(text.data());
  const HostFd interpreter_fd(HostCall(SYS_openat, AT_FDCWD, interpreter, O_RDONLY | O_CLOEXEC, 0));
  if (interpreter_fd.error() != 0) {
    return interpreter_fd.error();
  }
  FileView interpreter_view;
  if (interpreter_view.Open(interpreter_fd.get()) != 0 ||
      ParseElfHeader(interpreter_view.bytes(), interpreter_view.bytes().size(), table) != 0) {
    return -ELIBBAD;
  }
  return 0;
}

// Puts `text` in front of the arguments collected so far. False if there is no room.
bool Prepend(ExecPlan& plan, size_t& used, std::string_view text) {
  const size_t size = text.size() + 1;
  if (used + size > sizeof(plan.interpreter_args)) {
    return false;
  }
  __builtin_memmove(plan.interpreter_args + size, plan.interpreter_args, used);
  __builtin_memcpy(plan.interpreter_args, text.data(), text.size());
  plan.interpreter_args[text.size()] = '\0';
  used += size;
  ++plan.interpreter_arg_count;
  return true;
}

// Goes from a script to its interpreter.
int64_t FollowScript(ExecPlan& plan, size_t& used, const ScriptLine& line) {
  if (!plan.is_script) {
    CopyPath(plan.script, plan.as_given);
    plan.is_script = true;
  } else if (!Prepend(plan, used, {plan.file, TextLength(plan.file)})) {
    return -ENOEXEC;
  }
  if (!line.argument.empty() && !Prepend(plan, used, line.argument)) {
    return -ENOEXEC;
  }
  __builtin_memcpy(plan.file, line.interpreter.data(), line.interpreter.size());
  plan.file[line.interpreter.size()] = '\0';
  return 0;
}

}  // namespace

int64_t PlanExec(ExecPlan* plan) {
  plan->is_script = false;
  plan->interpreter_arg_count = 0;
  size_t used = 0;
  for (int scripts = 0; scripts <= kMaxScripts; ++scripts) {
    const HostFd fd(HostCall(SYS_openat, AT_FDCWD, plan->file, O_RDONLY | O_CLOEXEC, 0));
    if (fd.error() != 0) {
      return fd.error();
    }
    if (const int64_t error = CheckExecutable(plan->file, fd.get()); error != 0) {
      return error;
    }
    char head[kScriptHead_bytes] = {};
    const int64_t read = HostCall(SYS_pread64, fd.get(), head, sizeof(head), 0);
    if (read < 0) {
      return read;
    }
    ScriptLine line;
    switch (ParseScriptLine({head, static_cast<size_t>(read)}, line)) {
      case ScriptLineResult::kBroken:
        return -ENOEXEC;
      case ScriptLineResult::kNotAScript: {
        const int64_t error = CheckElf(plan->file);
        if (error == 0 && plan->is_script && !Prepend(*plan, used, {plan->file, TextLength(plan->file)})) {
          return -ENOEXEC;
        }
        return error;
      }
      case ScriptLineResult::kScript:
        if (const int64_t error = FollowScript(*plan, used, line); error != 0) {
          return error;
        }
    }
  }
  return -ELOOP;
}

}  // namespace junction
