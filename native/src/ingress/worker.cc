// SPDX-License-Identifier: Apache-2.0
#include "ingress/worker.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "base/short_slice.h"

namespace junction::ingress {

Worker::Worker(const IngressOptions& options, IngressEvents& events, SharedCounts& shared, Siblings& siblings,
               LinkSource& links, uint32_t index, const std::array<uint64_t, 4>& seed, int listener,
               std::shared_ptr<Replica> api)
    : EventTarget(Kind::kMailbox),
      core_(options, events, shared, siblings, seed),
      bell_(options.scheduler_doorbell_path, core_.counters),
      links_(core_, links, index),
      upstreams_(core_),
      acceptor_(core_, listener),
      relay_(core_),
      dispatcher_(core_, upstreams_.AddPool(std::move(api))),
      table_(core_),
      clients_(core_) {
  core_.acceptor = &acceptor_;
  core_.bell = &bell_;
  core_.clients = &clients_;
  core_.dispatcher = &dispatcher_;
  core_.links = &links_;
  core_.relay = &relay_;
  core_.table = &table_;
  core_.upstreams = &upstreams_;
}

Result<void> Worker::Open() {
  if (auto opened = core_.loop.Open(); !opened) {
    return opened;
  }
  mailbox_.Reset(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!mailbox_.valid()) {
    return ErrnoError("eventfd");
  }
  if (auto added = core_.loop.Add(mailbox_.get(), EPOLLIN, *this); !added) {
    return added;
  }
  return acceptor_.Open();
}

void Worker::Run() {
  RequestShortSlice();
  ReadMailbox();  // the first routes, before the first request
  while (!is_stopping_) {
    core_.loop.Turn(*this);
    clients_.Sweep();
    upstreams_.Sweep();
    links_.Sweep();
    table_.Sweep();
    if (on_drained_ && clients_.count() == 0) {
      FinishDrain();
    }
  }
  acceptor_.Stop();
  abandoned_ += clients_.AbortAll();
  if (on_drained_) {
    FinishDrain();
  }
}

void Worker::Post(WorkerCommand command) {
  {
    const std::lock_guard lock(mutex_);
    commands_.push_back(std::move(command));
  }
  const uint64_t one = 1;
  // Fails only when the counter is full, and then the worker is awake anyway.
  [[maybe_unused]] const ssize_t written = write(mailbox_.get(), &one, sizeof(one));
}

void Worker::ReadMailbox() {
  uint64_t count;
  [[maybe_unused]] const ssize_t got = read(mailbox_.get(), &count, sizeof(count));
  std::vector<WorkerCommand> commands;
  {
    const std::lock_guard lock(mutex_);
    commands.swap(commands_);
  }
  for (WorkerCommand& command : commands) {
    std::visit([this](auto& each) { Handle(each); }, command);
  }
}

void Worker::Handle(const ApplyRoutesCommand& command) {
  table_.Apply(*command.change);
  routes_version_.Set(command.version);
}

void Worker::Handle(const FailHeldCommand& command) {
  if (FunctionEntry* const function = table_.FindFull(command.function_name)) {
    dispatcher_.FailHeld(*function, command.status, command.message);
  }
}

void Worker::Handle(const WakeQueueCommand& command) {
  if (FunctionEntry* const function = table_.FindFull(command.function->name)) {
    if (ClientConnection* const next = function->queued.Front()) {
      core_.loop.MakeReady(*next);
    }
  }
}

void Worker::Handle(DrainCommand& command) {
  core_.draining = true;
  on_drained_ = std::move(command.on_done);
  acceptor_.Stop();
  clients_.CloseIdle();
  core_.loop.SetDeadline(*this, core_.loop.now_ms() + command.deadline_ms);
}

void Worker::Handle(LinkCommand& command) {
  if (command.attachment) {
    links_.OnAttached(command.replica, std::move(*command.attachment));
  } else {
    links_.OnUnavailable(*command.replica);
  }
}

void Worker::FinishDrain() {
  core_.loop.Forget(*this);
  std::exchange(on_drained_, nullptr)(abandoned_);
}

void Worker::OnEvent(EventTarget& target, uint32_t events) {
  switch (target.kind) {
    case Kind::kClient:
      clients_.OnEvent(static_cast<ClientConnection&>(target), events);
      return;
    case Kind::kUpstream:
      upstreams_.OnEvent(static_cast<UpstreamConnection&>(target), events);
      return;
    case Kind::kAcceptor:
      acceptor_.OnEvent();
      return;
    case Kind::kMailbox:
      ReadMailbox();
      return;
    case Kind::kLinkEvent:
    case Kind::kLinkLease:
      links_.OnEvent(static_cast<WorkerLink::Target&>(target));
      return;
  }
}

void Worker::OnReady(EventTarget& target) {
  if (target.kind == Kind::kClient) {
    clients_.OnReady(static_cast<ClientConnection&>(target));
  } else if (target.kind == Kind::kUpstream) {
    upstreams_.OnReady(static_cast<UpstreamConnection&>(target));
  } else if (target.kind == Kind::kAcceptor) {
    acceptor_.OnDeadline();
  }
}

void Worker::OnDeadline(EventTarget& target) {
  switch (target.kind) {
    case Kind::kClient:
      clients_.OnDeadline(static_cast<ClientConnection&>(target));
      return;
    case Kind::kUpstream:
      upstreams_.OnDeadline(static_cast<UpstreamConnection&>(target));
      return;
    case Kind::kAcceptor:
      acceptor_.OnDeadline();
      return;
    case Kind::kMailbox:
      abandoned_ += clients_.AbortAll();  // the deadline of a drain
      return;
    case Kind::kLinkLease:
      links_.OnDeadline(static_cast<WorkerLink::Target&>(target));
      return;
    case Kind::kLinkEvent:
      return;  // it has none
  }
}

void Worker::ReadMetrics(MetricsValues& values, std::unordered_map<std::string, FunctionValues>& functions) const {
  values.Add(core_.counters);
  table_.ReadCounters(functions);
}

}  // namespace junction::ingress
