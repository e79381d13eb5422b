// SPDX-License-Identifier: Apache-2.0
#include "loader/patch_plan.h"

#include "loader/elf_image.h"
#include "uthread/uthread_layout.h"

namespace junction {
namespace {

constexpr uint64_t kFnvOffset = 0xcbf29ce484222325ULL;  // FNV-1a, 64 bits
constexpr uint64_t kFnvPrime = 0x100000001b3ULL;

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

constexpr uint32_t kGnuBuildId = 3;  // NT_GNU_BUILD_ID
constexpr uint32_t kGoBuildId = 4;   // cmd/link/internal/ld/elf.go
constexpr size_t kShortestBuildId_bytes = 8;

// elf(5), "Notes": size of name, size of content, type; name and content padded to 4.
bool IsBuildId(std::span<const uint8_t> note) {
  Elf64_Nhdr header;
  if (note.size() < sizeof(header) + 4) {
    return false;
  }
  __builtin_memcpy(&header, note.data(), sizeof(header));
  const uint8_t* const name = note.data() + sizeof(header);
  const bool is_gnu = header.n_type == kGnuBuildId && __builtin_memcmp(name, "GNU", 4) == 0;
  const bool is_go = header.n_type == kGoBuildId && __builtin_memcmp(name, "Go\0", 4) == 0;
  return header.n_namesz == 4 && (is_gnu || is_go) && header.n_descsz >= kShortestBuildId_bytes &&
         header.n_descsz <= note.size() - sizeof(header) - 4;
}

bool HasBuildIdIn(std::span<const uint8_t> notes) {
  while (notes.size() >= sizeof(Elf64_Nhdr)) {
    if (IsBuildId(notes)) {
      return true;
    }
    Elf64_Nhdr header;
    __builtin_memcpy(&header, notes.data(), sizeof(header));
    const auto padded = [](uint64_t size) { return (size + 3) & ~3ULL; };
    const uint64_t size = sizeof(header) + padded(header.n_namesz) + padded(header.n_descsz);
    if (size > notes.size()) {
      return false;
    }
    notes = notes.subspan(size);
  }
  return false;
}

// True if the hash of the head covers a build-id.
bool HasBuildId(std::span<const uint8_t> head, uint64_t file_bytes) {
  ElfHeaderTable table;
  if (ParseElfHeader(head, file_bytes, table) != 0 || table.offset > head.size() ||
      table.size_bytes > head.size() - table.offset) {
    return false;
  }
  for (uint64_t at = 0; at < table.size_bytes; at += sizeof(Elf64_Phdr)) {
    Elf64_Phdr header;
    __builtin_memcpy(&header, head.data() + table.offset + at, sizeof(header));
    if (header.p_type == PT_NOTE && header.p_offset <= head.size() &&
        header.p_filesz <= head.size() - header.p_offset &&
        HasBuildIdIn(head.subspan(header.p_offset, header.p_filesz))) {
      return true;
    }
  }
  return false;
}

}  // namespace

PlanKey MakePlanKey(std::span<const uint8_t> head, uint64_t file_bytes, const PlanFileTimes& times,
                    uint64_t text_offset) {
  head = head.first(head.size() < kPlanHead_bytes ? head.size() : kPlanHead_bytes);
  const uint64_t changed_ns = HasBuildId(head, file_bytes) ? 0 : times.changed_ns;
  return {file_bytes, times.modified_ns, changed_ns, text_offset, Hash(head, kFnvOffset)};
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

bool IsPlanFor(const PlanHeader& header, uint64_t file_bytes, const PlanKey& key) {
  if (header.magic != kPlanMagic || header.version != kPlanVersion || !(header.key == key)) {
    return false;
  }
  const auto is_part = [&](uint64_t size_bytes) { return size_bytes <= file_bytes; };  // so that sums cannot overflow
  if (!is_part(header.text_bytes) || !is_part(header.pool_bytes) || !is_part(header.sites_offset) ||
      header.site_count > file_bytes / sizeof(PatchSite)) {
    return false;
  }
  return header.text_bytes % kPlanTextOffset == 0 && header.pool_bytes % kPlanTextOffset == 0 &&
         (header.text_bytes == 0) == (header.pool_bytes == 0) && header.pool_distance % kPlanTextOffset == 0 &&
         header.pool_distance >= header.pool_bytes &&
         header.sites_offset >= kPlanTextOffset + header.text_bytes + header.pool_bytes &&
         header.sites_offset + header.site_count * sizeof(PatchSite) <= file_bytes;
}

bool HasPatchedText(const PlanHeader& header) { return header.text_bytes != 0 && header.entry_slot == KT_ENTRY; }

int64_t ParsePlan(std::span<const uint8_t> bytes, const PlanKey& key, std::span<PatchSite> sites) {
  PlanHeader header;
  if (bytes.size() < sizeof(header)) {
    return -1;
  }
  __builtin_memcpy(&header, bytes.data(), sizeof(header));
  if (!IsPlanFor(header, bytes.size(), key) || header.site_count > sites.size()) {
    return -1;
  }
  if (header.site_count > 0) {
    __builtin_memcpy(sites.data(), bytes.data() + header.sites_offset, header.site_count * sizeof(PatchSite));
  }
  return static_cast<int64_t>(header.site_count);
}

}  // namespace junction
