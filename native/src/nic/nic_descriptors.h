// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "nic/nic_layout.h"

namespace junction {

/// The descriptors of a NIC, as the first process of an instance inherits them from junction_run (close-on-exec) and a clone gets them with its
/// order. Whoever holds the struct does not own them.
struct NicDescriptors {
  int memory = -1;  // the sealed memfd, geometry.size_bytes() long
  // Pipes, as what is written to one end cannot block or be blocked by flags that the other side sets (nic_memory.h). A byte wakes; how many
  // there are means nothing. All non-blocking.
  int instance_event =
      -1;  // read end: readable when the instance is to wake (kInPoller). Read all that is there, up to a page, on waking.
  int peer_events[kMaxNicPorts] = {-1, -1, -1, -1, -1,
                                   -1, -1, -1};  // write ends: write a byte to wake a port's peer; -1 beyond port_count
  NicGeometry geometry;
};

}  // namespace junction
