// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.h"
#include "run/junction_config.h"
#include "run/run_options.h"

namespace junction {

/// Runs one instance from its start to its end. Returns the exit status of junction_run; an error is a failure of
/// junction_run itself before there was a guest. Must be called with one thread, as the host's root.
Result<int> RunInstance(const JunctionConfig& config, const RunOptions& options);

/// Runs a further program in the instance that options.add_to names. Returns as above, also for a program that is not there.
Result<int> RunAddition(const RunOptions& options);

/// Prints that there never was a guest, records it in `<instance_dir>/status.json` and tells the notify socket.
void RecordFailure(const RunOptions& options, const Error& error, int exit_status);

}  // namespace junction
