// SPDX-License-Identifier: Apache-2.0
// Hot path: a branch between the two ways, no virtual call.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "base/unique_fd.h"
#include "ingress/outgoing.h"
#include "ingress/socket.h"
#include "ingress/worker_core.h"
#include "link/link_stack.h"

namespace junction::ingress {

/// The bytes' way to a next hop: a socket of the host (the API, and replicas without a link), or a connection of our own TCP over a link
/// into the instance. Not open at first. Both tell of changes by edges, as epoll(7) has them. Owner: the worker's thread.
class UpstreamStream {
 public:
  UpstreamStream() = default;
  UpstreamStream(const UpstreamStream&) = delete;
  UpstreamStream& operator=(const UpstreamStream&) = delete;
  ~UpstreamStream() { Close(0); }

  /// Begins to connect. The value says whether that is still under way: wait for a writable edge, then ask ConnectError.
  Result<bool> OpenHost(const SocketAddress& address);
  /// The same over a link; always under way. Edges come by `notify` with `owner` (net/socket.h). Returns 0 or an errno.
  int OpenLink(link::LinkStack& links, link::Link& link, uint16_t port, void* owner,
               void (*notify)(net::Socket&, uint32_t), uint64_t now_ns);
  /// Ends it: in order, or by a reset if there are unread bytes.
  void Close(uint64_t now_ns);

  bool is_open() const { return fd_.valid() || socket_ != nullptr; }
  bool is_over_link() const { return socket_ != nullptr; }
  /// Of the host's socket.
  int fd() const { return fd_.get(); }

  /// Outcome of a connect: 0 (also while it is under way), or an errno.
  int ConnectError();
  /// Writes as much as there is room for. kFailed: errno says why. Not open: kBlocked.
  FlushResult Write(Outgoing& out, uint64_t& sent, uint64_t now_ns);
  /// As ReadOnce of worker_core.h.
  ReadResult Read(Buffer& buffer, bool& readable, bool peer_closed, uint64_t now_ns);

 private:
  ReadResult ReadLink(Buffer& buffer, bool& readable, uint64_t now_ns);

  UniqueFd fd_;
  net::TcpSocket* socket_ = nullptr;
  link::LinkStack* links_ = nullptr;  // of `socket_`
};

}  // namespace junction::ingress
