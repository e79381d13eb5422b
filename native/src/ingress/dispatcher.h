// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "ingress/client_connection.h"
#include "ingress/function_entry.h"
#include "ingress/worker_core.h"

namespace junction::ingress {

/// Decides where a request goes: the least loaded replica, a queue, the waiting room of a function that is at zero, or
/// nowhere. Owner: the worker's thread.
class Dispatcher {
 public:
  /// `api`: the next hop of all that is not for a function.
  Dispatcher(WorkerCore& core, ReplicaPool* api) : core_(core), api_(api) {}

  /// Sends a request that has been read up to its body on its way, or answers it.
  void Start(ClientConnection& client);

  /// Tries again for a request that waits for a place.
  void TryQueued(ClientConnection& client);

  /// Takes a request out of whatever it waits in.
  void Leave(ClientConnection& client);

  /// Gives the request's place at its replica back; whoever waits for one gets it.
  void ReleasePlace(ClientConnection& client);

  /// The exchange is over: counts it and lets its function go.
  void Done(ClientConnection& client, uint16_t status, uint64_t duration_ns);

  /// The next hop cannot be connected to: tries another, else answers 502 (503 for the API).
  void OnConnectFailed(ClientConnection& client, int error);

  /// The next hop closed without a byte of an answer. Sends the request again on a fresh connection when the old one was
  /// a pooled one and everything that was sent is still here, else answers 502.
  void OnNoAnswer(ClientConnection& client);

  /// A deadline of the exchange may have come.
  void OnDeadline(ClientConnection& client);

  /// The function's route has changed: those who waited for a replica go on.
  void OnRouteChanged(FunctionEntry& function);
  /// The function is gone: those who waited get 404.
  void OnFunctionRemoved(FunctionEntry& function);
  /// No replica can be started: those who waited for one get `status`.
  void FailHeld(FunctionEntry& function, uint16_t status, std::string_view reason);

 private:
  enum class PickResult { kPicked, kAllBusy, kNone };

  void Choose(ClientConnection& client);
  PickResult Pick(ClientConnection& client, ReplicaPool*& pool);
  void Send(ClientConnection& client, ReplicaPool& pool);
  void Hold(ClientConnection& client);
  void Queue(ClientConnection& client);
  void AnswerBadGateway(ClientConnection& client, std::string_view error);

  WorkerCore& core_;
  ReplicaPool* const api_;
};

}  // namespace junction::ingress
