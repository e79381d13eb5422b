// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "scheduler/uplink/addresses.h"

namespace junction::scheduler {

inline constexpr size_t kMaxAllows = 64;

/// A destination that an instance may reach beyond the default policy (README.md): the host's own services, link-local addresses, other
/// instances.
struct Allow {
  Cidr to;
  uint16_t port = 0;  // of TCP and UDP; 0 = any, and any protocol

  auto operator<=>(const Allow&) const = default;
};

using AllowList = std::vector<Allow>;

/// Whether it has an entry for the address; `port` 0 asks for entries of any port only.
template <typename Ip>
bool Allows(const AllowList& list, const Ip& to, uint16_t port) {
  return std::ranges::any_of(
      list, [&](const Allow& allow) { return allow.to.Contains(to) && (allow.port == 0 || allow.port == port); });
}

/// Whether there is anything at that address that may be reached: then who is there may be asked for, too.
template <typename Ip>
bool AllowsSome(const AllowList& list, const Ip& to) {
  return std::ranges::any_of(list, [&](const Allow& allow) { return allow.to.Contains(to); });
}

}  // namespace junction::scheduler
