// SPDX-License-Identifier: Apache-2.0
#include "loader/patch_plan.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "uthread/uthread_layout.h"

namespace junction {
namespace {

using Bytes = std::vector<uint8_t>;

const PlanKey kKey = {1000, 7, 8, 4096, 0x1234};

PlanHeader Header(uint64_t site_count) {
  return {kPlanMagic, kPlanVersion, kKey, site_count, kPlanTextOffset + 2 * 4096, KT_ENTRY, 4096, 4096, 8192};
}

Bytes Plan(const PlanHeader& header, const std::vector<PatchSite>& sites) {
  Bytes bytes(kPlanTextOffset + 2 * 4096 + sites.size() * sizeof(PatchSite));
  std::memcpy(bytes.data(), &header, sizeof(header));
  for (size_t i = 0; i < sites.size(); ++i) {
    std::memcpy(bytes.data() + kPlanTextOffset + 2 * 4096 + i * sizeof(PatchSite), &sites[i], sizeof(PatchSite));
  }
  return bytes;
}

const std::vector<PatchSite> kSites = {{10, 5, 0, 0}, {90, 0, 6, 0}};

TEST(PatchPlan, GivesBackItsSites) {
  std::vector<PatchSite> read(4);
  ASSERT_EQ(ParsePlan(Plan(Header(2), kSites), kKey, read), 2);
  EXPECT_EQ(read[1].offset, 90U);
  EXPECT_EQ(read[1].after_bytes, 6);
}

TEST(PatchPlan, MayBeEmpty) {
  std::vector<PatchSite> read(4);
  EXPECT_EQ(ParsePlan(Plan({kPlanMagic, kPlanVersion, kKey, 0, kPlanTextOffset, KT_ENTRY, 0, 0, 0}, {}), kKey, read),
            0);
}

TEST(PatchPlan, IsRefusedWhenItIsNotForTheFile) {
  std::vector<PatchSite> read(2);
  const auto parse = [&](auto change, const std::vector<PatchSite>& sites = kSites) {
    PlanHeader header = Header(2);
    change(header);
    return ParsePlan(Plan(header, sites), kKey, read);
  };
  EXPECT_EQ(parse([](PlanHeader&) {}), 2);
  EXPECT_EQ(parse([](PlanHeader& header) { header.key.changed_ns = 9; }), -1);
  EXPECT_EQ(parse([](PlanHeader& header) { header.magic += 1; }), -1);
  EXPECT_EQ(parse([](PlanHeader& header) { header.version -= 1; }), -1);
  EXPECT_EQ(parse([](PlanHeader& header) { header.site_count = 3; }), -1) << "more than there are";
  EXPECT_EQ(parse([](PlanHeader& header) { header.site_count = ~0ULL; }), -1);
  EXPECT_EQ(parse([](PlanHeader& header) { header.sites_offset = ~0ULL - 7; }), -1);
  EXPECT_EQ(parse([](PlanHeader& header) { header.sites_offset -= 4096; }), -1) << "inside the pool";
  EXPECT_EQ(parse([](PlanHeader& header) { header.text_bytes = ~0ULL << 12; }), -1);
  EXPECT_EQ(parse([](PlanHeader& header) { header.text_bytes += 1; }), -1);
  EXPECT_EQ(parse([](PlanHeader& header) { header.text_bytes = 0; }), -1) << "a pool without a text";
  EXPECT_EQ(parse([](PlanHeader& header) { header.pool_bytes = 8192; }), -1) << "more than there is";
  EXPECT_EQ(parse([](PlanHeader& header) { header.pool_distance = 0; }), -1) << "into the text";
  std::vector<PatchSite> small(1);
  EXPECT_EQ(ParsePlan(Plan(Header(2), kSites), kKey, small), -1) << "more than asked for";
  EXPECT_EQ(ParsePlan(Bytes(sizeof(PlanHeader) - 1), kKey, read), -1);
}

TEST(PatchPlan, SaysWhetherItsTextCanBeMapped) {
  PlanHeader header = Header(2);
  EXPECT_TRUE(HasPatchedText(header));
  header.entry_slot += 8;
  EXPECT_FALSE(HasPatchedText(header)) << "of another kernel";
  header = Header(0);
  header.text_bytes = header.pool_bytes = 0;
  EXPECT_FALSE(HasPatchedText(header));
}

TEST(PatchPlan, HasAKeyThatChangesWithTheFile) {
  Bytes head(4096, 1);
  const PlanKey key = MakePlanKey(head, 8000, {5, 6}, 0);
  EXPECT_EQ(MakePlanKey(head, 8000, {5, 6}, 0), key);
  EXPECT_NE(MakePlanKey(head, 8001, {5, 6}, 0), key);
  EXPECT_NE(MakePlanKey(head, 8000, {6, 6}, 0), key);
  EXPECT_NE(MakePlanKey(head, 8000, {5, 5}, 0), key);
  EXPECT_NE(MakePlanKey(head, 8000, {5, 6}, 4096), key);
  head[100] = 2;
  EXPECT_NE(MakePlanKey(head, 8000, {5, 6}, 0), key);
}

// An ELF header, a PT_NOTE program header, a build-id of 8 bytes.
Bytes HeadWithBuildId(uint32_t type) {
  Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_machine = EM_X86_64;
  header.e_type = ET_DYN;
  header.e_phoff = sizeof(header);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  Elf64_Phdr note = {};
  note.p_type = PT_NOTE;
  note.p_offset = sizeof(header) + sizeof(note);
  note.p_filesz = sizeof(Elf64_Nhdr) + 4 + 8;
  const Elf64_Nhdr note_header = {4, 8, type};
  Bytes head(4096, 1);
  std::memcpy(head.data(), &header, sizeof(header));
  std::memcpy(head.data() + header.e_phoff, &note, sizeof(note));
  std::memcpy(head.data() + note.p_offset, &note_header, sizeof(note_header));
  std::memcpy(head.data() + note.p_offset + sizeof(note_header), "GNU", 4);
  return head;
}

TEST(PatchPlan, DoesNotAskForTheCtimeOfAFileWithABuildId) {
  Bytes head = HeadWithBuildId(NT_GNU_BUILD_ID);
  const PlanKey key = MakePlanKey(head, 8000, {5, 6}, 0);
  EXPECT_EQ(MakePlanKey(head, 8000, {5, 7}, 0), key);
  EXPECT_NE(MakePlanKey(head, 8000, {6, 6}, 0), key);
  head[sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr) + sizeof(Elf64_Nhdr) + 4] = 9;
  EXPECT_NE(MakePlanKey(head, 8000, {5, 6}, 0), key);
  const Bytes other = HeadWithBuildId(NT_GNU_ABI_TAG);
  EXPECT_NE(MakePlanKey(other, 8000, {5, 7}, 0), MakePlanKey(other, 8000, {5, 6}, 0));
}

TEST(PatchPlan, HasAFileNameOfThirtyTwoDigits) {
  char name[kPlanFileName_bytes];
  WritePlanFileName(kKey, name);
  const std::string text = name;
  EXPECT_EQ(text.size(), 37U);
  EXPECT_TRUE(text.ends_with(".plan"));
  EXPECT_EQ(text.find_first_not_of("0123456789abcdef"), 32U);
}

}  // namespace
}  // namespace junction
