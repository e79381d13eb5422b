// SPDX-License-Identifier: Apache-2.0
// Plan files: the sites of an image's executable segment, found once outside of any sandbox (junction_plan), and the segment itself
// with its jumps and trampolines written already, to be mapped by every process that runs the image.
//
//   0            +--------------------------------+
//                | PlanHeader                     |
//   4096         +--------------------------------+
//                | patched text                   |  text_bytes: the file's pages with the jumps in them
//                +--------------------------------+
//                | pool: trampolines              |  pool_bytes; both are whole pages, and absent where nothing is to be patched
//   sites_offset +--------------------------------+
//                | PatchSite[site_count]          |  for a process in which the pool's place is taken
//                +--------------------------------+
//
// In memory the pool lies right below the image's lowest address (pool_distance below the text), so that jumps and trampolines, which
// know only their distances, are the same in every process.
//
//        | pool | headers | text | data ...
//               ^ lowest address of the image
//
// What the plan says is taken on trust where it cannot be checked (that nothing jumps between moved instructions; the patched text as
// a whole). So the folder must be writable for nobody in the sandbox: junction_run mounts it read-only and nothing of the guest's is
// ever used as one. That a plan belongs to a file is what the key is for. A build-id is a hash of the file's content; a file without one
// is known by its ctime, which nobody in a sandbox can set; and junction_plan writes no plan for two different files of an image that
// have the same key. A guest that forges a build-id runs the wrong text, its own harm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "loader/patch_site.h"

namespace junction {

struct PlanKey {
  uint64_t file_bytes = 0;
  uint64_t modified_ns = 0;
  uint64_t changed_ns = 0;   // ctime; 0 for a file whose head has a build-id
  uint64_t text_offset = 0;  // of the mapping in the file
  uint64_t head_hash = 0;    // of the first page: ELF header, program headers, mostly the build-id too
  friend bool operator==(const PlanKey&, const PlanKey&) = default;
};

struct PlanHeader {
  uint64_t magic;
  uint64_t version;
  PlanKey key;
  uint64_t site_count;
  uint64_t sites_offset;
  uint64_t entry_slot;     // KT_ENTRY that the trampolines were written for
  uint64_t text_bytes;     // of the patched text, 0 = there is none
  uint64_t pool_bytes;     // 0 exactly if text_bytes is
  uint64_t pool_distance;  // address of the text minus address of the pool
};
static_assert(sizeof(PlanHeader) == 104);

inline constexpr uint64_t kPlanMagic = 0x314e4c5054434e4aULL;  // "JNCTPLN1"
/// Goes up with any change of this format, of the trampolines, or of what the kernel's entry expects of them.
inline constexpr uint64_t kPlanVersion = 3;
inline constexpr uint64_t kPlanTextOffset = 4096;
inline constexpr size_t kPlanHead_bytes = 4096;    // of the file, that the key covers
inline constexpr size_t kPlanFileName_bytes = 40;  // 32 hex digits, ".plan", NUL

struct PlanFileTimes {
  uint64_t modified_ns;
  uint64_t changed_ns;
};

/// `head`: the first kPlanHead_bytes of the file, or all of it.
PlanKey MakePlanKey(std::span<const uint8_t> head, uint64_t file_bytes, const PlanFileTimes& times,
                    uint64_t text_offset);

/// `<hash of the key>.plan`
void WritePlanFileName(const PlanKey& key, std::span<char, kPlanFileName_bytes> name);

/// True if a file of `file_bytes` that begins with this header is a whole plan for the key.
bool IsPlanFor(const PlanHeader& header, uint64_t file_bytes, const PlanKey& key);

/// True if the plan has a patched text that this build's kernel can run.
bool HasPatchedText(const PlanHeader& header);

/// Checks a plan file's bytes against the key and copies its sites. Number of sites, or -1 if the file is not a plan for it.
int64_t ParsePlan(std::span<const uint8_t> bytes, const PlanKey& key, std::span<PatchSite> sites);

/// Opens the plan in the folder by host calls: a descriptor, its header read and checked; -1 if the path is empty or there is none.
/// (Guest side only.)
int64_t OpenPlan(const char* folder, const PlanKey& key, PlanHeader& header);

}  // namespace junction
