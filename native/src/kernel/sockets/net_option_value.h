// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernel/guest/guest_memory.h"
#include "kernel/sockets/socket_options.h"

namespace junction {

/// An option that is an int: 0 or -EINVAL (too short), -EFAULT.
inline int64_t LoadIntOption(uint64_t value, int32_t size_bytes, int32_t& out) {
  if (size_bytes < static_cast<int32_t>(sizeof(out))) {
    return -EINVAL;
  }
  return CopyFromGuest(&out, value, sizeof(out)) ? 0 : -EFAULT;
}

/// Those of IP level, which may be a single byte as well (ip_setsockopt).
inline int64_t LoadShortOption(uint64_t value, int32_t size_bytes, int32_t& out) {
  if (size_bytes >= static_cast<int32_t>(sizeof(out))) {
    return LoadIntOption(value, size_bytes, out);
  }
  uint8_t byte = 0;
  if (size_bytes >= 1 && !CopyFromGuest(&byte, value, sizeof(byte))) {
    return -EFAULT;
  }
  out = byte;
  return 0;
}

inline int64_t StoreIntOption(int32_t number, uint64_t value, uint64_t room) {
  return StoreOption(&number, sizeof(number), value, room);
}

/// IP level: one byte to who has room for no more (do_ip_getsockopt).
inline int64_t StoreShortOption(int32_t number, uint64_t value, uint64_t room) {
  int32_t size;
  if (!CopyFromGuest(&size, room, sizeof(size))) {
    return -EFAULT;
  }
  if (size > 0 && size < static_cast<int32_t>(sizeof(number)) && number >= 0 && number <= 255) {
    const auto byte = static_cast<uint8_t>(number);
    return StoreOption(&byte, sizeof(byte), value, room);
  }
  return StoreIntOption(number, value, room);
}

}  // namespace junction
