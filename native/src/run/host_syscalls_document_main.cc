// SPDX-License-Identifier: Apache-2.0
// Prints docs/host-syscalls.md.
#include <cstdio>

#include "run/host_syscalls_document.h"

int main() {
  std::fputs(junction::HostSyscallsDocument().c_str(), stdout);
  return 0;
}
