// SPDX-License-Identifier: Apache-2.0
#include "kernel/events/epoll_turns.h"

namespace junction {
namespace {

constexpr uint32_t kInput = EPOLLIN | EPOLLRDNORM;

bool WatchesInput(const EpollItem& item) { return (item.events & kInput) != 0; }

// Readiness is looked up by level, and a spent one-shot would not be told.
bool IsToldByEdges(const EpollItem& item) { return (item.events & (EPOLLET | EPOLLONESHOT)) == EPOLLET; }

// The ready list is in the order of arrival. It may hold entries that turn out to have nothing to report; then the program comes back at once.
bool AreOthersBefore(const EpollItem& item) {
  const EpollFile& epoll = *item.epoll;
  if (epoll.owed_count > (item.is_owed ? 1U : 0U)) {
    return true;
  }
  return !epoll.ready.empty() && epoll.ready.first() != &item.ready_node;
}

}  // namespace

void BeginTurn(EpollItem& item) {
  item.file->turn.Begin();
  if (!item.is_owed) {
    item.is_owed = true;
    item.file->turn.is_owed = true;
    ++item.epoll->owed_count;
  }
}

void SettleItem(EpollItem& item) {
  if (item.is_owed) {
    item.is_owed = false;
    --item.epoll->owed_count;
  }
}

void SettleTurn(File& file) {
  if (!file.turn.is_owed) {
    return;
  }
  file.turn.is_owed = false;
  for (ListNode* node = file.epoll_items.first(); node != nullptr; node = file.epoll_items.Next(node)) {
    SettleItem(*JUNCTION_OWNER(node, EpollItem, file_node));
  }
}

bool MustPassTurn(const File& file) {
  bool must_pass = false;
  for (ListNode* node = file.epoll_items.first(); node != nullptr; node = file.epoll_items.Next(node)) {
    const EpollItem& item = *JUNCTION_OWNER(node, EpollItem, file_node);
    if (!WatchesInput(item)) {
      continue;
    }
    if (!IsToldByEdges(item)) {
      return false;
    }
    must_pass = must_pass || AreOthersBefore(item);
  }
  return must_pass;
}

}  // namespace junction
