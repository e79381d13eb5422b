// SPDX-License-Identifier: Apache-2.0
// Ranges of addresses as guests give them.
#pragma once

#include <cstdint>

namespace junction {

inline constexpr uint64_t kPageSize_bytes = 4096;
inline constexpr uint64_t kGuestAddressesEnd = 0x7ffffffff000;  // TASK_SIZE of x86-64 with four levels

/// Rounded up to a page; 0 if that overflows.
constexpr uint64_t PageUp(uint64_t value) { return (value + kPageSize_bytes - 1) & ~(kPageSize_bytes - 1); }
constexpr bool IsPageAligned(uint64_t value) { return value % kPageSize_bytes == 0; }

/// True if [address, address + size) touches memory of the Junction kernel. Refused as far as it is cheap: a guest that wants to break
/// its own process can do so by a plain store.
bool IsKernelRange(uint64_t address, uint64_t size_bytes);

}  // namespace junction
