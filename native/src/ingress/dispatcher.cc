// SPDX-License-Identifier: Apache-2.0
// Hot path: no lock, no allocation; a few relaxed atomics that workers share.
#include "ingress/dispatcher.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "ingress/clients.h"
#include "ingress/relay.h"
#include "ingress/scheduler_bell.h"
#include "ingress/upstreams.h"

namespace junction::ingress {
namespace {

using Stage = Exchange::Stage;

// How long a replica that could not be connected to comes after all others.
constexpr uint64_t kSuspect_ns = 1'000'000'000;

std::string Milliseconds(std::string_view name, uint64_t ms) {
  return std::string(name) + " " + std::to_string(ms) + " ms";
}

}  // namespace

void Dispatcher::Start(ClientConnection& client) {
  Exchange& x = client.exchange;
  if (x.function == nullptr) {
    core_.clients->UpdateDeadline(client);
    Send(client, *api_);
    return;
  }
  FunctionEntry& function = *x.function;
  function.counters.started.Add();
  function.counters.inflight.Add();
  x.counts = true;
  core_.bell->Ring(core_.loop.now_ns());
  x.deadline_ms = core_.loop.now_ms() + function.route->timeout_ms;
  core_.clients->UpdateDeadline(client);
  Choose(client);
}

void Dispatcher::Choose(ClientConnection& client) {
  FunctionEntry& function = *client.exchange.function;
  if (function.pools.empty()) {
    const FunctionRoute& route = *function.route;
    if (!route.failure.empty()) {
      core_.clients->Answer(client, {.status = 503, .error = route.failure, .hop = "provider", .retry_after_s = 5});
    } else if (!route.starts_from_zero) {
      core_.clients->Answer(client, {.status = 503, .error = "no replica is ready", .retry_after_s = 1});
    } else {
      Hold(client);
    }
    return;
  }
  if (!function.queued.empty()) {
    Queue(client);  // behind those who came before
    return;
  }
  ReplicaPool* pool = nullptr;
  switch (Pick(client, pool)) {
    case PickResult::kPicked:
      Send(client, *pool);
      return;
    case PickResult::kAllBusy:
      Queue(client);
      return;
    case PickResult::kNone:
      AnswerBadGateway(client, "no replica can be reached");
      return;
  }
}

Dispatcher::PickResult Dispatcher::Pick(ClientConnection& client, ReplicaPool*& pool) {
  Exchange& x = client.exchange;
  FunctionEntry& function = *x.function;
  const uint32_t limit = function.route->max_inflight == 0 ? UINT32_MAX : function.route->max_inflight;
  const size_t count = function.pools.size();
  const auto tried_end = x.tried.begin() + x.tried_count;
  bool is_any_busy = false;
  ReplicaPool* best = nullptr;
  uint64_t best_load = UINT64_MAX;
  size_t at = function.next_pool;
  for (size_t i = 0; i < count; ++i, ++at) {
    at = at >= count ? 0 : at;
    ReplicaPool* const candidate = function.pools[at];
    if (candidate->replica->is_gone.load(std::memory_order_relaxed) ||
        (x.tried_count > 0 && std::find(x.tried.begin(), tried_end, candidate) != tried_end)) {
      continue;
    }
    const uint32_t inflight = candidate->replica->inflight.load(std::memory_order_relaxed);
    if (inflight >= limit) {
      is_any_busy = true;
      continue;
    }
    const bool is_suspect = candidate->suspect_until_ns > core_.loop.now_ns();
    const uint64_t load = inflight + (is_suspect ? uint64_t{1} << 32 : 0);
    if (load < best_load) {
      best_load = load;
      best = candidate;
    }
  }
  function.next_pool = function.next_pool + 1 >= count ? 0 : function.next_pool + 1;
  if (best == nullptr) {
    return is_any_busy ? PickResult::kAllBusy : PickResult::kNone;
  }
  core_.upstreams->AddUser(*best);
  // Another worker may have taken the last place between the look and the step.
  if (best->replica->inflight.load(std::memory_order_relaxed) > limit) {
    core_.upstreams->RemoveUser(*best);
    return PickResult::kAllBusy;
  }
  x.pool = best;
  pool = best;
  return PickResult::kPicked;
}

void Dispatcher::Send(ClientConnection& client, ReplicaPool& pool) {
  Exchange& x = client.exchange;
  if (x.pool == nullptr) {
    core_.upstreams->AddUser(pool);
    x.pool = &pool;
  }
  if (const int error = core_.relay->Start(client, pool, false); error != 0) {
    OnConnectFailed(client, error);
  }
}

void Dispatcher::Hold(ClientConnection& client) {
  Exchange& x = client.exchange;
  FunctionEntry& function = *x.function;
  FunctionShared& shared = *function.route->shared;
  // Counted first and looked at afterwards, so that two workers cannot both take the last place.
  const uint32_t of_function = shared.held.fetch_add(1, std::memory_order_relaxed);
  const uint32_t of_all = core_.shared.held.fetch_add(1, std::memory_order_relaxed);
  if (of_function >= core_.options.max_held_per_function || of_all >= core_.options.max_held_total) {
    shared.held.fetch_sub(1, std::memory_order_relaxed);
    core_.shared.held.fetch_sub(1, std::memory_order_relaxed);
    const bool is_function_full = of_function >= core_.options.max_held_per_function;
    const std::string limit =
        is_function_full ? "held requests of one function " + std::to_string(core_.options.max_held_per_function)
                         : "held requests " + std::to_string(core_.options.max_held_total);
    core_.clients->Answer(
        client, {.status = 503, .error = "too many requests wait for a replica", .limit = limit, .retry_after_s = 1});
    return;
  }
  x.stage = Stage::kHeld;
  function.held.PushBack(client);
  function.counters.held.Add();
  if (!shared.cold_start_asked.exchange(true, std::memory_order_relaxed)) {
    function.counters.cold_starts.Add();
    core_.events.OnColdStart(shared.name);
  }
}

void Dispatcher::Queue(ClientConnection& client) {
  Exchange& x = client.exchange;
  FunctionEntry& function = *x.function;
  if (function.queued_count >= core_.options.max_queued_per_function || core_.options.queue_timeout_ms == 0) {
    const std::string limit = "max_inflight " + std::to_string(function.route->max_inflight) + " a replica";
    core_.clients->Answer(client, {.status = 429, .error = "the function is busy", .limit = limit, .retry_after_s = 1});
    return;
  }
  x.stage = Stage::kQueued;
  x.queue_deadline_ms = core_.loop.now_ms() + core_.options.queue_timeout_ms;
  function.queued.PushBack(client);
  ++function.queued_count;
  function.counters.queued.Add();
  function.route->shared->queued.fetch_add(1, std::memory_order_relaxed);
  core_.clients->UpdateDeadline(client);
  // A place that another worker gave back just before this one was counted would wake nobody.
  core_.loop.MakeReady(*function.queued.Front());
}

void Dispatcher::TryQueued(ClientConnection& client) {
  FunctionEntry& function = *client.exchange.function;
  if (function.queued.Front() != &client) {
    return;
  }
  Leave(client);
  if (function.pools.empty()) {
    Choose(client);
    return;
  }
  ReplicaPool* pool = nullptr;
  const PickResult result = Pick(client, pool);
  if (result == PickResult::kAllBusy) {
    // Back to where it was.
    client.exchange.stage = Stage::kQueued;
    function.queued.PushFront(client);
    ++function.queued_count;
    function.counters.queued.Add();
    function.route->shared->queued.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  client.exchange.queue_deadline_ms = kNever;
  core_.clients->UpdateDeadline(client);
  if (ClientConnection* const next = function.queued.Front()) {
    core_.loop.MakeReady(*next);
  }
  if (result == PickResult::kPicked) {
    Send(client, *pool);
  } else {
    AnswerBadGateway(client, "no replica can be reached");
  }
}

void Dispatcher::Leave(ClientConnection& client) {
  Exchange& x = client.exchange;
  FunctionEntry& function = *x.function;
  FunctionShared& shared = *function.route->shared;
  client.ListNode<WaitTag>::Unlink();
  if (x.stage == Stage::kHeld) {
    function.counters.held.Sub();
    shared.held.fetch_sub(1, std::memory_order_relaxed);
    core_.shared.held.fetch_sub(1, std::memory_order_relaxed);
  } else if (x.stage == Stage::kQueued) {
    --function.queued_count;
    function.counters.queued.Sub();
    shared.queued.fetch_sub(1, std::memory_order_relaxed);
  }
  x.stage = Stage::kNone;
}

void Dispatcher::ReleasePlace(ClientConnection& client) {
  Exchange& x = client.exchange;
  if (x.pool == nullptr) {
    return;
  }
  core_.upstreams->RemoveUser(*x.pool);
  x.pool = nullptr;
  if (x.function == nullptr) {
    return;
  }
  FunctionEntry& function = *x.function;
  if (ClientConnection* const next = function.queued.Front()) {
    core_.loop.MakeReady(*next);
  } else if (function.route->shared->queued.load(std::memory_order_relaxed) > 0) {
    core_.siblings.WakeQueues(function.route->shared);
  }
}

void Dispatcher::Done(ClientConnection& client, uint16_t status, uint64_t duration_ns) {
  Exchange& x = client.exchange;
  FunctionEntry& function = *x.function;
  if (x.counts) {
    function.counters.inflight.Sub();
    function.counters.by_code.Record(status, duration_ns);
  }
  --function.users;
  x.function = nullptr;
}

void Dispatcher::OnConnectFailed(ClientConnection& client, int error) {
  Exchange& x = client.exchange;
  ReplicaPool* const pool = x.pool;
  core_.relay->DropUpstream(client);
  if (x.function == nullptr) {
    core_.clients->Answer(client, {.status = 503,
                                   .error = std::string("the API does not answer: ") + std::strerror(error),
                                   .hop = "api",
                                   .retry_after_s = 1});
    return;
  }
  if (error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS || error == EADDRNOTAVAIL) {
    core_.clients->Answer(client, {.status = 503,
                                   .error = std::string("no connection to the function: ") + std::strerror(error),
                                   .retry_after_s = 1});
    return;
  }
  x.stage = Stage::kNone;
  if (pool != nullptr) {
    pool->suspect_until_ns = core_.loop.now_ns() + kSuspect_ns;
    if (x.tried_count < x.tried.size()) {
      x.tried[x.tried_count++] = pool;
    }
  }
  ReplicaPool* other = nullptr;
  const PickResult result = x.tried_count < x.tried.size() ? Pick(client, other) : PickResult::kNone;
  if (result == PickResult::kPicked) {
    Send(client, *other);
  } else if (result == PickResult::kAllBusy) {
    Queue(client);
  } else if (pool != nullptr && pool->replica->is_gone.load(std::memory_order_relaxed)) {
    AnswerBadGateway(client, "the function's instance has ended without an answer");
  } else {
    AnswerBadGateway(client, std::string("cannot connect to the function: ") + std::strerror(error));
  }
}

void Dispatcher::OnNoAnswer(ClientConnection& client) {
  Exchange& x = client.exchange;
  const bool was_reused = x.upstream->reused;
  if (!was_reused || x.retried || !x.replayable || x.pool == nullptr) {
    AnswerBadGateway(client, "the function closed the connection without an answer");
    return;
  }
  x.retried = true;
  core_.counters.replica_retries.Add();
  core_.relay->DropConnection(client);
  if (const int error = core_.relay->Start(client, *x.pool, true); error != 0) {
    OnConnectFailed(client, error);
  }
}

void Dispatcher::AnswerBadGateway(ClientConnection& client, std::string_view error) {
  const bool is_api = client.exchange.function == nullptr;
  core_.clients->Answer(client, {.status = 502, .error = error, .hop = is_api ? "api" : "function"});
}

void Dispatcher::OnDeadline(ClientConnection& client) {
  Exchange& x = client.exchange;
  const uint64_t now = core_.loop.now_ms();
  if (now >= x.queue_deadline_ms) {
    const std::string limit = Milliseconds("wait for a place", core_.options.queue_timeout_ms);
    core_.clients->Answer(client, {.status = 429, .error = "the function is busy", .limit = limit, .retry_after_s = 1});
  } else if (now >= x.deadline_ms) {
    if (x.stage == Stage::kAnswering) {
      core_.clients->CutAnswer(client);
      return;
    }
    const bool was_held = x.stage == Stage::kHeld;
    const std::string limit = Milliseconds("timeout", x.function->route->timeout_ms);
    core_.clients->Answer(
        client, {.status = 504,
                 .error = was_held ? "no replica became ready in time" : "the function did not answer in time",
                 .hop = was_held ? "provider" : "function",
                 .limit = limit});
  } else if (now >= client.stall_deadline_ms) {
    core_.counters.connections_timed_out.Add();
    if (x.stage == Stage::kAnswering || x.stage == Stage::kOwnAnswer) {
      core_.clients->CutAnswer(client);
      return;
    }
    x.keep_alive = false;
    const std::string limit = Milliseconds("stall timeout", core_.options.stall_timeout_ms);
    core_.clients->Answer(client, {.status = 408, .error = "the request's body does not go on", .limit = limit});
  } else {
    core_.clients->UpdateDeadline(client);
  }
}

void Dispatcher::OnRouteChanged(FunctionEntry& function) {
  if (function.pools.empty() && function.route->failure.empty() && function.route->starts_from_zero) {
    // Still at zero. After a change that may have made the provider forget, whoever waits asks again.
    FunctionShared& shared = *function.route->shared;
    if (!function.held.empty() && !shared.cold_start_asked.exchange(true, std::memory_order_relaxed)) {
      function.counters.cold_starts.Add();
      core_.events.OnColdStart(shared.name);
    }
  } else {
    IntrusiveList<ClientConnection, WaitTag> released;
    released.Append(function.held);
    while (ClientConnection* const client = released.Front()) {
      Leave(*client);
      Choose(*client);
    }
  }
  if (ClientConnection* const next = function.queued.Front()) {
    core_.loop.MakeReady(*next);
  }
}

void Dispatcher::OnFunctionRemoved(FunctionEntry& function) {
  for (auto* const list : {&function.held, &function.queued}) {
    while (ClientConnection* const client = list->Front()) {
      core_.clients->Answer(*client, {.status = 404, .error = "the function was removed"});
    }
  }
}

void Dispatcher::FailHeld(FunctionEntry& function, uint16_t status, std::string_view reason) {
  IntrusiveList<ClientConnection, WaitTag> failed;
  failed.Append(function.held);
  while (ClientConnection* const client = failed.Front()) {
    core_.clients->Answer(
        *client, {.status = status, .error = reason, .hop = "provider", .retry_after_s = status == 503 ? 1u : 0u});
  }
}

}  // namespace junction::ingress
