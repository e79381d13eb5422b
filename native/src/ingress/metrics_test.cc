// SPDX-License-Identifier: Apache-2.0
#include "ingress/metrics.h"

#include <gtest/gtest.h>

#include <thread>

#include "ingress/spin_governor.h"

namespace junction::ingress {
namespace {

TEST(Histogram, PutsAValueIntoTheBucketWhoseBoundItDoesNotPass) {
  Histogram histogram;
  histogram.Record(100'000);
  histogram.Record(100'001);
  histogram.Record(61'000'000'000);
  EXPECT_EQ(histogram.bucket(0), 1u);
  EXPECT_EQ(histogram.bucket(1), 1u);
  EXPECT_EQ(histogram.bucket(Histogram::kBuckets - 1), 1u);
  EXPECT_EQ(histogram.sum_ns(), 61'000'200'001u);
}

TEST(KeyedHistograms, BoundsWhatItKeeps) {
  KeyedHistograms histograms(2);
  for (const uint32_t key : {7, 8, 9, 10, 7}) {
    histograms.Record(key, 1);
  }
  HistogramValues of_7, of_8;
  int keys = 0;
  histograms.ForEach([&](uint32_t key, const Histogram& histogram) {
    ++keys;
    (key == 7 ? of_7 : of_8).Add(histogram);
  });
  EXPECT_EQ(keys, 2);
  EXPECT_EQ(of_7.count, 2u);
  EXPECT_EQ(of_8.count, 3u);  // with those that had no room
}

TEST(KeyedHistograms, CanBeReadWhileItGrows) {
  KeyedHistograms histograms(1000);
  std::thread writer([&] {
    for (uint32_t i = 0; i < 20'000; ++i) {
      histograms.Record(i % 1000, i);
    }
  });
  uint64_t count = 0;
  while (count < 20'000) {
    uint64_t now = 0;
    histograms.ForEach([&](uint32_t, const Histogram& histogram) {
      HistogramValues values;
      values.Add(histogram);
      now += values.count;
    });
    ASSERT_GE(now, count);
    count = now;
  }
  writer.join();
}

TEST(RouteIndex, NamesOnlyKnownRoutes) {
  for (const auto& [path, route] : {std::pair{"/system/functions?namespace=x", "/system/functions"},
                                    {"/system/function/aes", "/system/function"},
                                    {"/system/functionsx", "/system"},
                                    {"/system/unknown/1", "/system"},
                                    {"/async-function/aes/x?y", "/async-function"},
                                    {"/ui/assets/x.js", "/ui"},
                                    {"/", "/"},
                                    {"/?x", "/"},
                                    {"/whatever/1234", "other"},
                                    {"", "other"},
                                    {"*", "other"}}) {
    EXPECT_EQ(RouteName(RouteIndex(path)), route) << path;
  }
  EXPECT_EQ(RouteName(kFunctionRoute), "/function");
  EXPECT_EQ(MethodName(MethodIndex("DELETE")), "DELETE");
  EXPECT_EQ(MethodName(MethodIndex("BREW")), "other");
}

TEST(GapPredictor, FollowsWhatAFlowDoes) {
  GapPredictor predictor;
  EXPECT_TRUE(predictor.ShouldSpin());  // nothing known: try
  predictor.Miss();
  EXPECT_FALSE(predictor.ShouldSpin());
  predictor.Hit();
  predictor.Hit();
  predictor.Hit();
  EXPECT_TRUE(predictor.ShouldSpin());
  predictor.Hit();
  predictor.Hit();
  predictor.Miss();
  EXPECT_TRUE(predictor.ShouldSpin());  // one wrong guess does not turn a sure prediction
  predictor.Miss();
  EXPECT_FALSE(predictor.ShouldSpin());
}

TEST(GapPredictor, TriesAgainNowAndThen) {
  GapPredictor predictor;
  for (int i = 0; i < 4; ++i) {
    predictor.Miss();
  }
  int spins = 0;
  for (int i = 0; i < 640; ++i) {
    spins += predictor.ShouldSpin() ? 1 : 0;
  }
  EXPECT_EQ(spins, 10);
}

}  // namespace
}  // namespace junction::ingress
