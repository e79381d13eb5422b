// SPDX-License-Identifier: Apache-2.0
#include "ingress/core_placement.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/socket.h>

#include "ingress/socket.h"

namespace junction::ingress {
namespace {

cpu_set_t Allowed() {
  cpu_set_t set;
  EXPECT_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
  return set;
}

TEST(CorePlacementTest, LeavesTheThreadAllItsCores) {
  const auto address = MakeIpAddress("127.0.0.1", 0);
  const auto listener = Listen(*address);
  ASSERT_TRUE(listener);
  const auto client = Connect(*MakeIpAddress("127.0.0.1", *LocalPort(listener->get())));
  ASSERT_TRUE(client);
  UniqueFd served;
  while (!served.valid()) {
    served.Reset(accept(listener->get(), nullptr, nullptr));
  }
  const cpu_set_t before = Allowed();
  CorePlacement placement;
  uint64_t now_ms = 1'000;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &before)) {
      continue;
    }
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    ASSERT_EQ(send(client->fd.get(), "x", 1, MSG_NOSIGNAL), 1);
    ASSERT_EQ(sched_setaffinity(0, sizeof(before), &before), 0);
    placement.FollowClient(served.get(), now_ms);
    now_ms += 10;
    const cpu_set_t after = Allowed();
    EXPECT_TRUE(CPU_EQUAL(&before, &after));
  }
}

TEST(CorePlacementTest, DoesNothingForWhatIsNoSocket) {
  const cpu_set_t before = Allowed();
  CorePlacement placement;
  placement.FollowClient(-1, 1'000);
  const cpu_set_t after = Allowed();
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
}

}  // namespace
}  // namespace junction::ingress
