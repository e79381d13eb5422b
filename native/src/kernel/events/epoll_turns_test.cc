// SPDX-License-Identifier: Apache-2.0
#include "kernel/events/epoll_turns.h"

#include <gtest/gtest.h>

namespace junction {
namespace {

constexpr uint32_t kEdges = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

// Streams that an epoll watches; what epoll.cc does to the lists is done by hand.
struct Watch {
  explicit Watch(EpollFile& epoll, File& file, uint32_t events = kEdges) {
    item.epoll = &epoll;
    item.file = &file;
    item.events = events;
    file.epoll_items.PushBack(item.file_node);
  }
  void Arrive() { item.epoll->ready.PushBack(item.ready_node); }
  void Report() {
    item.ready_node.Unlink();
    BeginTurn(item);
  }

  EpollItem item{};
};

class EpollTurnsTest : public testing::Test {
 protected:
  EpollFile epoll_{}, other_epoll_{};
  File a_{}, b_{};
};

TEST(ReadTurnTest, IsOverOnceARequestWasAnswered) {
  ReadTurn turn{};
  EXPECT_FALSE(turn.is_over());
  turn.NoteRead();
  turn.NoteRead();  // a request in two pieces
  EXPECT_FALSE(turn.is_over());
  turn.NoteWrite();
  EXPECT_TRUE(turn.is_over());
  turn.Begin();
  EXPECT_FALSE(turn.is_over());
}

TEST(ReadTurnTest, DoesNotCountWritesThatAnswerNothing) {
  ReadTurn turn{};
  turn.NoteWrite();
  turn.NoteWrite();
  EXPECT_FALSE(turn.is_over());
}

TEST(ReadTurnTest, IsOverAfterManyReadsWithoutAnAnswer) {
  ReadTurn turn{};
  for (int i = 0; i < ReadTurn::kMostReads; ++i) {
    EXPECT_FALSE(turn.is_over());
    turn.NoteRead();
  }
  EXPECT_TRUE(turn.is_over());
}

TEST_F(EpollTurnsTest, NobodyPassesWhoIsAlone) {
  Watch a(epoll_, a_);
  EXPECT_FALSE(MustPassTurn(a_));
  a.Arrive();
  EXPECT_FALSE(MustPassTurn(a_));
  a.Report();
  EXPECT_FALSE(MustPassTurn(a_));
}

TEST_F(EpollTurnsTest, NobodyPassesWhomNoEpollWatches) { EXPECT_FALSE(MustPassTurn(a_)); }

TEST_F(EpollTurnsTest, PassesToWhoWasReadyBefore) {
  Watch a(epoll_, a_);
  Watch b(epoll_, b_);
  b.Arrive();
  EXPECT_TRUE(MustPassTurn(a_));
  a.Arrive();
  EXPECT_TRUE(MustPassTurn(a_));
  EXPECT_FALSE(MustPassTurn(b_));
}

TEST_F(EpollTurnsTest, PassesToWhoWasReportedUntilItIsRead) {
  Watch a(epoll_, a_);
  Watch b(epoll_, b_);
  a.Arrive();
  b.Arrive();
  a.Report();
  b.Report();
  SettleTurn(a_);
  EXPECT_TRUE(MustPassTurn(a_));
  SettleTurn(b_);
  EXPECT_FALSE(MustPassTurn(a_));
}

TEST_F(EpollTurnsTest, OwesOneReadForSeveralReports) {
  Watch a(epoll_, a_);
  a.Report();
  a.Report();
  EXPECT_EQ(epoll_.owed_count, 1U);
  SettleTurn(a_);
  SettleTurn(a_);
  EXPECT_EQ(epoll_.owed_count, 0U);
}

TEST_F(EpollTurnsTest, OwesNothingThatWasGivenUp) {
  Watch a(epoll_, a_);
  a.Report();
  SettleItem(a.item);
  EXPECT_EQ(epoll_.owed_count, 0U);
  SettleTurn(a_);
  EXPECT_EQ(epoll_.owed_count, 0U);
}

TEST_F(EpollTurnsTest, AReportBeginsATurn) {
  Watch a(epoll_, a_);
  a_.turn.NoteRead();
  a_.turn.NoteWrite();
  a.Report();
  EXPECT_FALSE(a_.turn.is_over());
}

TEST_F(EpollTurnsTest, ReadersThatWaitForNoEdgeDoNotPass) {
  for (const uint32_t events :
       {uint32_t{EPOLLIN}, uint32_t{EPOLLIN | EPOLLET | EPOLLONESHOT}, uint32_t{EPOLLOUT | EPOLLET}}) {
    File file{};
    Watch watch(epoll_, file, events);
    File other{};
    Watch waiting(epoll_, other);
    waiting.Arrive();
    EXPECT_FALSE(MustPassTurn(file)) << events;
    waiting.item.ready_node.Unlink();
  }
}

TEST_F(EpollTurnsTest, OneEpollThatGivesNoEdgeIsEnoughToStay) {
  Watch a(epoll_, a_);
  Watch b(epoll_, b_);
  b.Arrive();
  Watch level(other_epoll_, a_, EPOLLIN);
  EXPECT_FALSE(MustPassTurn(a_));
  level.item.events = EPOLLOUT;  // of writers only: says nothing about reads
  EXPECT_TRUE(MustPassTurn(a_));
  level.item.events = kEdges;
  EXPECT_TRUE(MustPassTurn(a_));
}

}  // namespace
}  // namespace junction
