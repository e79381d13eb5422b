// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "base/error.h"
#include "run/guest_process.h"
#include "run/running_instance.h"

namespace junction {

/// A further program for a running instance.
struct AdditionPlan {
  std::string cwd;  // in the guest's root; must be there
  std::vector<std::string> argv;
  std::vector<std::string> env;  // K=V
  bool has_stdio = false;        // it gets the caller's; else /dev/null and the instance's log
};

/// Why there is no further program.
struct AdditionError {
  Error error;
  int exit_status;  // for junction_run: 126 or 127 where the program cannot be run (in that folder) or is not there
};

/// Starts it and waits until its first instruction comes next. Blocks up to 30 s.
std::expected<GuestProcess, AdditionError> StartAddition(const RunningInstance& instance, const AdditionPlan& plan);

}  // namespace junction
