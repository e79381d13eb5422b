// SPDX-License-Identifier: Apache-2.0
#include "loader/code_scanner.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <vector>

namespace junction {
namespace {

// Writes code the way an assembler would; a function begins after padding, at a multiple of 16.
class Text {
 public:
  Text() { Padding(256); }
  Text& Add(std::initializer_list<int> code) {
    for (const int byte : code) {
      bytes_.push_back(static_cast<uint8_t>(byte));
    }
    return *this;
  }
  Text& Padding(size_t size) {
    bytes_.insert(bytes_.end(), size, 0xcc);
    while (bytes_.size() % 16 != 0) {
      bytes_.push_back(0xcc);
    }
    return *this;
  }
  Text& Number(int number) { return Add({0xb8, number & 0xff, number >> 8, 0, 0}); }
  Text& Syscall() {
    syscall_ = static_cast<uint32_t>(bytes_.size());
    return Add({0x0f, 0x05});
  }
  Text& Return() { return Add({0xc3}).Padding(16); }

  const std::vector<uint8_t>& bytes() const { return bytes_; }
  uint32_t syscall() const { return syscall_; }
  uint32_t here() const { return static_cast<uint32_t>(bytes_.size()); }

 private:
  std::vector<uint8_t> bytes_;
  uint32_t syscall_ = 0;
};

std::vector<PatchSite> Scan(const std::vector<uint8_t>& bytes, size_t capacity = 64) {
  std::vector<PatchSite> sites(capacity);
  const auto scratch = std::make_unique<ScanScratch>();
  CodeText text;
  text.bytes = bytes;
  sites.resize(ScanCode(text, sites, *scratch).sites);
  for (const PatchSite& site : sites) {
    EXPECT_TRUE(IsSiteSound(bytes, site));
  }
  return sites;
}

PatchSite OnlySite(const Text& text) {
  const std::vector<PatchSite> sites = Scan(text.bytes());
  EXPECT_EQ(sites.size(), 1U);
  return sites.empty() ? PatchSite{} : sites[0];
}

TEST(CodeScanner, ReplacesTheMovBeforeTheSyscall) {
  const Text text = Text().Add({0x31, 0xff}).Number(39).Syscall().Return();
  const PatchSite site = OnlySite(text);
  EXPECT_EQ(site.offset, text.syscall());
  EXPECT_EQ(site.before_bytes, 5);
  EXPECT_EQ(site.after_bytes, 0);
}

TEST(CodeScanner, ReplacesTheLongMovOfASignalReturn) {
  EXPECT_EQ(OnlySite(Text().Add({0x48, 0xc7, 0xc0, 15, 0, 0, 0}).Syscall().Return()).before_bytes, 7);
}

TEST(CodeScanner, MovesSeveralInstructionsWhenTheLastIsShort) {
  // mov $n, %eax; xor %edi, %edi; syscall
  EXPECT_EQ(OnlySite(Text().Number(302).Add({0x31, 0xff}).Syscall().Return()).before_bytes, 7);
}

TEST(CodeScanner, MovesTheInstructionsAfterWhenABranchIsBefore) {
  // jmp +0; syscall; cmp $-4095, %rax; ret
  const Text text = Text().Number(1).Add({0xeb, 0x00}).Syscall().Add({0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff}).Return();
  const PatchSite site = OnlySite(text);
  EXPECT_EQ(site.before_bytes, 0);
  EXPECT_EQ(site.after_bytes, 6);
}

TEST(CodeScanner, TakesPaddingAfterAReturn) {
  const Text text = Text().Add({0xeb, 0x00}).Syscall().Return();
  EXPECT_EQ(OnlySite(text).after_bytes, 3);  // ret and two int3
}

TEST(CodeScanner, KeepsAPlaceBetweenInstructionsThatAShortJumpGoesTo) {
  // mov $n, %eax; test %edi, %edi; jz to the xor; nop; xor %edx, %edx (target); syscall; then a call, which cannot move
  const Text text =
      Text().Number(302).Add({0x85, 0xff, 0x74, 0x01, 0x90, 0x31, 0xd2}).Syscall().Add({0xe8, 0, 0, 0, 0}).Return();
  EXPECT_TRUE(Scan(text.bytes()).empty());
}

TEST(CodeScanner, KeepsAPlaceBetweenInstructionsThatAFarJumpGoesTo) {
  Text text;
  text.Number(302);
  const uint32_t inner = text.here();
  text.Add({0x31, 0xff}).Syscall().Add({0xe8, 0, 0, 0, 0}).Return().Padding(4096);
  const auto distance = static_cast<int32_t>(inner) - static_cast<int32_t>(text.here() + 5);
  text.Add({0xe9, distance & 0xff, (distance >> 8) & 0xff, (distance >> 16) & 0xff, (distance >> 24) & 0xff});
  const PatchSite site = OnlySite(text);
  EXPECT_EQ(site.before_bytes, 7);
  EXPECT_EQ(site.kept_bytes, 2);
}

TEST(CodeScanner, AllowsAJumpToTheFirstReplacedInstructionAndToTheSyscall) {
  // jmp to the mov, jmp to the syscall: both stay places to go to
  const Text text = Text().Add({0xeb, 0x02, 0xeb, 0x05}).Number(24).Syscall().Return();
  EXPECT_EQ(OnlySite(text).before_bytes, 5);
}

TEST(CodeScanner, FallsBackToTheInstructionsAfter) {
  // As above with a jump between the ones before, but a compare of the result after.
  const Text text = Text()
                        .Number(302)
                        .Add({0x85, 0xff, 0x74, 0x01, 0x90, 0x31, 0xd2})
                        .Syscall()
                        .Add({0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff})
                        .Return();
  EXPECT_EQ(OnlySite(text).after_bytes, 6);
}

// glibc's thread exit: mov $60, %edx; xchg %ax, %ax; 1: xor %edi, %edi; mov %edx, %eax; syscall; jmp 1b
TEST(CodeScanner, KeepsWhatALoopJumpsToAndReplacesALongerInstructionFurtherUp) {
  const Text text =
      Text().Add({0xba, 60, 0, 0, 0, 0x66, 0x90, 0x31, 0xff, 0x89, 0xd0}).Syscall().Add({0xeb, 0xf8}).Padding(8);
  PatchSite site = OnlySite(text);
  EXPECT_EQ(site.before_bytes, 11);
  EXPECT_EQ(site.kept_bytes, 6);
  site.kept_bytes = 5;  // would begin inside of an instruction
  EXPECT_FALSE(IsSiteSound(text.bytes(), site));
  site.kept_bytes = 12;
  EXPECT_FALSE(IsSiteSound(text.bytes(), site));
}

TEST(CodeScanner, ReplacesASingleInstructionOnlyNearASwitch) {
  const Text text = Text().Add({0xff, 0xe0}).Number(302).Add({0x31, 0xff}).Syscall().Add({0xe8, 0, 0, 0, 0}).Return();
  const PatchSite site = OnlySite(text);  // the mov alone: what a table may lead to stays
  EXPECT_EQ(site.before_bytes, 7);
  EXPECT_EQ(site.kept_bytes, 2);
}

TEST(CodeScanner, SeesThatTheBytesArePartOfALongerInstruction) {
  // movabs $imm64, %rax whose immediate holds mov and syscall; mov $0x050f, %ecx
  EXPECT_TRUE(Scan(Text().Add({0x48, 0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0, 0}).Return().bytes()).empty());
  EXPECT_TRUE(Scan(Text().Add({0xb9, 0x0f, 0x05, 0, 0}).Return().bytes()).empty());
}

TEST(CodeScanner, LeavesASyscallBetweenBranches) {
  EXPECT_TRUE(Scan(Text().Add({0xeb, 0x00}).Syscall().Add({0xeb, 0x00}).Return().bytes()).empty());
}

TEST(CodeScanner, FindsCodeWithoutPaddingByAgreement) {
  // nothing but short instructions before: no int3 that shows a start
  std::vector<uint8_t> bytes(512, 0x90);
  for (const uint8_t byte : {0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3}) {
    bytes.push_back(byte);
  }
  const std::vector<PatchSite> sites = Scan(bytes);
  ASSERT_EQ(sites.size(), 1U);
  EXPECT_EQ(sites[0].before_bytes, 5);
}

TEST(CodeScanner, LeavesDataThatOnlyLooksLikeASyscall) {
  std::vector<uint8_t> bytes(512);
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<uint8_t>(i * 37 + 11);
  }
  bytes.insert(bytes.end(), {0x11, 0x22, 0x33, 0x44, 0x55, 0x0f, 0x05, 0x66, 0x77});
  EXPECT_TRUE(Scan(bytes).empty());
}

TEST(CodeScanner, PatchesNeighboursWithoutOverlap) {
  Text text;
  for (int i = 0; i < 8; ++i) {
    text.Number(i).Syscall();
  }
  text.Return();
  const std::vector<PatchSite> sites = Scan(text.bytes());
  EXPECT_EQ(sites.size(), 8U);
}

TEST(CodeScanner, LeavesWhatDoesNotFitIntoTheList) {
  Text text;
  for (int i = 0; i < 8; ++i) {
    text.Number(i).Syscall();
  }
  EXPECT_EQ(Scan(text.Return().bytes(), 3).size(), 3U);
}

TEST(CodeScanner, HandlesTextsThatEndAnywhere) {
  const Text text = Text().Add({0x31, 0xff}).Number(39).Syscall().Add({0x48, 0x3d, 0, 0xf0, 0xff, 0xff}).Return();
  for (size_t size = 0; size <= text.bytes().size(); ++size) {
    Scan(std::vector<uint8_t>(text.bytes().begin(), text.bytes().begin() + static_cast<ptrdiff_t>(size)));
  }
}

// The unwinding entry of glibc's __restore_rt begins one byte early.
TEST(CodeScanner, TakesTheStartAfterTheOneThatTheUnwindingTableGives) {
  Text text;
  text.Add({0x90}).Padding(1);
  const uint32_t function = text.here();
  text.Add({0x48, 0xc7, 0xc0, 15, 0, 0, 0}).Syscall().Return();
  std::vector<uint8_t> bytes = text.bytes();
  bytes[function - 1] = 0x00;  // the last byte of a long nop: decoded from here all is out of step
  std::vector<uint8_t> unwind(12 + 8 + 16);
  const auto put = [&](size_t at, int32_t value) { __builtin_memcpy(unwind.data() + at, &value, sizeof(value)); };
  unwind[0] = 1;
  unwind[1] = 0x1b;
  unwind[2] = 0x03;
  unwind[3] = 0x3b;
  put(8, 1);
  put(12, static_cast<int32_t>(function) - 1);
  put(16, 20);
  put(20 + 12, 10);
  CodeText code;
  code.bytes = bytes;
  FindUnwindRows(unwind, 0, 0, code);
  ASSERT_EQ(code.unwind_rows, 1U);
  std::vector<PatchSite> sites(4);
  const auto scratch = std::make_unique<ScanScratch>();
  ASSERT_EQ(ScanCode(code, sites, *scratch).sites, 1U);
  EXPECT_EQ(sites[0].before_bytes, 7);
}

// Sites of a text whose unwinding table has one entry, for `covered` bytes up to `end`.
size_t SitesWithEntry(const Text& text, uint32_t end, uint8_t covered) {
  std::vector<uint8_t> unwind(12 + 8 + 16);
  unwind[0] = 1;
  unwind[1] = 0x1b;
  unwind[2] = 0x03;
  unwind[3] = 0x3b;
  unwind[8] = 1;
  unwind[16] = 20;
  const uint32_t start = end - covered;
  __builtin_memcpy(unwind.data() + 12, &start, sizeof(start));
  unwind[20 + 12] = covered;
  CodeText code;
  code.bytes = text.bytes();
  FindUnwindRows(unwind, 0, 0, code);
  std::vector<PatchSite> sites(4);
  const auto scratch = std::make_unique<ScanScratch>();
  return ScanCode(code, sites, *scratch).sites;
}

TEST(CodeScanner, LeavesWhatTheUnwindingTableDoesNotCover) {
  const Text text = Text().Number(39).Syscall().Return();
  EXPECT_EQ(SitesWithEntry(text, text.syscall() - 1, 4), 0U);
  EXPECT_EQ(SitesWithEntry(text, text.syscall() + 2, 7), 1U);
}

// glibc's clone and clone3.
TEST(CodeScanner, TakesASyscallRightBehindAnEntryThatEndsInSettingTheNumber) {
  const Text clone = Text().Number(56).Syscall().Return();
  EXPECT_EQ(SitesWithEntry(clone, clone.syscall(), 5), 1U);
  const Text other = Text().Number(56).Add({0x31, 0xff}).Syscall().Return();
  EXPECT_EQ(SitesWithEntry(other, other.syscall(), 7), 0U);
}

TEST(CodeScanner, IgnoresUnwindingTablesOfOddForm) {
  CodeText code;
  for (const size_t size : {0, 3, 12, 40}) {
    FindUnwindRows(std::vector<uint8_t>(size, 0xff), 0, 0, code);
    EXPECT_EQ(code.unwind_rows, 0U);
  }
}

TEST(IsSiteSound, RefusesWhatATextDoesNotHold) {
  const Text text = Text().Number(39).Syscall().Add({0x48, 0x3d, 0, 0xf0, 0xff, 0xff}).Return();
  const uint32_t at = text.syscall();
  const auto size = static_cast<uint32_t>(text.bytes().size());
  EXPECT_TRUE(IsSiteSound(text.bytes(), {at, 5, 0, 0}));
  EXPECT_TRUE(IsSiteSound(text.bytes(), {at, 0, 6, 0}));
  for (const PatchSite& site :
       {PatchSite{at, 5, 6, 0}, PatchSite{at, 0, 0, 0}, PatchSite{at, 4, 0, 0}, PatchSite{at, 0, 5, 0},
        PatchSite{at + 1, 5, 0, 0}, PatchSite{size, 5, 0, 0}, PatchSite{size - 1, 5, 0, 0}, PatchSite{~0U, 5, 0, 0},
        PatchSite{3, 5, 0, 0}, PatchSite{at, 255, 0, 0}, PatchSite{at, 0, 255, 0}}) {
    EXPECT_FALSE(IsSiteSound(text.bytes(), site))
        << site.offset << ' ' << int{site.before_bytes} << ' ' << int{site.after_bytes};
  }
}

}  // namespace
}  // namespace junction
