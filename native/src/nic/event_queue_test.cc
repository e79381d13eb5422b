// SPDX-License-Identifier: Apache-2.0
#include "nic/event_queue.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <thread>
#include <vector>

#include "base/test_files.h"

namespace junction {
namespace {

TEST(EventQueue, CarriesEventsInOrder) {
  const TempDir dir;
  auto queue = EventQueue::Create(dir.File("events"));
  ASSERT_TRUE(queue) << queue.error().message;
  auto sender = EventQueue::Open(dir.File("events"));
  ASSERT_TRUE(sender) << sender.error().message;
  EXPECT_FALSE(queue->Take());
  EXPECT_TRUE(sender->Post({.instance = 5, .queue_pair = 63}));
  EXPECT_TRUE(sender->Post({.instance = kMaxEventInstance, .queue_pair = 0}));
  auto event = queue->Take();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->instance, 5U);
  EXPECT_EQ(event->queue_pair, 63U);
  event = queue->Take();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->instance, kMaxEventInstance);
  EXPECT_EQ(event->queue_pair, 0U);
  EXPECT_FALSE(queue->Take());
}

TEST(EventQueue, CountsWhatFindsNoRoom) {
  const TempDir dir;
  auto queue = EventQueue::Create(dir.File("events"));
  ASSERT_TRUE(queue);
  for (uint32_t i = 0; i < kEventQueueSlots; ++i) {
    ASSERT_TRUE(queue->Post({.instance = i, .queue_pair = 0}));
  }
  EXPECT_FALSE(queue->Post({.instance = 1, .queue_pair = 0}));
  EXPECT_FALSE(queue->Post({.instance = 1, .queue_pair = 0}));
  EXPECT_EQ(queue->overflows(), 2U);
  ASSERT_TRUE(queue->Take());
  EXPECT_TRUE(queue->Post({.instance = 77, .queue_pair = 0}));
  for (uint32_t i = 1; i < kEventQueueSlots; ++i) {
    const auto event = queue->Take();
    ASSERT_TRUE(event);
    ASSERT_EQ(event->instance, i);
  }
  EXPECT_EQ(queue->Take()->instance, 77U);
  EXPECT_FALSE(queue->Take());
}

TEST(EventQueue, ANewDaemonGoesOnWhereTheOldOneStopped) {
  const TempDir dir;
  auto old = EventQueue::Create(dir.File("events"));
  ASSERT_TRUE(old);
  auto sender = EventQueue::Open(dir.File("events"));
  ASSERT_TRUE(sender);
  for (uint32_t i = 0; i < kEventQueueSlots + 100; ++i) {
    ASSERT_TRUE(sender->Post({.instance = i, .queue_pair = 0}));
    ASSERT_TRUE(old->Take());
  }
  ASSERT_TRUE(sender->Post({.instance = 1, .queue_pair = 0}));
  ASSERT_TRUE(sender->Post({.instance = 2, .queue_pair = 0}));
  old = EventQueue();
  auto queue = EventQueue::Create(dir.File("events"));
  ASSERT_TRUE(queue);
  ASSERT_TRUE(sender->Post({.instance = 3, .queue_pair = 0}));
  for (uint32_t i = 1; i <= 3; ++i) {
    const auto event = queue->Take();
    ASSERT_TRUE(event);
    EXPECT_EQ(event->instance, i);
  }
  EXPECT_FALSE(queue->Take());
}

// A producer that was killed between taking its place and moving the tail on: the others find it taken.
TEST(EventQueue, ATailThatLagsIsHelpedOn) {
  const TempDir dir;
  auto queue = EventQueue::Create(dir.File("events"));
  ASSERT_TRUE(queue);
  const UniqueFd fd(open(dir.File("events").c_str(), O_RDWR));
  auto* const page = static_cast<EventQueuePage*>(
      mmap(nullptr, sizeof(EventQueuePage), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
  ASSERT_NE(page, MAP_FAILED);
  for (uint32_t i = 0; i < 10; ++i) {
    ASSERT_TRUE(queue->Post({.instance = i, .queue_pair = 0}));
  }
  for (const uint32_t stale_tail : {9U, 5U}) {
    page->tail.store(stale_tail);
    EXPECT_TRUE(queue->Post({.instance = 10, .queue_pair = 0}));
  }
  for (uint32_t i = 0; i < 10; ++i) {
    EXPECT_EQ(queue->Take()->instance, i);
  }
  EXPECT_EQ(queue->Take()->instance, 10U);
  EXPECT_EQ(queue->Take()->instance, 10U);
  EXPECT_FALSE(queue->Take());
  page->tail.store(3);  // behind what was taken already
  EXPECT_TRUE(queue->Post({.instance = 11, .queue_pair = 0}));
  EXPECT_EQ(queue->Take()->instance, 11U);
  munmap(page, sizeof(EventQueuePage));
}

TEST(EventQueue, RefusesOtherFiles) {
  const TempDir dir;
  EXPECT_EQ(EventQueue::Open(dir.File("none")).error().code, ENOENT);
  EXPECT_EQ(EventQueue::Open(dir.Write("short", "x")).error().code, EPROTO);
  EXPECT_EQ(EventQueue::Open(dir.Write("zeros", std::string(sizeof(EventQueuePage), '\0'))).error().code, EPROTO);
}

TEST(EventQueue, ManyProducersLoseNothing) {
  constexpr uint32_t kProducers = 4;
  constexpr uint32_t kEvents = 50'000;
  const TempDir dir;
  auto queue = EventQueue::Create(dir.File("events"));
  ASSERT_TRUE(queue);
  std::atomic<uint64_t> refused = 0;
  std::vector<std::thread> producers;
  for (uint32_t id = 0; id < kProducers; ++id) {
    producers.emplace_back([&, id] {
      auto mine = EventQueue::Open(dir.File("events"));
      ASSERT_TRUE(mine);
      for (uint32_t i = 0; i < kEvents;) {
        if (mine->Post({.instance = i, .queue_pair = id})) {
          ++i;
        } else {
          refused.fetch_add(1);
          std::this_thread::yield();
        }
      }
    });
  }
  uint32_t next[kProducers] = {};
  uint32_t wrong = 0;
  for (uint32_t got = 0; got < kProducers * kEvents;) {
    const auto event = queue->Take();
    if (!event) {
      queue->Wait(60'000);  // woken by a post, or the test times out
      continue;
    }
    ++got;
    if (event->queue_pair >= kProducers || event->instance != next[event->queue_pair]++) {
      ++wrong;
    }
  }
  for (std::thread& producer : producers) {
    producer.join();
  }
  EXPECT_EQ(wrong, 0U);
  EXPECT_FALSE(queue->Take());
  EXPECT_EQ(queue->overflows(), refused.load());
}

}  // namespace
}  // namespace junction
