// SPDX-License-Identifier: Apache-2.0
// Epolls that watch epolls. Events run upwards on the kernel stack (epoll.cc, OnEvent), so rings are refused and depth is limited. Read
// first: ep_loop_check of Linux' fs/eventpoll.c.
#include <cerrno>

#include "kernel/events/epoll.h"
#include "kernel/process/uproc.h"

namespace junction {
namespace {

constexpr uint32_t kMostNests = 4;  // EP_MAX_NESTS

struct Walk {
  uint32_t visit;              // marks the epolls that it has been to, so that many paths to one cost one visit
  const EpollFile* forbidden;  // to be met = a ring
  bool is_ring;
};

// How many levels of epolls are below `epoll`.
uint32_t HeightBelow(EpollFile& epoll, Walk& walk, uint32_t depth) {
  if (&epoll == walk.forbidden) {
    walk.is_ring = true;
  }
  if (walk.is_ring || depth > kMostNests || epoll.visit == walk.visit) {
    return epoll.visit == walk.visit ? epoll.visit_height : 0;
  }
  uint32_t height = 0;
  for (uint32_t i = 0; i < epoll.bucket_count; ++i) {
    for (EpollItem* item = epoll.buckets[i]; item != nullptr; item = item->next_in_bucket) {
      if (EpollFile* const inner = AsEpoll(*item->file); inner != nullptr) {
        const uint32_t inner_height = 1 + HeightBelow(*inner, walk, depth + 1);
        height = inner_height > height ? inner_height : height;
      }
    }
  }
  epoll.visit = walk.visit;
  epoll.visit_height = height;
  return height;
}

// How many levels of epolls are above `epoll`.
uint32_t HeightAbove(EpollFile& epoll, uint32_t visit, uint32_t depth) {
  if (epoll.visit == visit) {
    return epoll.visit_height;
  }
  uint32_t height = 0;
  for (ListNode* node = epoll.epoll_items.first(); node != nullptr && depth <= kMostNests;
       node = epoll.epoll_items.Next(node)) {
    EpollFile& outer = *JUNCTION_OWNER(node, EpollItem, file_node)->epoll;
    const uint32_t outer_height = 1 + HeightAbove(outer, visit, depth + 1);
    height = outer_height > height ? outer_height : height;
  }
  epoll.visit = visit;
  epoll.visit_height = height;
  return height;
}

}  // namespace

int64_t CheckEpollNesting(EpollFile& epoll, EpollFile& target) {
  Walk walk = {NextSerial(), &epoll, false};
  const uint32_t below = HeightBelow(target, walk, 0);
  if (walk.is_ring) {
    return -ELOOP;
  }
  const uint32_t above = HeightAbove(epoll, NextSerial(), 0);
  return below + 1 + above > kMostNests ? -ELOOP : 0;
}

}  // namespace junction
