// SPDX-License-Identifier: Apache-2.0
// What a rewritten site jumps to.
//
//   site with before_bytes                          site with after_bytes
//     moved instructions                              lea  L(%rip), %rcx
//     lea  <after the syscall>(%rip), %rcx            jmp  *entry(%rip)
//     jmp  *entry(%rip)                               syscall           <- where an interrupted call is resumed
//                                                   L: moved instructions
//                                                     jmp  <after them>
//
// In both, the two bytes before the address in rcx are a `syscall` (entry.S relies on it). Moved RIP-relative operands are adjusted.
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
  uint64_t entry_at;      // address of 8 bytes that hold the entry's address
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
