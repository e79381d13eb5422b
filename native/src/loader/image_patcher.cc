// SPDX-License-Identifier: Apache-2.0
#include "loader/image_patcher.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include "kernel/uproc.h"
#include "loader/code_scanner.h"
#include "loader/elf_image.h"
#include "loader/file_view.h"
#include "loader/patch_plan.h"
#include "loader/trampoline.h"
#include "uthread/address_map.h"
#include "uthread/host_call.h"

extern "C" void junction_entry();

namespace junction {
namespace {

constexpr size_t kMaxImages = 1024;
constexpr size_t kMaxSites = 16384;
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

void Remember(const PatchedImage& image) {
  if (g_image_count < kMaxImages) {
    g_images[g_image_count++] = image;
  }
}

// Writes trampolines and jumps; both mappings are writable meanwhile. Returns the sites done.
size_t WriteSites(std::span<const uint8_t> text, std::span<const PatchSite> sites, uint64_t text_address,
                  uint64_t pool) {
  auto* const entry = reinterpret_cast<uint64_t*>(pool);
  *entry = reinterpret_cast<uint64_t>(&junction_entry);
  uint64_t next = pool + sizeof(*entry);
  size_t done = 0;
  for (const PatchSite& site : sites) {
    uint8_t code[kMaxTrampoline_bytes];
    const size_t size = WriteTrampoline(text, site, {text_address, next, pool}, code);
    const ReplacedBytes replaced = ReplacedBy(site);
    uint8_t jump[kMaxTrampoline_bytes];
    const std::span<uint8_t> jump_bytes(jump, replaced.size_bytes);
    if (size == 0 || !WriteJump(text_address + replaced.offset, next, jump_bytes)) {
      continue;
    }
    __builtin_memcpy(reinterpret_cast<void*>(next), code, size);
    __builtin_memcpy(reinterpret_cast<void*>(text_address + replaced.offset), jump, replaced.size_bytes);
    next += (size + 7) & ~7ULL;
    ++done;
  }
  return done;
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

// Sites by plan if there is one for this file, else by scan.
size_t FindSites(const FileView& file, const CodeMapping& mapping, const CodeText& text, Workspace& workspace) {
  const PlanKey key =
      MakePlanKey(file.bytes(), static_cast<uint64_t>(file.status().st_mtim.tv_sec), mapping.file_offset);
  if (const int64_t planned = ReadPlan(g_image.plan_path, key, workspace.sites); planned >= 0) {
    size_t kept = 0;
    for (int64_t i = 0; i < planned; ++i) {
      if (IsSiteSound(text.bytes, workspace.sites[i])) {
        workspace.sites[kept++] = workspace.sites[i];
      }
    }
    return kept;
  }
  return ScanCode(text, workspace.sites, workspace.scratch).sites;
}

}  // namespace

void PatchMapping(const CodeMapping& mapping) {
  FileView file;
  if (g_image_count == kMaxImages || file.Open(mapping.fd) != 0) {
    return;
  }
  const CodeText text = TextOf(mapping, file.bytes());
  const WorkspaceMapping workspace;
  if (text.bytes.empty() || workspace.get() == nullptr) {
    return;
  }
  const size_t count = FindSites(file, mapping, text, *workspace.get());
  if (count == 0) {
    return;
  }
  const AddressRange text_range = {mapping.address, PageUp(mapping.address + mapping.size_bytes)};
  const uint64_t pool_bytes = PageUp(sizeof(uint64_t) + count * kMaxTrampoline_bytes);
  const uint64_t pool = MapTrampolines(text_range, pool_bytes);
  if (pool == 0) {
    return;
  }
  if (HostCall(SYS_mprotect, mapping.address, mapping.size_bytes, PROT_READ | PROT_WRITE) != 0) {
    HostCall(SYS_munmap, pool, pool_bytes);
    return;
  }
  const size_t done = WriteSites(text.bytes, {workspace.get()->sites, count}, mapping.address, pool);
  HostCall(SYS_mprotect, mapping.address, mapping.size_bytes, mapping.protection);
  HostCall(SYS_mprotect, pool, pool_bytes, PROT_READ | PROT_EXEC);
  Remember({text_range, {pool, pool + pool_bytes}});
  if (g_image.control != nullptr) {
    g_image.control->sites_patched.fetch_add(done, std::memory_order_relaxed);
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
