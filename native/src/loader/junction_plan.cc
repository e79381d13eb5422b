// SPDX-License-Identifier: Apache-2.0
// Makes plan files (patch_plan.h) for the ELF programs and libraries below some folders, so that starts need no scan and share
// their patched text.
//   junction_plan --out DIR path...     writes DIR/<hash>.plan for each executable segment found; prints a summary line
//   junction_plan --print path...       prints the sites found and what is left to the net, for people
// Runs outside of any sandbox, as the owner of DIR. Files are hostile input here too.
#include <fcntl.h>
#include <ftw.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "loader/code_scanner.h"
#include "loader/elf_image.h"
#include "loader/patch_plan.h"
#include "loader/patch_text.h"
#include "loader/plan_times.h"
#include "loader/trampoline.h"
#include "uthread/uthread_layout.h"

namespace {

using namespace junction;

constexpr size_t kMaxSites = 16384;

constexpr uint64_t PageUp(uint64_t value) { return (value + kElfPageSize_bytes - 1) & ~(kElfPageSize_bytes - 1); }

struct Totals {
  size_t images = 0;
  size_t sites = 0;
  size_t left = 0;
  size_t failed = 0;
  size_t clashes = 0;  // files that have the key of another
};

struct Job {
  std::string out;  // empty: print
  Totals totals;
  std::unique_ptr<ScanScratch> scratch = std::make_unique<ScanScratch>();
  std::vector<PatchSite> sites = std::vector<PatchSite>(kMaxSites);
  std::map<std::string, uint64_t> texts;  // of the plans written: hash of what the plan depends on, by file name
};

Job* g_job = nullptr;  // nftw's callback has no context argument

// A segment's plan before it is written.
struct Plan {
  PlanHeader header = {};
  std::vector<uint8_t> text;  // patched, whole pages; empty if there is nothing to map
  std::vector<uint8_t> pool;
  std::span<const PatchSite> sites;
};

bool WriteAll(int fd, std::span<const std::byte> bytes, uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written <= 0) {
      return false;
    }
    bytes = bytes.subspan(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return true;
}

bool WritePlan(const std::string& path, const Plan& plan) {
  const std::string temporary = path + ".new";
  const UniqueFd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd.valid()) {
    return false;
  }
  const bool is_written = WriteAll(fd.get(), std::as_bytes(std::span(&plan.header, 1)), 0) &&
                          WriteAll(fd.get(), std::as_bytes(std::span(plan.text)), kPlanTextOffset) &&
                          WriteAll(fd.get(), std::as_bytes(std::span(plan.pool)), kPlanTextOffset + plan.text.size()) &&
                          WriteAll(fd.get(), std::as_bytes(plan.sites), plan.header.sites_offset);
  // Last what makes a short file long enough: a plan without sites is its header alone.
  if (!is_written || fchmod(fd.get(), 0444) != 0 ||
      (plan.sites.empty() && ftruncate(fd.get(), static_cast<off_t>(plan.header.sites_offset)) != 0) ||
      rename(temporary.c_str(), path.c_str()) != 0) {
    unlink(temporary.c_str());
    return false;
  }
  return true;
}

