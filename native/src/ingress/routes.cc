// SPDX-License-Identifier: Apache-2.0
#include "ingress/routes.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "ingress/target.h"
#include "nic/event_queue.h"

namespace junction::ingress {
namespace {

/// The same instance at the same place keeps its count of requests under way. One that is gone is not the same: that the route names it means
/// that it was started again.
std::shared_ptr<Replica> FindReplica(const FunctionRoute* route, const RouteSpec::ReplicaSpec& spec) {
  if (route != nullptr) {
    for (const auto& replica : route->replicas) {
      if (replica->id == spec.id && replica->host == spec.host && replica->port == spec.port &&
          replica->link_path == spec.link_path && replica->instance_number == spec.instance_number &&
          !replica->is_gone.load(std::memory_order_relaxed)) {
        return replica;
      }
    }
  }
  return nullptr;
}

}  // namespace

Result<std::shared_ptr<FunctionRoute>> RouteRegistry::MakeRoute(const RouteSpec& spec, const FunctionRoute* old) const {
  if (!IsFunctionName(spec.function_name) || spec.function_name.find('.') == std::string::npos) {
    return PlainError("'" + spec.function_name + "' is not of the form name.namespace");
  }
  auto route = std::make_shared<FunctionRoute>();
  route->shared = old != nullptr ? old->shared : std::make_shared<FunctionShared>(spec.function_name);
  route->timeout_ms = spec.timeout_ms == 0 ? default_timeout_ms_ : spec.timeout_ms;
  route->max_inflight = spec.max_inflight;
  route->starts_from_zero = spec.starts_from_zero;
  route->failure = spec.failure;
  for (const RouteSpec::ReplicaSpec& wanted : spec.replicas) {
    auto address = MakeIpAddress(wanted.host, wanted.port);
    if (!address || wanted.port == 0) {
      return PlainError("replica '" + wanted.id + "' of " + spec.function_name + ": '" + wanted.host + "' port " +
                        std::to_string(wanted.port) + " is not an address");
    }
    if (!wanted.link_path.empty() && !MakeUnixAddress(wanted.link_path)) {
      return PlainError("replica '" + wanted.id + "' of " + spec.function_name + ": '" + wanted.link_path +
                        "' is no path for a link");
    }
    if (wanted.instance_number > kMaxEventInstance) {
      return PlainError("replica '" + wanted.id + "' of " + spec.function_name + ": no such instance number");
    }
    if (wanted.draining) {
      continue;
    }
    std::shared_ptr<Replica> replica = FindReplica(old, wanted);
    if (replica == nullptr) {
      replica = std::make_shared<Replica>();
      replica->id = wanted.id;
      replica->host = wanted.host;
      replica->port = wanted.port;
      replica->address = *address;
      replica->link_path = wanted.link_path;
      replica->instance_number = wanted.instance_number;
    }
    route->replicas.push_back(std::move(replica));
  }
  return route;
}

Result<std::shared_ptr<const RouteChange>> RouteRegistry::Apply(const RouteUpdate& update) {
  auto change = std::make_shared<RouteChange>();
  std::unordered_set<std::string> named;
  for (const RouteSpec& spec : update.upserts) {
    const auto old = routes_.find(spec.function_name);
    auto route = MakeRoute(spec, old == routes_.end() ? nullptr : old->second.get());
    if (!route) {
      return std::unexpected(route.error());
    }
    if (!named.insert(spec.function_name).second) {
      return PlainError(spec.function_name + " stands twice in one update");
    }
    change->upserts.push_back(std::move(*route));
  }
  for (const std::string& name : update.removes) {
    if (!named.contains(name) && routes_.contains(name)) {
      change->removes.push_back(name);
    }
  }
  if (update.snapshot) {
    for (const auto& [name, route] : routes_) {
      if (!named.contains(name) &&
          std::find(change->removes.begin(), change->removes.end(), name) == change->removes.end()) {
        change->removes.push_back(name);
      }
    }
  }

  std::erase_if(retired_, [](const auto& retired) { return retired.second.expired(); });
  for (const auto& route : change->upserts) {
    const std::string& name = route->shared->name;
    const auto old = routes_.find(name);
    // A provider that sends everything again may have forgotten that it was asked; one that only changes a detail of a
    // starting function has not.
    if (update.snapshot || old == routes_.end() || old->second->replicas.empty() != route->replicas.empty()) {
      route->shared->cold_start_asked.store(false, std::memory_order_relaxed);
    }
    if (old != routes_.end()) {
      RetireMissing(*old->second, route.get());
    }
    routes_.insert_or_assign(name, route);
  }
  for (const std::string& name : change->removes) {
    const auto old = routes_.find(name);
    RetireMissing(*old->second, nullptr);
    routes_.erase(old);
  }
  version_ = update.version;
  return std::shared_ptr<const RouteChange>(std::move(change));
}

void RouteRegistry::RetireMissing(const FunctionRoute& old, const FunctionRoute* now) {
  for (const auto& replica : old.replicas) {
    // The end of one that was started again under its id would read as that of its successor.
    const bool has_successor =
        now != nullptr && replica->is_gone.load(std::memory_order_relaxed) &&
        std::ranges::any_of(now->replicas, [&](const auto& other) { return other->id == replica->id; });
    if (!has_successor && (now == nullptr || std::ranges::find(now->replicas, replica) == now->replicas.end())) {
      replica->idle_listener = &events_;
      retired_.emplace_back(replica->id, replica);
    }
  }
}

std::vector<std::string> RouteRegistry::BusyReplicas() {
  std::erase_if(retired_, [](const auto& retired) { return retired.second.expired(); });
  std::vector<std::string> ids;
  for (const auto& [id, replica] : retired_) {
    ids.push_back(id);
  }
  return ids;
}

void RouteRegistry::AllowColdStart(const std::string& function_name) {
  if (const auto found = routes_.find(function_name); found != routes_.end()) {
    found->second->shared->cold_start_asked.store(false, std::memory_order_relaxed);
  }
}

}  // namespace junction::ingress
