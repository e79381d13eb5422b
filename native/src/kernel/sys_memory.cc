// SPDX-License-Identifier: Apache-2.0
// Address space calls. Memory of the Junction kernel in a guest's way is a guest's mistake, refused as far as it is cheap: a
// guest that wants to break its own process can do so by a plain store.
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kernel/address_map.h"
#include "kernel/guest_handlers.h"
#include "kernel/host_call.h"
#include "kernel/uproc.h"

namespace junction {
namespace {

constexpr uint64_t kPageSize_bytes = 4096;

constexpr uint64_t PageUp(uint64_t value) { return (value + kPageSize_bytes - 1) & ~(kPageSize_bytes - 1); }

bool IsOurs(uint64_t address, uint64_t size_bytes) {
  return AddressRange{kImageLow, kFixedAreaHigh}.Overlaps(address, size_bytes) ||
         AddressRange{kThreadAreaLow, kThreadAreaHigh}.Overlaps(address, size_bytes) ||
         g_uproc.hooks.is_trampoline(address, size_bytes);
}

}  // namespace

int64_t SysMmap(Call& call) {
  const uint64_t size_bytes = call.arg(1);
  const int protection = call.fd(2);
  const int flags = call.fd(3);
  HostLockGuard guard(g_uproc.memory_lock);
  if ((flags & MAP_FIXED) != 0) {
    if (IsOurs(call.arg(0), size_bytes)) {
      return -ENOMEM;
    }
    g_uproc.hooks.forget_range(call.arg(0), size_bytes);
  }
  const int64_t address = HostCall(SYS_mmap, call.arg(0), size_bytes, protection, flags, call.fd(4), call.arg(5));
  const bool is_code =
      (protection & PROT_EXEC) != 0 && (flags & MAP_ANONYMOUS) == 0 && (flags & MAP_TYPE) == MAP_PRIVATE;
  if (!IsHostError(address) && is_code) {
    g_uproc.hooks.patch_mapping({call.fd(4), static_cast<uint64_t>(address), size_bytes, call.arg(5), protection});
  }
  return address;
}

int64_t SysMunmap(Call& call) {
  HostLockGuard guard(g_uproc.memory_lock);
  if (IsOurs(call.arg(0), call.arg(1))) {
    return -EINVAL;
  }
  const int64_t result = HostCall(SYS_munmap, call.arg(0), call.arg(1));
  if (result == 0) {
    g_uproc.hooks.forget_range(call.arg(0), PageUp(call.arg(1)));
  }
  return result;
}

int64_t SysMprotect(Call& call) {
  HostLockGuard guard(g_uproc.memory_lock);
  if (IsOurs(call.arg(0), call.arg(1))) {
    return -EACCES;
  }
  return HostCall(SYS_mprotect, call.arg(0), call.arg(1), call.arg(2));
}

int64_t SysMremap(Call& call) {
  HostLockGuard guard(g_uproc.memory_lock);
  const bool is_fixed = (call.arg(3) & MREMAP_FIXED) != 0;
  if (IsOurs(call.arg(0), call.arg(1)) || (is_fixed && IsOurs(call.arg(4), call.arg(2)))) {
    return -EINVAL;
  }
  return HostCall(SYS_mremap, call.arg(0), call.arg(1), call.arg(2), call.arg(3), call.arg(4));
}

// The host's own break lies behind our image, so the guest gets one of its own, made of ordinary mappings.
int64_t SysBrk(Call& call) {
  HostLockGuard guard(g_uproc.memory_lock);
  const uint64_t wanted = call.arg(0);
  if (wanted < g_uproc.brk_start || wanted > g_uproc.brk_limit) {
    return static_cast<int64_t>(g_uproc.brk_now);
  }
  const uint64_t mapped_end = PageUp(g_uproc.brk_now);
  const uint64_t wanted_end = PageUp(wanted);
  if (wanted_end > mapped_end) {
    const int64_t grown = HostCall(SYS_mmap, mapped_end, wanted_end - mapped_end, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (IsHostError(grown)) {
      return static_cast<int64_t>(g_uproc.brk_now);
    }
  } else if (wanted_end < mapped_end && HostCall(SYS_munmap, wanted_end, mapped_end - wanted_end) != 0) {
    return static_cast<int64_t>(g_uproc.brk_now);
  }
  g_uproc.brk_now = wanted;
  return static_cast<int64_t>(wanted);
}

}  // namespace junction
