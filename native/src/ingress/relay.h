// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ingress/client_connection.h"
#include "ingress/worker_core.h"

namespace junction::ingress {

/// Moves one exchange's bytes: the request from the client's buffer to the next hop, the answer back. Each direction
/// holds at most one buffer: nothing more is read before it has been written on. Owner: the worker's thread.
class Relay {
 public:
  explicit Relay(WorkerCore& core) : core_(core) {}

  /// Takes a connection to `pool` (a new one when `fresh`) and begins to send. Returns 0, or the errno of a connection
  /// that could not be opened; then nothing has changed.
  int Start(ClientConnection& client, ReplicaPool& pool, bool fresh);

  /// Goes on with both directions as far as they go. Ends the exchange, and perhaps the client, when it is complete or
  /// cannot be completed.
  void Pump(ClientConnection& client);

  /// Closes the exchange's connection to its next hop, if there is one, and gives its place back.
  void DropUpstream(ClientConnection& client);
  /// The same, but keeps the place.
  void DropConnection(ClientConnection& client);

 private:
  enum class Step {
    kGoOn,  // something was done: look again
    kWait,  // until an event
    kOver,  // the exchange has ended or has begun anew elsewhere: touch nothing
  };

  /// What has become of the bytes that should begin with an answer's head.
  enum class HeadStep {
    kBegun,      // the final head is on its way to the client
    kInterim,    // a 1xx head is, or was swallowed
    kNeedsMore,  // bytes are missing; there is room for them
    kOver,       // as Step::kOver
  };

  Step PumpRequest(ClientConnection& client);
  Step SendRequest(ClientConnection& client);
  Step ReadRequest(ClientConnection& client);
  Step PumpAnswer(ClientConnection& client);
  Step ReadAnswer(ClientConnection& client);
  Step TakeAnswer(ClientConnection& client);
  HeadStep TakeAnswerHead(ClientConnection& client);
  HeadStep BeginAnswer(ClientConnection& client);
  HeadStep PassInterim(ClientConnection& client);
  Step OnAnswerEnd(ClientConnection& client, bool orderly);
  /// Answers 502, or cuts an answer off that has begun. Always kOver.
  HeadStep Garbage(ClientConnection& client, const char* what);
  /// Gives a connection whose answer has been read back to its pool.
  void ReleaseUpstream(ClientConnection& client);
  bool DecodeRequestBody(ClientConnection& client);

  WorkerCore& core_;
};

}  // namespace junction::ingress
