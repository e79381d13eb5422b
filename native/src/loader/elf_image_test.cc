// SPDX-License-Identifier: Apache-2.0
#include "loader/elf_image.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <vector>

namespace junction {
namespace {

using Bytes = std::vector<uint8_t>;

// A small sound program: headers and text in one segment, data with bss in another, an interpreter.
struct File {
  Elf64_Ehdr header = {};
  std::vector<Elf64_Phdr> table;
  uint64_t size_bytes = 0x3000;

  File() {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_DYN;
    header.e_machine = EM_X86_64;
    header.e_entry = 0x1040;
    header.e_phoff = sizeof(Elf64_Ehdr);
    header.e_phentsize = sizeof(Elf64_Phdr);
    table.push_back({PT_INTERP, PF_R, 0x318, 0x318, 0, 28, 28, 1});
    table.push_back({PT_LOAD, PF_R | PF_X, 0, 0, 0, 0x1800, 0x1800, 0x1000});
    table.push_back({PT_LOAD, PF_R | PF_W, 0x2000, 0x4000, 0, 0x800, 0x2000, 0x1000});
  }

  Bytes Write() const {
    Bytes bytes(size_bytes);
    Elf64_Ehdr written = header;
    if (written.e_phnum == 0) {
      written.e_phnum = static_cast<uint16_t>(table.size());
    }
    std::memcpy(bytes.data(), &written, sizeof(written));
    if (header.e_phoff <= bytes.size() && table.size() * sizeof(Elf64_Phdr) <= bytes.size() - header.e_phoff) {
      std::memcpy(bytes.data() + header.e_phoff, table.data(), table.size() * sizeof(Elf64_Phdr));
    }
    return bytes;
  }
};

int64_t Parse(const Bytes& bytes, ElfImage& image) {
  ElfHeaderTable table;
  if (const int64_t error = ParseElfHeader(bytes, bytes.size(), table); error != 0) {
    return error;
  }
  return ParseElfImage(bytes, std::span(bytes).subspan(table.offset, table.size_bytes), bytes.size(), image);
}

int64_t ParseChanged(const std::function<void(File&)>& change) {
  File file;
  change(file);
  ElfImage image;
  return Parse(file.Write(), image);
}

TEST(ElfImage, DescribesASoundProgram) {
  ElfImage image;
  ASSERT_EQ(Parse(File().Write(), image), 0);
  EXPECT_TRUE(image.is_position_independent);
  EXPECT_EQ(image.entry, 0x1040U);
  EXPECT_EQ(image.headers_address, sizeof(Elf64_Ehdr));
  EXPECT_EQ(image.header_count, 3);
  EXPECT_EQ(image.low, 0U);
  EXPECT_EQ(image.high, 0x6000U);
  ASSERT_EQ(image.segment_count, 2U);
  EXPECT_EQ(image.segments[1].address, 0x4000U);
  EXPECT_EQ(image.segments[1].memory_bytes, 0x2000U);
  EXPECT_EQ(image.interpreter_offset, 0x318U);
  EXPECT_EQ(image.interpreter_bytes, 28U);
  EXPECT_EQ(image.unwind_bytes, 0U);
}

TEST(ElfImage, IgnoresEmptySegments) {
  EXPECT_EQ(ParseChanged([](File& file) { file.table.push_back({PT_LOAD, PF_R, 0, 0, 0, 0, 0, 0x1000}); }), 0);
}

TEST(ElfImage, LetsUnwindingDataReachToTheEndOfItsSegment) {
  File file;
  file.table.push_back({PT_GNU_EH_FRAME, PF_R, 0x1400, 0x1400, 0, 0x40, 0x40, 4});
  ElfImage image;
  ASSERT_EQ(Parse(file.Write(), image), 0);
  EXPECT_EQ(image.unwind_offset, 0x1400U);
  EXPECT_EQ(image.unwind_bytes, 0x400U);
}

TEST(ElfImage, DropsUnwindingDataOutsideOfAllSegments) {
  File file;
  file.table.push_back({PT_GNU_EH_FRAME, PF_R, 0x2900, 0x2900, 0, 0x40, 0x40, 4});
  ElfImage image;
  ASSERT_EQ(Parse(file.Write(), image), 0);
  EXPECT_EQ(image.unwind_bytes, 0U);
}

struct Malformed {
  const char* name;
  std::function<void(File&)> change;
};

class MalformedElf : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedElf, IsRefused) { EXPECT_EQ(ParseChanged(GetParam().change), -ENOEXEC); }

INSTANTIATE_TEST_SUITE_P(
    Files, MalformedElf,
    testing::Values(Malformed{"NoMagic", [](File& f) { f.header.e_ident[1] = 'X'; }},
                    Malformed{"Class32", [](File& f) { f.header.e_ident[EI_CLASS] = ELFCLASS32; }},
                    Malformed{"BigEndian", [](File& f) { f.header.e_ident[EI_DATA] = ELFDATA2MSB; }},
                    Malformed{"OtherMachine", [](File& f) { f.header.e_machine = EM_AARCH64; }},
                    Malformed{"ObjectFile", [](File& f) { f.header.e_type = ET_REL; }},
                    Malformed{"OddHeaderSize", [](File& f) { f.header.e_phentsize = 57; }},
                    Malformed{"TooManyHeaders", [](File& f) { f.header.e_phnum = 0xffff; }},
                    Malformed{"HeadersBehindTheEnd", [](File& f) { f.header.e_phoff = 0x2fff; }},
                    Malformed{"HeaderOffsetOverflows", [](File& f) { f.header.e_phoff = ~0ULL - 8; }},
                    Malformed{"EntryOutOfUserSpace", [](File& f) { f.header.e_entry = 1ULL << 63; }},
                    Malformed{"NoSegments", [](File& f) { f.table.resize(1); }},
                    Malformed{"FileLargerThanMemory", [](File& f) { f.table[1].p_memsz = 0x100; }},
                    Malformed{"SegmentBehindTheEnd", [](File& f) { f.table[2].p_filesz = 0x1800; }},
                    Malformed{"SegmentOffsetOverflows", [](File& f) { f.table[2].p_offset = ~0ULL - 0xfff; }},
                    Malformed{"SegmentSizeOverflows", [](File& f) { f.table[2].p_memsz = ~0ULL; }},
                    Malformed{"AddressOverflows", [](File& f) { f.table[2].p_vaddr = ~0ULL - 0xfff; }},
                    Malformed{"AddressAndOffsetOutOfStep", [](File& f) { f.table[2].p_vaddr = 0x4010; }},
                    Malformed{"NotAscending", [](File& f) { std::swap(f.table[1], f.table[2]); }},
                    Malformed{"Overlapping", [](File& f) { f.table[2].p_vaddr = 0x1000; }},
                    Malformed{"SpanTooLarge", [](File& f) { f.table[2].p_vaddr = 1ULL << 41; }},
                    Malformed{"InterpreterEmpty", [](File& f) { f.table[0].p_filesz = 1; }},
                    Malformed{"InterpreterTooLong", [](File& f) { f.table[0].p_filesz = 5000; }},
                    Malformed{"InterpreterBehindTheEnd", [](File& f) { f.table[0].p_offset = 0x2ff0; }},
                    Malformed{"TooManySegments",
                              [](File& f) {
                                for (uint64_t i = 0; i < kMaxLoadSegments; ++i) {
                                  f.table.push_back({PT_LOAD, PF_R, 0, 0x10000 + i * 0x1000, 0, 0x10, 0x10, 0x1000});
                                }
                              }}),
    [](const testing::TestParamInfo<Malformed>& tested) { return tested.param.name; });

TEST(ElfImage, RefusesEveryCutOffHead) {
  const Bytes whole = File().Write();
  for (size_t size = 0; size < sizeof(Elf64_Ehdr); ++size) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    ElfHeaderTable table;
    EXPECT_EQ(ParseElfHeader(cut, cut.size(), table), -ENOEXEC) << size;
  }
}

TEST(ElfImage, RefusesACutOffTable) {
  const Bytes whole = File().Write();
  ElfImage image;
  EXPECT_EQ(ParseElfImage(whole, std::span(whole).subspan(sizeof(Elf64_Ehdr), 100), whole.size(), image), -ENOEXEC);
}

}  // namespace
}  // namespace junction
