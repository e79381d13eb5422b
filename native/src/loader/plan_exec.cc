// SPDX-License-Identifier: Apache-2.0
// What execve finds out before the point of no return. Read first: execve(2).
#include <fcntl.h>
#include <sys/syscall.h>

#include "kernel/door/loader_hooks.h"
#include "kernel/guest/guest_path.h"
#include "loader/elf_image.h"
#include "loader/file_view.h"
#include "loader/load_program.h"
#include "loader/script_line.h"

namespace junction {
namespace {

constexpr int kMaxScripts = 5;  // as Linux: a script's interpreter may be a script

int64_t CheckExecutable(const char* path, int fd, struct stat& status) {
  if (const int64_t error = HostCall(SYS_fstat, fd, &status); error != 0) {
    return error;
  }
  if (!S_ISREG(status.st_mode)) {
    return -EACCES;
  }
  return HostCall(SYS_faccessat, AT_FDCWD, path, X_OK);
}

constexpr size_t kHead_bytes = 1024;  // mostly has all that is looked at; there is little room on a kernel stack

// Bytes of the file from its head, or from a view of the file if that is too short; empty if they cannot be had.
std::span<const uint8_t> BytesOf(std::span<const uint8_t> head, int fd, FileView& view, uint64_t offset,
                                 uint64_t size_bytes) {
  if (offset + size_bytes <= head.size()) {
    return head.subspan(offset, size_bytes);
  }
  if (view.bytes().empty() && view.Open(fd) != 0) {
    return {};
  }
  return view.bytes().subspan(offset, size_bytes);
}

int64_t CheckInterpreter(const char* path) {
  const HostFd fd(HostCall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0));
  if (fd.error() != 0) {
    return fd.error();
  }
  struct stat status;
  uint8_t head[sizeof(Elf64_Ehdr)];
  ElfHeaderTable table;
  const bool is_elf = HostCall(SYS_fstat, fd.get(), &status) == 0 && S_ISREG(status.st_mode) &&
                      HostCall(SYS_pread64, fd.get(), head, sizeof(head), 0) == static_cast<int64_t>(sizeof(head)) &&
                      ParseElfHeader(head, static_cast<uint64_t>(status.st_size), table) == 0;
  return is_elf ? 0 : -ELIBBAD;
}

// The interpreter of a dynamic program has to be there; what is wrong inside of it shows when it is loaded.
int64_t CheckElf(int fd, uint64_t file_bytes, std::span<const uint8_t> head) {
  FileView view;
  ElfHeaderTable table;
  ElfImage image;
  if (ParseElfHeader(head, file_bytes, table) != 0 ||
      ParseElfImage(head, BytesOf(head, fd, view, table.offset, table.size_bytes), file_bytes, image) != 0) {
    return -ENOEXEC;
  }
  if (image.interpreter_bytes == 0) {
    return 0;
  }
  const auto text = BytesOf(head, fd, view, image.interpreter_offset, image.interpreter_bytes);
  if (text.empty() || text.back() != '\0') {
    return -ENOEXEC;
  }
  return CheckInterpreter(reinterpret_cast<const char*>(text.data()));
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
    struct stat status;
    if (const int64_t error = CheckExecutable(plan->file, fd.get(), status); error != 0) {
      return error;
    }
    static_assert(kHead_bytes >= kScriptHead_bytes);
    uint8_t head[kHead_bytes];
    const int64_t read = HostCall(SYS_pread64, fd.get(), head, sizeof(head), 0);
    if (read < 0) {
      return read;
    }
    ScriptLine line;
    const auto head_bytes = static_cast<size_t>(read);
    switch (ParseScriptLine(
        {reinterpret_cast<const char*>(head), head_bytes < kScriptHead_bytes ? head_bytes : kScriptHead_bytes}, line)) {
      case ScriptLineResult::kBroken:
        return -ENOEXEC;
      case ScriptLineResult::kNotAScript: {
        const int64_t error = CheckElf(fd.get(), static_cast<uint64_t>(status.st_size), {head, head_bytes});
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
