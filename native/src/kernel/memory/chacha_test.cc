// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "kernel/memory/chacha.h"

namespace junction {
namespace {

// RFC 8439, appendix A.1, test vectors 1 and 2.
TEST(ChaCha, MakesTheKeyStreamOfTheStandard) {
  const uint32_t first[16] = {0xade0b876, 0x903df1a0, 0xe56a5d40, 0x28bd8653, 0xb819d2bd, 0x1aed8da0,
                              0xccef36a8, 0xc70d778b, 0x7c5941da, 0x8d485751, 0x3fe02477, 0x374ad8b8,
                              0xf4b8436a, 0x1ca11815, 0x69b687c3, 0x8665eeb2};
  const uint32_t second[16] = {0xbee7079f, 0x7a385155, 0x7c97ba98, 0x0d082d73, 0xa0290fcb, 0x6965e348,
                               0x3e53c612, 0xed7aee32, 0x7621b729, 0x434ee69c, 0xb03371d5, 0xd539d874,
                               0x281fed31, 0x45fb0a51, 0x1f0ae1ac, 0x6f4d794b};
  const ChaChaKey key = {};
  uint32_t block[16];
  ChaChaBlock(key, 0, block);
  EXPECT_TRUE(std::ranges::equal(block, first));
  ChaChaBlock(key, 1, block);
  EXPECT_TRUE(std::ranges::equal(block, second));
}

TEST(ChaCha, DependsOnTheKey) {
  uint32_t one[16];
  uint32_t other[16];
  ChaChaBlock({{1}}, 0, one);
  ChaChaBlock({{2}}, 0, other);
  EXPECT_FALSE(std::ranges::equal(one, other));
}

}  // namespace
}  // namespace junction
