// SPDX-License-Identifier: Apache-2.0
// A worker's kept-alive connections to one next hop.
#pragma once

#include <cstdint>
#include <memory>

#include "ingress/event_loop.h"
#include "ingress/routes.h"
#include "ingress/upstream_stream.h"

namespace junction::ingress {

struct ClientConnection;
struct ReplicaPool;
struct WorkerLink;
struct PoolTag;

/// A connection to a replica or to the API. Belongs to its pool; `user` is the client whose request it carries.
struct UpstreamConnection : EventTarget, ListNode<PoolTag> {
  UpstreamConnection(ReplicaPool& owner, EventLoop& event_loop)
      : EventTarget(Kind::kUpstream), pool(owner), loop(event_loop) {}

  UpstreamStream stream;
  ReplicaPool& pool;
  EventLoop& loop;
  WorkerLink* link = nullptr;   // that `stream` goes over; null = a socket of the host
  uint32_t pending_events = 0;  // edges that the link's stack has told of: taken up in this turn
  ClientConnection* user = nullptr;
  bool idle = false;        // in pool.idle, without a user
  bool connecting = false;  // `stream` may not even be open: see ReplicaPool::awaits_link
  bool readable = false;    // the edge has come, EAGAIN has not
  bool peer_closed =
      false;            // EPOLLRDHUP, EPOLLHUP or EPOLLERR has come: the end stands behind what is still to be read
  bool reused = false;  // it has carried a request before this one
};

/// One next hop of one worker.
struct ReplicaPool {
  explicit ReplicaPool(std::shared_ptr<Replica> hop) : replica(std::move(hop)) {}

  const std::shared_ptr<Replica> replica;
  // The replica is to be reached over a link, and the first attempt to get one is not over: new connections wait for that.
  bool awaits_link = false;
  WorkerLink* link = nullptr;                       // null = by its address
  IntrusiveList<UpstreamConnection, PoolTag> idle;  // the last used first: it is the warmest and the least stale
  uint32_t idle_count = 0;
  uint32_t open_count = 0;
  uint32_t users = 0;             // requests under way here
  uint64_t suspect_until_ns = 0;  // it could not be connected to: others come first until then
  bool retired = false;           // no route names it any more: connections end with their request
};

}  // namespace junction::ingress
