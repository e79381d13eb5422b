// SPDX-License-Identifier: Apache-2.0
#include "uthread/net_keeper.h"

#include <gtest/gtest.h>
#include <sched.h>

#include "nic/doorbell.h"
#include "uthread/uthread.h"

namespace junction {
namespace {

cpu_set_t OwnAffinity() {
  cpu_set_t all;
  EXPECT_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
  return all;
}

void PinToOwnCpu() {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
}

// Two processes, the first with two kthreads; all awake and idle.
class NetKeeperTest : public testing::Test {
 protected:
  NetKeeperTest() {
    net_.doorbell = &doorbell_;
    net_.peer_cpu = &peer_cpu_;
    net_.own_cpu = &own_cpu_;
    net_.deadline_ns = kNever;
    Enter(a1_, a_);
    Enter(a2_, a_);
    Enter(b1_, b_);
  }

  void Enter(Kthread& kthread, UthreadGroup& group) {
    kthread.group = &group;
    kthread.is_on_host.store(1);
    kthread.tick_deadline_ns = kNever;
    group.kthreads.PushBack(kthread.group_node);
    ++group.kthread_count;
  }
  bool Park(Kthread& kthread) {
    kthread.is_parked = true;
    return TakeKeeping(net_, kthread);
  }
  void Wake(Kthread& kthread) {
    kthread.is_parked = false;
    StopKeeping(net_, kthread);
  }
  void RunsGuestCode(Kthread& kthread) { kthread.current = reinterpret_cast<Uthread*>(this); }

