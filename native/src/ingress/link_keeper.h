// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "ingress/routes.h"
#include "ingress/worker_links.h"
#include "nic/attachment.h"

namespace junction::ingress {

/// Leases ports of instances' NICs for the workers, one for each worker and replica, in a thread of its own: a lease is a round trip to the
/// instance's monitor, which no request and no caller of ApplyRoutes should wait for. What cannot be had is tried again, ever more
/// seldom, while a route names the replica. All methods from any thread.
class LinkKeeper : public LinkSource {
 public:
  /// Tells a worker of a link, or that there is none for now. Called from the keeper's thread; must not block.
  using Deliver =
      std::function<void(uint32_t worker, std::shared_ptr<Replica> replica, std::optional<NicAttachment> attachment)>;

  LinkKeeper(uint32_t workers, Deliver deliver) : worker_count_(workers), deliver_(std::move(deliver)) {}
  ~LinkKeeper() override { Stop(); }

  /// Gets links to a replica with a link path for all workers; others, and those that it knows, are left alone. One thread at a time.
  void Want(const std::shared_ptr<Replica>& replica);

  void OnLinkLost(uint32_t worker, const std::shared_ptr<Replica>& replica) override;

  /// Attempts that brought no link.
  uint64_t failures() const { return failures_.load(std::memory_order_relaxed); }

  /// Ends the thread. Any number of times.
  void Stop();

 private:
  struct Wish {
    std::weak_ptr<Replica> replica;
    uint32_t worker;
    uint64_t at_ns;   // not before
    uint64_t gap_ns;  // between the last attempt and the next
  };

  void Add(Wish wish);
  void Run();
  /// Takes the wish that is due first; waits for one. Empty: the end.
  std::optional<Wish> Next();
  void Try(Wish wish);

  const uint32_t worker_count_;
  const Deliver deliver_;
  std::atomic<uint64_t> failures_{0};
  std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  std::vector<Wish> wishes_;
  bool is_stopping_ = false;
  std::thread thread_;  // from the first wish on
};

}  // namespace junction::ingress
