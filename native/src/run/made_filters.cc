// SPDX-License-Identifier: Apache-2.0
#include "run/made_filters.h"

namespace junction {
namespace {

#include "made_filters.inc"

}  // namespace

std::span<const sock_filter> MonitorFilter() { return kMonitorProgram; }

std::span<const sock_filter> GuestFilter(bool has_nic) {
  return has_nic ? std::span<const sock_filter>(kNicGuestProgram) : std::span<const sock_filter>(kGuestProgram);
}

}  // namespace junction
