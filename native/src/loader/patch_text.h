// SPDX-License-Identifier: Apache-2.0
// Writes the jumps and trampolines of a text: in place for one process, or for the plan file that all share.
#pragma once

#include <cstdint>
#include <span>

#include "loader/patch_site.h"

namespace junction {

/// Where a text and its pool run, and the memory to write them to.
struct PatchTarget {
  uint64_t text_address;
  uint64_t pool_address;
  uint8_t* text;            // as large as the text read from
  std::span<uint8_t> pool;  // trampolines; what does not fit is not patched
};

struct PatchResult {
  size_t sites = 0;       // patched; they come first in `sites`
  size_t pool_bytes = 0;  // used
};

/// Patches the sites that can be and moves them to the front of `sites`. `text` is the unpatched text; sites must be sound. Pure.
PatchResult PatchText(std::span<const uint8_t> text, std::span<PatchSite> sites, const PatchTarget& target);

}  // namespace junction
