// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "ingress/replica_pool.h"
#include "ingress/worker_core.h"

namespace junction::ingress {

/// Opens, keeps and closes a worker's connections to replicas and to the API. Owner: the worker's thread.
class Upstreams {
 public:
  explicit Upstreams(WorkerCore& core) : core_(core) {}
  ~Upstreams();

  ReplicaPool* AddPool(std::shared_ptr<Replica> replica);

  /// No request will be sent there any more: closes idle connections; the pool goes when its last request is done.
  void Retire(ReplicaPool& pool);

  /// The idle connection that was used last, or null.
  UpstreamConnection* TakeIdle(ReplicaPool& pool);

  /// A new connection, perhaps still connecting, or still waiting for the replica's link; the error is an errno. `is_retry`: for a request that
  /// has been sent before.
  Result<UpstreamConnection*> Open(ReplicaPool& pool, bool is_retry);

  /// Ends the use of a connection: keeps it for the next request, or closes it.
  void Release(UpstreamConnection& connection, bool keep);

  /// Counts a request in or out of a pool, so that a retired one is known to be free.
  void AddUser(ReplicaPool& pool);
  void RemoveUser(ReplicaPool& pool);

  /// The pool's first attempt at a link is over, or it has got one later on: connections that waited go on.
  void OnLinkSettled(ReplicaPool& pool);
  /// The pool of a replica; null if no route of this worker names it any more.
  ReplicaPool* FindPool(const Replica& replica);

  void OnEvent(UpstreamConnection& connection, uint32_t events);
  /// Takes up what a link's stack has told of.
  void OnReady(UpstreamConnection& connection);
  void OnDeadline(UpstreamConnection& connection);

  /// Frees what was closed in this turn.
  void Sweep();

 private:
  Result<void> OpenStream(UpstreamConnection& connection);
  void Close(UpstreamConnection& connection);
  void DropIfUnused(ReplicaPool& pool);

  WorkerCore& core_;
  IntrusiveList<UpstreamConnection, PoolTag> busy_;
  std::vector<std::unique_ptr<ReplicaPool>> pools_;
  std::vector<UpstreamConnection*> closed_;
  std::vector<ReplicaPool*> unused_;
};

}  // namespace junction::ingress
