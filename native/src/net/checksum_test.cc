// SPDX-License-Identifier: Apache-2.0
#include "net/checksum.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "net/hash.h"

namespace junction::net {
namespace {

// RFC 1071 section 1, word by word.
uint16_t SimpleSum(const std::vector<uint8_t>& data, size_t from) {
  uint64_t sum = 0;
  for (size_t i = from; i < data.size(); i += 2) {
    sum += static_cast<uint64_t>(data[i]) + (i + 1 < data.size() ? data[i + 1] << 8 : 0);
  }
  while (sum > 0xffff) {
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<uint16_t>(sum);
}

TEST(Checksum, IsTheExampleOfRfc1071) {
  const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  EXPECT_EQ(__builtin_bswap16(FoldSum(SumBytes(data, 8, 0))), 0xddf2);
}

TEST(Checksum, EqualsTheSimpleSumAtEveryLengthAndAlignment) {
  std::mt19937 random(3);
  for (uint32_t size = 0; size < 300; ++size) {
    for (uint32_t offset = 0; offset < 9; ++offset) {
      std::vector<uint8_t> data(offset + size);
      for (uint8_t& byte : data) {
        byte = random() % 3 == 0 ? 0xff : static_cast<uint8_t>(random());
      }
      const uint16_t expected = SimpleSum(data, offset);
      ASSERT_EQ(FoldSum(SumBytes(data.data() + offset, size, 0)), expected) << size << " at " << offset;
      std::vector<uint8_t> copy(size);
      ASSERT_EQ(FoldSum(SumCopy(copy.data(), data.data() + offset, size, 0)), expected) << size << " at " << offset;
      ASSERT_TRUE(std::equal(copy.begin(), copy.end(), data.begin() + offset));
    }
  }
}

TEST(Checksum, OfPiecesEqualsThatOfTheWhole) {
  std::mt19937 random(4);
  for (int round = 0; round < 500; ++round) {
    std::vector<uint8_t> data(1 + random() % 400);
    for (uint8_t& byte : data) {
      byte = static_cast<uint8_t>(random());
    }
    Checksum checksum;
    std::vector<uint8_t> copy(data.size());
    for (size_t at = 0; at < data.size();) {
      const auto piece = static_cast<uint32_t>(1 + random() % (data.size() - at));
      if (random() % 2 == 0) {
        checksum.Add(data.data() + at, piece);
      } else {
        checksum.AddCopy(copy.data() + at, data.data() + at, piece);
      }
      at += piece;
    }
    ASSERT_EQ(checksum.folded(), SimpleSum(data, 0));
  }
}

TEST(SipHash, IsThePapersTestVector) {
  // Appendix A: key 00..0f, message 00..0e; ours takes whole words, so the 8-byte vector of the reference table is used: 00..07.
  const uint64_t word = 0x0706050403020100ULL;
  EXPECT_EQ(SipHash(0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL, &word, 1), 0x93f5f5799a932462ULL);
}

}  // namespace
}  // namespace junction::net
