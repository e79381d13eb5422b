// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "ingress/acceptor.h"
#include "ingress/clients.h"
#include "ingress/dispatcher.h"
#include "ingress/function_table.h"
#include "ingress/relay.h"
#include "ingress/scheduler_bell.h"
#include "ingress/upstreams.h"
#include "ingress/worker_core.h"
#include "ingress/worker_links.h"

namespace junction::ingress {

/// What other threads ask of a worker.
struct ApplyRoutesCommand {
  std::shared_ptr<const RouteChange> change;
  uint64_t version;
};
struct FailHeldCommand {
  std::string function_name;
  uint16_t status;
  std::string message;
};
struct WakeQueueCommand {
  std::shared_ptr<FunctionShared> function;
};
struct DrainCommand {
  uint64_t deadline_ms;                             // from now
  std::function<void(uint64_t abandoned)> on_done;  // called once, from the worker
};
/// A link to this replica, or word that there is none for now.
struct LinkCommand {
  std::shared_ptr<Replica> replica;
  std::optional<NicAttachment> attachment;
};
struct StopCommand {};
using WorkerCommand =
    std::variant<ApplyRoutesCommand, FailHeldCommand, WakeQueueCommand, DrainCommand, LinkCommand, StopCommand>;

/// One thread of the ingress with its connections. Post and ReadMetrics from any thread, all else from the worker's.
class Worker : private EventTarget {
 public:
  /// `index`: among its siblings, for `links`.
  Worker(const IngressOptions& options, IngressEvents& events, SharedCounts& shared, Siblings& siblings,
         LinkSource& links, uint32_t index, const std::array<uint64_t, 4>& seed, int listener,
         std::shared_ptr<Replica> api);

  Result<void> Open();

  /// Serves until StopCommand.
  void Run();

  void Post(WorkerCommand command);

  /// Adds this worker's counts. Any thread while the worker lives.
  void ReadMetrics(MetricsValues& values, std::unordered_map<std::string, FunctionValues>& functions) const;

  /// Of the routes that this worker serves by. Any thread.
  uint64_t routes_version() const { return routes_version_.Get(); }

 private:
  friend class EventLoop;  // calls the three below

  void OnEvent(EventTarget& target, uint32_t events);
  void OnReady(EventTarget& target);
  void OnDeadline(EventTarget& target);

  void ReadMailbox();
  void Handle(const ApplyRoutesCommand& command);
  void Handle(const FailHeldCommand& command);
  void Handle(const WakeQueueCommand& command);
  void Handle(DrainCommand& command);
  void Handle(LinkCommand& command);
  void Handle(const StopCommand&) { is_stopping_ = true; }
  void FinishDrain();

  WorkerCore core_;
  SchedulerBell bell_;
  WorkerLinks links_;  // before the connections that go over them
  Upstreams upstreams_;
  Acceptor acceptor_;
  Relay relay_;
  Dispatcher dispatcher_;
  FunctionTable table_;
  Clients clients_;  // after all that its exchanges point to: their ends give back what they hold

  UniqueFd mailbox_;  // eventfd
  std::mutex mutex_;  // of `commands_`; taken by others to post, by the worker after the mailbox has fired
  std::vector<WorkerCommand> commands_;
  std::function<void(uint64_t)> on_drained_;
  uint64_t abandoned_ = 0;
  Counter routes_version_;
  bool is_stopping_ = false;
};

}  // namespace junction::ingress
