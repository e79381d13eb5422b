// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/error.h"

namespace junction {

struct GuestIdentity {
  int user_namespace_fd = -1;
  uint32_t uid = 0;  // within the namespace
  uint32_t gid = 0;
};

/// Turns the calling process, which must have one thread, into the guest's user: enters the user namespace, drops
/// supplementary groups and every capability for good, sets the resource limits and no_new_privs. Nothing privileged is
/// possible afterwards.
Result<void> BecomeGuest(const GuestIdentity& identity);

/// Drops all capabilities of the calling process but CAP_KILL, by which the monitor signals the guest, and sets
/// no_new_privs.
Result<void> KeepOnlyKillCapability();

}  // namespace junction
