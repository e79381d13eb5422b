// SPDX-License-Identifier: Apache-2.0
#include "net/block_pool.h"

#include <gtest/gtest.h>

#include <random>

#include "net/test/wire_fixture.h"

namespace junction::net {
namespace {

class BlockPoolTest : public ::testing::Test {
 protected:
  BlockPoolTest() : environment_(heap_.environment()) { pool_.Init(environment_, 2 * kStep_bytes); }
  ~BlockPoolTest() override {
    pool_.Destroy();
    EXPECT_EQ(heap_.held_bytes, 0U);
  }

  HeapEnvironment heap_;
  Environment environment_;
  BlockPool pool_;
};

TEST_F(BlockPoolTest, HoldsNothingBeforeItsFirstBlock) { EXPECT_EQ(heap_.held_bytes, 0U); }

TEST_F(BlockPoolTest, GrowsInStepsUpToItsLimitAndRefusesMore) {
  std::vector<Block*> blocks;
  while (Block* const block = pool_.Allocate()) {
    blocks.push_back(block);
  }
  EXPECT_EQ(blocks.size(), 2 * kBlocksInStep);
  EXPECT_EQ(pool_.used_blocks(), 2 * kBlocksInStep);
  EXPECT_TRUE(pool_.is_scarce());
  pool_.Free(blocks.back());
  EXPECT_EQ(pool_.Allocate(), blocks.back()) << "the warmest comes first";
  for (Block* block : blocks) {
    pool_.Free(block);
  }
  EXPECT_EQ(pool_.used_blocks(), 0U);
}

TEST_F(BlockPoolTest, TrimGivesBackOnlyStepsWithoutUsedBlocks) {
  std::vector<Block*> blocks;
  while (Block* const block = pool_.Allocate()) {
    blocks.push_back(block);
  }
  Block* const kept = blocks.front();
  for (size_t i = 1; i < blocks.size(); ++i) {
    pool_.Free(blocks[i]);
  }
  pool_.Trim();
  EXPECT_EQ(pool_.held_bytes(), kStep_bytes);
  for (uint32_t i = 0; i < 2 * kBlocksInStep - 1; ++i) {
    blocks[i] = pool_.Allocate();
    ASSERT_NE(blocks[i], nullptr) << "a step comes back when it is needed";
  }
  EXPECT_EQ(pool_.Allocate(), nullptr);
  for (uint32_t i = 0; i < 2 * kBlocksInStep - 1; ++i) {
    pool_.Free(blocks[i]);
  }
  pool_.Free(kept);
  pool_.Trim();
  EXPECT_EQ(pool_.held_bytes(), 0U);
}

TEST_F(BlockPoolTest, FailsWithoutMemory) {
  heap_.limit_bytes = 100;
  EXPECT_EQ(pool_.Allocate(), nullptr);
}

// Against a plain string, with random operations.
TEST_F(BlockPoolTest, QueueEqualsAModel) {
  std::mt19937 random(7);
  ByteQueue queue;
  Bytes model;
  uint32_t next = 0;
  for (int round = 0; round < 20000; ++round) {
    switch (random() % 6) {
      case 0:
      case 1: {
        Bytes piece(random() % 6000);
        for (uint8_t& byte : piece) {
          byte = static_cast<uint8_t>(next++ * 31 >> 3);
        }
        if (queue.Append(pool_, piece.data(), static_cast<uint32_t>(piece.size()))) {
          Append(model, piece);
        }
        break;
      }
      case 2: {
        const uint32_t size = random() % (model.size() + 1);
        queue.Consume(pool_, size);
        model.erase(model.begin(), model.begin() + size);
        break;
      }
      case 3: {
        const uint32_t size = random() % 2 == 0 ? static_cast<uint32_t>(model.size()) : random() % (model.size() + 1);
        queue.Truncate(pool_, size);
        model.resize(size);
        break;
      }
      case 4: {
        const Span span = queue.WriteSpan(pool_);
        if (span.size_bytes != 0 && random() % 2 == 0) {
          span.data[0] = 42;
          queue.Commit(1);
          model.push_back(42);
        } else {
          queue.DropUnused(pool_);
        }
        break;
      }
      default: {
        const uint32_t offset = random() % (model.size() + 1);
        Bytes out(random() % 9000);
        const uint32_t copied = queue.CopyOut(offset, out.data(), static_cast<uint32_t>(out.size()));
        ASSERT_EQ(copied, std::min(out.size(), model.size() - offset));
        ASSERT_TRUE(std::equal(out.begin(), out.begin() + copied, model.begin() + offset));
      }
    }
    ASSERT_EQ(queue.size_bytes(), model.size());
    if (model.empty()) {
      ASSERT_EQ(pool_.used_blocks(), 0U) << "an empty queue holds no block";
    }
  }
  queue.Clear(pool_);
}

}  // namespace
}  // namespace junction::net
