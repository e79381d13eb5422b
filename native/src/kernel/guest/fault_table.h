// SPDX-License-Identifier: Apache-2.0
// Instructions of ours that may fault on a guest's pointer, and where to go on then. Used by the host's SIGSEGV and SIGBUS handler.
#pragma once

#include <cstdint>

namespace junction {

/// Where a fault at instruction `rip` continues; 0 if no such instruction is known.
uint64_t FindFaultResume(uint64_t rip);

}  // namespace junction
