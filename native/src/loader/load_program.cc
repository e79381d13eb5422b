// SPDX-License-Identifier: Apache-2.0
#include "loader/load_program.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kernel/guest_path.h"
#include "kernel/memory.h"
#include "loader/elf_image.h"
#include "loader/file_view.h"
#include "loader/image_patcher.h"
#include "uthread/address_map.h"
#include "uthread/panic.h"
#include "uthread/text_buffer.h"

namespace junction {
namespace {

// As Linux (ELF_ET_DYN_BASE is two thirds of the address space): far from both the mapping area and our own memory.
constexpr uint64_t kProgramBase = 0x555555554000;
constexpr uint64_t kRandomPages = 1 << 20;
constexpr uint64_t kBrkRoom_bytes = 1ULL << 38;

constexpr uint64_t PageDown(uint64_t value) { return value & ~(kElfPageSize_bytes - 1); }
constexpr uint64_t PageUp(uint64_t value) { return PageDown(value + kElfPageSize_bytes - 1); }

struct ProgramFile {
  explicit ProgramFile(const char* path) : fd(HostCall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0)) {}
  HostFd fd;
  FileView view;
  ElfImage image;
};

int64_t ParseFile(ProgramFile& file) {
  if (const int64_t error = file.fd.error(); error != 0) {
    return error;
  }
  if (const int64_t error = file.view.Open(file.fd.get()); error != 0) {
    return error;
  }
  const auto bytes = file.view.bytes();
  ElfHeaderTable table;
  if (const int64_t error = ParseElfHeader(bytes, bytes.size(), table); error != 0) {
    return error;
  }
  return ParseElfImage(bytes, bytes.subspan(table.offset, table.size_bytes), bytes.size(), file.image);
}

int Protection(uint32_t flags) {
  return ((flags & PF_R) != 0 ? PROT_READ : 0) | ((flags & PF_W) != 0 ? PROT_WRITE : 0) |
         ((flags & PF_X) != 0 ? PROT_EXEC : 0);
}

// Enters a piece of the program in the table of mappings; `fd` -1: zeroes.
void Record(uint64_t address, uint64_t size_bytes, int protection, int fd, uint64_t offset) {
  const KernelLockGuard lock;
  RecordMapping(*CurrentProcess().memory, address, size_bytes, protection, MAP_PRIVATE, fd, offset, "");
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
  Record(first, end - first, protection, -1, 0);
  return 0;
}

int64_t MapSegment(const ProgramFile& file, const ElfSegment& segment, uint64_t base) {
  const int protection = Protection(segment.flags);
  const uint64_t start = PageDown(base + segment.address);
  const uint64_t file_end = PageUp(base + segment.address + segment.file_bytes);
  if (segment.file_bytes > 0) {
    const CodeMapping mapping = {file.fd.get(), start, file_end - start, PageDown(segment.file_offset), protection};
    const int64_t result = HostCall(SYS_mmap, mapping.address, mapping.size_bytes, protection, MAP_PRIVATE | MAP_FIXED,
                                    mapping.fd, mapping.file_offset);
    if (IsHostError(result)) {
      return result;
    }
    Record(mapping.address, mapping.size_bytes, protection, mapping.fd, mapping.file_offset);
    if ((protection & PROT_EXEC) != 0) {
      PatchMapping(mapping);
    }
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
int64_t MapImage(const ProgramFile& file, uint64_t wanted, uint64_t& base) {
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
  uint64_t mapped_to = static_cast<uint64_t>(low);
  for (size_t i = 0; i < image.segment_count; ++i) {
    const ElfSegment& segment = image.segments[i];
    if (const int64_t error = MapSegment(file, segment, base); error != 0) {
      return error;
    }
    mapped_to = PageUp(base + segment.address + segment.memory_bytes);
  }
  KERNEL_CHECK(mapped_to == base + image.high);
  return 0;
}

// The interpreter's path, NUL-terminated in the file itself.
const char* InterpreterOf(const ProgramFile& file) {
  if (file.image.interpreter_bytes == 0) {
    return nullptr;
  }
  const auto text = file.view.bytes().subspan(file.image.interpreter_offset, file.image.interpreter_bytes);
  return text.back() == '\0' ? reinterpret_cast<const char*>(text.data()) : nullptr;
}

void ReadFilePath(int fd, const char* as_opened, char* path) {
  TextBuffer<40> link;
  link.Add("/proc/self/fd/").AddUnsigned(static_cast<unsigned>(fd)).AddChar('\0');
  const int64_t length = HostCall(SYS_readlinkat, AT_FDCWD, link.data(), path, PATH_MAX - 1);
  if (length > 0) {
    path[length] = '\0';
  } else {
    CopyPath(path, as_opened);
  }
}

}  // namespace

int64_t LoadProgram(const char* path, uint64_t random, LoadedProgram& program) {
  ProgramFile file(path);
  if (const int64_t error = ParseFile(file); error != 0) {
    return error;
  }
  ReadFilePath(file.fd.get(), path, program.path);
  uint64_t base = 0;
  if (const int64_t error = MapImage(file, kProgramBase + (random % kRandomPages) * kElfPageSize_bytes, base);
      error != 0) {
    return error;
  }
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
  if (interpreter_path == nullptr) {
    return -ENOEXEC;
  }
  ProgramFile interpreter(interpreter_path);
  if (const int64_t error = ParseFile(interpreter); error != 0) {
    return error == -ENOEXEC ? -ELIBBAD : error;
  }
  if (const int64_t error = MapImage(interpreter, 0, program.interpreter_base); error != 0) {
    return error;
  }
  program.start = program.interpreter_base + interpreter.image.entry;
  return 0;
}

}  // namespace junction
