// SPDX-License-Identifier: Apache-2.0
#include "loader/load_program.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kernel/guest/guest_path.h"
#include "kernel/memory/mapped_object.h"
#include "kernel/memory/memory.h"
#include "kernel/memory/vma.h"
#include "loader/elf_image.h"
#include "loader/file_view.h"
#include "loader/image_patcher.h"
#include "loader/patch_plan.h"
#include "uthread/address_map.h"
#include "uthread/panic.h"

namespace junction {
namespace {

// As Linux (ELF_ET_DYN_BASE is two thirds of the address space): far from both the mapping area and our own memory.
constexpr uint64_t kProgramBase = 0x555555554000;
constexpr uint64_t kRandomPages = 1 << 20;
constexpr uint64_t kBrkRoom_bytes = 1ULL << 38;

constexpr uint64_t PageDown(uint64_t value) { return value & ~(kElfPageSize_bytes - 1); }
constexpr uint64_t PageUp(uint64_t value) { return PageDown(value + kElfPageSize_bytes - 1); }

// A program file and what its head says. The head is read, not mapped: mostly all that is looked at lies in the first page.
struct ProgramFile {
  explicit ProgramFile(const char* path) : fd(HostCall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0)) {}

  ~ProgramFile() {
    const KernelLockGuard lock;
    UnreferenceObject(object);
  }
  ProgramFile(const ProgramFile&) = delete;
  ProgramFile& operator=(const ProgramFile&) = delete;

  // Bytes of the file that Parse was told of by the image; empty if they cannot be had.
  std::span<const uint8_t> Bytes(uint64_t offset, uint64_t size_bytes) {
    if (offset + size_bytes <= head_bytes) {
      return {head + offset, size_bytes};
    }
    if (view.bytes().empty() && view.Open(fd.get()) != 0) {
      return {};
    }
    return view.bytes().subspan(offset, size_bytes);
  }

