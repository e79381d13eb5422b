// SPDX-License-Identifier: Apache-2.0
// Rewrites the `syscall` sites of executable file mappings in this process and keeps a record of them.
//
// With a plan that has the patched text (patch_plan.h) nothing is written: text and trampolines are mapped from the plan file, whose
// pages all processes share. Else the text's pages become private copies; trampolines of images below 2 GiB lie in the fixed area
// (address_map.h) then, those of others in a mapping near the image. All functions: caller holds the memory lock (kernel/memory.h).
#pragma once

#include "kernel/loader_hooks.h"

namespace junction {

/// LoaderHooks::patch_mapping. Whatever goes wrong, the mapping stays usable and its sites are left to the net.
void PatchMapping(const CodeMapping& mapping);

/// LoaderHooks::forget_range.
void ForgetRange(uint64_t address, uint64_t size_bytes);

/// LoaderHooks::is_trampoline.
bool IsTrampoline(uint64_t address, uint64_t size_bytes);

}  // namespace junction
