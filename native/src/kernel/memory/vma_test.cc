// SPDX-License-Identifier: Apache-2.0
#include "kernel/memory/vma.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <optional>
#include <random>
#include <vector>

#include "kernel/memory/mapped_object.h"
#include "uthread/arena.h"
#include "uthread/panic.h"

namespace junction {

// The arena and the objects of the tests: plain memory, so that leaks and wild writes are seen by the sanitizers.
namespace {
int64_t g_blocks = 0;
}

void* ArenaAllocate(size_t size_bytes) {
  ++g_blocks;
  return std::calloc(1, size_bytes);
}
void ArenaFree(void* memory, size_t) {
  --g_blocks;
  std::free(memory);
}
void UnreferenceObject(MappedObject* object) {
  if (object != nullptr) {
    --object->references;
  }
}
void KernelPanic(const char* text, uint64_t) {
  ADD_FAILURE() << text;
  std::abort();
}

namespace {

constexpr uint64_t kPage = 4096;
constexpr size_t kPages = 64;

struct Page {
  uint32_t flags;
  MappedObject* object;
  uint64_t offset;
  bool operator==(const Page&) const = default;
};
using Model = std::array<std::optional<Page>, kPages>;

class VmaTest : public testing::Test {
 protected:
  void TearDown() override {
    FreeVmas(space_);
    EXPECT_EQ(g_blocks, 0);
    EXPECT_EQ(objects_[0].references + objects_[1].references, 0U);
  }

  void Insert(uint64_t page, uint64_t pages, uint32_t flags, MappedObject* object = nullptr, uint64_t offset = 0) {
    ASSERT_TRUE(SetSpareVmasAside(space_));
    Vma mapping = {};
    mapping.start = page * kPage;
    mapping.end = (page + pages) * kPage;
    mapping.flags = flags;
    mapping.object = object;
    mapping.offset = offset;
    if (object != nullptr) {
      ++object->references;
    }
    InsertVma(space_, mapping);
  }
  void Remove(uint64_t page, uint64_t pages) {
    ASSERT_TRUE(SetSpareVmasAside(space_));
    RemoveVmas(space_, page * kPage, (page + pages) * kPage);
  }
  bool Change(uint64_t page, uint64_t pages, uint32_t clear, uint32_t set) {
    EXPECT_TRUE(SetSpareVmasAside(space_));
    return ChangeVmaFlags(space_, page * kPage, (page + pages) * kPage, clear, set);
  }
  std::vector<std::pair<uint64_t, uint64_t>> Ranges() const {
    std::vector<std::pair<uint64_t, uint64_t>> ranges;
    for (const Vma* vma = FindVmaFrom(space_, 0); vma != nullptr; vma = FindVmaFrom(space_, vma->end)) {
      ranges.emplace_back(vma->start / kPage, vma->end / kPage);
    }
    return ranges;
  }
  using Pairs = std::vector<std::pair<uint64_t, uint64_t>>;

