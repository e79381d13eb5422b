// SPDX-License-Identifier: Apache-2.0
#include "ingress/upstreams.h"

#include <algorithm>
#include <utility>

#include "ingress/dispatcher.h"
#include "ingress/relay.h"
#include "ingress/worker_links.h"

namespace junction::ingress {
namespace {

// Idle connections kept per next hop, and for how long. Many servers close them after 60 s or more, Node.js after 5: a
// close on their side is seen as an event, so only a request that crosses it on the way needs the retry.
constexpr uint32_t kMostIdle = 512;
constexpr uint64_t kIdle_ms = 60'000;

// How long a request that is sent again may take to connect to an instance by its address. An instance that has just ended answers nothing there, and
// the host repeats the SYN after a second (RFC 6298, 2.1): by then another one may have been started, for which the request was not meant.
constexpr uint64_t kConnectAgain_ms = 500;

/// Called by the stack of the links, in the midst of its work: only notes what is to be looked at.
void NoteEvents(net::Socket& socket, uint32_t events) {
  auto& connection = *static_cast<UpstreamConnection*>(socket.owner);
  connection.pending_events |= events;  // POLLIN and the like have the values of EPOLLIN and the like
  connection.loop.CountLinkEvent();
  connection.loop.MakeReady(connection);
}

}  // namespace

Upstreams::~Upstreams() {
  for (const auto& pool : pools_) {
    while (UpstreamConnection* const connection = pool->idle.Front()) {
      Close(*connection);
    }
  }
  while (UpstreamConnection* const connection = busy_.Front()) {
    Close(*connection);
  }
  Sweep();
}

ReplicaPool* Upstreams::AddPool(std::shared_ptr<Replica> replica) {
  pools_.push_back(std::make_unique<ReplicaPool>(std::move(replica)));
  ReplicaPool& pool = *pools_.back();
  pool.awaits_link = !pool.replica->link_path.empty();
  return &pool;
}

void Upstreams::Retire(ReplicaPool& pool) {
  pool.retired = true;
  while (UpstreamConnection* const connection = pool.idle.Front()) {
    Close(*connection);
  }
  DropIfUnused(pool);
}

UpstreamConnection* Upstreams::TakeIdle(ReplicaPool& pool) {
  UpstreamConnection* const connection = pool.idle.PopFront();
  if (connection != nullptr) {
    --pool.idle_count;
    connection->idle = false;
    busy_.PushBack(*connection);
    connection->deadline_ms = kNever;
    connection->reused = true;
    if (connection->link != nullptr) {
      core_.links->Use(*connection->link);
    }
  }
  return connection;
}

Result<UpstreamConnection*> Upstreams::Open(ReplicaPool& pool, bool is_retry) {
  auto connection = std::make_unique<UpstreamConnection>(pool, core_.loop);
  connection->connecting = pool.awaits_link;
  if (!pool.awaits_link) {
    if (auto opened = OpenStream(*connection); !opened) {
      return std::unexpected(std::move(opened.error()));
    }
  }
  if (connection->connecting) {
    const bool is_by_address = !pool.replica->link_path.empty() && connection->link == nullptr;
    const uint64_t limit_ms = core_.options.connect_timeout_ms;
    core_.loop.SetDeadline(
        *connection,
        core_.loop.now_ms() + (is_retry && is_by_address ? std::min(limit_ms, kConnectAgain_ms) : limit_ms));
  }
  ++pool.open_count;
  core_.counters.replica_connections_opened.Add();
  busy_.PushBack(*connection);
  return connection.release();
}

Result<void> Upstreams::OpenStream(UpstreamConnection& connection) {
  ReplicaPool& pool = connection.pool;
  if (pool.replica->is_gone.load(std::memory_order_relaxed)) {
    return ErrnoError("connect", EHOSTDOWN);
  }
  if (pool.link != nullptr) {
    const int error = connection.stream.OpenLink(core_.links->stack(), *pool.link->link, pool.replica->port,
                                                 &connection, &NoteEvents, core_.loop.now_ns());
    if (error != 0) {
      return ErrnoError("connect over a link", error);
    }
    connection.connecting = true;
    connection.link = pool.link;
    core_.links->Join(*pool.link);
    core_.links->Use(*pool.link);
    return {};
  }
  if (!pool.replica->link_path.empty()) {
    core_.counters.link_fallbacks.Add();
  }
  auto opened = connection.stream.OpenHost(pool.replica->address);
  if (!opened) {
    return std::unexpected(std::move(opened.error()));
  }
  connection.connecting = *opened;
  return core_.loop.Add(connection.stream.fd(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, connection);
}

void Upstreams::OnLinkSettled(ReplicaPool& pool) {
  pool.awaits_link = false;
  for (UpstreamConnection* connection = pool.idle.Front(); connection != nullptr;) {
    UpstreamConnection& idle = *connection;
    connection = pool.idle.Next(idle);
    if (idle.link != pool.link) {
      Close(idle);
    }
  }
  std::vector<UpstreamConnection*> waiting;
  for (UpstreamConnection* connection = busy_.Front(); connection != nullptr; connection = busy_.Next(*connection)) {
    if (&connection->pool == &pool && !connection->stream.is_open()) {
      waiting.push_back(connection);
    }
  }
  for (UpstreamConnection* const connection : waiting) {
    if (connection->closed) {
      continue;
    }
    if (const auto opened = OpenStream(*connection); !opened) {
      core_.dispatcher->OnConnectFailed(*connection->user, opened.error().code);
    } else if (!connection->connecting) {
      connection->deadline_ms = kNever;
      core_.relay->Pump(*connection->user);
    }
  }
}

ReplicaPool* Upstreams::FindPool(const Replica& replica) {
  for (const auto& pool : pools_) {
    if (pool->replica.get() == &replica && !pool->retired) {
      return pool.get();
    }
  }
  return nullptr;
}

void Upstreams::Release(UpstreamConnection& connection, bool keep) {
  connection.user = nullptr;
  ReplicaPool& pool = connection.pool;
  // One that goes by the replica's address ends when there is a link.
  if (!keep || pool.retired || connection.readable || connection.peer_closed || pool.idle_count == kMostIdle ||
      core_.draining || connection.link != pool.link) {
    Close(connection);
    return;
  }
  if (connection.link != nullptr) {
    core_.links->Unuse(*connection.link);
  }
  connection.ListNode<PoolTag>::Unlink();
  pool.idle.PushFront(connection);
  ++pool.idle_count;
  connection.idle = true;
  core_.loop.SetDeadline(connection, core_.loop.now_ms() + kIdle_ms);
}

void Upstreams::Close(UpstreamConnection& connection) {
  ReplicaPool& pool = connection.pool;
  if (connection.link != nullptr) {
    if (!connection.idle) {
      core_.links->Unuse(*connection.link);
    }
    core_.links->Leave(*connection.link);
  }
  if (connection.idle) {
    connection.idle = false;
    --pool.idle_count;
  }
  connection.closed = true;
  core_.loop.Forget(connection);
  connection.stream.Close(core_.loop.now_ns());
  connection.ListNode<PoolTag>::Unlink();
  --pool.open_count;
  closed_.push_back(&connection);
  DropIfUnused(pool);
}

void Upstreams::AddUser(ReplicaPool& pool) {
  ++pool.users;
  pool.replica->inflight.fetch_add(1, std::memory_order_relaxed);
}

void Upstreams::RemoveUser(ReplicaPool& pool) {
  --pool.users;
  pool.replica->inflight.fetch_sub(1, std::memory_order_relaxed);
  DropIfUnused(pool);
}

void Upstreams::DropIfUnused(ReplicaPool& pool) {
  if (pool.retired && pool.users == 0 && pool.open_count == 0 &&
      std::find(unused_.begin(), unused_.end(), &pool) == unused_.end()) {
    unused_.push_back(&pool);
  }
}

void Upstreams::OnEvent(UpstreamConnection& connection, uint32_t events) {
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    connection.readable = true;
  }
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    connection.peer_closed = true;
  }
  if (connection.user == nullptr) {
    // Idle: it was closed, or says something that nobody asked for.
    if (connection.readable) {
      Release(connection, false);
    }
    return;
  }
  if (connection.connecting) {
    if (const int error = connection.stream.ConnectError(); error != 0) {
      core_.dispatcher->OnConnectFailed(*connection.user, error);
      return;
    }
    if ((events & EPOLLOUT) == 0) {
      return;
    }
    if (connection.pool.replica->is_gone.load(std::memory_order_relaxed)) {
      core_.dispatcher->OnConnectFailed(*connection.user, EHOSTDOWN);
      return;
    }
    connection.connecting = false;
    connection.deadline_ms = kNever;
  }
  core_.relay->Pump(*connection.user);
}

void Upstreams::OnReady(UpstreamConnection& connection) {
  if (const uint32_t events = std::exchange(connection.pending_events, 0); events != 0) {
    OnEvent(connection, events);
  }
}

void Upstreams::OnDeadline(UpstreamConnection& connection) {
  if (connection.user == nullptr) {
    Release(connection, false);
  } else if (connection.connecting) {
    core_.dispatcher->OnConnectFailed(*connection.user, ETIMEDOUT);
  }
}

void Upstreams::Sweep() {
  for (UpstreamConnection* const connection : closed_) {
    delete connection;
  }
  closed_.clear();
  for (ReplicaPool* const pool : unused_) {
    if (pool->link != nullptr) {
      core_.links->Abandon(*pool);
    }
    std::erase_if(pools_, [pool](const auto& owned) { return owned.get() == pool; });
  }
  unused_.clear();
}

}  // namespace junction::ingress