  std::atomic<uint32_t> doorbell_ = kAwake;
  std::atomic<uint32_t> peer_cpu_ = 0;
  std::atomic<uint32_t> own_cpu_ = 0;
  NetKeeper net_{};
  UthreadGroup a_{}, b_{};
  Kthread a1_{}, a2_{}, b1_{};
};

TEST_F(NetKeeperTest, NobodyKeepsWithoutANic) {
  net_.doorbell = nullptr;
  EXPECT_FALSE(Park(a1_));
  EXPECT_FALSE(net_.needs_tick());
}

TEST_F(NetKeeperTest, TheFirstThatParksKeepsAndNoOtherDoes) {
  EXPECT_TRUE(Park(a1_));
  EXPECT_FALSE(Park(a2_));
  EXPECT_FALSE(Park(b1_));
  EXPECT_EQ(net_.keeper, &a1_);
  EXPECT_EQ(a1_.keeps_net.load(), 1U);
  EXPECT_EQ(a2_.keeps_net.load(), 0U);
}

TEST_F(NetKeeperTest, AKeeperThatWakesLeavesTheRoleToTheNextThatParks) {
  Park(a1_);
  Wake(a1_);
  EXPECT_EQ(net_.keeper, nullptr);
  EXPECT_EQ(a1_.keeps_net.load(), 0U);
  EXPECT_TRUE(Park(b1_));
}

TEST_F(NetKeeperTest, AnotherThatWakesTakesNothingAway) {
  Park(a1_);
  Park(a2_);
  Wake(a2_);
  EXPECT_EQ(net_.keeper, &a1_);
}

TEST_F(NetKeeperTest, WhoFoundWorkForAnAwakeProcessLeavesTheRoleToIt) {
  net_.worker = &b_;
  EXPECT_FALSE(Park(a1_));
  EXPECT_TRUE(Park(b1_));
}

TEST_F(NetKeeperTest, WhoFoundWorkForASleepingProcessKeeps) {
  net_.worker = &b_;
  b1_.is_parked = true;
  EXPECT_TRUE(Park(a1_));
}

TEST_F(NetKeeperTest, ABusyProcessWithoutATickDoesNotCountAsAwake) {
  net_.worker = &b_;
  RunsGuestCode(b1_);
  EXPECT_TRUE(Park(a1_));
}

TEST_F(NetKeeperTest, ABusyProcessWithATickCountsAsAwake) {
  net_.worker = &b_;
  RunsGuestCode(b1_);
  b1_.tick_deadline_ns = 5;
  EXPECT_FALSE(Park(a1_));
  b1_.tick_deadline_ns = kNever;
  b1_.attention.store(kAttentionArm);
  EXPECT_FALSE(Park(a2_));
}

TEST_F(NetKeeperTest, AKthreadThatHasLeftTheHostDoesNotCountAsAwake) {
  net_.worker = &b_;
  b1_.is_on_host.store(0);
  EXPECT_TRUE(Park(a1_));
}

TEST_F(NetKeeperTest, TheEndOfTheKeepersProcessFreesTheRoleAndQuietsTheDoorbell) {
  Park(a1_);
  ArmDoorbell(net_, false);
  EXPECT_EQ(doorbell_.load(), kInFutex);
  EXPECT_TRUE(ForgetKeeper(net_, a_));
  EXPECT_EQ(net_.keeper, nullptr);
  EXPECT_EQ(doorbell_.load(), kAwake);
  EXPECT_TRUE(Park(b1_));
}

TEST_F(NetKeeperTest, TheEndOfAnotherProcessNeedsNobody) {
  Park(a1_);
  ArmDoorbell(net_, true);
  net_.worker = &b_;
  EXPECT_FALSE(ForgetKeeper(net_, b_));
  EXPECT_EQ(net_.keeper, &a1_);
  EXPECT_EQ(net_.worker, nullptr);
  EXPECT_EQ(doorbell_.load(), kInPoller);
}

TEST_F(NetKeeperTest, ADoorbellIsRungOnceASleep) {
  ArmDoorbell(net_, false);
  EXPECT_EQ(ShouldRing(doorbell_), kInFutex);
  EXPECT_EQ(ShouldRing(doorbell_), kAwake);
  DisarmDoorbell(net_);
  EXPECT_EQ(ShouldRing(doorbell_), kAwake);
}

TEST_F(NetKeeperTest, GuestCodeNeedsTicksOnlyWhileNobodySleepsForTheNic) {
  EXPECT_TRUE(net_.needs_tick());
  Park(a1_);
  EXPECT_FALSE(net_.needs_tick());
  net_.deadline_ns = 100;  // armed by a call of another kthread
  EXPECT_TRUE(net_.needs_tick());
}

TEST_F(NetKeeperTest, TimersAreKeptByTheFirstThatParksAndByAnotherIfTheyComeNearer) {
  EXPECT_EQ(TakeNetTimers(net_, a1_), kNever);
  net_.deadline_ns = 100;
  EXPECT_EQ(TakeNetTimers(net_, a1_), 100U);
  EXPECT_EQ(TakeNetTimers(net_, a2_), kNever);
  net_.deadline_ns = 50;
  EXPECT_EQ(TakeNetTimers(net_, b1_), 50U);
  net_.deadline_ns = 70;
  EXPECT_EQ(TakeNetTimers(net_, a2_), kNever);
  StopKeeping(net_, b1_);
  EXPECT_EQ(TakeNetTimers(net_, a2_), 70U);
}

TEST_F(NetKeeperTest, TimersOfADeadProcessAreTakenUpByAnother) {
  Park(b1_);
  net_.deadline_ns = 100;
  TakeNetTimers(net_, a1_);
  EXPECT_TRUE(ForgetKeeper(net_, a_));
  EXPECT_EQ(net_.keeper, &b1_);
  EXPECT_EQ(TakeNetTimers(net_, b1_), 100U);
}

TEST_F(NetKeeperTest, WorkForOneselfCountsMoreThanWorkForOthers) {
  net_.NoteWoken(b_, a_);
  EXPECT_EQ(net_.woken, nullptr);  // not by frames
  net_.is_polling = true;
  net_.NoteWoken(b_, a_);
  EXPECT_EQ(net_.woken, &b_);
  net_.NoteWoken(a_, a_);
  EXPECT_EQ(net_.woken, &a_);
  net_.NoteWoken(b_, a_);
  EXPECT_EQ(net_.woken, &a_);
}

constexpr uint64_t kSpin_ns = 200'000;

TEST(SpinPredictorTest, SpinsOnlyAfterAShortGap) {
  SpinPredictor predictor;
  EXPECT_FALSE(predictor.ShouldSpin());
  predictor.Slept(kSpin_ns + SpinPredictor::kWake_ns, kSpin_ns);
  EXPECT_FALSE(predictor.ShouldSpin());
  predictor.Slept(kSpin_ns, kSpin_ns);
  EXPECT_TRUE(predictor.ShouldSpin());
  predictor.Hit(10'000);
  EXPECT_TRUE(predictor.ShouldSpin());
}

TEST(SpinPredictorTest, EachVainSpinInARowAsksForOneMoreShortGap) {
  SpinPredictor predictor;
  predictor.Slept(0, kSpin_ns);
  for (uint32_t vain = 1; vain <= 2 * SpinPredictor::kMostVain; ++vain) {
    ASSERT_TRUE(predictor.ShouldSpin());
    predictor.Vain();
    uint32_t gaps = 0;
    for (; !predictor.ShouldSpin(); ++gaps) {
      ASSERT_LT(gaps, 100U);
      predictor.Slept(10'000, kSpin_ns);
    }
    EXPECT_EQ(gaps, std::min(vain, SpinPredictor::kMostVain));
  }
  predictor.Hit(10'000);
  predictor.Vain();
  predictor.Slept(10'000, kSpin_ns);
  EXPECT_TRUE(predictor.ShouldSpin());
}

TEST(SpinPredictorTest, ALongGapStartsTheCountAnew) {
  SpinPredictor predictor;
  predictor.Slept(0, kSpin_ns);
  predictor.Vain();
  predictor.Slept(0, kSpin_ns);
  predictor.Vain();
  predictor.Slept(0, kSpin_ns);
  predictor.Slept(1'000'000, kSpin_ns);
  predictor.Slept(0, kSpin_ns);
  EXPECT_FALSE(predictor.ShouldSpin());
  predictor.Slept(0, kSpin_ns);
  EXPECT_TRUE(predictor.ShouldSpin());
}

TEST(SpinPredictorTest, ContentionAsksForTheMostShortGapsAtOnce) {
  SpinPredictor predictor;
  predictor.Slept(0, kSpin_ns);
  ASSERT_TRUE(predictor.ShouldSpin());
  predictor.Contended();
  for (uint32_t gaps = 0; gaps < SpinPredictor::kMostVain; ++gaps) {
    EXPECT_FALSE(predictor.ShouldSpin());
    predictor.Slept(0, kSpin_ns);
  }
  EXPECT_TRUE(predictor.ShouldSpin());
}

TEST(SpinPredictorTest, AMoveForgivesWhatSpinsWereWorthBefore) {
  SpinPredictor predictor;
  predictor.Contended();
  predictor.Moved();
  EXPECT_TRUE(predictor.ShouldSpin());
}

TEST(SpinPredictorTest, ASpinGoesOnForTwiceTheUsualGapAndABit) {
  SpinPredictor predictor;
  EXPECT_EQ(predictor.Limit_ns(500'000), SpinPredictor::kLeastSpin_ns);
  for (int i = 0; i < 100; ++i) {
    predictor.Hit(20'000);
  }
  EXPECT_NEAR(static_cast<double>(predictor.Limit_ns(500'000)), 50'000 + 2 * 20'000, 100);
  for (int i = 0; i < 100; ++i) {
    predictor.Slept(300'000, 500'000);
  }
  EXPECT_EQ(predictor.Limit_ns(500'000), 500'000U);
  EXPECT_EQ(predictor.Limit_ns(100'000), 100'000U);
}

TEST(SpinPredictorTest, TheLimitGrowsFasterThanItShrinksAndLongSleepsDoNotCount) {
  SpinPredictor predictor;
  predictor.Hit(100'000);
  const uint64_t grown_ns = predictor.Limit_ns(500'000);
  EXPECT_EQ(grown_ns, SpinPredictor::kLeastSpin_ns + 2 * 25'000);
  predictor.Hit(0);
  EXPECT_GT(predictor.Limit_ns(500'000), grown_ns - 10'000);
  const uint64_t before_ns = predictor.Limit_ns(10'000'000);
  predictor.Slept(550'000, 500'000);  // no longer than a spin and a wake-up: a short gap, but how short nobody knows
  predictor.Slept(5'000'000, 500'000);
  EXPECT_EQ(predictor.Limit_ns(10'000'000), before_ns);
}

TEST_F(NetKeeperTest, SaysWhereItTookFramesInAndKnowsWhenTheirSenderIsThereToo) {
  const cpu_set_t before = OwnAffinity();
  PinToOwnCpu();
  net_.NoteFrames(1'000'000);
  EXPECT_EQ(own_cpu_.load(), OwnCpu() + 1);
  EXPECT_EQ(OwnCpu(), static_cast<uint32_t>(sched_getcpu()));
  EXPECT_FALSE(net_.shares_cpu());
  peer_cpu_.store(OwnCpu() + 1);
  EXPECT_TRUE(net_.shares_cpu());
  peer_cpu_.store(OwnCpu() + 2);
  EXPECT_FALSE(net_.shares_cpu());
  ASSERT_EQ(sched_setaffinity(0, sizeof(before), &before), 0);
}

TEST_F(NetKeeperTest, AGapCountsFromFramesToFramesAndOnlyIfSomebodySlept) {
  net_.spin_ns = kSpin_ns;
  net_.NoteFrames(1'000'000);
  net_.NoteFrames(1'100'000);
  EXPECT_FALSE(net_.predictor.ShouldSpin());
  net_.has_slept = true;
  net_.NoteFrames(1'200'000);
  EXPECT_TRUE(net_.predictor.ShouldSpin());
  net_.has_slept = true;
  net_.NoteFrames(2'200'000);
  EXPECT_FALSE(net_.predictor.ShouldSpin());
}

}  // namespace
}  // namespace junction
