// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace junction {

/// docs/syscalls.md, made of guest_syscalls.inc.
std::string RenderSyscallsDocument();

}  // namespace junction
