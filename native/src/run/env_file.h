// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace junction {

/// The environment variables in the text of an --env_file: `K=V`, each ended by a NUL byte (the last one's may be
/// missing). Fails on an entry without a name or `=`; its message does not show the entry, which may hold a secret.
Result<std::vector<std::string>> ParseEnvFile(std::string_view text);

/// Those of a file of at most 4 MiB.
Result<std::vector<std::string>> ReadEnvFile(const std::string& path);

}  // namespace junction
