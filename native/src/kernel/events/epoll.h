// SPDX-License-Identifier: Apache-2.0
// Read first: epoll(7), epoll_ctl(2).
//
//   File --epoll_items--> EpollItem <--buckets-- EpollFile        an item is in its file's list, its epoll's table and, while it may have
//    |                     |  ^                    |              something to report, its epoll's ready list
//    +--wait----> waiter --+  +-----ready----------+
#pragma once

#include <sys/epoll.h>

#include <cstdint>

#include "kernel/files/file.h"
#include "uthread/wait_queue.h"

namespace junction {

struct EpollItem;

/// An epoll descriptor's object. Kernel lock held.
struct EpollFile : File {
  List ready;           // EpollItem::ready_node, the one that waited longest first
  WaitQueue waiters;    // calls of epoll_wait; polls of the descriptor itself wait in File::wait
  EpollItem** buckets;  // by descriptor, chained; a power of two of them
  uint32_t bucket_count;
  uint32_t item_count;
  uint32_t owed_count;       // items with is_owed
  uint32_t host_item_count;  // of host streams
  uint32_t poller_id;        // HostPollerId of the process that last made its poller watch all host items
  uint32_t visit;            // mark of the last walk over nested epolls that came by,
  uint32_t visit_height;     // and what it found
};

/// Null if memory is short. One reference.
EpollFile* NewEpollFile();

/// The file as an epoll, or null.
EpollFile* AsEpoll(File& file);

/// EPOLL_CTL_ADD of `file` under descriptor `fd`: 0 or -EEXIST, -ELOOP, -ENOMEM, -ENOSPC, and what the host says of a stream.
int64_t AddEpollItem(EpollFile& epoll, File& file, int32_t fd, const epoll_event& event);
/// EPOLL_CTL_MOD: 0 or -ENOENT, -EINVAL (exclusive).
int64_t ChangeEpollItem(EpollFile& epoll, File& file, int32_t fd, const epoll_event& event);
/// EPOLL_CTL_DEL: 0 or -ENOENT.
int64_t RemoveEpollItem(EpollFile& epoll, File& file, int32_t fd);

/// Copies what is ready to the guest's array of at most `max_events`, without waiting: how many, or -EFAULT.
int64_t HarvestEpoll(EpollFile& epoll, uint64_t events_address, int64_t max_events);

/// Makes the poller of the current process, which may have inherited the epoll, watch all its host items.
void WatchEpollItems(EpollFile& epoll);

/// 0, or -ELOOP if `epoll` watching `target` would make a ring or nest too deep.
int64_t CheckEpollNesting(EpollFile& epoll, EpollFile& target);

/// An epoll's entry of one descriptor.
struct EpollItem {
  Waiter waiter;  // in file->wait
  EpollFile* epoll;
  File* file;
  int32_t fd;
  uint32_t events;  // as the guest wants them, flags too; without kAskedEvents and errors while a one-shot is spent
  uint64_t data;
  uint32_t fresh;  // host streams: edges since the last report (host_poller.cc)
  bool is_owed;    // reported readable, and nobody has read since (epoll_turns.h)
  ListNode ready_node;
  ListNode file_node;
  EpollItem* next_in_bucket;
};

}  // namespace junction
