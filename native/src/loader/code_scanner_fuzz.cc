// SPDX-License-Identifier: Apache-2.0
// Fuzz target of decoder, scanner and trampoline writer: the bytes are a text, and half of them its unwinding table too.
#include <cstdint>

#include "base/check.h"
#include "loader/code_scanner.h"
#include "loader/patch_plan.h"
#include "loader/trampoline.h"

using namespace junction;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static ScanScratch scratch;
  static PatchSite sites[256];
  CodeText text;
  text.bytes = {data, size};
  FindUnwindRows({data, size / 2}, 0, 0, text);
  const ScanCounts counts = ScanCode(text, sites, scratch);
  uint32_t end = 0;
  for (size_t i = 0; i < counts.sites; ++i) {
    const ReplacedBytes replaced = ReplacedBy(sites[i]);
    JUNCTION_CHECK(IsSiteSound(text.bytes, sites[i]));
    JUNCTION_CHECK(replaced.offset >= end && replaced.offset + replaced.size_bytes <= size &&
                   replaced.size_bytes >= kJump_bytes);
    end = replaced.offset + replaced.size_bytes;
    uint8_t code[kMaxTrampoline_bytes];
    JUNCTION_CHECK(WriteTrampoline(text.bytes, sites[i], {0x400000, 0x72000040}, code) > 0);
  }
  // And as a plan that somebody else wrote.
  PlanKey key;
  if (size >= sizeof(PlanHeader)) {
    __builtin_memcpy(&key, data + offsetof(PlanHeader, key), sizeof(key));
    const int64_t planned = ParsePlan({data, size}, key, sites);
    for (int64_t i = 0; i < planned; ++i) {
      if (IsSiteSound(text.bytes, sites[i])) {
        uint8_t code[kMaxTrampoline_bytes];
        WriteTrampoline(text.bytes, sites[i], {0x400000, 0x72000040}, code);
      }
    }
  }
  return 0;
}
