// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ingress/function_entry.h"
#include "ingress/worker_core.h"

namespace junction::ingress {

/// One worker's functions by name. Only the worker changes and searches it; the metrics snapshot reads it from another
/// thread, so that changes (not searches) take a lock.
class FunctionTable {
 public:
  explicit FunctionTable(WorkerCore& core) : core_(core) {}
  ~FunctionTable();

  /// `name.namespace` as it is, or with the default namespace appended when that is not a function. Null: unknown.
  FunctionEntry* Find(std::string_view name);

  /// Takes a change of routes up.
  void Apply(const RouteChange& change);

  /// The function of exactly this full name, or null.
  FunctionEntry* FindFull(std::string_view full_name);

  /// Adds the counts of all functions to `values`, which is keyed by full name. Any thread.
  void ReadCounters(std::unordered_map<std::string, FunctionValues>& values) const;

  /// Frees functions that were removed and whose requests are done.
  void Sweep();

 private:
  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
  };

  void Upsert(const std::shared_ptr<const FunctionRoute>& route);
  void Remove(const std::string& full_name);

  WorkerCore& core_;
  mutable std::mutex mutex_;  // held by the worker to change `functions_`, by others to read it
  std::unordered_map<std::string, std::unique_ptr<FunctionEntry>, NameHash, std::equal_to<>> functions_;
  std::vector<std::unique_ptr<FunctionEntry>> removed_;
};

}  // namespace junction::ingress
