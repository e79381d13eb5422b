// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "base/error.h"
#include "nic/link_server.h"
#include "nic/nic_memory.h"
#include "run/junction_config.h"
#include "run/run_options.h"

namespace junction {

/// The NIC of an instance, as its monitor holds it. Both empty: the instance has none.
struct InstanceNic {
  std::unique_ptr<NicMemory> memory;  // at an address of its own, which the server keeps
  std::optional<LinkServer> links;

  /// What the instance gets; valid for as long as this lives.
  NicDescriptors descriptors() const { return memory ? memory->descriptors() : NicDescriptors{}; }
};

/// Makes it and listens for peers, if the options want a NIC. Fails if the configuration has no host_addr.
Result<InstanceNic> MakeInstanceNic(const JunctionConfig& config, const RunOptions& options);

/// Addresses of the instance and of its links' peers: link k (from 1) leads to 02:6a:75:6e:00:0k, 169.254.254.k and fe80::6a75:k, which are the
/// same in each instance, as a link has two ends only. The uplink's neighbours are found by ARP and ND.
NicSettings NicSettingsOf(const JunctionConfig& config, uint32_t links);

}  // namespace junction
