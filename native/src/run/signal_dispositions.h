// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace junction {

/// What a process does with its signals; bit n - 1 stands for signal n.
struct SignalDispositions {
  uint64_t ignored = 0;
  uint64_t caught = 0;

  /// Whether signal `number` would have its default effect.
  bool IsDefault(int number) const { return ((ignored | caught) & (uint64_t{1} << (number - 1))) == 0; }
};

/// Reads the dispositions out of the text of /proc/<pid>/status.
SignalDispositions ParseSignalDispositions(std::string_view status);

/// Those of a process.
Result<SignalDispositions> ReadSignalDispositions(pid_t pid);

}  // namespace junction
