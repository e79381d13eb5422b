// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernel/net/net_port.h"
#include "nic/nic_layout.h"

namespace junction {

/// Names the port's device and gives it its Ethernet addresses, MTU and offloads. Before net::AddDevice.
void DescribeDevice(NetPort& port, const NicSettings& settings);

/// Enters the instance's addresses, routes and static neighbours on the port's device, which the stack knows by now. 0 or -errno.
int64_t EnterAddresses(net::Stack& stack, const NetPort& port, const NicSettings& settings);

}  // namespace junction
