// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"

namespace junction {

/// A running instance that something is asked of (kernel_request.h), as its status.json describes it.
struct RunningInstance {
  pid_t pid = -1;  // of its first process
  UniqueFd pid_fd;
  uint32_t uid_base = 0;
  uint32_t host_uid = 0;  // of its guest, on the host
  uint32_t host_gid = 0;
  bool has_nic = false;
};

/// Looks the instance up whose --instance_dir is `dir`. Fails if it does not run (any more).
Result<RunningInstance> FindRunningInstance(const std::string& dir);

}  // namespace junction
