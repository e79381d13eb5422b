// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <linux/limits.h>

#include <cstddef>

namespace junction {

/// True if the path names the calling process' own program: /proc/self/exe, /proc/thread-self/exe, /proc/<own pid>/exe.
bool IsOwnExePath(const char* path);

/// Copies a path with its NUL; `to` has PATH_MAX bytes and `from` is no longer than that.
void CopyPath(char* to, const char* from);

/// Length of a NUL-terminated text.
size_t TextLength(const char* text);

}  // namespace junction
