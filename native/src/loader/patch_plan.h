// SPDX-License-Identifier: Apache-2.0
// Plan files: the sites of an image, found once outside of any sandbox (junction_plan) and read by each start after that.
//
//   0     +--------------------------------+
//         | magic "JNCTPLN1", version      |
//   16    +--------------------------------+
//         | PlanKey of the image           |
//   48    +--------------------------------+
//         | number of sites, reserved      |
//   64    +--------------------------------+
//         | PatchSite[...]                 |
//         +--------------------------------+
//
// A plan is a hint, never trusted: the reader checks each site against the text it is for (IsSiteSound). What it cannot check, that
// nothing jumps between the moved instructions, is why the key covers size, time and head of the file, and why the folder must
// be writable for nobody in the sandbox.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "loader/patch_site.h"

namespace junction {

struct PlanKey {
  uint64_t file_bytes = 0;
  uint64_t modified_s = 0;
  uint64_t text_offset = 0;  // of the mapping in the file
  uint64_t head_hash = 0;    // of the first page: ELF header, program headers, mostly the build-id too
  friend bool operator==(const PlanKey&, const PlanKey&) = default;
};

struct PlanHeader {
  uint64_t magic;
  uint64_t version;
  PlanKey key;
  uint64_t site_count;
  uint64_t reserved;
};
static_assert(sizeof(PlanHeader) == 64);

inline constexpr uint64_t kPlanMagic = 0x314e4c5054434e4aULL;  // "JNCTPLN1"
inline constexpr uint64_t kPlanVersion = 2;                    // 2: kept_bytes
inline constexpr size_t kPlanFileName_bytes = 40;              // 32 hex digits, ".plan", NUL

PlanKey MakePlanKey(std::span<const uint8_t> file, uint64_t modified_s, uint64_t text_offset);

/// `<hash of the key>.plan`
void WritePlanFileName(const PlanKey& key, std::span<char, kPlanFileName_bytes> name);

/// Checks a plan file's bytes against the key and copies its sites. Number of sites, or -1 if the file is not a plan for it.
int64_t ParsePlan(std::span<const uint8_t> bytes, const PlanKey& key, std::span<PatchSite> sites);

/// Reads the plan out of the folder by host calls; -1 if the path is empty or there is none. (Guest side only.)
int64_t ReadPlan(const char* folder, const PlanKey& key, std::span<PatchSite> sites);

}  // namespace junction
