// SPDX-License-Identifier: Apache-2.0
// Files go to the host. Only the link to the program itself is ours: on the host it would show junction_run.
#include "kernel/guest_handlers.h"
#include "kernel/guest_memory.h"
#include "kernel/guest_path.h"
#include "kernel/uproc.h"

namespace junction {
namespace {

constexpr size_t kOwnExePathCapacity_bytes = 64;  // longer than any path that IsOwnExePath knows

bool IsOwnExe(uint64_t path) {
  char text[kOwnExePathCapacity_bytes];
  return CopyTextFromGuest(text, path, sizeof(text)) > 0 && IsOwnExePath(text);
}

int64_t ReadOwnExe(uint64_t buffer, uint64_t capacity_bytes) {
  if (static_cast<int32_t>(capacity_bytes) <= 0) {
    return -EINVAL;
  }
  size_t size = TextLength(g_uproc.exe_path);
  size = size < capacity_bytes ? size : capacity_bytes;
  return CopyToGuest(buffer, g_uproc.exe_path, size) ? static_cast<int64_t>(size) : -EFAULT;
}

}  // namespace

int64_t SysReadlink(Call& call) { return IsOwnExe(call.arg(0)) ? ReadOwnExe(call.arg(1), call.arg(2)) : call.Pass(); }

int64_t SysReadlinkat(Call& call) { return IsOwnExe(call.arg(1)) ? ReadOwnExe(call.arg(2), call.arg(3)) : call.Pass(); }

int64_t SysOpen(Call& call) { return IsOwnExe(call.arg(0)) ? call.PassWith(0, g_uproc.exe_path) : call.Pass(); }

int64_t SysOpenat(Call& call) { return IsOwnExe(call.arg(1)) ? call.PassWith(1, g_uproc.exe_path) : call.Pass(); }

}  // namespace junction
