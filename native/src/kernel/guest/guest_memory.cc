// SPDX-License-Identifier: Apache-2.0
#include "kernel/guest/guest_memory.h"

#include <cerrno>

namespace junction {

int64_t CopyTextFromGuest(char* to, uint64_t from, size_t capacity_bytes) {
  if (IsKernelMemory(from, 1)) {
    return -EFAULT;
  }
  const int64_t length = junction_copy_text(to, reinterpret_cast<const char*>(from), capacity_bytes);
  if (length < 0) {
    return -EFAULT;
  }
  return static_cast<size_t>(length) == capacity_bytes ? -ENAMETOOLONG : length;
}

}  // namespace junction
