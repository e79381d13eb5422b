// SPDX-License-Identifier: Apache-2.0
// Prints docs/syscalls.md:  syscalls_document > docs/syscalls.md
#include <cstdio>

#include "kernel/door/syscalls_document.h"

int main() { return std::fputs(junction::RenderSyscallsDocument().c_str(), stdout) < 0 ? 1 : 0; }
