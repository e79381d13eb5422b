// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/error.h"

namespace junction {

/// Binds a new mount namespace to `path`, a file that is made if it is missing: all instances of a node can begin with it (--mntns). Nothing is
/// in it but a read-only tmpfs with the folder /stage. To be called as root, by a process with one thread.
Result<void> MakeEmptyNamespace(const std::string& path);

}  // namespace junction
