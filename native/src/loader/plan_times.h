// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>

#include "loader/patch_plan.h"

namespace junction {

/// The times of a file that a plan's key covers.
inline PlanFileTimes PlanTimesOf(const struct stat& status) {
  constexpr uint64_t kSecond_ns = 1'000'000'000;
  return {static_cast<uint64_t>(status.st_mtim.tv_sec) * kSecond_ns + static_cast<uint64_t>(status.st_mtim.tv_nsec),
          static_cast<uint64_t>(status.st_ctim.tv_sec) * kSecond_ns + static_cast<uint64_t>(status.st_ctim.tv_nsec)};
}

}  // namespace junction
