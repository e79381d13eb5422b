// SPDX-License-Identifier: Apache-2.0
#include "nic/frame_ring.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <thread>
#include <vector>

#include "nic/test_ring.h"

namespace junction {
namespace {

class FrameRing : public testing::Test {
 protected:
  FrameRing() {
    producer_.Attach(ring_.ring());
    consumer_.Attach(ring_.ring(), false);
  }

  // Where the frame was put; null if there was no room.
  uint8_t* Put(uint32_t length_bytes, uint8_t fill) {
    uint8_t* const at = producer_.Reserve(length_bytes);
    if (at != nullptr) {
      std::memset(at, fill, length_bytes);
      producer_.Commit(length_bytes, {});
    }
    return at;
  }

  bool Send(uint32_t length_bytes, uint8_t fill) { return Put(length_bytes, fill) != nullptr && producer_.Publish(); }

  // Takes the next frame, which must look so.
  void Expect(uint32_t length_bytes, uint8_t fill) {
    FrameView view;
    ASSERT_TRUE(consumer_.Peek(view));
    ASSERT_EQ(view.length_bytes, length_bytes);
    ASSERT_EQ(view.data[0], fill);
    ASSERT_EQ(view.data[length_bytes - 1], fill);
    consumer_.Pop();
    consumer_.Release();
  }

