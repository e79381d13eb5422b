// SPDX-License-Identifier: Apache-2.0
#include "loader/image_patcher.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include "kernel/process/uproc.h"
#include "loader/code_scanner.h"
#include "loader/elf_image.h"
#include "loader/file_view.h"
#include "loader/patch_plan.h"
#include "loader/patch_text.h"
#include "loader/plan_times.h"
#include "loader/trampoline.h"
#include "uthread/address_map.h"
#include "uthread/host_call.h"

namespace junction {
namespace {

constexpr size_t kMaxImages = 1024;
constexpr size_t kMaxSites = 16384;
constexpr uint64_t kLowestPool = 0x10000;      // vm.mmap_min_addr
constexpr uint64_t kReach_bytes = 0x7ff00000;  // a little under 2 GiB

struct PatchedImage {
  AddressRange text;
  AddressRange trampolines;
};

PatchedImage g_images[kMaxImages];
size_t g_image_count = 0;
uint64_t g_near_next = kNearTrampolinesLow;

constexpr uint64_t PageUp(uint64_t value) { return (value + kElfPageSize_bytes - 1) & ~(kElfPageSize_bytes - 1); }

// Working memory, given back when the mapping is patched.
struct Workspace {
  ScanScratch scratch;
  PatchSite sites[kMaxSites];
};

class WorkspaceMapping {
 public:
  WorkspaceMapping() {
    const int64_t address = HostCall(SYS_mmap, nullptr, sizeof(Workspace), PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!IsHostError(address)) {
      workspace_ = reinterpret_cast<Workspace*>(address);
    }
  }
  ~WorkspaceMapping() {
    if (workspace_ != nullptr) {
      HostCall(SYS_munmap, workspace_, sizeof(Workspace));
    }
  }
  WorkspaceMapping(const WorkspaceMapping&) = delete;
  WorkspaceMapping& operator=(const WorkspaceMapping&) = delete;
  Workspace* get() const { return workspace_; }

