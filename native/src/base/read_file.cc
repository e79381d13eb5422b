// SPDX-License-Identifier: Apache-2.0
#include "base/read_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"

namespace junction {

Result<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    return ErrnoError(path);
  }
  std::string text;
  char chunk[4096];
  for (;;) {
    const ssize_t count = read(fd.get(), chunk, sizeof(chunk));
    if (count < 0) {
      if (errno == EINTR) {
        continue;
      }
      return ErrnoError(path);
    }
    if (count == 0) {
      return text;
    }
    if (text.size() + static_cast<size_t>(count) > max_bytes) {
      return ErrnoError(path, EFBIG);
    }
    text.append(chunk, static_cast<size_t>(count));
  }
}

}  // namespace junction
