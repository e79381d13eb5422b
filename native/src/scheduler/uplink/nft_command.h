// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/error.h"

namespace junction::scheduler {

/// The program: an absolute path, or a name that is looked for in the folders where systems have it. ENOENT if it is nowhere.
Result<std::string> FindNft(const std::string& name);

/// Runs `nft -f -` with the text. Blocks until it has ended. The error is the first line that it printed.
Result<void> RunNft(const std::string& program, const std::string& text);

/// Runs `nft list chains` and gives what it printed.
Result<std::string> ListNftChains(const std::string& program);

}  // namespace junction::scheduler
