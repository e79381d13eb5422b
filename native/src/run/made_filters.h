// SPDX-License-Identifier: Apache-2.0
// The filters that junction_run installs, made from the tables when it is built (made_filters_main.cc): at each start that took as long
// as to install one.
#pragma once

#include <linux/filter.h>

#include <span>

namespace junction {

/// The filter of the monitor.
std::span<const sock_filter> MonitorFilter();

/// The filter of an instance's processes, with a NIC or without. It admits calls of junction_run's own image only.
std::span<const sock_filter> GuestFilter(bool has_nic);

}  // namespace junction
