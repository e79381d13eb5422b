// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "run/sandbox_root.h"

namespace junction {

/// Makes the synthesised files of a guest below the open folder `scratch_fd` (see EnterRoot): dev/, sys/, tmp/ and, in
/// upper/, the mount points and /etc/{hostname,hosts,resolv.conf}.
Result<void> MakeSandboxFiles(int scratch_fd, const RootPlan& plan);

/// The list of CPUs 0 ... count - 1 as /sys writes it.
std::string CpuList(uint32_t count);

/// The text of the guest's /etc/hosts.
std::string HostsFile(const RootPlan& plan);

}  // namespace junction
