// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace junction {

/// How often Linux has killed a process of a memory cgroup for want of memory. Cgroup v1 (memory.oom_control) and v2
/// (memory.events).
class OomCount {
 public:
  /// Finds the memory cgroup among `cgroup_dirs`; without one the count stays 0.
  explicit OomCount(const std::vector<std::string>& cgroup_dirs);

  uint64_t Read() const;

 private:
  UniqueFd fd_;
};

/// The number behind the word `oom_kill` in such a file, 0 if it is not there.
uint64_t ParseOomKills(std::string_view text);

}  // namespace junction
