// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ingress/replica_pool.h"
#include "ingress/worker_core.h"
#include "link/link_stack.h"
#include "nic/event_queue.h"

namespace junction::ingress {

/// A link of a worker to one replica's instance.
struct WorkerLink {
  struct Target : EventTarget {
    Target(Kind target_kind, WorkerLink& owner) : EventTarget(target_kind), link(owner) {}
    WorkerLink& link;
  };

  link::Link* link = nullptr;
  ReplicaPool* pool = nullptr;  // null = nobody uses it any more but the connections that there are
  uint32_t connections = 0;
  bool is_watched = false;
  Target event{EventTarget::Kind::kLinkEvent, *this};
  Target lease{EventTarget::Kind::kLinkLease, *this};
};

/// Who finds links for a worker. Called from the worker's thread, must not block.
class LinkSource {
 public:
  virtual ~LinkSource() = default;
  /// The replica's link was lost: another one is wanted, after a while.
  virtual void OnLinkLost(uint32_t worker, const std::shared_ptr<Replica>& replica) = 0;
};

/// A worker's links and the TCP/IP stack above them. Owner: the worker's thread.
class WorkerLinks : private link::LinkOwner {
 public:
  WorkerLinks(WorkerCore& core, LinkSource& source, uint32_t worker) : core_(core), source_(source), worker_(worker) {}
  ~WorkerLinks() override;

  /// A leased port for this replica.
  void OnAttached(const std::shared_ptr<Replica>& replica, NicAttachment attachment);
  /// There is none for now.
  void OnUnavailable(const Replica& replica);

  void OnEvent(WorkerLink::Target& target);
  /// The time of a link that is not needed any more is over.
  void OnDeadline(WorkerLink::Target& target);

  link::LinkStack& stack() { return *stack_; }
  void Use(WorkerLink& link) { stack_->Use(*link.link); }
  void Unuse(WorkerLink& link) { stack_->Unuse(*link.link); }
  /// A connection goes over the link, or does no more.
  void Join(WorkerLink& link) { ++link.connections; }
  void Leave(WorkerLink& link);
  /// The pool goes.
  void Abandon(ReplicaPool& pool);

  /// Gives back what is not needed any more, and publishes the counts.
  void Sweep();

 private:
  void Watch(link::Link& link) override;
  void Unwatch(link::Link& link) override;
  void OnLost(link::Link& link, const char* why) override;
  void OnRang(link::Link& link, uint32_t queue_pair) override;
  /// Gives the link back a little after its last connection was closed.
  void DropIfUnused(WorkerLink& link);

  WorkerCore& core_;
  LinkSource& source_;
  const uint32_t worker_;
  std::unique_ptr<link::LinkStack> stack_;  // null until there is a first link
  std::vector<std::unique_ptr<WorkerLink>> links_;
  std::vector<WorkerLink*> unused_;
  std::optional<EventQueue> event_queue_;
  uint64_t next_look_ns_ = 0;  // for the event queue, while there is none
};

}  // namespace junction::ingress
