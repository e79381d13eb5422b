// SPDX-License-Identifier: Apache-2.0
#include "loader/elf_image.h"

#include <cerrno>

namespace junction {
namespace {

constexpr uint64_t PageDown(uint64_t value) { return value & ~(kElfPageSize_bytes - 1); }
constexpr uint64_t PageUp(uint64_t value) { return PageDown(value + kElfPageSize_bytes - 1); }

// The bytes may lie unaligned: copies a T out of them.
template <typename T>
T CopyAt(std::span<const uint8_t> bytes, size_t offset) {
  T value;
  __builtin_memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

bool LiesInFile(uint64_t offset, uint64_t size_bytes, uint64_t file_bytes) {
  return offset <= file_bytes && size_bytes <= file_bytes - offset;
}

bool AddSegment(const Elf64_Phdr& header, uint64_t file_bytes, ElfImage& image) {
  if (header.p_memsz == 0) {
    return true;
  }
  if (image.segment_count == kMaxLoadSegments || header.p_filesz > header.p_memsz ||
      !LiesInFile(header.p_offset, header.p_filesz, file_bytes) || header.p_vaddr >= kUserAddressEnd ||
      header.p_memsz > kMaxImageSpan_bytes || (header.p_vaddr - header.p_offset) % kElfPageSize_bytes != 0) {
    return false;
  }
  if (image.segment_count > 0 && PageDown(header.p_vaddr) < image.high) {
    return false;  // not ascending, or two segments in one page
  }
  if (image.segment_count == 0) {
    image.low = PageDown(header.p_vaddr);
  }
  image.high = PageUp(header.p_vaddr + header.p_memsz);
  image.segments[image.segment_count++] = {header.p_vaddr, header.p_memsz, header.p_offset, header.p_filesz,
                                           header.p_flags};
  return image.high - image.low <= kMaxImageSpan_bytes && image.high <= kUserAddressEnd;
}

bool AddHeader(const Elf64_Phdr& header, uint64_t file_bytes, ElfImage& image) {
  switch (header.p_type) {
    case PT_LOAD:
      return AddSegment(header, file_bytes, image);
    case PT_INTERP:
      if (image.interpreter_bytes != 0) {
        return true;  // the first counts, as in Linux
      }
      if (header.p_filesz < 2 || header.p_filesz > 4096 || !LiesInFile(header.p_offset, header.p_filesz, file_bytes)) {
        return false;
      }
      image.interpreter_offset = header.p_offset;
      image.interpreter_bytes = header.p_filesz;
      return true;
    case PT_GNU_EH_FRAME:
      // Only a hint for the scanner: one that is wrong is dropped, not an error.
      if (LiesInFile(header.p_offset, header.p_filesz, file_bytes) && header.p_vaddr < kUserAddressEnd) {
        image.unwind_address = header.p_vaddr;
        image.unwind_offset = header.p_offset;
        image.unwind_bytes = header.p_filesz;
      }
      return true;
    default:
      return true;
  }
}

// The address at which the file's byte `offset` is loaded, 0 if it is not.
uint64_t AddressOfOffset(const ElfImage& image, uint64_t offset, uint64_t size_bytes) {
  for (size_t i = 0; i < image.segment_count; ++i) {
    const ElfSegment& segment = image.segments[i];
    if (offset >= segment.file_offset && LiesInFile(offset - segment.file_offset, size_bytes, segment.file_bytes)) {
      return segment.address + (offset - segment.file_offset);
    }
  }
  return 0;
}

// Lets the unwinding data reach to the end of the segment that it lies in; without such a segment there is none.
void ExtendUnwind(ElfImage& image) {
  for (size_t i = 0; i < image.segment_count; ++i) {
    const ElfSegment& segment = image.segments[i];
    if (image.unwind_bytes > 0 && image.unwind_offset >= segment.file_offset &&
        LiesInFile(image.unwind_offset - segment.file_offset, image.unwind_bytes, segment.file_bytes)) {
      image.unwind_bytes = segment.file_bytes - (image.unwind_offset - segment.file_offset);
      return;
    }
  }
  image.unwind_bytes = 0;
}

}  // namespace

int64_t ParseElfHeader(std::span<const uint8_t> head, uint64_t file_bytes, ElfHeaderTable& table) {
  if (head.size() < sizeof(Elf64_Ehdr)) {
    return -ENOEXEC;
  }
  const auto header = CopyAt<Elf64_Ehdr>(head, 0);
  if (__builtin_memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != EM_X86_64) {
    return -ENOEXEC;
  }
  if ((header.e_type != ET_EXEC && header.e_type != ET_DYN) || header.e_phentsize != sizeof(Elf64_Phdr) ||
      header.e_phnum == 0 || header.e_phnum > kMaxProgramHeaders) {
    return -ENOEXEC;
  }
  table.offset = header.e_phoff;
  table.size_bytes = static_cast<uint64_t>(header.e_phnum) * sizeof(Elf64_Phdr);
  return LiesInFile(table.offset, table.size_bytes, file_bytes) ? 0 : -ENOEXEC;
}

int64_t ParseElfImage(std::span<const uint8_t> head, std::span<const uint8_t> headers, uint64_t file_bytes,
                      ElfImage& image) {
  ElfHeaderTable table;
  if (const int64_t error = ParseElfHeader(head, file_bytes, table); error != 0) {
    return error;
  }
  if (headers.size() < table.size_bytes) {
    return -ENOEXEC;
  }
  const auto header = CopyAt<Elf64_Ehdr>(head, 0);
  image = ElfImage{};
  image.is_position_independent = header.e_type == ET_DYN;
  image.entry = header.e_entry;
  image.header_count = header.e_phnum;
  for (size_t i = 0; i < header.e_phnum; ++i) {
    if (!AddHeader(CopyAt<Elf64_Phdr>(headers, i * sizeof(Elf64_Phdr)), file_bytes, image)) {
      return -ENOEXEC;
    }
  }
  if (image.segment_count == 0 || image.entry >= kUserAddressEnd) {
    return -ENOEXEC;
  }
  image.headers_address = AddressOfOffset(image, table.offset, table.size_bytes);
  ExtendUnwind(image);
  return 0;
}

}  // namespace junction
