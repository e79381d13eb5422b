// SPDX-License-Identifier: Apache-2.0
// Finds the `syscall` sites of a text that can be rewritten without changing what the program does. Conservative: a site with
// any doubt is left alone, since the net catches what is left.
//
// The doubts: do the bytes 0f 05 start an instruction at all (they may be data or part of a longer one), and may something
// jump into the middle of the instructions that the jump replaces? The first is answered by decoding up to the site from a
// start of a function, or from many places that must all agree; the second by looking through the whole text for any direct
// jump or call, decoded or not, to those places, and by refusing them near indirect jumps (switch tables).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "loader/patch_site.h"

namespace junction {

/// The executable bytes of one segment, and what the unwinding table knows of functions in it.
struct CodeText {
  std::span<const uint8_t> bytes;   // less than 2 GiB are looked at
  std::span<const uint8_t> unwind;  // from .eh_frame_hdr to the end of its segment, with .eh_frame; may be empty
  size_t unwind_rows = 0;           // of the search table: pairs of int32 (function, entry), sorted by function
  int64_t unwind_base = 0;          // added to a row's first number: the offset of the function in `bytes`
};

struct ScanCounts {
  size_t sites = 0;  // written
  size_t left = 0;   // byte pairs 0f 05 that are left to the net; most are no instructions
};

/// Scratch memory of the scanner; large, so the caller says where it lies.
struct ScanScratch {
  static constexpr size_t kMaxInner = 4096;
  uint32_t inner[kMaxInner];  // sorted places that nothing may jump to
  bool inner_hit[kMaxInner];
  uint8_t filter[8192];  // a bit for each low 16 bits of a place
};

/// Writes the sites in ascending order; what does not fit into `sites` is left. Any thread; no allocation.
ScanCounts ScanCode(const CodeText& text, std::span<PatchSite> sites, ScanScratch& scratch);

/// Checks a site that came from outside (a plan file) against the text: the instructions are there and can be moved.
bool IsSiteSound(std::span<const uint8_t> text, const PatchSite& site);

/// Finds the search table in .eh_frame_hdr (LSB Core, "DWARF Extensions"). `unwind` as in CodeText; both addresses as in the file.
/// Changes nothing if the table is not in the usual form.
void FindUnwindRows(std::span<const uint8_t> unwind, uint64_t unwind_address, uint64_t text_address, CodeText& text);

}  // namespace junction
