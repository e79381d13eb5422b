// SPDX-License-Identifier: Apache-2.0
// Makes plan files (patch_plan.h) for the ELF programs and libraries below some folders, so that starts need no scan.
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
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "loader/code_scanner.h"
#include "loader/elf_image.h"
#include "loader/patch_plan.h"

namespace {

using namespace junction;

constexpr size_t kMaxSites = 16384;

struct Totals {
  size_t images = 0;
  size_t sites = 0;
  size_t left = 0;
  size_t failed = 0;
};

struct Job {
  std::string out;  // empty: print
  Totals totals;
  std::unique_ptr<ScanScratch> scratch = std::make_unique<ScanScratch>();
  std::vector<PatchSite> sites = std::vector<PatchSite>(kMaxSites);
};

Job* g_job = nullptr;  // nftw's callback has no context argument

bool WritePlan(const std::string& folder, const PlanKey& key, std::span<const PatchSite> sites) {
  char name[kPlanFileName_bytes];
  WritePlanFileName(key, name);
  const std::string path = folder + "/" + name;
  const std::string temporary = path + ".new";
  const UniqueFd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd.valid()) {
    return false;
  }
  const PlanHeader header = {kPlanMagic, kPlanVersion, key, sites.size(), 0};
  const auto bytes = std::as_bytes(sites);
  const bool is_written = write(fd.get(), &header, sizeof(header)) == static_cast<ssize_t>(sizeof(header)) &&
                          write(fd.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  if (!is_written || rename(temporary.c_str(), path.c_str()) != 0) {
    unlink(temporary.c_str());
    return false;
  }
  return true;
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

void ScanSegment(Job& job, const char* path, std::span<const uint8_t> file, const struct stat& status,
                 const ElfImage& image, const ElfSegment& segment) {
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
  const std::span<const PatchSite> sites(job.sites.data(), counts.sites);
  if (job.out.empty()) {
    PrintSites(path, text, sites, counts, segment.address & ~page);
  } else if (!WritePlan(job.out, MakePlanKey(file, static_cast<uint64_t>(status.st_mtim.tv_sec), offset), sites)) {
    ++job.totals.failed;
  }
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
    for (size_t i = 0; i < image.segment_count; ++i) {
      if ((image.segments[i].flags & PF_X) != 0 && image.segments[i].file_bytes > 0) {
        ScanSegment(job, path, file, status, image, image.segments[i]);
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
  printf("%zu images, %zu sites, %zu left, %zu failed\n", job.totals.images, job.totals.sites, job.totals.left,
         job.totals.failed);
  return job.totals.failed == 0 ? 0 : 1;
}
