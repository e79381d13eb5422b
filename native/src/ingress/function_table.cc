// SPDX-License-Identifier: Apache-2.0
#include "ingress/function_table.h"

#include <algorithm>
#include <cstring>

#include "ingress/dispatcher.h"
#include "ingress/target.h"
#include "ingress/upstreams.h"

namespace junction::ingress {

FunctionTable::~FunctionTable() = default;

FunctionEntry* FunctionTable::FindFull(std::string_view full_name) {
  const auto found = functions_.find(full_name);
  return found == functions_.end() ? nullptr : found->second.get();
}

FunctionEntry* FunctionTable::Find(std::string_view name) {
  if (!IsFunctionName(name)) {
    return nullptr;
  }
  if (name.find('.') != std::string_view::npos) {
    if (FunctionEntry* const found = FindFull(name)) {
      return found;
    }
  }
  char full[512];
  const std::string_view space = core_.options.default_namespace;
  if (name.size() + 1 + space.size() > sizeof(full)) {
    return nullptr;
  }
  std::memcpy(full, name.data(), name.size());
  full[name.size()] = '.';
  std::memcpy(full + name.size() + 1, space.data(), space.size());
  return FindFull(std::string_view(full, name.size() + 1 + space.size()));
}

void FunctionTable::Apply(const RouteChange& change) {
  for (const auto& route : change.upserts) {
    Upsert(route);
  }
  for (const std::string& name : change.removes) {
    Remove(name);
  }
}

void FunctionTable::Upsert(const std::shared_ptr<const FunctionRoute>& route) {
  FunctionEntry* entry = FindFull(route->shared->name);
  if (entry == nullptr) {
    auto made = std::make_unique<FunctionEntry>();
    entry = made.get();
    entry->route = route;
    const std::lock_guard lock(mutex_);
    functions_.emplace(route->shared->name, std::move(made));
  }
  std::vector<ReplicaPool*> old = std::move(entry->pools);
  entry->pools.clear();
  for (const auto& replica : route->replicas) {
    const auto same =
        std::find_if(old.begin(), old.end(), [&](const ReplicaPool* pool) { return pool->replica == replica; });
    if (same == old.end()) {
      entry->pools.push_back(core_.upstreams->AddPool(replica));
    } else {
      entry->pools.push_back(*same);
      old.erase(same);
    }
  }
  entry->route = route;
  entry->next_pool = 0;
  for (ReplicaPool* const pool : old) {
    core_.upstreams->Retire(*pool);
  }
  core_.dispatcher->OnRouteChanged(*entry);
}

void FunctionTable::Remove(const std::string& full_name) {
  const auto found = functions_.find(full_name);
  if (found == functions_.end()) {
    return;
  }
  std::unique_ptr<FunctionEntry> entry;
  {
    const std::lock_guard lock(mutex_);
    entry = std::move(found->second);
    functions_.erase(found);
  }
  entry->removed = true;
  core_.dispatcher->OnFunctionRemoved(*entry);
  for (ReplicaPool* const pool : entry->pools) {
    core_.upstreams->Retire(*pool);
  }
  entry->pools.clear();
  removed_.push_back(std::move(entry));
}

void FunctionTable::Sweep() {
  if (removed_.empty()) {
    return;
  }
  std::erase_if(removed_, [this](const auto& entry) {
    if (entry->users > 0) {
      return false;
    }
    core_.loop.ForgetPredictor(&entry->service_gap);
    return true;
  });
}

void FunctionTable::ReadCounters(std::unordered_map<std::string, FunctionValues>& values) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, entry] : functions_) {
    FunctionValues& of_function = values[name];
    of_function.function_name = name;
    of_function.Add(entry->counters);
  }
}

}  // namespace junction::ingress
