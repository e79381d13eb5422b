// SPDX-License-Identifier: Apache-2.0
#include "ingress/upstreams.h"

#include <algorithm>

#include "ingress/dispatcher.h"
#include "ingress/relay.h"

namespace junction::ingress {
namespace {

// Idle connections kept per next hop, and for how long. Many servers close them after 60 s or more, Node.js after 5: a
// close on their side is seen as an event, so only a request that crosses it on the way needs the retry.
constexpr uint32_t kMostIdle = 512;
constexpr uint64_t kIdle_ms = 60'000;

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
  return pools_.back().get();
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
  }
  return connection;
}

Result<UpstreamConnection*> Upstreams::Open(ReplicaPool& pool) {
  auto connecting = Connect(pool.replica->address);
  if (!connecting) {
    return std::unexpected(std::move(connecting.error()));
  }
  auto connection = std::make_unique<UpstreamConnection>(pool);
  connection->fd = std::move(connecting->fd);
  connection->connecting = connecting->in_progress;
  auto added = core_.loop.Add(connection->fd.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, *connection);
  if (!added) {
    return std::unexpected(std::move(added.error()));
  }
  if (connection->connecting) {
    core_.loop.SetDeadline(*connection, core_.loop.now_ms() + core_.options.connect_timeout_ms);
  }
  ++pool.open_count;
  core_.counters.replica_connections_opened.Add();
  busy_.PushBack(*connection);
  return connection.release();
}

void Upstreams::Release(UpstreamConnection& connection, bool keep) {
  connection.user = nullptr;
  ReplicaPool& pool = connection.pool;
  if (!keep || pool.retired || connection.readable || connection.peer_closed || pool.idle_count == kMostIdle ||
      core_.draining) {
    Close(connection);
    return;
  }
  connection.ListNode<PoolTag>::Unlink();
  pool.idle.PushFront(connection);
  ++pool.idle_count;
  connection.idle = true;
  core_.loop.SetDeadline(connection, core_.loop.now_ms() + kIdle_ms);
}

void Upstreams::Close(UpstreamConnection& connection) {
  ReplicaPool& pool = connection.pool;
  if (connection.idle) {
    connection.idle = false;
    --pool.idle_count;
  }
  connection.closed = true;
  core_.loop.Forget(connection);
  connection.fd.Reset();
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
    if (const int error = ConnectError(connection.fd.get()); error != 0) {
      core_.dispatcher->OnConnectFailed(*connection.user, error);
      return;
    }
    if ((events & EPOLLOUT) == 0) {
      return;
    }
    connection.connecting = false;
    connection.deadline_ms = kNever;
  }
  core_.relay->Pump(*connection.user);
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
    std::erase_if(pools_, [pool](const auto& owned) { return owned.get() == pool; });
  }
  unused_.clear();
}

}  // namespace junction::ingress
