// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "nic/nic_layout.h"

namespace junction {

/// The descriptors of a NIC, as the first process of an instance inherits them from junction_run (close-on-exec) and a clone gets them with its
/// order. Whoever holds the struct does not own them.
struct NicDescriptors {
  int memory = -1;          // the sealed memfd, geometry.size_bytes() long
  int instance_event = -1;  // eventfd, non-blocking: wakes the instance (kInPoller); peers write, the instance reads
  int peer_events[kMaxNicPorts] = {-1, -1, -1, -1, -1, -1, -1, -1};  // a port's: wakes its peer; -1 beyond port_count
  NicGeometry geometry;
};

}  // namespace junction
