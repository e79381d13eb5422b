// SPDX-License-Identifier: Apache-2.0
// What the parts of one worker share. A worker is one thread; its parts call each other freely in it:
//
//   Acceptor -> Clients -> Dispatcher -> Relay -> Upstreams
//                  ^           ^          |
//                  +-----------+----------+   the answer is complete, or the next hop failed
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "ingress/buffer_pool.h"
#include "ingress/core_placement.h"
#include "ingress/event_loop.h"
#include "ingress/events.h"
#include "ingress/message_head.h"
#include "ingress/metrics.h"
#include "ingress/options.h"
#include "ingress/rng.h"

namespace junction::ingress {

class Acceptor;
class Clients;
class Dispatcher;
class FunctionTable;
class Relay;
class SchedulerBell;
class Upstreams;
class WorkerLinks;
struct FunctionShared;

/// Counts over all workers, for limits.
struct SharedCounts {
  std::atomic<uint32_t> connections{0};  // relaxed
  std::atomic<uint32_t> held{0};         // relaxed
};

/// How a worker reaches the others.
class Siblings {
 public:
  virtual ~Siblings() = default;
  /// A place at this function has become free, and other workers have requests that wait for one.
  virtual void WakeQueues(const std::shared_ptr<FunctionShared>& function) = 0;
};

/// The current date for the Date field, made anew once a second.
class DateText {
 public:
  std::string_view Get(uint64_t unix_ns);

 private:
  uint64_t second_ = 0;
  char text_[32];
};

struct WorkerCore {
  WorkerCore(const IngressOptions& ingress_options, IngressEvents& ingress_events, SharedCounts& shared_counts,
             Siblings& other_workers, const std::array<uint64_t, 4>& seed)
      : options(ingress_options),
        events(ingress_events),
        shared(shared_counts),
        siblings(other_workers),
        rng(seed),
        loop(counters, ingress_options.spin_us) {}

  const IngressOptions& options;
  IngressEvents& events;
  SharedCounts& shared;
  Siblings& siblings;
  Rng rng;
  WorkerCounters counters;
  EventLoop loop;
  BufferPool buffers;
  MessageHead head;  // scratch of whoever parses; never kept over a call
  DateText date;
  CorePlacement placement;
  bool draining = false;

  Acceptor* acceptor = nullptr;
  Clients* clients = nullptr;
  Dispatcher* dispatcher = nullptr;
  FunctionTable* table = nullptr;
  Relay* relay = nullptr;
  SchedulerBell* bell = nullptr;
  Upstreams* upstreams = nullptr;
  WorkerLinks* links = nullptr;
};

/// Nanoseconds since 1970.
uint64_t UnixNs();

enum class ReadResult {
  kData,
  kBlocked,
  kEnd,     // orderly end
  kFailed,  // reset
};

/// Reads once into the free space of `buffer`, which must not be full. Clears `readable` when the socket is known to be
/// empty: after EAGAIN, or a short read without a pending end (epoll(7), edge-triggered use).
ReadResult ReadOnce(int fd, Buffer& buffer, bool& readable, bool peer_closed);

}  // namespace junction::ingress