  TestRing ring_;
  RingProducer producer_;
  RingConsumer consumer_;
};

TEST_F(FrameRing, CarriesBytesAndMeta) {
  uint8_t* const at = producer_.Reserve(100);
  ASSERT_NE(at, nullptr);
  std::memset(at, 7, 60);
  producer_.Commit(60,
                   {.flags = kFrameChecksumBlank, .segment_bytes = 1448, .checksum_start = 34, .checksum_offset = 16});
  FrameView view;
  EXPECT_FALSE(consumer_.Peek(view)) << "not published yet";
  EXPECT_TRUE(producer_.Publish());
  EXPECT_FALSE(producer_.Publish()) << "nothing new";
  ASSERT_TRUE(consumer_.Peek(view));
  EXPECT_EQ(view.length_bytes, 60U);
  EXPECT_EQ(view.data, at);
  EXPECT_EQ(view.meta.flags, kFrameChecksumBlank);
  EXPECT_EQ(view.meta.segment_bytes, 1448);
  EXPECT_EQ(view.meta.checksum_start, 34);
  EXPECT_EQ(view.meta.checksum_offset, 16);
  EXPECT_EQ(ring_.ring().frames.load(), 1U);
  EXPECT_EQ(ring_.ring().bytes.load(), 60U);
}

TEST_F(FrameRing, AnUncommittedFrameIsNeverSeen) {
  ASSERT_NE(producer_.Reserve(1000), nullptr);
  EXPECT_FALSE(producer_.Publish());
  ASSERT_TRUE(Send(14, 1));
  Expect(14, 1);
  EXPECT_FALSE(consumer_.HasFrames());
}

TEST_F(FrameRing, RefusesLengthsThatAreNoFrame) {
  EXPECT_EQ(producer_.Reserve(0), nullptr);
  EXPECT_EQ(producer_.Reserve(kMinFrame_bytes - 1), nullptr);
  EXPECT_EQ(producer_.Reserve(kMaxFrame_bytes + 1), nullptr);
  EXPECT_EQ(producer_.Reserve(UINT32_MAX), nullptr);
  EXPECT_FALSE(producer_.is_broken());
  EXPECT_NE(producer_.Reserve(kMaxFrame_bytes), nullptr);
}

TEST_F(FrameRing, ABatchIsSeenAtOnce) {
  for (uint8_t i = 0; i < 10; ++i) {
    ASSERT_NE(Put(100, i), nullptr);
  }
  EXPECT_FALSE(consumer_.HasFrames());
  ASSERT_TRUE(producer_.Publish());
  for (uint8_t i = 0; i < 10; ++i) {
    Expect(100, i);
  }
  EXPECT_TRUE(producer_.is_drained());
}

TEST_F(FrameRing, AllSlotsFillAndDrain) {
  for (uint32_t i = 0; i < kRingSlots; ++i) {
    ASSERT_TRUE(Send(64, static_cast<uint8_t>(i)));
  }
  EXPECT_EQ(producer_.Reserve(14), nullptr);
  EXPECT_EQ(ring_.ring().full.load(), 1U);
  EXPECT_FALSE(producer_.is_drained());
  Expect(64, 0);
  EXPECT_TRUE(Send(64, 99)) << "one slot is free again";
  EXPECT_EQ(producer_.Reserve(14), nullptr);
  for (uint32_t i = 1; i < kRingSlots; ++i) {
    Expect(64, static_cast<uint8_t>(i));
  }
  Expect(64, 99);
  EXPECT_TRUE(producer_.is_drained());
}

TEST_F(FrameRing, FifteenOfTheLargestFramesFit) {
  constexpr uint8_t kCount = 15;
  for (uint8_t i = 0; i < kCount; ++i) {
    ASSERT_TRUE(Send(kMaxFrame_bytes, i));
  }
  EXPECT_FALSE(Send(kMaxFrame_bytes, kCount));
  Expect(kMaxFrame_bytes, 0);
  EXPECT_TRUE(Send(kMaxFrame_bytes, kCount)) << "the first one's room, around the end";
  for (uint8_t i = 1; i <= kCount; ++i) {
    Expect(kMaxFrame_bytes, i);
  }
}

TEST_F(FrameRing, AnEmptyRingStartsAtItsBeginning) {
  for (int i = 0; i < 1000; ++i) {
    uint8_t* const at = Put(600, 1);
    ASSERT_EQ(at, ring_.data());
    ASSERT_TRUE(producer_.Publish());
    Expect(600, 1);
  }
}

TEST_F(FrameRing, PoppedButUnreleasedRoomIsNotReused) {
  ASSERT_TRUE(Send(600, 1));
  FrameView view;
  ASSERT_TRUE(consumer_.Peek(view));
  consumer_.Pop();
  ASSERT_TRUE(Send(600, 2));
  EXPECT_EQ(view.data[0], 1);
  consumer_.Release();
  Expect(600, 2);
}

// Against a model: frames come out as they went in, and no two that are in the ring overlap.
TEST_F(FrameRing, FramesNeverOverlapWhateverTheirSizes) {
  struct Known {
    const uint8_t* at;
    uint32_t length_bytes;
    uint8_t fill;
  };
  std::mt19937_64 random(20261128);
  std::deque<Known> inside;
  uint64_t refused = 0;
  uint64_t wraps = 0;
  for (int step = 0; step < 200'000; ++step) {
    const bool is_filling = step / 1000 % 2 == 0;  // by turns the ring runs full and empty
    if (random() % 8 < (is_filling ? 6 : 3)) {
      const uint32_t most = random() % 16 == 0 ? kMaxFrame_bytes : 3000;
      const uint32_t length_bytes = kMinFrame_bytes + static_cast<uint32_t>(random() % (most - kMinFrame_bytes + 1));
      const auto fill = static_cast<uint8_t>(random());
      uint8_t* const at = Put(length_bytes, fill);
      if (at == nullptr) {
        ++refused;
        continue;
      }
      producer_.Publish();
      ASSERT_GE(at, ring_.data());
      ASSERT_LE(at + length_bytes, ring_.data() + kRingData_bytes);
      for (const Known& other : inside) {
        ASSERT_TRUE(at + length_bytes <= other.at || other.at + other.length_bytes <= at);
      }
      wraps += !inside.empty() && at < inside.back().at ? 1 : 0;
      inside.push_back({at, length_bytes, fill});
    } else {
      for (uint64_t count = random() % 4; count > 0 && !inside.empty(); --count) {
        Expect(inside.front().length_bytes, inside.front().fill);
        inside.pop_front();
      }
    }
  }
  EXPECT_GT(refused, 100U);
  EXPECT_GT(wraps, 100U);
}

TEST_F(FrameRing, CountsWrapAround) {
  const uint32_t start = UINT32_MAX - 3;
  ring_.ring().tail.store(start);
  ring_.ring().head.store(start);
  producer_.Attach(ring_.ring());
  consumer_.Attach(ring_.ring(), false);
  for (uint32_t i = 0; i < kRingSlots; ++i) {
    ASSERT_TRUE(Send(64, static_cast<uint8_t>(i)));
  }
  EXPECT_FALSE(Send(64, 0));
  for (uint32_t i = 0; i < kRingSlots; ++i) {
    Expect(64, static_cast<uint8_t>(i));
  }
  EXPECT_EQ(ring_.ring().head.load(), start + kRingSlots);
}

TEST_F(FrameRing, AProducerAfterADeadOneWaitsForItsFrames) {
  ASSERT_TRUE(Send(1000, 1));
  ASSERT_TRUE(Send(1000, 2));
  ASSERT_NE(Put(1000, 3), nullptr);  // died before it was published
  RingProducer next;
  next.Attach(ring_.ring());
  EXPECT_EQ(next.Reserve(14), nullptr);
  Expect(1000, 1);
  EXPECT_EQ(next.Reserve(14), nullptr);
  Expect(1000, 2);
  uint8_t* const at = next.Reserve(14);
  ASSERT_EQ(at, ring_.data());
  std::memset(at, 4, 14);
  next.Commit(14, {});
  EXPECT_TRUE(next.Publish());
  Expect(14, 4);
  EXPECT_TRUE(next.is_drained());
}

TEST_F(FrameRing, AConsumerAfterADeadOneSkipsOrRepeats) {
  ASSERT_TRUE(Send(100, 1));
  ASSERT_TRUE(Send(100, 2));
  FrameView view;
  ASSERT_TRUE(consumer_.Peek(view));
  consumer_.Pop();  // died before it was released
  consumer_.Attach(ring_.ring(), false);
  Expect(100, 1);
  consumer_.Attach(ring_.ring(), true);
  EXPECT_FALSE(consumer_.HasFrames());
  EXPECT_TRUE(producer_.is_drained());
  ASSERT_TRUE(Send(100, 3));
  Expect(100, 3);
}

TEST_F(FrameRing, AHeadThatMakesNoSenseBreaksTheProducer) {
  for (const uint32_t head : {3U, UINT32_MAX, 0x80000000U}) {
    ring_.ring().tail.store(0);
    ring_.ring().head.store(0);
    producer_.Attach(ring_.ring());
    ASSERT_TRUE(Send(100, 1));
    ASSERT_TRUE(Send(100, 1));
    ring_.ring().head.store(head);
    EXPECT_EQ(producer_.Reserve(100), nullptr);
    EXPECT_TRUE(producer_.is_broken());
    ring_.ring().head.store(2);
    EXPECT_EQ(producer_.Reserve(100), nullptr) << "it stays so";
    producer_.Attach(ring_.ring());
    EXPECT_NE(producer_.Reserve(100), nullptr) << "until it is taken up anew";
  }
}

TEST_F(FrameRing, AHeadThatGoesBackBreaksTheProducer) {
  ASSERT_TRUE(Send(100, 1));
  ASSERT_TRUE(Send(100, 1));
  Expect(100, 1);
  ASSERT_TRUE(Send(100, 1));
  ring_.ring().head.store(0);
  EXPECT_EQ(producer_.Reserve(100), nullptr);
  EXPECT_TRUE(producer_.is_broken());
}

TEST_F(FrameRing, ATailThatMakesNoSenseBreaksTheConsumer) {
  FrameView view;
  for (const uint32_t tail : {kRingSlots + 1, UINT32_MAX, 0x80000000U}) {
    ring_.ring().tail.store(0);
    ring_.ring().head.store(0);
    consumer_.Attach(ring_.ring(), false);
    ring_.ring().tail.store(tail);
    EXPECT_FALSE(consumer_.Peek(view));
    EXPECT_TRUE(consumer_.is_broken());
    EXPECT_FALSE(consumer_.HasFrames()) << "or its owner would never sleep";
  }
  ring_.ring().tail.store(kRingSlots + 1);
  consumer_.Attach(ring_.ring(), false);
  EXPECT_TRUE(consumer_.is_broken());
}

TEST_F(FrameRing, ADescriptorThatMakesNoSenseBreaksTheConsumer) {
  const FrameDescriptor bad[] = {
      {.offset = 0, .length_bytes = 0, .flags = 0, .segment_bytes = 0, .checksum_start = 0, .checksum_offset = 0},
      {0, kMinFrame_bytes - 1, 0, 0, 0, 0},
      {0, kMaxFrame_bytes + 1, 0, 0, 0, 0},
      {0, UINT32_MAX, 0, 0, 0, 0},
      {kRingData_bytes, kMinFrame_bytes, 0, 0, 0, 0},
      {kRingData_bytes - kMinFrame_bytes + 1, kMinFrame_bytes, 0, 0, 0, 0},
      {UINT32_MAX, kMinFrame_bytes, 0, 0, 0, 0},
      {UINT32_MAX - 13, kMinFrame_bytes, 0, 0, 0, 0},
  };
  FrameView view;
  for (const FrameDescriptor& descriptor : bad) {
    ring_.ring().tail.store(0);
    ring_.ring().head.store(0);
    consumer_.Attach(ring_.ring(), false);
    ring_.ring().slots[0] = descriptor;
    ring_.ring().tail.store(1);
    EXPECT_FALSE(consumer_.Peek(view)) << descriptor.offset << " " << descriptor.length_bytes;
    EXPECT_TRUE(consumer_.is_broken());
  }
  ring_.ring().tail.store(0);
  consumer_.Attach(ring_.ring(), false);
  ring_.ring().slots[0] = {kRingData_bytes - kMinFrame_bytes, kMinFrame_bytes, 0, 0, 0, 0};
  ring_.ring().tail.store(1);
  EXPECT_TRUE(consumer_.Peek(view)) << "the last place that is right";
}

TEST_F(FrameRing, CommittingMoreThanWasReservedEndsTheProcess) {
  ASSERT_NE(producer_.Reserve(100), nullptr);
  EXPECT_DEATH(producer_.Commit(101, {}), "");
  producer_.Commit(100, {});
  EXPECT_DEATH(producer_.Commit(100, {}), "") << "nothing is reserved any more";
}

// For ThreadSanitizer: all that two threads share through a ring is ordered.
TEST_F(FrameRing, TwoThreadsPassFramesOn) {
  constexpr uint32_t kFrames = 200'000;
  std::thread sender([&] {
    std::mt19937 random(1);
    for (uint32_t i = 0; i < kFrames;) {
      const uint32_t length_bytes = 20 + random() % (random() % 64 == 0 ? 60'000 : 600);
      uint8_t* const at = producer_.Reserve(length_bytes);
      if (at == nullptr) {
        producer_.Publish();
        std::this_thread::yield();
        continue;
      }
      std::memset(at, static_cast<uint8_t>(i), length_bytes);
      std::memcpy(at, &i, sizeof(i));
      producer_.Commit(length_bytes, {});
      ++i;
      if (i % 3 == 0 || i == kFrames) {
        producer_.Publish();
      }
    }
  });
  uint32_t wrong = 0;
  for (uint32_t i = 0; i < kFrames;) {
    FrameView view;
    if (!consumer_.Peek(view)) {
      if (consumer_.is_broken()) {
        break;
      }
      std::this_thread::yield();
      continue;
    }
    uint32_t number;
    std::memcpy(&number, view.data, sizeof(number));
    wrong += number == i && view.data[view.length_bytes - 1] == static_cast<uint8_t>(i) ? 0 : 1;
    consumer_.Pop();
    consumer_.Release();
    ++i;
  }
  sender.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_FALSE(consumer_.is_broken());
  EXPECT_FALSE(producer_.is_broken());
  EXPECT_TRUE(producer_.is_drained());
}

}  // namespace
}  // namespace junction
