// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"

namespace junction {

/// How a guest ended.
struct GuestExit {
  int exit_code = 0;  // 128 + signal when a signal ended it
  int signal = 0;     // 0: it ended by itself
  bool is_oom_killed = false;
  uint64_t exited_at_ns = 0;  // since 1970
  std::string error;          // why junction_run itself failed; empty if it did not
};

/// Whose the guest is, on the host.
struct GuestOwner {
  uint32_t uid_base = 0;
  uint32_t host_uid = 0;
  uint32_t host_gid = 0;
};

/// What status.json records of an instance.
struct InstanceStatus {
  pid_t pid = 0;  // the guest's first process, on the host
  pid_t monitor_pid = 0;
  uint64_t start_time_ticks = 0;  // field 22 of /proc/<pid>/stat: with the pid it names a process for ever
  uint64_t monitor_start_time_ticks = 0;
  uint64_t started_at_ns = 0;                    // since 1970
  GuestOwner owner = {};                         // for who clones it
  std::string links_path = {};                   // where peers of its NIC attach; empty: it has none
  std::optional<GuestExit> exit = std::nullopt;  // set: the state is "exited"
};

/// The JSON text of a status: `{"state":"running|exited","pid",...}`; times are decimal strings.
std::string StatusJson(const InstanceStatus& status);

/// Writes `<dir>/status.json` so that a reader sees either the old or the new one as a whole.
Result<void> WriteStatusFile(const std::string& dir, const InstanceStatus& status);

/// When a process started, in clock ticks since boot. Fails if there is no such process.
Result<uint64_t> StartTimeTicks(pid_t pid);

}  // namespace junction
