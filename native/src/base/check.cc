// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace junction {
namespace {

void WriteText(const char* text) {
  // A short write here has no remedy: the process is about to abort.
  [[maybe_unused]] const auto written = write(STDERR_FILENO, text, std::strlen(text));
}

}  // namespace

void CheckFailed(const char* condition, const char* file, int line) {
  char digits[16];
  char* end = digits + sizeof(digits) - 1;
  *end = '\0';
  do {
    *--end = static_cast<char>('0' + line % 10);
    line /= 10;
  } while (line > 0);
  WriteText("junction: broken invariant: ");
  WriteText(condition);
  WriteText(" at ");
  WriteText(file);
  WriteText(":");
  WriteText(end);
  WriteText("\n");
  std::abort();
}

}  // namespace junction