 private:
  Workspace* workspace_ = nullptr;
};

uint64_t MapAt(uint64_t address, uint64_t size_bytes, int extra_flags) {
  const int64_t result =
      HostCall(SYS_mmap, address, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | extra_flags, -1, 0);
  return IsHostError(result) ? 0 : static_cast<uint64_t>(result);
}

bool IsWithinReach(const AddressRange& text, uint64_t address, uint64_t size_bytes) {
  const uint64_t low = text.low < address ? text.low : address;
  const uint64_t high = text.high > address + size_bytes ? text.high : address + size_bytes;
  return high - low < kReach_bytes;
}

// Memory for trampolines that the text can reach, or 0.
uint64_t MapTrampolines(const AddressRange& text, uint64_t size_bytes) {
  if (text.high <= kImageLow) {
    while (g_near_next + size_bytes <= kFixedAreaHigh) {
      const uint64_t wanted = g_near_next;
      g_near_next += size_bytes;
      if (MapAt(wanted, size_bytes, MAP_FIXED_NOREPLACE) == wanted) {
        return wanted;
      }
    }
    return 0;
  }
  // Where the host puts it is mostly next to the last library.
  if (const uint64_t address = MapAt(0, size_bytes, 0); address != 0) {
    if (IsWithinReach(text, address, size_bytes)) {
      return address;
    }
    HostCall(SYS_munmap, address, size_bytes);
  }
  for (uint64_t distance = 0x10000; distance < kReach_bytes; distance *= 2) {
    const uint64_t below = ((text.low - distance) & ~0xffffULL) - PageUp(size_bytes);
    const uint64_t above = PageUp(text.high + distance);
    for (const uint64_t wanted : {below, above}) {
      if (wanted < text.high + kReach_bytes && IsWithinReach(text, wanted, size_bytes) &&
          MapAt(wanted, size_bytes, MAP_FIXED_NOREPLACE) == wanted) {
        return wanted;
      }
    }
  }
  return 0;
}

void CountSites(uint64_t sites) {
  if (g_image.control != nullptr) {
    g_image.control->sites_patched.fetch_add(sites, std::memory_order_relaxed);
  }
}

void Remember(const PatchedImage& image) {
  if (g_image_count < kMaxImages) {
    g_images[g_image_count++] = image;
  }
}

// Text of the mapping inside the file, with what the unwinding table says. Empty if the file is no ELF image.
CodeText TextOf(const CodeMapping& mapping, std::span<const uint8_t> file) {
  CodeText text;
  ElfHeaderTable table;
  ElfImage image;
  if (ParseElfHeader(file, file.size(), table) != 0 ||
      ParseElfImage(file, file.subspan(table.offset, table.size_bytes), file.size(), image) != 0 ||
      mapping.file_offset >= file.size()) {
    return text;
  }
  const uint64_t rest = file.size() - mapping.file_offset;
  text.bytes = file.subspan(mapping.file_offset, rest < mapping.size_bytes ? rest : mapping.size_bytes);
  for (size_t i = 0; i < image.segment_count; ++i) {
    const ElfSegment& segment = image.segments[i];
    const uint64_t page_offset = segment.file_offset & ~(kElfPageSize_bytes - 1);
    if ((segment.flags & PF_X) != 0 && page_offset == mapping.file_offset && image.unwind_bytes != 0) {
      FindUnwindRows(file.subspan(image.unwind_offset, image.unwind_bytes), image.unwind_address,
                     segment.address & ~(kElfPageSize_bytes - 1), text);
    }
  }
  return text;
}

bool ReadPlanKey(const CodeMapping& mapping, PlanKey& key) {
  struct stat status;
  uint8_t head[kPlanHead_bytes];
  if (HostCall(SYS_fstat, mapping.fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    return false;
  }
  const int64_t read = HostCall(SYS_pread64, mapping.fd, head, sizeof(head), 0);
  if (read < 0) {
    return false;
  }
  key = MakePlanKey({head, static_cast<size_t>(read)}, static_cast<uint64_t>(status.st_size), PlanTimesOf(status),
                    mapping.file_offset);
  return true;
}

// Maps the patched text over the mapping and its pool below the image: nothing is written, all processes share the pages. False
// if the pool's place is taken or the mapping is not the kind that the plan is for.
bool MapPatchedText(const CodeMapping& mapping, int plan_fd, const PlanHeader& header) {
  const uint64_t mapped_bytes = PageUp(mapping.size_bytes);
  const uint64_t text_bytes = mapped_bytes < header.text_bytes ? mapped_bytes : header.text_bytes;
  if (!HasPatchedText(header) || mapping.address < header.pool_distance + kLowestPool) {
    return false;
  }
  const uint64_t pool = mapping.address - header.pool_distance;
  const int64_t pool_result = HostCall(SYS_mmap, pool, header.pool_bytes, PROT_READ | PROT_EXEC,
                                       MAP_PRIVATE | MAP_FIXED_NOREPLACE, plan_fd, kPlanTextOffset + header.text_bytes);
  if (IsHostError(pool_result)) {
    return false;
  }
  const int64_t text_result = HostCall(SYS_mmap, mapping.address, text_bytes, mapping.protection,
                                       MAP_PRIVATE | MAP_FIXED, plan_fd, kPlanTextOffset);
  if (IsHostError(text_result)) {
    HostCall(SYS_munmap, pool, header.pool_bytes);
    return false;
  }
  Remember({{mapping.address, mapping.address + mapped_bytes}, {pool, pool + header.pool_bytes}});
  CountSites(header.site_count);
  return true;
}

// Sites by plan if there is one for this file, else by scan.
size_t FindSites(int64_t plan_fd, const PlanKey& key, const CodeText& text, Workspace& workspace) {
  if (plan_fd >= 0) {
    FileView plan;
    const int64_t planned =
        plan.Open(static_cast<int>(plan_fd)) == 0 ? ParsePlan(plan.bytes(), key, workspace.sites) : -1;
    size_t kept = 0;
    for (int64_t i = 0; i < planned; ++i) {
      if (IsSiteSound(text.bytes, workspace.sites[i])) {
        workspace.sites[kept++] = workspace.sites[i];
      }
    }
    if (planned >= 0) {
      return kept;
    }
  }
  return ScanCode(text, workspace.sites, workspace.scratch).sites;
}

// Patches a private copy of the mapping.
void PatchPrivately(const CodeMapping& mapping, int64_t plan_fd, const PlanKey& key) {
  FileView file;
  if (file.Open(mapping.fd) != 0) {
    return;
  }
  const CodeText text = TextOf(mapping, file.bytes());
  const WorkspaceMapping workspace;
  if (text.bytes.empty() || workspace.get() == nullptr) {
    return;
  }
  const std::span<PatchSite> sites(workspace.get()->sites, FindSites(plan_fd, key, text, *workspace.get()));
  if (sites.empty()) {
    return;
  }
  const AddressRange text_range = {mapping.address, PageUp(mapping.address + mapping.size_bytes)};
  const uint64_t pool_bytes = PageUp(sites.size() * kMaxTrampoline_bytes);
  const uint64_t pool = MapTrampolines(text_range, pool_bytes);
  if (pool == 0) {
    return;
  }
  if (HostCall(SYS_mprotect, mapping.address, mapping.size_bytes, PROT_READ | PROT_WRITE) != 0) {
    HostCall(SYS_munmap, pool, pool_bytes);
    return;
  }
  const PatchResult result = PatchText(text.bytes, sites,
                                       {mapping.address,
                                        pool,
                                        reinterpret_cast<uint8_t*>(mapping.address),
                                        {reinterpret_cast<uint8_t*>(pool), pool_bytes}});
  HostCall(SYS_mprotect, mapping.address, mapping.size_bytes, mapping.protection);
  HostCall(SYS_mprotect, pool, pool_bytes, PROT_READ | PROT_EXEC);
  Remember({text_range, {pool, pool + pool_bytes}});
  CountSites(result.sites);
}

}  // namespace

PlannedCode MapPlannedCode(const CodeMapping& mapping, const struct stat& status, std::span<const uint8_t> head) {
  if (g_image_count == kMaxImages || g_image.plan_path[0] == '\0') {
    return PlannedCode::kUnknown;
  }
  PlanHeader header;
  const PlanKey key =
      MakePlanKey(head, static_cast<uint64_t>(status.st_size), PlanTimesOf(status), mapping.file_offset);
  const HostFd plan(OpenPlan(g_image.plan_path, key, header));
  if (plan.error() != 0) {
    return PlannedCode::kUnknown;
  }
  if (header.site_count == 0) {
    return PlannedCode::kNoSites;
  }
  const bool is_whole = header.text_bytes == PageUp(mapping.size_bytes);
  return is_whole && MapPatchedText(mapping, plan.get(), header) ? PlannedCode::kMapped : PlannedCode::kUnknown;
}

void PatchMapping(const CodeMapping& mapping) {
  if (g_image_count == kMaxImages) {
    return;
  }
  PlanKey key;
  PlanHeader header;
  if (g_image.plan_path[0] == '\0' || !ReadPlanKey(mapping, key)) {
    PatchPrivately(mapping, -1, key);
    return;
  }
  const int64_t plan_fd = OpenPlan(g_image.plan_path, key, header);
  const HostFd plan(plan_fd);
  const bool is_done = plan_fd >= 0 && (header.site_count == 0 || MapPatchedText(mapping, plan.get(), header));
  if (!is_done) {
    PatchPrivately(mapping, plan_fd, key);
  }
}

void ForgetRange(uint64_t address, uint64_t size_bytes) {
  size_t kept = 0;
  for (size_t i = 0; i < g_image_count; ++i) {
    const PatchedImage& image = g_images[i];
    const bool is_gone =
        address <= image.text.low && size_bytes >= image.text.high - address && address < image.text.high;
    if (is_gone) {
      HostCall(SYS_munmap, image.trampolines.low, image.trampolines.high - image.trampolines.low);
    } else {
      g_images[kept++] = image;
    }
  }
  g_image_count = kept;
}

bool IsTrampoline(uint64_t address, uint64_t size_bytes) {
  for (size_t i = 0; i < g_image_count; ++i) {
    if (g_images[i].trampolines.Overlaps(address, size_bytes)) {
      return true;
    }
  }
  return false;
}

}  // namespace junction