  AddressSpace space_ = {};
  MappedObject objects_[2] = {{0, 0, 1, 1}, {0, 0, 1, 2}};
};

TEST_F(VmaTest, NeighboursOfOneKindAreOneMapping) {
  Insert(1, 1, kVmaRead);
  Insert(3, 1, kVmaRead);
  Insert(2, 1, kVmaRead);
  EXPECT_EQ(Ranges(), (Pairs{{1, 4}}));
  EXPECT_EQ(space_.size_bytes, 3 * kPage);
}

TEST_F(VmaTest, PiecesOfAFileMergeOnlyInOrder) {
  Insert(1, 1, kVmaRead, &objects_[0], 0);
  Insert(2, 1, kVmaRead, &objects_[0], kPage);
  Insert(3, 1, kVmaRead, &objects_[0], 0);
  Insert(4, 1, kVmaRead, &objects_[1], kPage);
  EXPECT_EQ(Ranges(), (Pairs{{1, 3}, {3, 4}, {4, 5}}));
}

TEST_F(VmaTest, AHoleSplitsAndKeepsTheOffset) {
  Insert(0, 10, kVmaRead, &objects_[0], 0);
  Remove(3, 2);
  EXPECT_EQ(Ranges(), (Pairs{{0, 3}, {5, 10}}));
  EXPECT_EQ(FindVma(space_, 5 * kPage)->offset, 5 * kPage);
  EXPECT_EQ(FindVma(space_, 3 * kPage), nullptr);
  EXPECT_EQ(MappedBytes(space_, kPage, 6 * kPage), 3 * kPage);
}

TEST_F(VmaTest, AProtectedPieceComesBackTogether) {
  Insert(0, 10, kVmaRead | kVmaWrite);
  EXPECT_TRUE(Change(4, 2, kVmaProtection, 0));
  EXPECT_EQ(Ranges(), (Pairs{{0, 4}, {4, 6}, {6, 10}}));
  EXPECT_TRUE(Change(4, 2, kVmaProtection, kVmaRead | kVmaWrite));
  EXPECT_EQ(Ranges(), (Pairs{{0, 10}}));
}

TEST_F(VmaTest, AChangeEndsAtAGap) {
  Insert(0, 2, kVmaRead);
  Insert(3, 2, kVmaRead);
  EXPECT_FALSE(Change(1, 4, kVmaProtection, kVmaExec));
  EXPECT_EQ(FindVma(space_, kPage)->flags, kVmaExec);
  EXPECT_EQ(FindVma(space_, 3 * kPage)->flags, kVmaRead);
}

TEST_F(VmaTest, ManyMappingsAreCopied) {
  for (uint64_t i = 0; i < 20000; ++i) {
    Insert(2 * i, 1, kVmaRead, &objects_[i % 2], i * kPage);
  }
  AddressSpace copy = {};
  ASSERT_TRUE(CopyVmas(copy, space_));
  EXPECT_EQ(copy.size_bytes, space_.size_bytes);
  EXPECT_EQ(FindVma(copy, 2 * 777 * kPage)->offset, 777 * kPage);
  FreeVmas(copy);
}

// The same as an array of pages does, after each of many random steps.
TEST_F(VmaTest, BehavesAsAnArrayOfPages) {
  std::mt19937 random(20261127);
  Model model;
  for (int step = 0; step < 20000; ++step) {
    const uint64_t page = random() % kPages;
    const uint64_t pages = 1 + random() % (kPages - page);
    const uint32_t flags = random() % 3;
    const uint32_t which = random() % 3;
    MappedObject* const object = which == 2 ? nullptr : &objects_[which];
    switch (random() % 3) {
      case 0:
        Insert(page, pages, flags, object, object == nullptr ? 0 : page * kPage);
        for (uint64_t i = page; i < page + pages; ++i) {
          model[i] = Page{flags, object, object == nullptr ? 0 : i * kPage};
        }
        break;
      case 1:
        Remove(page, pages);
        for (uint64_t i = page; i < page + pages; ++i) {
          model[i].reset();
        }
        break;
      default:
        Change(page, pages, kVmaProtection, flags);
        for (uint64_t i = page; i < page + pages && model[i].has_value(); ++i) {
          model[i]->flags = flags;
        }
    }
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < kPages; ++i) {
      const Vma* const vma = FindVma(space_, i * kPage);
      ASSERT_EQ(vma != nullptr, model[i].has_value()) << "step " << step << " page " << i;
      if (vma != nullptr) {
        bytes += kPage;
        const uint64_t offset = vma->object == nullptr ? 0 : vma->offset + i * kPage - vma->start;
        ASSERT_EQ((Page{vma->flags, vma->object, offset}), *model[i]) << "step " << step << " page " << i;
      }
      if (i > 0 && model[i].has_value() && model[i - 1].has_value()) {
        const bool is_same = vma == FindVma(space_, (i - 1) * kPage);
        const bool belongs = model[i]->flags == model[i - 1]->flags && model[i]->object == model[i - 1]->object;
        ASSERT_EQ(is_same, belongs) << "step " << step << " page " << i;
      }
    }
    ASSERT_EQ(space_.size_bytes, bytes);
  }
}

}  // namespace
}  // namespace junction
