// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace junction {

/// The text of docs/host-syscalls.md, made from the host-syscall table.
std::string HostSyscallsDocument();

}  // namespace junction
