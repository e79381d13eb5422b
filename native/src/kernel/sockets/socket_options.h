// SPDX-License-Identifier: Apache-2.0
// Options that are the Junction kernel's own whatever the socket, and how values get to the guest.
#pragma once

#include <cstdint>

#include "kernel/files/file.h"

namespace junction {

/// Hands an option's value to the guest as getsockopt does: cut to its room (an int32 at `room`), the size told. 0, -EFAULT, -EINVAL.
int64_t StoreOption(const void* data, uint32_t size_bytes, uint64_t value, uint64_t room);

/// SO_RCVTIMEO and SO_SNDTIMEO, which no host socket needs to know since none blocks. True if it was one of them; `result` then.
bool SetTimeout(File& file, int level, int option, uint64_t value, int32_t size_bytes, int64_t& result);
bool GetTimeout(const File& file, int level, int option, uint64_t value, uint64_t room, int64_t& result);

}  // namespace junction
