// SPDX-License-Identifier: Apache-2.0
// The oracle is Zydis: lengths over whole libraries, as they are met by a linear walk, and over random bytes.
#include "loader/instruction.h"

#include <Zydis/Zydis.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "loader/elf_image.h"

namespace junction {
namespace {

using Code = std::vector<uint8_t>;

struct Oracle {
  Oracle() { ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64); }
  ZydisDecoder decoder;
  ZydisDecodedInstruction instruction;
  bool Decode(std::span<const uint8_t> code) {
    return ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, nullptr, code.data(), code.size(), &instruction));
  }
};

Code ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return Code(std::istreambuf_iterator<char>(file), {});
}

InstructionKind KindOf(const Code& code) { return DecodeInstruction(code).kind; }

void ExpectSameAsOracle(std::span<const uint8_t> code, size_t offset, Oracle& oracle) {
  const Instruction ours = DecodeInstruction(code);
  ASSERT_EQ(static_cast<int>(ours.length), static_cast<int>(oracle.instruction.length)) << "at " << offset;
  const bool is_relative = (oracle.instruction.attributes & ZYDIS_ATTRIB_IS_RELATIVE) != 0;
  if (ours.rip_displacement_at != 0) {
    ASSERT_TRUE(is_relative) << "at " << offset;
    ASSERT_EQ(static_cast<int>(ours.rip_displacement_at), static_cast<int>(oracle.instruction.raw.disp.offset))
        << "at " << offset;
  } else if (ours.kind == InstructionKind::kPlain) {
    ASSERT_FALSE(is_relative) << "at " << offset;  // anything relative must be known before it is moved
  }
  ASSERT_EQ(ours.kind == InstructionKind::kSyscall, oracle.instruction.mnemonic == ZYDIS_MNEMONIC_SYSCALL)
      << "at " << offset;
  const auto category = oracle.instruction.meta.category;
  if (category == ZYDIS_CATEGORY_COND_BR || category == ZYDIS_CATEGORY_UNCOND_BR || category == ZYDIS_CATEGORY_CALL ||
      category == ZYDIS_CATEGORY_RET) {
    ASSERT_NE(ours.kind, InstructionKind::kPlain) << "at " << offset;
  }
}

void CompareWalk(const std::string& path) {
  const Code file = ReadFile(path);
  ASSERT_FALSE(file.empty()) << path;
  ElfHeaderTable table;
  ElfImage image;
  ASSERT_EQ(ParseElfHeader(file, file.size(), table), 0);
  ASSERT_EQ(ParseElfImage(file, std::span(file).subspan(table.offset, table.size_bytes), file.size(), image), 0);
  Oracle oracle;
  size_t compared = 0;
  for (size_t i = 0; i < image.segment_count; ++i) {
    if ((image.segments[i].flags & PF_X) == 0) {
      continue;
    }
    const auto text = std::span(file).subspan(image.segments[i].file_offset, image.segments[i].file_bytes);
    for (size_t at = 0; at < text.size();) {
      if (!oracle.Decode(text.subspan(at))) {
        ++at;  // data
        continue;
      }
      ASSERT_NO_FATAL_FAILURE(ExpectSameAsOracle(text.subspan(at), at, oracle));
      ++compared;
      at += oracle.instruction.length;
    }
  }
  EXPECT_GT(compared, 1000U);
}

TEST(Instruction, HasTheLengthThatZydisSaysOverTheCLibrary) { CompareWalk("/lib/x86_64-linux-gnu/libc.so.6"); }

TEST(Instruction, HasTheLengthThatZydisSaysOverTheCppLibrary) {
  CompareWalk("/usr/lib/x86_64-linux-gnu/libstdc++.so.6");
}

TEST(Instruction, HasTheLengthThatZydisSaysOverThisProgram) { CompareWalk("/proc/self/exe"); }

// What Zydis takes for an instruction and we do not is harmless; another length is not, save for what no program holds: prefixes that
// repeat, APX and the like.
TEST(Instruction, NeverDisagreesOnTheLengthOfRandomBytesThatBothKnow) {
  std::mt19937_64 random(20261123);
  Oracle oracle;
  size_t both = 0;
  for (int round = 0; round < 2'000'000; ++round) {
    uint8_t code[16];
    const uint64_t words[2] = {random(), random()};
    __builtin_memcpy(code, words, sizeof(code));
    if (code[0] == 0x8f || code[0] == 0xd5 || !oracle.Decode(code)) {
      continue;
    }
    const Instruction ours = DecodeInstruction(code);
    if (ours.kind == InstructionKind::kInvalid) {
      continue;
    }
    ++both;
    ASSERT_EQ(static_cast<int>(ours.length), static_cast<int>(oracle.instruction.length))
        << std::hex << static_cast<int>(code[0]) << ' ' << static_cast<int>(code[1]) << ' ' << static_cast<int>(code[2])
        << ' ' << static_cast<int>(code[3]) << ' ' << static_cast<int>(code[4]);
  }
  EXPECT_GT(both, 1'000'000U);
}

TEST(Instruction, ReadsNoByteBehindTheEnd) {
  const Code code = {0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00};
  for (size_t size = 0; size < code.size(); ++size) {
    const Code cut(code.begin(), code.begin() + static_cast<ptrdiff_t>(size));  // ASan sees a read behind it
    EXPECT_EQ(DecodeInstruction(cut).kind, InstructionKind::kInvalid) << size;
  }
  EXPECT_EQ(DecodeInstruction(code).length, 7);
}

TEST(Instruction, EndsAtFifteenBytes) {
  Code code(15, 0x66);
  code.push_back(0x90);
  EXPECT_EQ(KindOf(code), InstructionKind::kInvalid);
}

TEST(Instruction, TellsKindsApart) {
  EXPECT_EQ(KindOf({0x0f, 0x05}), InstructionKind::kSyscall);
  EXPECT_EQ(KindOf({0xb8, 1, 0, 0, 0}), InstructionKind::kPlain);
  EXPECT_EQ(KindOf({0xeb, 0xfe}), InstructionKind::kBranch);
  EXPECT_EQ(KindOf({0x0f, 0x84, 0, 0, 0, 0}), InstructionKind::kBranch);
  EXPECT_EQ(KindOf({0xe8, 0, 0, 0, 0}), InstructionKind::kCall);
  EXPECT_EQ(KindOf({0xff, 0xe0}), InstructionKind::kIndirectJump);
  EXPECT_EQ(KindOf({0xff, 0xd0}), InstructionKind::kIndirectCall);
  EXPECT_EQ(KindOf({0xc3}), InstructionKind::kReturn);
  EXPECT_EQ(KindOf({0xcc}), InstructionKind::kTrap);
  EXPECT_EQ(KindOf({0x06}), InstructionKind::kInvalid);
}

TEST(Instruction, FindsTheRipRelativeDisplacement) {
  const Code lea = {0x48, 0x8d, 0x35, 0x58, 0x58, 0x07, 0x00};
  EXPECT_EQ(DecodeInstruction(lea).rip_displacement_at, 3);
  const Code compare_with_immediate = {0x83, 0x3d, 1, 2, 3, 4, 5};  // cmpl $5, disp(%rip)
  EXPECT_EQ(DecodeInstruction(compare_with_immediate).rip_displacement_at, 2);
  EXPECT_EQ(DecodeInstruction(compare_with_immediate).length, 7);
}

}  // namespace
}  // namespace junction
