// SPDX-License-Identifier: Apache-2.0
// mremap. Read first: mremap(2).
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kernel/door/guest_handlers.h"
#include "kernel/door/loader_hooks.h"
#include "kernel/guest/guest_range.h"
#include "kernel/memory/memory_limit.h"
#include "kernel/memory/memory_lock.h"
#include "kernel/memory/vma.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

namespace junction {
namespace {

struct RemapRequest {
  uint64_t address;
  uint64_t old_size_bytes;  // as given; whole pages below
  uint64_t new_size_bytes;
  uint64_t flags;
  uint64_t new_address;

  bool is_fixed() const { return (flags & MREMAP_FIXED) != 0; }
  bool keeps_old() const { return old_size_bytes == 0 || (flags & MREMAP_DONTUNMAP) != 0; }
  uint64_t old_end() const { return address + PageUp(old_size_bytes); }
  uint64_t new_size() const { return PageUp(new_size_bytes); }
};

// Enters [low, high) as a piece of what `vma` shows, as if that began at `origin`.
void RecordPiece(AddressSpace& space, const Vma& vma, uint64_t origin, uint64_t low, uint64_t high) {
  Vma piece = vma;
  piece.start = low;
  piece.end = high;
  piece.offset = vma.object == nullptr ? 0 : vma.offset + (low - origin);
  if (piece.object != nullptr) {
    ++piece.object->references;
  }
  InsertVma(space, piece);
}

// The mapping at the end of the old range now reaches further.
void RecordGrowth(AddressSpace& space, uint64_t end, uint64_t more_bytes) {
  if (const Vma* const last = FindVma(space, end - 1); last != nullptr) {
    RecordPiece(space, *last, last->start, end, end + more_bytes);
  }
}

// Enters at `now_at` what lies in the old range: several mappings where Linux (from 6.17 on) moves them together.
void RecordMove(AddressSpace& space, const RemapRequest& request, uint64_t now_at) {
  const uint64_t distance = now_at - request.address;
  const uint64_t end = request.old_size_bytes == 0 ? request.address + request.new_size() : request.old_end();
  for (uint64_t at = request.address; at < end;) {
    const Vma* const vma = FindVmaFrom(space, at);
    if (vma == nullptr || vma->start >= end || !SetSpareVmasAside(space)) {
      break;
    }
    const uint64_t low = vma->start < at ? at : vma->start;
    // With an old size of 0 the new mapping may show more of the object than the old one did.
    const uint64_t high = vma->end < end && request.old_size_bytes != 0 ? vma->end : end;
    RecordPiece(space, *vma, vma->start + distance, low + distance, high + distance);
    at = high;
  }
  if (!request.keeps_old()) {
    RemoveVmas(space, request.address, request.old_end());
  }
}

void RecordRemap(AddressSpace& space, const RemapRequest& request, uint64_t now_at) {
  const KernelLockGuard guard;
  const uint64_t old_size = request.old_end() - request.address;
  RemapRequest kept = request;
  if (old_size > request.new_size()) {
    RemoveVmas(space, request.address + request.new_size(), request.old_end());
    kept.old_size_bytes = request.new_size();
  }
  if (now_at != request.address) {
    RecordMove(space, kept, now_at);
  }
  if (old_size != 0 && request.new_size() > old_size) {
    RecordGrowth(space, now_at + old_size, request.new_size() - old_size);
  }
}

// True if the host has nothing where the table has something.
bool IsGone(const AddressSpace& space, uint64_t low, uint64_t high) {
  const Vma* const vma = FindVmaFrom(space, low);
  if (vma == nullptr || vma->start >= high) {
    return false;
  }
  uint8_t is_resident = 0;
  return HostCall(SYS_mincore, vma->start < low ? low : vma->start, kPageSize_bytes, &is_resident) == -ENOMEM;
}

// A fixed mremap may fail after it has made room.
void RecordFailure(AddressSpace& space, const RemapRequest& request) {
  const uint64_t new_end = request.new_address + request.new_size();
  const uint64_t cut_at = request.address + request.new_size();
  const KernelLockGuard guard;
  if (IsGone(space, request.new_address, new_end)) {
    RemoveVmas(space, request.new_address, new_end);
  }
  if (IsGone(space, cut_at, request.old_end())) {
    RemoveVmas(space, cut_at, request.old_end());
  }
}

// RLIMIT_AS and the table. Memory lock held.
int64_t CheckRemap(AddressSpace& space, const RemapRequest& request) {
  const uint64_t given_up = request.keeps_old() ? 0 : PageUp(request.old_size_bytes);
  if (request.new_size() <= given_up) {
    return CheckGrowth(space, 0, 0, 0);
  }
  const uint64_t replaced_high = request.is_fixed() ? request.new_address + request.new_size() : 0;
  return CheckGrowth(space, request.new_size() - given_up, request.new_address, replaced_high);
}

}  // namespace

int64_t SysMremap(Call& call) {
  const RemapRequest request = {call.arg(0), call.arg(1), call.arg(2), call.arg(3), call.arg(4)};
  if (IsKernelRange(request.address, request.old_size_bytes) ||
      (request.is_fixed() && IsKernelRange(request.new_address, request.new_size_bytes))) {
    return -EINVAL;
  }
  AddressSpace& space = *call.process().memory;
  const MemoryLockGuard guard(space);
  if (const int64_t error = CheckRemap(space, request); error != 0) {
    return error;
  }
  const int64_t result = call.ToHost();
  if (IsHostError(result)) {
    if (request.is_fixed()) {
      RecordFailure(space, request);
    }
    return result;
  }
  const auto now_at = static_cast<uint64_t>(result);
  if (request.is_fixed()) {
    g_loader_hooks.forget_range(now_at, request.new_size());
  }
  if (now_at != request.address && !request.keeps_old()) {
    g_loader_hooks.forget_range(request.address, PageUp(request.old_size_bytes));
  }
  RecordRemap(space, request, now_at);
  return result;
}

}  // namespace junction