  HostFd fd;
  struct stat status = {};
  uint8_t head[kPlanHead_bytes];
  uint64_t head_bytes = 0;
  FileView view;  // of the whole file, where the head does not suffice
  ElfImage image;
  MappedObject* object = nullptr;  // a reference, once it is mapped
};

int64_t ParseFile(ProgramFile& file) {
  if (const int64_t error = file.fd.error(); error != 0) {
    return error;
  }
  if (const int64_t error = HostCall(SYS_fstat, file.fd.get(), &file.status); error != 0) {
    return error;
  }
  if (!S_ISREG(file.status.st_mode)) {
    return -EACCES;
  }
  const int64_t read = HostCall(SYS_pread64, file.fd.get(), file.head, sizeof(file.head), 0);
  if (read < 0) {
    return read;
  }
  file.head_bytes = static_cast<uint64_t>(read);
  const std::span<const uint8_t> head(file.head, file.head_bytes);
  const auto file_bytes = static_cast<uint64_t>(file.status.st_size);
  ElfHeaderTable table;
  if (const int64_t error = ParseElfHeader(head, file_bytes, table); error != 0) {
    return error;
  }
  return ParseElfImage(head, file.Bytes(table.offset, table.size_bytes), file_bytes, file.image);
}

int Protection(uint32_t flags) {
  return ((flags & PF_R) != 0 ? PROT_READ : 0) | ((flags & PF_W) != 0 ? PROT_WRITE : 0) |
         ((flags & PF_X) != 0 ? PROT_EXEC : 0);
}

// Enters a piece of the program in the table of mappings; `object` null: zeroes.
void Record(uint64_t address, uint64_t size_bytes, int protection, MappedObject* object, uint64_t offset) {
  const KernelLockGuard lock;
  RecordObject(*CurrentProcess().memory, address, size_bytes, protection, object, offset);
}

// The memory of a segment behind the file's bytes is zero, up to the end of its last page.
int64_t MapZeroes(const ElfSegment& segment, uint64_t base, int protection) {
  const uint64_t start = base + segment.address + segment.file_bytes;
  const uint64_t file_end = PageUp(start);
  const uint64_t end = PageUp(base + segment.address + segment.memory_bytes);
  if (segment.file_bytes > 0 && start < file_end) {
    const uint64_t page = PageDown(start);
    const bool is_writable = (protection & PROT_WRITE) != 0;
    if (!is_writable) {
      HostCall(SYS_mprotect, page, file_end - page, PROT_READ | PROT_WRITE);
    }
    __builtin_memset(reinterpret_cast<void*>(start), 0, file_end - start);
    if (!is_writable) {
      HostCall(SYS_mprotect, page, file_end - page, protection);
    }
  }
  const uint64_t first = segment.file_bytes > 0 ? file_end : PageDown(start);
  if (end <= first) {
    return 0;
  }
  const int64_t result =
      HostCall(SYS_mmap, first, end - first, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  if (IsHostError(result)) {
    return result;
  }
  Record(first, end - first, protection, nullptr, 0);
  return 0;
}

int64_t MapSegment(const ProgramFile& file, const ElfSegment& segment, uint64_t base) {
  const int protection = Protection(segment.flags);
  const uint64_t start = PageDown(base + segment.address);
  const uint64_t file_end = PageUp(base + segment.address + segment.file_bytes);
  if (segment.file_bytes > 0) {
    const CodeMapping mapping = {file.fd.get(), start, file_end - start, PageDown(segment.file_offset), protection};
    const PlannedCode code = (protection & PROT_EXEC) != 0
                                 ? MapPlannedCode(mapping, file.status, {file.head, file.head_bytes})
                                 : PlannedCode::kNoSites;
    if (code != PlannedCode::kMapped) {
      const int64_t result = HostCall(SYS_mmap, mapping.address, mapping.size_bytes, protection,
                                      MAP_PRIVATE | MAP_FIXED, mapping.fd, mapping.file_offset);
      if (IsHostError(result)) {
        return result;
      }
    }
    if (code == PlannedCode::kUnknown) {
      PatchMapping(mapping);
    }
    Record(mapping.address, mapping.size_bytes, protection, file.object, mapping.file_offset);
  }
  return segment.memory_bytes > segment.file_bytes ? MapZeroes(segment, base, protection) : 0;
}

// Takes the whole span first, so that segments cannot land on anything. `wanted` = 0: anywhere.
int64_t ReserveSpan(const ElfImage& image, uint64_t wanted) {
  const uint64_t size_bytes = image.high - image.low;
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (wanted != 0 ? MAP_FIXED_NOREPLACE : 0);
  return HostCall(SYS_mmap, wanted, size_bytes, PROT_NONE, flags, -1, 0);
}

// Maps all segments; `base` is what is added to the file's addresses.
int64_t MapImage(ProgramFile& file, uint64_t wanted, uint64_t& base) {
  const ElfImage& image = file.image;
  int64_t low = -1;
  if (!image.is_position_independent) {
    if (image.low < kElfPageSize_bytes ||
        AddressRange{kImageLow, kFixedAreaHigh}.Overlaps(image.low, image.high - image.low) ||
        AddressRange{kKernelAreaLow, kKernelAreaHigh}.Overlaps(image.low, image.high - image.low)) {
      return -ENOEXEC;  // page 0, or in the way of our own areas
    }
    low = ReserveSpan(image, image.low);
  } else {
    low = ReserveSpan(image, wanted);
    if (IsHostError(low) && wanted != 0) {
      low = ReserveSpan(image, 0);
    }
  }
  if (IsHostError(low)) {
    return low;
  }
  base = static_cast<uint64_t>(low) - image.low;
  if (const int64_t error = ObjectOfFile(file.status, file.fd.get(), &file.object); error != 0) {
    return error;
  }
  uint64_t mapped_to = static_cast<uint64_t>(low);
  int64_t error = 0;
  for (size_t i = 0; i < image.segment_count && error == 0; ++i) {
    const ElfSegment& segment = image.segments[i];
    error = MapSegment(file, segment, base);
    mapped_to = PageUp(base + segment.address + segment.memory_bytes);
  }
  KERNEL_CHECK(error != 0 || mapped_to == base + image.high);
  return error;
}

// The interpreter's path, NUL-terminated in the file itself.
const char* InterpreterOf(ProgramFile& file) {
  if (file.image.interpreter_bytes == 0) {
    return nullptr;
  }
  const auto text = file.Bytes(file.image.interpreter_offset, file.image.interpreter_bytes);
  return !text.empty() && text.back() == '\0' ? reinterpret_cast<const char*>(text.data()) : nullptr;
}

// The path that the host has for the file; as it was opened if there is none.
void TakePath(const ProgramFile& file, const char* as_opened, char* path) {
  const MappedObject& object = *file.object;
  if (object.name_size_bytes == 0 || object.name_size_bytes >= PATH_MAX) {
    CopyPath(path, as_opened);
    return;
  }
  __builtin_memcpy(path, object.name(), object.name_size_bytes);
  path[object.name_size_bytes] = '\0';
}

// Not inlined: two ProgramFiles would lie on the stack that the guest's begins at.
[[gnu::noinline]] int64_t LoadInterpreter(const char* path, LoadedProgram& program) {
  ProgramFile interpreter(path);
  if (const int64_t error = ParseFile(interpreter); error != 0) {
    return error == -ENOEXEC ? -ELIBBAD : error;
  }
  if (const int64_t error = MapImage(interpreter, 0, program.interpreter_base); error != 0) {
    return error;
  }
  program.start = program.interpreter_base + interpreter.image.entry;
  return 0;
}

}  // namespace

int64_t LoadProgram(const char* path, uint64_t random, LoadedProgram& program) {
  ProgramFile file(path);
  if (const int64_t error = ParseFile(file); error != 0) {
    return error;
  }
  uint64_t base = 0;
  if (const int64_t error = MapImage(file, kProgramBase + (random % kRandomPages) * kElfPageSize_bytes, base);
      error != 0) {
    return error;
  }
  TakePath(file, path, program.path);
  program.entry = base + file.image.entry;
  program.start = program.entry;
  program.headers = file.image.headers_address != 0 ? base + file.image.headers_address : 0;
  program.header_count = file.image.header_count;
  // As Linux: a random gap of up to 32 MiB before the break, which then grows until it meets something.
  program.brk_start = base + file.image.high + ((random >> 32) % 8192) * kElfPageSize_bytes;
  program.brk_limit = program.brk_start < kImageLow ? kImageLow : program.brk_start + kBrkRoom_bytes;
  if (file.image.interpreter_bytes == 0) {
    return 0;
  }
  const char* const interpreter_path = InterpreterOf(file);
  return interpreter_path == nullptr ? -ENOEXEC : LoadInterpreter(interpreter_path, program);
}

}  // namespace junction
