// SPDX-License-Identifier: Apache-2.0
// ELF64 program files, parsed as hostile input. Read first: elf(5), System V ABI AMD64 supplement chapter 5, Linux's
// fs/binfmt_elf.c for what it accepts.
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace junction {

inline constexpr size_t kMaxProgramHeaders = 128;
inline constexpr size_t kMaxLoadSegments = 32;
inline constexpr uint64_t kElfPageSize_bytes = 4096;
/// No image may span more than this; keeps all sums far from overflow.
inline constexpr uint64_t kMaxImageSpan_bytes = 1ULL << 40;
inline constexpr uint64_t kUserAddressEnd = 1ULL << 47;

struct ElfSegment {
  uint64_t address;  // as in the file; add the load base
  uint64_t memory_bytes;
  uint64_t file_offset;
  uint64_t file_bytes;  // at most memory_bytes, and inside the file
  uint32_t flags;       // PF_R, PF_W, PF_X
};

/// What a file says about itself, checked: ranges lie inside the file, segments ascend and do not share pages.
struct ElfImage {
  bool is_position_independent = false;
  uint64_t entry = 0;
  uint64_t headers_address = 0;  // of the program headers once loaded (AT_PHDR), 0 if no segment holds them
  uint16_t header_count = 0;
  uint64_t low = 0;  // page-aligned span of all segments, as in the file
  uint64_t high = 0;
  ElfSegment segments[kMaxLoadSegments] = {};
  size_t segment_count = 0;
  uint64_t interpreter_offset = 0;  // of the PT_INTERP text in the file
  uint64_t interpreter_bytes = 0;   // with its NUL; 0 = none
  uint64_t unwind_address = 0;      // of .eh_frame_hdr
  uint64_t unwind_offset = 0;
  uint64_t unwind_bytes = 0;  // from there to the end of its segment in the file, so with .eh_frame; 0 = none
};

/// Where in the file the program headers are.
struct ElfHeaderTable {
  uint64_t offset = 0;
  uint64_t size_bytes = 0;
};

/// First step: checks the ELF header in `head` (the first bytes of the file, 64 suffice) and says where the program headers are.
/// 0, or -ENOEXEC for a file that is no x86-64 ELF program.
int64_t ParseElfHeader(std::span<const uint8_t> head, uint64_t file_bytes, ElfHeaderTable& table);

/// Second step: `head` as before, `headers` the table's bytes. 0, or -ENOEXEC for a file that cannot be loaded as it says.
int64_t ParseElfImage(std::span<const uint8_t> head, std::span<const uint8_t> headers, uint64_t file_bytes,
                      ElfImage& image);

}  // namespace junction
