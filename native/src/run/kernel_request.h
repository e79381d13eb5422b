// SPDX-License-Identifier: Apache-2.0
// The monitor's side of base/request_protocol.h, for all kinds of requests.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/request_protocol.h"
#include "base/unique_fd.h"
#include "run/running_instance.h"

namespace junction {

/// A message, and by whom.
struct ReceivedMessage {
  RequestMessage message{};
  pid_t pid = -1;
  UniqueFd pid_fd;  // invalid where the host does not send it (before Linux 6.5)
};

/// Something asked of the Junction kernel of a running instance. Prepared in one step and sent in another, so that nothing but the answer is
/// left to wait for then.
class KernelRequest {
 public:
  /// Makes the socket that the instance's kernel will connect to, where it can see it. The process must have one thread and, for an instance
  /// with a NIC, CAP_SYS_ADMIN.
  static Result<KernelRequest> Prepare(const RunningInstance& instance, RequestKind kind);

  /// Asks, and waits up to 10 s for the instance's kernel to connect. `what` says that it did not.
  Result<void> Send(const RunningInstance& instance, const char* what);

  /// Sends the order with its descriptors. EPIPE, ECONNRESET: the other side has closed; what it said before can still be
  /// received.
  Result<void> SendOrder(const void* order, size_t order_bytes, std::span<const int> fds) const;

  /// Waits for the next message, up to 10 s. `what` says that there was none.
  Result<ReceivedMessage> Receive(const RunningInstance& instance, const char* what) const;

  /// The connection: what was asked for dies when it closes.
  UniqueFd TakeConnection() { return std::move(connection_); }

 private:
  KernelRequest() = default;

  uint64_t id_ = 0;
  UniqueFd listener_;
  UniqueFd connection_;
};

}  // namespace junction
