// SPDX-License-Identifier: Apache-2.0
// Rewrites the `syscall` sites of executable file mappings in this process and keeps a record of them.
//
// With a plan that has the patched text (patch_plan.h) nothing is written: text and trampolines are mapped from the plan file, whose
// pages all processes share. Else the text's pages become private copies; trampolines of images below 2 GiB lie in the fixed area
// (address_map.h) then, those of others in a mapping near the image. All functions: caller holds the memory lock (kernel/memory/memory.h).
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <span>

#include "kernel/door/loader_hooks.h"

namespace junction {

/// LoaderHooks::patch_mapping. Whatever goes wrong, the mapping stays usable and its sites are left to the net.
void PatchMapping(const CodeMapping& mapping);

enum class PlannedCode : uint8_t {
  kUnknown,  // to be mapped and patched
  kNoSites,  // to be mapped, nothing to patch
  kMapped,   // done
};

/// What PatchMapping does, before the segment is mapped (MAP_FIXED, over memory that is the caller's): with a plan its file need not be.
/// `status` and `head` (kPlanHead_bytes) are the file's.
PlannedCode MapPlannedCode(const CodeMapping& mapping, const struct stat& status, std::span<const uint8_t> head);

/// LoaderHooks::forget_range.
void ForgetRange(uint64_t address, uint64_t size_bytes);

/// LoaderHooks::is_trampoline.
bool IsTrampoline(uint64_t address, uint64_t size_bytes);

}  // namespace junction
