// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ingress/client_connection.h"
#include "ingress/metrics.h"
#include "ingress/replica_pool.h"
#include "ingress/routes.h"
#include "ingress/spin_governor.h"

namespace junction::ingress {

/// What one worker knows of one function. Lives until it is removed from the table and its last request is done.
struct FunctionEntry {
  std::shared_ptr<const FunctionRoute> route;
  std::vector<ReplicaPool*> pools;  // as route->replicas
  uint32_t next_pool = 0;           // where the search for the least loaded replica begins: ties go round
  uint32_t users = 0;               // requests that point here
  bool removed = false;             // deleted from the table
  GapPredictor service_gap;
  IntrusiveList<ClientConnection, WaitTag> held;    // wait for a first replica, in order of arrival
  IntrusiveList<ClientConnection, WaitTag> queued;  // wait for a place, in order of arrival
  uint32_t queued_count = 0;
  FunctionCounters counters;
};

}  // namespace junction::ingress
