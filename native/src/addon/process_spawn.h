// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "addon/process_identity.h"

namespace junction::addon {

/// What SpawnDetached starts; see ProcessHandle.spawnDetached in libs/native-binding.
struct SpawnRequest {
  std::string file;
  std::vector<std::string> argv;
  std::vector<std::string> env;  // NAME=value
  std::string cwd;               // empty = ours
  std::string stdout_file;       // empty = /dev/null
  std::string stderr_file;
};

/// Starts a program as a session leader, sharing memory with this process until it has called execve (as vfork(2)), so
/// that the cost does not grow with our size. Blocks until then: a fraction of a millisecond. The error names the step.
Result<HeldProcess> SpawnDetached(const SpawnRequest& request);

}  // namespace junction::addon
