// SPDX-License-Identifier: Apache-2.0
// The only way in which the kernel touches memory whose address came from the guest. A fault becomes a result: the host's
// SIGSEGV handler finds the copying instruction in its fault table (signal_delivery.cc). Only inside an emulated call.
#pragma once

#include <cstddef>
#include <cstdint>

#include "uthread/address_map.h"

extern "C" {
size_t junction_copy(void* to, const void* from, size_t size);
int64_t junction_copy_text(char* to, const char* from, size_t size);
}

namespace junction {

/// True if the range touches the Junction kernel's own memory. A guest can write there by itself, but no pointer that it passes by mistake
/// may turn into a write of ours.
constexpr bool IsKernelMemory(uint64_t address, size_t size_bytes) {
  const uint64_t end = address + size_bytes;
  return (address < kKernelAreaHigh && end > kKernelAreaLow) || (address < kFixedAreaHigh && end > kImageLow) ||
         end < address;
}

/// The same of one address, which need not be valid.
constexpr bool IsKernelAddress(uint64_t address) {
  return address - kKernelAreaLow < kKernelAreaHigh - kKernelAreaLow ||
         address - kImageLow < kFixedAreaHigh - kImageLow;
}

/// Copies in; false if part of the range cannot be read.
inline bool CopyFromGuest(void* to, uint64_t from, size_t size_bytes) {
  return !IsKernelMemory(from, size_bytes) && junction_copy(to, reinterpret_cast<const void*>(from), size_bytes) == 0;
}

/// Copies out; false if part of the range cannot be written.
inline bool CopyToGuest(uint64_t to, const void* from, size_t size_bytes) {
  return !IsKernelMemory(to, size_bytes) && junction_copy(reinterpret_cast<void*>(to), from, size_bytes) == 0;
}

/// Copies a NUL-terminated text; its length, or -EFAULT, or -ENAMETOOLONG if it does not fit with its NUL.
int64_t CopyTextFromGuest(char* to, uint64_t from, size_t capacity_bytes);

}  // namespace junction