// FNV-1a over words would do; the standard's hash of bytes is as good.
uint64_t HashOf(std::span<const uint8_t> bytes) {
  return std::hash<std::string_view>{}({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

// Two files with the same key but different texts: neither may have a plan, since a process could not tell them apart.
enum class Uniqueness { kNew, kSame, kClash };
Uniqueness Register(Job& job, const std::string& name, std::span<const uint8_t> text) {
  const auto [entry, is_new] = job.texts.emplace(name, HashOf(text));
  if (is_new) {
    return Uniqueness::kNew;
  }
  return entry->second == HashOf(text) ? Uniqueness::kSame : Uniqueness::kClash;
}

// Fills the plan's patched text and pool. `before_bytes`: pools of the image's segments before this one, which lie higher.
void PatchInto(Plan& plan, std::span<const uint8_t> pages, std::span<PatchSite> sites, uint64_t text_address,
               uint64_t image_low, uint64_t before_bytes) {
  plan.text.assign(pages.begin(), pages.end());
  plan.text.resize(PageUp(plan.text.size()));
  plan.pool.resize(PageUp(sites.size() * kMaxTrampoline_bytes));
  // Sizes first: where the pool begins depends on how large it is.
  constexpr uint64_t kSomewhere = 0x100000000000;
  for (int pass = 0; pass < 2; ++pass) {
    const uint64_t distance = text_address - image_low + before_bytes + plan.pool.size();
    std::memset(plan.pool.data(), 0xcc, plan.pool.size());
    const PatchResult result =
        PatchText(pages, sites, {kSomewhere, kSomewhere - distance, plan.text.data(), plan.pool});
    plan.sites = sites = sites.first(result.sites);
    plan.header.pool_distance = distance;
    plan.pool.resize(PageUp(result.pool_bytes));
  }
}

void PrintSites(const char* path, const CodeText& text, std::span<const PatchSite> sites, const ScanCounts& counts,
                uint64_t address) {
  printf("%s: %zu sites, %zu left\n", path, counts.sites, counts.left);
  size_t next = 0;
  for (size_t at = 0; at + 1 < text.bytes.size(); ++at) {
    if (text.bytes[at] != 0x0f || text.bytes[at + 1] != 0x05) {
      continue;
    }
    if (next < counts.sites && sites[next].offset == at) {
      printf("  %#lx before %u after %u\n", address + at, sites[next].before_bytes, sites[next].after_bytes);
      ++next;
    } else {
      printf("  %#lx left\n", address + at);
    }
  }
}

// Returns the size of the segment's pool.
uint64_t MakePlan(Job& job, std::span<const uint8_t> file, const struct stat& status, const ElfImage& image,
                  const ElfSegment& segment, std::span<PatchSite> sites, uint64_t before_bytes) {
  const uint64_t page = kElfPageSize_bytes - 1;
  const uint64_t offset = segment.file_offset & ~page;
  const uint64_t wanted = PageUp(segment.file_bytes + (segment.file_offset & page));
  const std::span<const uint8_t> pages = file.subspan(offset, std::min(wanted, file.size() - offset));
  Plan plan;
  plan.header.magic = kPlanMagic;
  plan.header.version = kPlanVersion;
  plan.header.key =
      MakePlanKey(file.first(std::min(file.size(), kPlanHead_bytes)), file.size(), PlanTimesOf(status), offset);
  plan.header.entry_slot = KT_ENTRY;
  plan.sites = sites;
  if (!sites.empty()) {
    PatchInto(plan, pages, sites, segment.address & ~page, image.low, before_bytes);
    plan.header.text_bytes = plan.text.size();
    plan.header.pool_bytes = plan.pool.size();
  }
  plan.header.site_count = plan.sites.size();
  plan.header.sites_offset = kPlanTextOffset + plan.text.size() + plan.pool.size();
  char name[kPlanFileName_bytes];
  WritePlanFileName(plan.header.key, name);
  const std::string path = job.out + "/" + name;
  switch (Register(job, name, pages)) {
    case Uniqueness::kNew:
      job.totals.failed += WritePlan(path, plan) ? 0 : 1;
      break;
    case Uniqueness::kSame:
      break;
    case Uniqueness::kClash:
      unlink(path.c_str());
      ++job.totals.clashes;
      break;
  }
  return plan.pool.size();
}

// Returns the size of the segment's pool.
uint64_t ScanSegment(Job& job, const char* path, std::span<const uint8_t> file, const struct stat& status,
                     const ElfImage& image, const ElfSegment& segment, uint64_t before_bytes) {
  const uint64_t page = kElfPageSize_bytes - 1;
  const uint64_t offset = segment.file_offset & ~page;
  CodeText text;
  text.bytes = file.subspan(offset, segment.file_bytes + (segment.file_offset & page));
  if (image.unwind_bytes != 0) {
    FindUnwindRows(file.subspan(image.unwind_offset, image.unwind_bytes), image.unwind_address, segment.address & ~page,
                   text);
  }
  const ScanCounts counts = ScanCode(text, job.sites, *job.scratch);
  job.totals.images += 1;
  job.totals.sites += counts.sites;
  job.totals.left += counts.left;
  const std::span<PatchSite> sites(job.sites.data(), counts.sites);
  if (job.out.empty()) {
    PrintSites(path, text, sites, counts, segment.address & ~page);
    return 0;
  }
  return MakePlan(job, file, status, image, segment, sites, before_bytes);
}

void ScanFile(Job& job, const char* path) {
  const UniqueFd fd(open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat status;
  if (!fd.valid() || fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size < 64) {
    return;
  }
  char magic[4];
  if (pread(fd.get(), magic, sizeof(magic), 0) != 4 || std::memcmp(magic, "\177ELF", 4) != 0) {
    return;
  }
  void* const view = mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (view == MAP_FAILED) {
    ++job.totals.failed;
    return;
  }
  const std::span<const uint8_t> file(static_cast<const uint8_t*>(view), static_cast<size_t>(status.st_size));
  ElfHeaderTable table;
  ElfImage image;
  if (ParseElfHeader(file, file.size(), table) == 0 &&
      ParseElfImage(file, file.subspan(table.offset, table.size_bytes), file.size(), image) == 0) {
    uint64_t pools_bytes = 0;
    for (size_t i = 0; i < image.segment_count; ++i) {
      if ((image.segments[i].flags & PF_X) != 0 && image.segments[i].file_bytes > 0) {
        pools_bytes += ScanSegment(job, path, file, status, image, image.segments[i], pools_bytes);
      }
    }
  }
  munmap(view, static_cast<size_t>(status.st_size));
}

int Visit(const char* path, const struct stat*, int type, struct FTW*) {
  if (type == FTW_F) {
    ScanFile(*g_job, path);
  }
  return 0;
}

int Usage(const char* name) {
  fprintf(stderr, "usage: %s --out DIR path...\n       %s --print path...\n", name, name);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  Job job;
  g_job = &job;
  int first = 2;
  if (argc >= 4 && std::string(argv[1]) == "--out") {
    job.out = argv[2];
    first = 3;
  } else if (argc < 3 || std::string(argv[1]) != "--print") {
    return Usage(argv[0]);
  }
  for (int i = first; i < argc; ++i) {
    constexpr int kOpenFolders = 32;
    if (nftw(argv[i], &Visit, kOpenFolders, FTW_PHYS | FTW_MOUNT) != 0) {
      perror(argv[i]);
      return 1;
    }
  }
  printf("%zu images, %zu sites, %zu left, %zu failed, %zu alike\n", job.totals.images, job.totals.sites,
         job.totals.left, job.totals.failed, job.totals.clashes);
  return job.totals.failed == 0 ? 0 : 1;
}
