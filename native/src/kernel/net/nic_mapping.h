// SPDX-License-Identifier: Apache-2.0
// Where the NIC's memory and descriptors are in a process. Kernel lock held, or nobody else is there yet. -errno on failure.
#pragma once

#include <cstdint>

#include "kernel/files/file.h"
#include "nic/nic_descriptors.h"
#include "uthread/address_map.h"

namespace junction {

/// Takes the descriptors over: they are the kernel's from now on, in the process of `table` and its children, over each exec.
int64_t KeepNicDescriptors(FdTable& table, const NicDescriptors& nic);

/// Maps the NIC at its address: in a process that has none there yet or, with `replaces`, in the place of another one (a clone's).
int64_t MapNic(const FdTable& table, const NicGeometry& geometry, bool replaces);

inline NicView MappedNic(const NicGeometry& geometry) { return {reinterpret_cast<uint8_t*>(kNicAddress), geometry}; }

}  // namespace junction
