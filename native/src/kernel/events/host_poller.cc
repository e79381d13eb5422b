// SPDX-License-Identifier: Apache-2.0
// Read first: epoll(7), and fs/eventpoll.c of Linux for when edges come.
//
// Every host stream that somebody waited for is registered once with its process' poller, edge triggered, for all events, until it is
// closed: a busy connection costs no epoll_ctl. Edges are taken in by PollHost (idle kthreads, ticks, every few switches) and by
// HarvestHostNow (an epoll_wait that finds nothing ready); an edge carries all that holds at that moment.
//
// What File::ready means, for a file that this process' poller watches
//   bit clear  it does not hold, unless an edge is on its way, and that will set it.
//   bit set    it may hold: an edge said so and nobody has met EAGAIN since. Reads do not clear it, so it may be stale.
//   Only edges and RefreshHostReady set bits. Who gets EAGAIN clears the bit; so may a short read from a stream socket while POLLRDHUP
//   and POLLHUP are clear (what comes after it is a new edge). If the lock was released after the host call, another kthread
//   may have taken in an edge meanwhile, which the clearing would lose: epoll then still knows that there was an edge
//   (EpollItem::fresh) and asks the host, and WaitForHost asks the host when a process has several kthreads.
//   POLLHUP, POLLRDHUP and POLLERR are as of the last edge: a socket that is not connected yet has POLLHUP.
//   Before the first registration nothing is known: POLLIN and POLLOUT are set.
//
// What that means for a guest's epoll (epoll.cc). An item keeps the bits of edges since its last report in `fresh`.
//   edge triggered (Go, nginx, tokio, Netty)   reports `fresh` as it is, no host call. It cannot be more stale than on Linux, where others
//       may read between the report and the program's own read: such a program must expect EAGAIN. A registration with epoll_ctl of
//       a file that is new to the poller waits for the host's first edge, which comes with what holds then (never an early POLLOUT of a
//       connect in progress). One that is known is asked once.
//   level triggered (libuv, redis, Python's selectors, Java's NIO)   an item stays in the ready list after its report.
//       When it is looked at again: interesting bits of `ready` and `fresh` clear, it goes, no host call (the usual case: the program has
//       read less than it asked for, or until EAGAIN). `fresh` and `ready` set and the file O_NONBLOCK: reported, no host call; a false
//       report would take a read by somebody who was not told to, and ends in EAGAIN. Else the host is asked, exactly: a listener
//       of which one connection was accepted, a read that filled its buffer, POLLOUT that stays on, a blocking socket, where a false
//       report would hang the program.
//       POLLOUT of a connected TCP socket that was writable and has not met EAGAIN since is believed: at worst a write meets EAGAIN.
//   poll, select   ask the host once before they wait, and again for those files that an edge woke.
// So a request and its answer cost the host's read and write, and the share of a request in one harvest.
//
// A vfork child shares this file's variables with its parent but not the parent's descriptors. It does not touch the poller; what it
// waits for, if anything, it asks for again and again until it execs.
#include "kernel/events/host_poller.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>

#include "kernel/events/readiness.h"
#include "kernel/process/uproc.h"
#include "kernel/signals/signals.h"
#include "kernel/time/guest_time.h"
#include "uthread/host_call.h"
#include "uthread/kernel_lock.h"
#include "uthread/kick.h"

