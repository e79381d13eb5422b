// SPDX-License-Identifier: Apache-2.0
#include "base/list.h"

#include <gtest/gtest.h>

namespace junction {
namespace {

struct Item {
  int value = 0;
  ListNode node;
};

Item& OwnerOf(ListNode* node) { return *JUNCTION_OWNER(node, Item, node); }

TEST(List, KeepsTheOrderOfPushes) {
  List list;
  EXPECT_TRUE(list.empty());
  Item items[3] = {{1, {}}, {2, {}}, {3, {}}};
  list.PushBack(items[1].node);
  list.PushBack(items[2].node);
  list.PushFront(items[0].node);
  int expected = 1;
  for (ListNode* node = list.first(); node != nullptr; node = list.Next(node)) {
    EXPECT_EQ(OwnerOf(node).value, expected++);
  }
  EXPECT_EQ(expected, 4);
}

TEST(List, ANodeUnlinksItselfFromAnywhere) {
  List list;
  Item items[3] = {{1, {}}, {2, {}}, {3, {}}};
  for (Item& item : items) {
    list.PushBack(item.node);
  }
  items[1].node.Unlink();
  items[1].node.Unlink();  // no-op
  EXPECT_FALSE(items[1].node.is_linked());
  EXPECT_EQ(OwnerOf(list.PopFront()).value, 1);
  EXPECT_EQ(OwnerOf(list.PopFront()).value, 3);
  EXPECT_EQ(list.PopFront(), nullptr);
  EXPECT_TRUE(list.empty());
  list.PushBack(items[1].node);
  EXPECT_EQ(OwnerOf(list.first()).value, 2);
}

}  // namespace
}  // namespace junction
