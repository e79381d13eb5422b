// SPDX-License-Identifier: Apache-2.0
#include "kernel/guest/guest_path.h"

#include "kernel/process/uproc.h"

namespace junction {
namespace {

// Returns what follows `prefix` in `path`, or null.
const char* AfterPrefix(const char* path, const char* prefix) {
  while (*prefix != '\0') {
    if (*path++ != *prefix++) {
      return nullptr;
    }
  }
  return path;
}

bool IsText(const char* a, const char* b) {
  const char* rest = AfterPrefix(a, b);
  return rest != nullptr && *rest == '\0';
}

}  // namespace

bool IsOwnExePath(const char* path) {
  const char* rest = AfterPrefix(path, "/proc/");
  if (rest == nullptr) {
    return false;
  }
  if (IsText(rest, "self/exe") || IsText(rest, "thread-self/exe")) {
    return true;
  }
  uint64_t id = 0;
  int digits = 0;
  while (*rest >= '0' && *rest <= '9' && digits < 10) {
    id = id * 10 + static_cast<uint64_t>(*rest++ - '0');
    ++digits;
  }
  return digits > 0 && id == static_cast<uint64_t>(CurrentProcess().pid) && IsText(rest, "/exe");
}

void CopyPath(char* to, const char* from) {
  for (size_t i = 0; i < PATH_MAX; ++i) {
    to[i] = from[i];
    if (from[i] == '\0') {
      return;
    }
  }
  to[PATH_MAX - 1] = '\0';
}

size_t TextLength(const char* text) {
  size_t length = 0;
  while (text[length] != '\0') {
    ++length;
  }
  return length;
}

}  // namespace junction