namespace junction {
namespace {

constexpr int kEventsAtOnce = 32;
constexpr uint64_t kBlindWait_ns = 2'000'000;  // between two questions of a process without a poller
constexpr size_t kSignalMask_bytes = 8;
constexpr uint64_t kNetEvent = ~0ULL;  // no descriptor's data

// Private to a process image (bss): descriptors and the epoll object are the host process' own.
struct HostPoller {
  int32_t home = -1;            // descriptor, as ReserveHostFd named it; -1 = none yet
  int32_t inherited_home = -1;  // the parent's, still to be closed
  uint32_t id = 0;              // serial numbers of this poller's registrations begin here
  std::atomic<uint32_t> watched = 0;
  bool watches_net = false;
};
HostPoller g_poller;

UProc& OwnProcess() { return *reinterpret_cast<UProc*>(CurrentKthread()->group); }

bool CanUsePoller() { return !OwnProcess().is_vfork_child; }

// Where the poller's descriptor is now, without a current uthread; -1 = there is none.
int32_t PollerFd() {
  const FdTable* const table = OwnProcess().files;
  if (g_poller.home < 0 || table == nullptr) {
    return -1;
  }
  for (const auto& slot : table->reserved) {
    if (slot.home == g_poller.home && slot.now >= 0) {
      return slot.now;
    }
  }
  return -1;
}

int64_t MakePoller() {
  if (g_poller.inherited_home >= 0) {
    ReleaseReservedHostFd(g_poller.inherited_home);
    g_poller.inherited_home = -1;
  }
  const int64_t fd = HostCall(SYS_epoll_create1, EPOLL_CLOEXEC);
  if (fd < 0) {
    return fd;
  }
  const int64_t home = ReserveHostFd(static_cast<int32_t>(fd));
  if (home < 0) {
    return home;
  }
  g_poller.home = static_cast<int32_t>(home);
  g_poller.id = NextSerial();
  g_poller.watched.store(0, std::memory_order_relaxed);
  g_poller.watches_net = false;
  return 0;
}

// The current process' entry of `fd` if it is that file.
FdEntry* EntryOf(const File& file, int32_t fd) {
  const FdTable* const table = OwnProcess().files;
  if (table == nullptr || static_cast<uint32_t>(fd) >= table->capacity || table->entries[fd].file != &file) {
    return nullptr;
  }
  return &table->entries[fd];
}

// Entries that a fork copied have serials from before this poller. Half the range is compared, so a wrap does no harm: a registration
// that looks foreign is made again.
bool IsOfThisPoller(const FdEntry& entry) {
  return g_poller.id != 0 && entry.watch != 0 && static_cast<int32_t>(entry.watch - g_poller.id) > 0;
}

// The keeper may wait in the same poller, and this kthread has taken its event.
void TakeNetEvent(const FdTable& table) {
  uint8_t bytes[256];  // a sleeper is rung once a sleep, so there are few
  HostCall(SYS_read, FindReservedFd(table, ReservedFor::kInstanceEvent), bytes, sizeof(bytes));
  Kthread* const keeper = Arena().net.keeper;
  if (keeper != nullptr && keeper != CurrentKthread()) {
    WakeLater(*keeper);
  }
}

void TakeEdge(const FdTable& table, const epoll_event& event) {
  if (event.data.u64 == kNetEvent) {
    TakeNetEvent(table);
    return;
  }
  const auto fd = static_cast<uint32_t>(event.data.u64);
  const auto serial = static_cast<uint32_t>(event.data.u64 >> 32);
  if (fd >= table.capacity || table.entries[fd].watch != serial || table.entries[fd].file == nullptr) {
    return;  // closed since
  }
  File& file = *table.entries[fd].file;
  constexpr uint32_t kUsedUp = ~static_cast<uint32_t>(POLLHUP | POLLERR | 0x2000 /* POLLRDHUP */);
  file.ready = (file.ready & kUsedUp) | event.events;
  file.wait.Wake(event.events);
}

// Kernel lock held.
void TakeEdges(const epoll_event* events, int64_t count) {
  const FdTable* const table = OwnProcess().files;
  for (int64_t i = 0; table != nullptr && i < count; ++i) {
    TakeEdge(*table, events[i]);
  }
}

uint64_t DeadlineOf(uint64_t timeout_ns) { return timeout_ns == kNever ? kNever : DeadlineAfter(timeout_ns); }

int64_t WaitBlindly(int32_t fd, PollEvents events, uint64_t deadline_ns) {
  while ((PollHostFd(fd, events) & (events | kUnaskedEvents)) == 0) {
    const uint64_t next_ns = DeadlineAfter(kBlindWait_ns);
    const WakeReason reason = Park(next_ns < deadline_ns ? next_ns : deadline_ns);
    if (reason == WakeReason::kInterrupted) {
      return kRestartSys;
    }
    if (reason == WakeReason::kTimedOut && MonotonicNow_ns() >= deadline_ns) {
      return -EAGAIN;
    }
  }
  return 0;
}

// Another kthread, or another process that has the same file, may have taken in the edge that we want between the caller's
// EAGAIN and now, before the caller cleared the bit.
bool MayHaveMissedAnEdge(const File& file, PollEvents events) {
  return (file.ready & (events | kUnaskedEvents)) != 0 || OwnProcess().group.kthread_count > 1;
}

}  // namespace

int64_t WatchHostFd(File& file, int32_t fd) {
  bool is_new;
  return WatchHostFd(file, fd, is_new);
}

int64_t WatchHostFd(File& file, int32_t fd, bool& is_new) {
  is_new = false;
  FdEntry* const entry = EntryOf(file, fd);
  if (entry == nullptr) {
    return -EBADF;
  }
  if (IsOfThisPoller(*entry)) {
    return 0;
  }
  if (!CanUsePoller()) {
    return -EBUSY;
  }
  if (g_poller.home < 0) {
    if (const int64_t error = MakePoller(); error != 0) {
      return error;
    }
  }
  const uint32_t serial = NextSerial();
  epoll_event event = {};
  event.events = kAskedEvents | EPOLLET;
  event.data.u64 = static_cast<uint64_t>(serial) << 32 | static_cast<uint32_t>(fd);
  int64_t result = HostCall(SYS_epoll_ctl, PollerFd(), EPOLL_CTL_ADD, fd, &event);
  if (result == -EEXIST) {
    result = HostCall(SYS_epoll_ctl, PollerFd(), EPOLL_CTL_MOD, fd, &event);
  } else if (result == 0) {
    g_poller.watched.fetch_add(1, std::memory_order_relaxed);
  }
  if (result != 0) {
    return result;
  }
  entry->watch = serial;
  is_new = true;
  file.ready |= POLLIN | POLLOUT;
  return 0;
}

void ForgetHostFd(File& file, int32_t fd) {
  if (FdEntry* const entry = EntryOf(file, fd); entry != nullptr) {
    if (!IsOfThisPoller(*entry)) {
      return;
    }
    entry->watch = 0;
  }
  if (g_poller.home < 0 || !CanUsePoller()) {
    return;
  }
  // Needed although the host forgets closed files by itself: a copy of the descriptor may live on, here or in a child.
  if (HostCall(SYS_epoll_ctl, PollerFd(), EPOLL_CTL_DEL, fd, nullptr) == 0) {
    g_poller.watched.fetch_sub(1, std::memory_order_relaxed);
  }
}

int64_t WaitForHost(File& file, int32_t fd, PollEvents events, uint64_t timeout_ns) {
  const uint64_t deadline_ns = DeadlineOf(timeout_ns);
  bool is_new;
  const int64_t error = WatchHostFd(file, fd, is_new);
  if (error == -EPERM) {
    return 0;
  }
  if (error != 0) {
    return WaitBlindly(fd, events, deadline_ns);
  }
  if (is_new) {
    file.ready &= ~events;
  } else if (MayHaveMissedAnEdge(file, events) && (RefreshHostReady(file, fd) & (events | kUnaskedEvents)) != 0) {
    return 0;
  }
  const FileReference reference(file);
  Waiter waiter(file.wait, WakeInterest(events));
  for (;;) {
    switch (Park(deadline_ns)) {
      case WakeReason::kInterrupted:
        return kRestartSys;
      case WakeReason::kTimedOut:
        return -EAGAIN;
      case WakeReason::kWoken:
        break;
    }
    if (waiter.was_notified) {
      return 0;
    }
  }
}

PollEvents PollHostFd(int32_t fd, PollEvents events) {
  pollfd polled = {fd, static_cast<int16_t>(events), 0};
  if (HostCall(SYS_poll, &polled, 1, 0) < 0) {
    return 0;
  }
  return static_cast<uint16_t>(polled.revents);
}

PollEvents RefreshHostReady(File& file, int32_t fd) {
  const int32_t here = FindHostFd(file, fd);
  if (here >= 0) {
    file.ready = PollHostFd(here, kAskedEvents) & (kAskedEvents | kUnaskedEvents);
  }
  return file.ready;
}

int32_t FindHostFd(const File& file, int32_t hint) {
  if (EntryOf(file, hint) != nullptr) {
    return hint;
  }
  const FdTable* const table = OwnProcess().files;
  for (uint32_t fd = 0; table != nullptr && fd < table->capacity; ++fd) {
    if (table->entries[fd].file == &file) {
      return static_cast<int32_t>(fd);
    }
  }
  return -1;
}

void HarvestHostNow() {
  if (!HasHostWaiters()) {
    return;
  }
  epoll_event events[kEventsAtOnce];
  int64_t count;
  do {
    count = HostCall(SYS_epoll_pwait, PollerFd(), events, kEventsAtOnce, 0, nullptr, kSignalMask_bytes);
    TakeEdges(events, count);
  } while (count == kEventsAtOnce);
}

uint32_t HostPollerId() { return CanUsePoller() ? g_poller.id : 0; }

bool PollHost(uint64_t timeout_ns) {
  const int32_t fd = PollerFd();
  if (fd < 0 || !HasHostWaiters()) {
    return false;
  }
  epoll_event events[kEventsAtOnce];
  const timespec timeout = ToTimespec(timeout_ns == kNever ? 0 : timeout_ns);
  const int64_t count =
      timeout_ns == 0 ? HostCall(SYS_epoll_pwait, fd, events, kEventsAtOnce, 0, nullptr, kSignalMask_bytes)
                      : junction_host_park_poll(fd, events, kEventsAtOnce, timeout_ns == kNever ? nullptr : &timeout,
                                                &CurrentKthread()->park_word);
  if (count > 0) {
    const KernelLockGuard locked;
    TakeEdges(events, count);
  }
  return true;
}

void WatchNetEvent(bool is_watched) {
  const FdTable* const table = OwnProcess().files;
  if (is_watched == g_poller.watches_net || table == nullptr) {
    return;
  }
  const int32_t fd = FindReservedFd(*table, ReservedFor::kInstanceEvent);
  epoll_event event = {};
  event.events = POLLIN;
  event.data.u64 = kNetEvent;
  if (HostCall(SYS_epoll_ctl, PollerFd(), is_watched ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &event) == 0) {
    g_poller.watches_net = is_watched;
  }
}

bool HasHostWaiters() { return g_poller.watched.load(std::memory_order_relaxed) != 0 && CanUsePoller(); }

void AbandonHostPoller() {
  ResetHostPoller();
  g_poller.inherited_home = -1;
}

void ResetHostPoller() {
  if (g_poller.home >= 0) {
    g_poller.inherited_home = g_poller.home;
  }
  g_poller.home = -1;
  g_poller.watches_net = false;
  g_poller.id = 0;
  g_poller.watched.store(0, std::memory_order_relaxed);
}

}  // namespace junction
