// SPDX-License-Identifier: Apache-2.0
#include "loader/patch_plan.h"

namespace junction {
namespace {

constexpr uint64_t kFnvOffset = 0xcbf29ce484222325ULL;  // FNV-1a, 64 bits
constexpr uint64_t kFnvPrime = 0x100000001b3ULL;
constexpr size_t kHead_bytes = 4096;

// A word at a time: it is a cache key, not a defence.
uint64_t Hash(std::span<const uint8_t> bytes, uint64_t hash) {
  while (bytes.size() >= sizeof(uint64_t)) {
    uint64_t word;
    __builtin_memcpy(&word, bytes.data(), sizeof(word));
    hash = (hash ^ word) * kFnvPrime;
    hash ^= hash >> 29;
    bytes = bytes.subspan(sizeof(word));
  }
  for (const uint8_t byte : bytes) {
    hash = (hash ^ byte) * kFnvPrime;
  }
  return hash;
}

}  // namespace

PlanKey MakePlanKey(std::span<const uint8_t> file, uint64_t modified_s, uint64_t text_offset) {
  return {file.size(), modified_s, text_offset,
          Hash(file.first(file.size() < kHead_bytes ? file.size() : kHead_bytes), kFnvOffset)};
}

void WritePlanFileName(const PlanKey& key, std::span<char, kPlanFileName_bytes> name) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&key);
  const uint64_t hashes[2] = {Hash({bytes, sizeof(key)}, kFnvOffset), Hash({bytes, sizeof(key)}, ~kFnvOffset)};
  size_t at = 0;
  for (const uint64_t hash : hashes) {
    for (int shift = 60; shift >= 0; shift -= 4) {
      name[at++] = "0123456789abcdef"[(hash >> shift) & 15];
    }
  }
  for (const char c : {'.', 'p', 'l', 'a', 'n', '\0'}) {
    name[at++] = c;
  }
}

int64_t ParsePlan(std::span<const uint8_t> bytes, const PlanKey& key, std::span<PatchSite> sites) {
  PlanHeader header;
  if (bytes.size() < sizeof(header)) {
    return -1;
  }
  __builtin_memcpy(&header, bytes.data(), sizeof(header));
  const size_t room = (bytes.size() - sizeof(header)) / sizeof(PatchSite);
  if (header.magic != kPlanMagic || header.version != kPlanVersion || !(header.key == key) ||
      header.site_count > room || header.site_count > sites.size()) {
    return -1;
  }
  for (size_t i = 0; i < header.site_count; ++i) {
    __builtin_memcpy(&sites[i], bytes.data() + sizeof(header) + i * sizeof(PatchSite), sizeof(PatchSite));
  }
  return static_cast<int64_t>(header.site_count);
}

}  // namespace junction
