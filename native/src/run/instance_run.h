// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/error.h"
#include "run/junction_config.h"
#include "run/run_options.h"

namespace junction {

/// Runs one instance from its start to its end. Returns the exit status of junction_run; an error is a failure of
/// junction_run itself before there was a guest. Must be called with one thread, as the host's root.
Result<int> RunInstance(const JunctionConfig& config, const RunOptions& options);

/// Records in `<instance_dir>/status.json` that there never was a guest, and tells the notify socket.
void RecordFailure(const RunOptions& options, const Error& error);

/// The environment variables in the text of an --env_file: `K=V`, each ended by a NUL byte (the last one's may be
/// missing). Fails on an entry without a name or `=`.
Result<std::vector<std::string>> ParseEnvFile(std::string_view text);

}  // namespace junction
