// SPDX-License-Identifier: Apache-2.0
#include "kernel/memory/memory_limit.h"

#include <cerrno>

#include "kernel/guest/guest_range.h"
#include "kernel/memory/vma.h"
#include "uthread/kernel_lock.h"

namespace junction {

int64_t CheckGrowth(AddressSpace& space, uint64_t more_bytes, uint64_t replaced_low, uint64_t replaced_high) {
  if (space.spare_count < kSpareVmas) {
    const KernelLockGuard guard;
    if (!SetSpareVmasAside(space)) {
      return -ENOMEM;
    }
  }
  if (more_bytes > kGuestAddressesEnd) {
    return 0;  // the host says what is wrong with it
  }
  if (space.size_bytes + more_bytes <= space.size_limit_bytes) {
    return 0;
  }
  const uint64_t replaced = MappedBytes(space, replaced_low, replaced_high);
  return space.size_bytes + more_bytes - replaced <= space.size_limit_bytes ? 0 : -ENOMEM;
}

}  // namespace junction
