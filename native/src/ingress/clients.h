// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include <expected>
#include <string_view>
#include <vector>

#include "ingress/client_connection.h"
#include "ingress/framing.h"
#include "ingress/worker_core.h"

namespace junction::ingress {

/// An answer of the ingress itself; empty texts are left out of its body.
struct Reply {
  uint16_t status;
  std::string_view error;
  std::string_view hop = "gateway";
  std::string_view limit = {};
  uint32_t retry_after_s = 0;
};

/// The client side of a worker: reads requests, keeps connections alive, closes them. Owner: the worker's thread.
class Clients {
 public:
  explicit Clients(WorkerCore& core) : core_(core) {}
  ~Clients();

  /// Takes an accepted connection over.
  void Add(UniqueFd fd, const sockaddr_storage& peer);

  /// Answers the request under way without, or in place of, a next hop. Nothing of another answer may have gone out.
  void Answer(ClientConnection& client, const Reply& reply);

  /// The answer has been written out: counts it and makes the connection ready for the next request, or ends it.
  void Finish(ClientConnection& client);

  /// Ends the connection at once and cancels what is under way: the client has left.
  void Abort(ClientConnection& client);

  /// The same for an answer that cannot be completed, so that the client cannot take it for complete.
  void CutAnswer(ClientConnection& client);

  /// Sets the timer to the earliest deadline of the exchange under way.
  void UpdateDeadline(ClientConnection& client);

  /// A client that should read or send has until the stall timeout from now; false: it need not any more.
  void SetStall(ClientConnection& client, bool waits);

  void OnEvent(ClientConnection& client, uint32_t events);
  void OnReady(ClientConnection& client);
  void OnDeadline(ClientConnection& client);

  /// Closes the connection that has been idle longest. False when none is idle.
  bool CloseOneIdle();
  /// For a drain: closes all that have no request under way.
  void CloseIdle();
  /// Cuts everything off. Returns how many requests were under way.
  uint64_t AbortAll();

  uint32_t count() const { return count_; }

  /// Frees what was closed in this turn.
  void Sweep();

 private:
  enum class HeadStep { kBegun, kWait, kClosed };

  /// Goes on reading requests until one is under way or bytes are missing.
  void Advance(ClientConnection& client);
  HeadStep ReadHead(ClientConnection& client);
  /// Looks for a whole head in the buffer. kWait: more bytes are needed.
  HeadStep ParseHead(ClientConnection& client);
  /// Makes room for more of a head; answers 431 at the limit.
  HeadStep MakeRoom(ClientConnection& client);
  void BeginExchange(ClientConnection& client);
  void RefuseHead(ClientConnection& client, uint16_t status, std::string_view reason);
  void StartRequest(ClientConnection& client, const RequestPlan& plan);
  /// Drops bytes of a body nobody wants. True when it is through.
  bool Discard(ClientConnection& client);
  void Linger(ClientConnection& client);
  void EndConnection(ClientConnection& client, bool may_have_unread);
  void EnterIdle(ClientConnection& client);
  bool HasLeft(ClientConnection& client);
  void CancelExchange(ClientConnection& client);
  void ReleaseExchange(ClientConnection& client, uint16_t counted_status);
  void Close(ClientConnection& client, bool reset);

  WorkerCore& core_;
  IntrusiveList<ClientConnection, ClientTag> all_;
  IntrusiveList<ClientConnection, IdleTag> idle_;  // longest idle first
  std::vector<ClientConnection*> closed_;
  uint32_t count_ = 0;
};

}  // namespace junction::ingress
