// SPDX-License-Identifier: Apache-2.0
#include "loader/patch_text.h"

#include "loader/trampoline.h"

namespace junction {

PatchResult PatchText(std::span<const uint8_t> text, std::span<PatchSite> sites, const PatchTarget& target) {
  PatchResult result;
  for (const PatchSite& site : sites) {
    uint8_t code[kMaxTrampoline_bytes];
    const uint64_t address = target.pool_address + result.pool_bytes;
    const size_t size = WriteTrampoline(text, site, {target.text_address, address}, code);
    const ReplacedBytes replaced = ReplacedBy(site);
    uint8_t jump[kMaxTrampoline_bytes];
    const std::span<uint8_t> jump_bytes(jump, replaced.size_bytes);
    if (size == 0 || size > target.pool.size() - result.pool_bytes ||
        !WriteJump(target.text_address + replaced.offset, address, jump_bytes)) {
      continue;
    }
    __builtin_memcpy(target.pool.data() + result.pool_bytes, code, size);
    __builtin_memcpy(target.text + replaced.offset, jump, replaced.size_bytes);
    constexpr size_t kAlignment = 8;
    const size_t used = result.pool_bytes + ((size + kAlignment - 1) & ~(kAlignment - 1));
    result.pool_bytes = used < target.pool.size() ? used : target.pool.size();
    sites[result.sites++] = site;
  }
  return result;
}

}  // namespace junction
