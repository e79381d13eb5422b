// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "base/error.h"
#include "base/unique_fd.h"

namespace junction {

/// Finds out whose a listening TCP socket of the host is, by sock_diag(7). An instance's word for a port is not enough:
/// it could name a port of somebody else's, to which the gateway would then send the function's requests.
class ListenerOwner {
 public:
  static Result<ListenerOwner> Open();

  /// The host uid that owns the socket listening on 127.0.0.1:port (or on all addresses), or nullopt if there is none.
  std::optional<uint32_t> UidOf(uint16_t port) const;

 private:
  explicit ListenerOwner(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace junction
