// SPDX-License-Identifier: Apache-2.0
#include "base/timer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <vector>

namespace junction {
namespace {

struct Fired {
  std::vector<uint64_t> deadlines;
};

void Record(Timer& timer) { static_cast<Fired*>(timer.context)->deadlines.push_back(timer.deadline_ns); }

Timer MakeTimer(Fired& fired) {
  Timer timer;
  timer.fire = &Record;
  timer.context = &fired;
  return timer;
}

TEST(TimerQueue, IsEmptyAtFirst) {
  TimerQueue queue;
  EXPECT_EQ(queue.NextDeadline_ns(), kNever);
  queue.RunDue(kNever - 1);
}

TEST(TimerQueue, FiresWhatIsDueInOrderOfDeadlines) {
  Fired fired;
  TimerQueue queue;
  std::deque<Timer> timers(5, MakeTimer(fired));
  const uint64_t deadlines[] = {50, 10, 40, 20, 30};
  for (size_t i = 0; i < timers.size(); ++i) {
    queue.Arm(timers[i], deadlines[i]);
  }
  EXPECT_EQ(queue.NextDeadline_ns(), 10U);
  queue.RunDue(9);
  EXPECT_TRUE(fired.deadlines.empty());
  queue.RunDue(30);
  EXPECT_EQ(fired.deadlines, (std::vector<uint64_t>{10, 20, 30}));
  EXPECT_EQ(queue.NextDeadline_ns(), 40U);
  EXPECT_FALSE(timers[1].is_armed);
  EXPECT_TRUE(timers[0].is_armed);
}

TEST(TimerQueue, ForgetsACancelledTimer) {
  Fired fired;
  TimerQueue queue;
  Timer first = MakeTimer(fired);
  Timer second = MakeTimer(fired);
  queue.Arm(first, 1);
  queue.Arm(second, 2);
  queue.Cancel(first);
  queue.Cancel(first);  // no-op
  EXPECT_EQ(queue.NextDeadline_ns(), 2U);
  queue.RunDue(5);
  EXPECT_EQ(fired.deadlines, (std::vector<uint64_t>{2}));
}

TEST(TimerQueue, LetsATimerArmItselfAgainWhileItFires) {
  struct Periodic {
    TimerQueue queue;
    int count = 0;
  } periodic;
  Timer timer;
  timer.context = &periodic;
  timer.fire = [](Timer& self) {
    auto& owner = *static_cast<Periodic*>(self.context);
    ++owner.count;
    owner.queue.Arm(self, self.deadline_ns + 10);
  };
  periodic.queue.Arm(timer, 10);
  periodic.queue.RunDue(35);
  EXPECT_EQ(periodic.count, 3);
  EXPECT_EQ(periodic.queue.NextDeadline_ns(), 40U);
}

// Against a sorted list, with a seed so that a failure can be seen again.
TEST(TimerQueue, AgreesWithASortedListOverRandomOperations) {
  constexpr uint32_t kSeed = 20261127;
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  Fired fired;
  TimerQueue queue;
  std::deque<Timer> timers(200, MakeTimer(fired));
  uint64_t now = 0;
  std::vector<uint64_t> expected;
  for (int step = 0; step < 20000; ++step) {
    Timer& timer = timers[random() % timers.size()];
    switch (random() % 3) {
      case 0:
        queue.Cancel(timer);
        break;
      case 1:
        queue.Cancel(timer);
        queue.Arm(timer, now + random() % 1000);
        break;
      default: {
        now += random() % 20;
        expected.clear();
        for (const Timer& armed : timers) {
          if (armed.is_armed && armed.deadline_ns <= now) {
            expected.push_back(armed.deadline_ns);
          }
        }
        std::sort(expected.begin(), expected.end());
        fired.deadlines.clear();
        queue.RunDue(now);
        ASSERT_EQ(fired.deadlines, expected) << "step " << step;
        uint64_t next = kNever;
        for (const Timer& armed : timers) {
          next = armed.is_armed ? std::min(next, armed.deadline_ns) : next;
        }
        ASSERT_EQ(queue.NextDeadline_ns(), next) << "step " << step;
      }
    }
  }
}

}  // namespace
}  // namespace junction
