// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ingress/worker_core.h"

namespace junction::ingress {

/// Accepts connections on the listener that all workers share. Where there is no room (descriptors, memory, the
/// connection limit) it stops listening for a while, so that the rest waits in the backlog and nothing spins.
class Acceptor : public EventTarget {
 public:
  Acceptor(WorkerCore& core, int listener) : EventTarget(Kind::kAcceptor), core_(core), listener_(listener) {}

  Result<void> Open();

  void OnEvent();
  void OnDeadline();
  void OnConnectionClosed();

  /// Takes what is in the backlog already, then never accepts again.
  void Stop();

 private:
  void AcceptSome(int most);
  /// Counts one more connection in, at the cost of an idle one where the limit is reached. False: no room.
  bool TakePlace();
  bool IsAnyoneWaiting() const;
  Result<void> Watch();
  void Pause();

  WorkerCore& core_;
  const int listener_;
  bool is_watching_ = false;
  bool is_stopped_ = false;
  uint64_t next_report_ms_ = 0;
};

}  // namespace junction::ingress
