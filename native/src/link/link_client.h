// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "link/link_stack.h"

namespace junction::link {

/// A connection of a LinkClient.
struct LinkConnection {
  net::TcpSocket* socket = nullptr;
  uint32_t events = 0;  // POLLIN and the like that have come since the owner last cleared them
};

/// One link and its connections for a program that does nothing else in a thread: measuring clients, tests. Blocking calls spin for a while, then
/// sleep.
class LinkClient : private LinkOwner {
 public:
  /// Leases a port of the instance that gives out links at `path`.
  static Result<std::unique_ptr<LinkClient>> Open(const std::string& path, uint64_t spin_ns);
  ~LinkClient() override;

  /// A connection that is established, to `port` of the instance.
  Result<LinkConnection*> Connect(uint16_t port, int timeout_ms = kPatience_ms);
  void Close(LinkConnection& connection);

  /// Queues all of `bytes`, waits for room if need be, and sends. False: the connection is gone.
  bool Write(LinkConnection& connection, std::string_view bytes);
  /// Up to `room` bytes, without waiting: how many, 0 at the end, -EAGAIN, or another -errno.
  int64_t Read(LinkConnection& connection, char* out, size_t room);
  /// As Read, but waits until there is something.
  int64_t ReadSome(LinkConnection& connection, char* out, size_t room);

  /// Waits for frames and takes them in. False after `timeout_ms`.
  bool Wait(int timeout_ms);
  void Flush();

  bool is_lost() const { return is_lost_; }
  LinkStack& stack() { return *stack_; }
  Link& link() { return *link_; }
  /// How often and how long it polled for frames before they came, or in vain.
  uint64_t spun_ns() const { return spun_ns_; }
  uint64_t sleeps() const { return sleeps_; }

 private:
  static constexpr int kPatience_ms = 10'000;

  explicit LinkClient(uint64_t spin_ns) : spin_ns_(spin_ns) {}

  void Watch(Link& link) override;
  void Unwatch(Link& link) override;
  void OnLost(Link&, const char*) override { is_lost_ = true; }
  void Sleep(int timeout_ms);

  const uint64_t spin_ns_;
  UniqueFd epoll_;
  std::unique_ptr<LinkStack> stack_;
  Link* link_ = nullptr;
  std::vector<std::unique_ptr<LinkConnection>> connections_;
  bool is_lost_ = false;
  uint64_t spun_ns_ = 0;
  uint64_t sleeps_ = 0;
};

}  // namespace junction::link
