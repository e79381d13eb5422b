// SPDX-License-Identifier: Apache-2.0
#include "ingress/timer_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace junction::ingress {
namespace {

std::vector<uint64_t> Fire(TimerWheel& wheel, uint64_t now) {
  std::vector<uint64_t> fired;
  wheel.Advance(now, [&](TimerNode& node) { fired.push_back(node.when_ms); });
  return fired;
}

TEST(TimerWheel, FiresAtItsTimeAndNotBefore) {
  TimerWheel wheel(1000);
  TimerNode node;
  wheel.Schedule(node, 1500);
  EXPECT_TRUE(Fire(wheel, 1499).empty());
  EXPECT_TRUE(node.scheduled());
  EXPECT_EQ(Fire(wheel, 1500), std::vector<uint64_t>{1500});
  EXPECT_FALSE(node.scheduled());
}

TEST(TimerWheel, TakesATimeInThePastAsTheNextTick) {
  TimerWheel wheel(1000);
  TimerNode node;
  wheel.Schedule(node, 10);
  EXPECT_TRUE(Fire(wheel, 1000).empty());
  EXPECT_EQ(Fire(wheel, 1001), std::vector<uint64_t>{1001});
}

TEST(TimerWheel, NeverFiresACancelledTimer) {
  TimerWheel wheel(0);
  TimerNode first, second;
  wheel.Schedule(first, 70);
  wheel.Schedule(second, 70);
  wheel.Cancel(first);
  wheel.Cancel(first);
  EXPECT_EQ(Fire(wheel, 1000), std::vector<uint64_t>{70});
  EXPECT_EQ(wheel.NextTick(), UINT64_MAX);
}

TEST(TimerWheel, MovesATimerThatIsScheduledAgain) {
  TimerWheel wheel(0);
  TimerNode node;
  wheel.Schedule(node, 10);
  wheel.Schedule(node, 5000);
  EXPECT_TRUE(Fire(wheel, 4999).empty());
  EXPECT_EQ(Fire(wheel, 5000), std::vector<uint64_t>{5000});
}

TEST(TimerWheel, LetsATimerScheduleItselfAndCancelOthersWhileItFires) {
  TimerWheel wheel(0);
  TimerNode again, victim;
  wheel.Schedule(again, 10);
  wheel.Schedule(victim, 11);
  int count = 0;
  wheel.Advance(100, [&](TimerNode& node) {
    ASSERT_EQ(&node, &again);
    wheel.Cancel(victim);
    if (++count < 3) {
      wheel.Schedule(again, node.when_ms + 20);
    }
  });
  EXPECT_EQ(count, 3);
}

TEST(TimerWheel, NamesATickThatIsNeverLaterThanTheFirstTimer) {
  TimerWheel wheel(123'456'789);
  TimerNode node;
  for (const uint64_t delay : {1ull, 63ull, 64ull, 65ull, 4095ull, 4096ull, 300'000ull, 86'400'000ull}) {
    wheel.Schedule(node, 123'456'789 + delay);
    EXPECT_LE(wheel.NextTick(), 123'456'789 + delay);
    EXPECT_GT(wheel.NextTick(), 123'456'789u);
  }
  wheel.Cancel(node);
}

TEST(TimerWheel, AgreesWithASortedListOnRandomWork) {
  std::mt19937_64 random(7);
  TimerWheel wheel(1'000'000);
  std::vector<TimerNode> nodes(500);
  std::multimap<uint64_t, size_t> expected;
  uint64_t now = 1'000'000;
  const auto forget = [&](size_t i) { std::erase_if(expected, [i](const auto& entry) { return entry.second == i; }); };
  for (int round = 0; round < 3000; ++round) {
    const size_t i = random() % nodes.size();
    forget(i);
    if (random() % 4 == 0) {
      wheel.Cancel(nodes[i]);
    } else {
      const uint64_t when = now + 1 + (random() >> (40 + random() % 20));
      wheel.Schedule(nodes[i], when);
      expected.emplace(when, i);
    }
    now += random() % 3 == 0 ? random() % 200'000 : random() % 100;
    std::vector<uint64_t> due;
    while (!expected.empty() && expected.begin()->first <= now) {
      due.push_back(expected.begin()->first);
      expected.erase(expected.begin());
    }
    ASSERT_EQ(Fire(wheel, now), due) << "round " << round;  // also in order of time
  }
  for (TimerNode& node : nodes) {
    wheel.Cancel(node);
  }
}

}  // namespace
}  // namespace junction::ingress
