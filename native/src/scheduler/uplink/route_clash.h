// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "scheduler/uplink/addresses.h"

namespace junction::scheduler {

/// Looks for a route of the host into `range` by another device than `device`, in the text of /proc/net/route (IPv4) or /proc/net/ipv6_route.
/// Default routes are none. The answer names route and device.
std::optional<std::string> FindRouteClash(const Cidr& range, std::string_view device, std::string_view routes);

/// Whether /proc/net/ipv6_route has a default route: the host reaches the outside by IPv6.
bool HasDefaultRoute6(std::string_view routes);

}  // namespace junction::scheduler
