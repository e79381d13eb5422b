// SPDX-License-Identifier: Apache-2.0
// Resource limits are the host's own, but for RLIMIT_AS: the arena alone is 64 GiB of addresses, so the host must not count. The guest's
// value is kept where the host keeps RLIMIT_LOCKS, which Linux has not enforced since 2.4.25: fork, exec and prlimit64 of other processes
// then carry it as they should.
#pragma once

#include <cstdint>

namespace junction {

/// Soft RLIMIT_AS of the calling process, bytes; ~0 = none.
uint64_t OwnAddressSpaceLimit();

}  // namespace junction
