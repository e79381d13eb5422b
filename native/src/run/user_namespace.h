// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/error.h"
#include "base/unique_fd.h"

namespace junction {

/// The host ids that an instance's ids 0, 1, 2, ... are.
struct IdRange {
  uint32_t first_host_id = 0;
  uint32_t count = 65536;
};

/// Makes a user namespace in which ids 0 ... count - 1 are the range's host ids, and returns a descriptor of it. Needs
/// CAP_SYS_ADMIN, CAP_SETUID and CAP_SETGID of the host. Used twice: the image's files are mapped by it, the guest lives in it.
Result<UniqueFd> MakeUserNamespace(const IdRange& range);

}  // namespace junction
