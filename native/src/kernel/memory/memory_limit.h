// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernel/memory/memory.h"

namespace junction {

/// Whether `more_bytes` may be mapped, of which what lies in [replaced_low, replaced_high) is given up: 0, or -ENOMEM (RLIMIT_AS, or no
/// room for the table of mappings). Before every call that changes mappings. Memory lock held, kernel lock not.
int64_t CheckGrowth(AddressSpace& space, uint64_t more_bytes, uint64_t replaced_low, uint64_t replaced_high);

}  // namespace junction
