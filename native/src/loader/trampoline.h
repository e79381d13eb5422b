// SPDX-License-Identifier: Apache-2.0
// What a rewritten site jumps to.
//
//   site whose `syscall` stays                      site whose `syscall` moves
//     moved instructions                              moved instructions before it
//     lea  <after the syscall>(%rip), %rcx            lea  L(%rip), %rcx
//     jmp  *%gs:KT_ENTRY                              jmp  *%gs:KT_ENTRY
//                                                     syscall           <- where an interrupted call is resumed
//                                                   L: moved instructions after it
//                                                     jmp  <after them>
//
// In both, the two bytes before the address in rcx are a `syscall` (entry.S relies on it). Moved RIP-relative operands are adjusted.
// The entry's address is read from the kthread (GS): so a trampoline depends on nothing but its distance from the text, and patched
// images can be kept in files that any build of the kernel with the same KT_ENTRY may map.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "loader/patch_site.h"

namespace junction {

inline constexpr size_t kMaxTrampoline_bytes = 80;

struct TrampolinePlace {
  uint64_t text_address;  // where the text runs
  uint64_t address;       // where the trampoline will run
};

/// Writes the trampoline of a site; its size, or 0 if some address is out of reach (2 GiB). The site must be sound (IsSiteSound).
size_t WriteTrampoline(std::span<const uint8_t> text, const PatchSite& site, const TrampolinePlace& place,
                       std::span<uint8_t, kMaxTrampoline_bytes> code);

/// Bytes that the site's jump replaces: where they start, and how many.
struct ReplacedBytes {
  uint32_t offset;
  uint32_t size_bytes;
};
ReplacedBytes ReplacedBy(const PatchSite& site);

/// Writes the jump, and int3 over the rest of the replaced bytes. `jump_address`: where it runs. False if out of reach.
bool WriteJump(uint64_t jump_address, uint64_t trampoline_address, std::span<uint8_t> replaced);

}  // namespace junction
