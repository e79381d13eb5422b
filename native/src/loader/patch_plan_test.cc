// SPDX-License-Identifier: Apache-2.0
#include "loader/patch_plan.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace junction {
namespace {

using Bytes = std::vector<uint8_t>;

const PlanKey kKey = {1000, 7, 4096, 0x1234};

Bytes Plan(const PlanHeader& header, const std::vector<PatchSite>& sites) {
  Bytes bytes(sizeof(header) + sites.size() * sizeof(PatchSite));
  std::memcpy(bytes.data(), &header, sizeof(header));
  for (size_t i = 0; i < sites.size(); ++i) {
    std::memcpy(bytes.data() + sizeof(header) + i * sizeof(PatchSite), &sites[i], sizeof(PatchSite));
  }
  return bytes;
}

TEST(PatchPlan, GivesBackItsSites) {
  const std::vector<PatchSite> sites = {{10, 5, 0, 0}, {90, 0, 6, 0}};
  std::vector<PatchSite> read(4);
  ASSERT_EQ(ParsePlan(Plan({kPlanMagic, kPlanVersion, kKey, 2, 0}, sites), kKey, read), 2);
  EXPECT_EQ(read[1].offset, 90U);
  EXPECT_EQ(read[1].after_bytes, 6);
}

TEST(PatchPlan, MayBeEmpty) {
  std::vector<PatchSite> read(4);
  EXPECT_EQ(ParsePlan(Plan({kPlanMagic, kPlanVersion, kKey, 0, 0}, {}), kKey, read), 0);
}

TEST(PatchPlan, IsRefusedWhenItIsNotForTheFile) {
  std::vector<PatchSite> read(2);
  const std::vector<PatchSite> sites = {{10, 5, 0, 0}, {90, 0, 6, 0}};
  PlanKey other = kKey;
  other.modified_s = 8;
  EXPECT_EQ(ParsePlan(Plan({kPlanMagic, kPlanVersion, other, 2, 0}, sites), kKey, read), -1);
  EXPECT_EQ(ParsePlan(Plan({kPlanMagic + 1, kPlanVersion, kKey, 2, 0}, sites), kKey, read), -1);
  EXPECT_EQ(ParsePlan(Plan({kPlanMagic, kPlanVersion + 1, kKey, 2, 0}, sites), kKey, read), -1);
  EXPECT_EQ(ParsePlan(Plan({kPlanMagic, kPlanVersion, kKey, 3, 0}, sites), kKey, read), -1) << "more than there are";
  EXPECT_EQ(ParsePlan(Plan({kPlanMagic, kPlanVersion, kKey, ~0ULL, 0}, sites), kKey, read), -1);
  std::vector<PatchSite> small(1);
  EXPECT_EQ(ParsePlan(Plan({kPlanMagic, kPlanVersion, kKey, 2, 0}, sites), kKey, small), -1) << "more than asked for";
  EXPECT_EQ(ParsePlan(Bytes(sizeof(PlanHeader) - 1), kKey, read), -1);
}

TEST(PatchPlan, HasAKeyThatChangesWithTheFile) {
  Bytes file(8000, 1);
  const PlanKey key = MakePlanKey(file, 5, 0);
  EXPECT_EQ(MakePlanKey(file, 5, 0), key);
  EXPECT_NE(MakePlanKey(file, 6, 0), key);
  EXPECT_NE(MakePlanKey(file, 5, 4096), key);
  file[100] = 2;
  EXPECT_NE(MakePlanKey(file, 5, 0), key);
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
