// SPDX-License-Identifier: Apache-2.0
#include "kernel/events/epoll.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "kernel/events/epoll_turns.h"
#include "kernel/events/host_poller.h"
#include "kernel/events/readiness.h"
#include "kernel/guest/guest_memory.h"
#include "kernel/process/uproc.h"
#include "uthread/arena.h"

namespace junction {
namespace {

constexpr uint32_t kFlags = EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE;
constexpr uint32_t kFirstBuckets = 16;
constexpr uint32_t kMostBuckets = 131072;  // an arena block

bool IsHost(const EpollItem& item) { return item.file->kind == FileKind::kHostStream; }

uint32_t Interest(const EpollItem& item) { return item.events & ~kFlags; }

EpollItem** Bucket(EpollFile& epoll, int32_t fd) {
  return &epoll.buckets[static_cast<uint32_t>(fd) & (epoll.bucket_count - 1)];
}

EpollItem* FindItem(EpollFile& epoll, const File& file, int32_t fd) {
  if (epoll.bucket_count == 0) {
    return nullptr;
  }
  EpollItem* item = *Bucket(epoll, fd);
  while (item != nullptr && (item->fd != fd || item->file != &file)) {
    item = item->next_in_bucket;
  }
  return item;
}

bool Rehash(EpollFile& epoll, uint32_t bucket_count) {
  auto** const buckets = static_cast<EpollItem**>(ArenaAllocate(bucket_count * sizeof(EpollItem*)));
  if (buckets == nullptr) {
    return false;
  }
  EpollItem** const old = epoll.buckets;
  const uint32_t old_count = epoll.bucket_count;
  epoll.buckets = buckets;
  epoll.bucket_count = bucket_count;
  for (uint32_t i = 0; i < old_count; ++i) {
    for (EpollItem* item = old[i]; item != nullptr;) {
      EpollItem* const next = item->next_in_bucket;
      EpollItem** const bucket = Bucket(epoll, item->fd);
      item->next_in_bucket = *bucket;
      *bucket = item;
      item = next;
    }
  }
  if (old != nullptr) {
    ArenaFree(old, old_count * sizeof(EpollItem*));
  }
  return true;
}

bool MakeRoom(EpollFile& epoll) {
  if (epoll.bucket_count == 0) {
    return Rehash(epoll, kFirstBuckets);
  }
  if (epoll.item_count >= epoll.bucket_count && epoll.bucket_count < kMostBuckets) {
    Rehash(epoll, epoll.bucket_count * 2);  // if there is no memory for it, chains get longer
  }
  return true;
}

void Queue(EpollItem& item) {
  if (!item.ready_node.is_linked()) {
    item.epoll->ready.PushBack(item.ready_node);
  }
}

// Somebody may have something to fetch: one epoll_wait, and all who poll the epoll itself. True if there was anybody.
bool WakeWaiters(EpollFile& epoll) {
  const bool was_watched = !epoll.wait.empty();
  const uint32_t woken = epoll.waiters.WakeCount(1);
  epoll.wait.Wake(POLLIN);
  return woken != 0 || was_watched;
}

// Waiter::Notify of items. On the stack of whoever made the event, also of an idle kthread; nested epolls recurse, at most as deep as
// CheckEpollNesting lets them.
bool OnEvent(Waiter& waiter, PollEvents events) {
  auto& item = *static_cast<EpollItem*>(waiter.context);
  if (Interest(item) == 0) {
    return false;  // a spent one-shot
  }
  item.fresh |= events;
  Queue(item);
  return WakeWaiters(*item.epoll);
}

void SetEvents(EpollItem& item, const epoll_event& event) {
  item.events = event.events | kUnaskedEvents;
  item.data = event.data.u64;
  item.waiter.interest = WakeInterest(item.events & kAskedEvents);
  item.waiter.is_exclusive = (item.events & EPOLLEXCLUSIVE) != 0;
}

void DeleteItem(EpollItem& item) {
  EpollFile& epoll = *item.epoll;
  EpollItem** link = Bucket(epoll, item.fd);
  while (*link != &item) {
    link = &(*link)->next_in_bucket;
  }
  *link = item.next_in_bucket;
  SettleItem(item);
  item.ready_node.Unlink();
  item.file_node.Unlink();
  --epoll.item_count;
  epoll.host_item_count -= IsHost(item) ? 1 : 0;
  ArenaDelete(&item);  // its waiter leaves the queue
}

constexpr uint32_t kWritable =
    POLLOUT | 0x100;  // POLLWRNORM: edges and polls bring both, a new registration sets only POLLOUT

// A connected TCP socket that an edge or a poll found writable and that has not met EAGAIN since, if nothing else is in doubt.
bool IsKnownWritable(const File& file, uint32_t interest) {
  const bool is_tcp = file.host_type == SOCK_STREAM && (file.host_domain == AF_INET || file.host_domain == AF_INET6);
  return is_tcp && file.is_nonblocking() && (interest & POLLOUT) != 0 && (file.ready & kWritable) == kWritable &&
         (file.ready & (interest | kUnaskedEvents) & ~kWritable) == 0;
}

// May be asked of the host; else nothing of interest holds. With several kthreads `ready` may have lost an edge (host_poller.cc).
bool IsInDoubt(const EpollItem& item) {
  return ((item.file->ready | item.fresh) & Interest(item)) != 0 || CurrentKthread()->group->kthread_count > 1;
}

uint32_t AskHost(EpollItem& item) {
  const uint32_t interest = Interest(item);
  if (IsKnownWritable(*item.file, interest)) {
    return interest & kWritable;
  }
  return RefreshHostReady(*item.file, item.fd) & interest;
}

// A registration looks at once whether there is something to report.
void LookNow(EpollItem& item) {
  const uint32_t holds = IsHost(item) ? AskHost(item) : PollFile(*item.file, item.fd) & Interest(item);
  if (holds != 0) {
    item.fresh = holds;
    Queue(item);
    WakeWaiters(*item.epoll);
  }
}

// What a host item may report: the reasoning is at the top of host_poller.cc.
uint32_t HostEvents(EpollItem& item) {
  const uint32_t interest = Interest(item);
  const uint32_t fresh = item.fresh & interest;
  if ((item.events & EPOLLET) != 0) {
    return fresh;
  }
  const File& file = *item.file;
  if (fresh == 0 && (file.ready & interest) == 0) {
    return 0;
  }
  if ((fresh & file.ready) != 0 && file.is_nonblocking()) {
    return fresh & file.ready;
  }
  return AskHost(item);
}

uint32_t CurrentEvents(EpollItem& item) {
  if (Interest(item) == 0) {
    return 0;
  }
  return IsHost(item) ? HostEvents(item) : PollFile(*item.file, item.fd) & Interest(item);
}

// The item has been reported with these events: where it goes from here.
void AfterReport(EpollItem& item, uint32_t events, List& again) {
  item.fresh = 0;
  if ((item.events & EPOLLONESHOT) != 0) {
    item.events &= kFlags;
  } else if ((item.events & EPOLLET) == 0) {
    again.PushBack(item.ready_node);
  } else if ((events & EPOLLIN) != 0 && item.file->kind == FileKind::kNetSocket &&
             item.file->host_type == SOCK_STREAM) {
    BeginTurn(item);
  }
}

bool Report(const EpollItem& item, uint32_t events, uint64_t address) {
  epoll_event event;
  event.events = events;
  event.data.u64 = item.data;
  return CopyToGuest(address, &event, sizeof(event));
}

PollEvents PollEpoll(File& file) {
  auto& epoll = static_cast<EpollFile&>(file);
  while (ListNode* const node = epoll.ready.first()) {
    auto& item = *JUNCTION_OWNER(node, EpollItem, ready_node);
    if (CurrentEvents(item) != 0) {
      return POLLIN | 0x040;  // POLLRDNORM
    }
    node->Unlink();
    item.fresh = 0;
  }
  return 0;
}

void ReleaseEpoll(File& file) {
  auto& epoll = static_cast<EpollFile&>(file);
  for (uint32_t i = 0; i < epoll.bucket_count; ++i) {
    while (epoll.buckets[i] != nullptr) {
      DeleteItem(*epoll.buckets[i]);
    }
  }
  if (epoll.buckets != nullptr) {
    ArenaFree(epoll.buckets, epoll.bucket_count * sizeof(EpollItem*));
  }
  ArenaDelete(&epoll);
}

constexpr FileOps kEpollOps = {
    .name = "[eventpoll]",
    .read = nullptr,
    .write = nullptr,
    .poll = &PollEpoll,
    .ioctl = nullptr,
    .stat = nullptr,
    .release = &ReleaseEpoll,
    .flush = nullptr,
};

// Registers a host stream with the process' poller. True if the item must be looked at now; else the poller's first edge tells.
int64_t WatchItem(EpollItem& item, bool& must_look) {
  bool is_new;
  const int64_t error = WatchHostFd(*item.file, item.fd, is_new);
  must_look = !is_new;
  if (error == 0 && item.epoll->poller_id != HostPollerId()) {
    item.epoll->poller_id = 0;  // others' pollers may not know this item
  }
  return error == -EBUSY ? 0 : error;
}

}  // namespace

EpollFile* NewEpollFile() {
  auto* const epoll = ArenaNew<EpollFile>();
  if (epoll != nullptr) {
    InitFile(*epoll, kEpollOps, FileKind::kEpoll, 02 /* O_RDWR */);
  }
  return epoll;
}

EpollFile* AsEpoll(File& file) { return file.kind == FileKind::kEpoll ? static_cast<EpollFile*>(&file) : nullptr; }

int64_t AddEpollItem(EpollFile& epoll, File& file, int32_t fd, const epoll_event& event) {
  if (FindItem(epoll, file, fd) != nullptr) {
    return -EEXIST;
  }
  if (EpollFile* const target = AsEpoll(file); target != nullptr) {
    if (const int64_t error = CheckEpollNesting(epoll, *target); error != 0) {
      return error;
    }
  }
  EpollItem* const item = MakeRoom(epoll) ? ArenaNew<EpollItem>() : nullptr;
  if (item == nullptr) {
    return -ENOMEM;
  }
  item->epoll = &epoll;
  item->file = &file;
  item->fd = fd;
  item->waiter.notify = &OnEvent;
  item->waiter.context = item;
  SetEvents(*item, event);
  bool must_look = true;
  if (IsHost(*item)) {
    if (const int64_t error = WatchItem(*item, must_look); error != 0) {
      ArenaDelete(item);
      return error;
    }
    ++epoll.host_item_count;
  }
  EpollItem** const bucket = Bucket(epoll, fd);
  item->next_in_bucket = *bucket;
  *bucket = item;
  ++epoll.item_count;
  file.epoll_items.PushBack(item->file_node);
  file.wait.Add(item->waiter);
  if (must_look && (!IsHost(*item) || IsInDoubt(*item))) {
    LookNow(*item);
  }
  return 0;
}

int64_t ChangeEpollItem(EpollFile& epoll, File& file, int32_t fd, const epoll_event& event) {
  EpollItem* const item = FindItem(epoll, file, fd);
  if (item == nullptr) {
    return -ENOENT;
  }
  if ((item->events & EPOLLEXCLUSIVE) != 0) {
    return -EINVAL;
  }
  SetEvents(*item, event);
  SettleItem(*item);
  item->ready_node.Unlink();
  const bool must_look = !IsHost(*item) || IsInDoubt(*item);
  item->fresh = 0;
  if (must_look) {
    LookNow(*item);
  }
  return 0;
}

int64_t RemoveEpollItem(EpollFile& epoll, File& file, int32_t fd) {
  EpollItem* const item = FindItem(epoll, file, fd);
  if (item == nullptr) {
    return -ENOENT;
  }
  DeleteItem(*item);
  return 0;
}

void ReleaseEpollItems(File& file) {
  while (ListNode* const node = file.epoll_items.first()) {
    DeleteItem(*JUNCTION_OWNER(node, EpollItem, file_node));
  }
}

int64_t HarvestEpoll(EpollFile& epoll, uint64_t events_address, int64_t max_events) {
  List again{};  // level-triggered ones are looked at next time, behind all others
  int64_t count = 0;
  bool has_faulted = false;
  while (count < max_events && !has_faulted) {
    ListNode* const node = epoll.ready.PopFront();
    if (node == nullptr) {
      break;
    }
    auto& item = *JUNCTION_OWNER(node, EpollItem, ready_node);
    const uint32_t events = CurrentEvents(item);
    if (events == 0) {
      item.fresh = 0;
    } else if (Report(item, events, events_address + static_cast<uint64_t>(count) * sizeof(epoll_event))) {
      ++count;
      AfterReport(item, events, again);
    } else {
      epoll.ready.PushFront(*node);
      has_faulted = true;
    }
  }
  while (ListNode* const node = again.PopFront()) {
    epoll.ready.PushBack(*node);
  }
  if (count != 0 && !epoll.ready.empty() && !epoll.waiters.empty()) {
    epoll.waiters.WakeCount(1);  // as Linux: the next one may have work too
  }
  return has_faulted && count == 0 ? -EFAULT : count;
}

void WatchEpollItems(EpollFile& epoll) {
  if (epoll.host_item_count == 0 || (epoll.poller_id != 0 && epoll.poller_id == HostPollerId())) {
    return;
  }
  for (uint32_t i = 0; i < epoll.bucket_count; ++i) {
    for (EpollItem* item = epoll.buckets[i]; item != nullptr; item = item->next_in_bucket) {
      const int32_t fd = IsHost(*item) ? FindHostFd(*item->file, item->fd) : -1;
      if (fd >= 0) {
        WatchHostFd(*item->file, fd);
      }
    }
  }
  epoll.poller_id = HostPollerId();
}

}  // namespace junction
