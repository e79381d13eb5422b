// SPDX-License-Identifier: Apache-2.0
#include "kernel/net/nic_mapping.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <cerrno>

#include "uthread/host_call.h"

namespace junction {

// The largest geometry is not what we reserve addresses for, but none beyond them is mapped.
static_assert(kNicHeader_bytes + 2ULL * kRingSize_bytes * kMaxNicPorts * kMaxQueuePairs <= kNicMax_bytes);

int64_t KeepNicDescriptors(FdTable& table, const NicDescriptors& nic) {
  if (!nic.geometry.is_valid()) {
    return -EINVAL;
  }
  int64_t number = ReserveHostFd(table, nic.memory, ReservedFor::kNicMemory);
  if (number >= 0) {
    number = ReserveHostFd(table, nic.instance_event, ReservedFor::kInstanceEvent);
  }
  for (uint32_t port = 0; port < nic.geometry.port_count && number >= 0; ++port) {
    const auto purpose = static_cast<ReservedFor>(static_cast<uint32_t>(ReservedFor::kPeerEvent) + port);
    number = ReserveHostFd(table, nic.peer_events[port], purpose);
  }
  return number < 0 ? number : 0;
}

int64_t MapNic(const FdTable& table, const NicGeometry& geometry, bool replaces) {
  const int32_t fd = FindReservedFd(table, ReservedFor::kNicMemory);
  const int64_t mapped = HostCall(SYS_mmap, kNicAddress, geometry.size_bytes(), PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_NORESERVE | (replaces ? MAP_FIXED : MAP_FIXED_NOREPLACE), fd, 0);
  return IsHostError(mapped) ? mapped : 0;
}

}  // namespace junction
