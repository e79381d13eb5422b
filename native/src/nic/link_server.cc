// SPDX-License-Identifier: Apache-2.0
// Read first: unix(7) on SO_PEERCRED and SCM_RIGHTS.
#include "nic/link_server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "nic/wake_instance.h"

namespace junction {
namespace {

constexpr int kBacklog = 16;
constexpr size_t kDescriptors = 3;

bool IsTrusted(int connection, uid_t own_uid) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == own_uid);
}

}  // namespace

Result<LinkServer> LinkServer::Listen(const std::string& path, const NicMemory& nic) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return ErrnoError("listen at " + path, ENAMETOOLONG);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return ErrnoError("replace " + path);
  }
  LinkServer server;
  server.nic_ = &nic;
  server.listener_.Reset(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // The mode before the name, so that there is no moment at which others can connect.
  if (!server.listener_.valid() || fchmod(server.listener_.get(), 0600) != 0 ||
      bind(server.listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(server.listener_.get(), kBacklog) != 0) {
    return ErrnoError("listen at " + path);
  }
  server.path_ = path;
  server.own_uid_ = geteuid();
  return server;
}

void LinkServer::FillPoll(std::span<pollfd, kPollFds> fds) const {
  size_t next = 0;
  const auto add = [&](const UniqueFd& fd) { fds[next++] = {.fd = fd.get(), .events = POLLIN, .revents = 0}; };
  add(listener_);
  for (const Pending& pending : pending_) {
    add(pending.connection);
  }
  for (const UniqueFd& lease : leases_) {
    add(lease);
  }
}

int LinkServer::Timeout_ms(uint64_t now_ms) const {
  int timeout_ms = -1;
  for (const Pending& pending : pending_) {
    if (pending.connection.valid()) {
      const int left_ms = pending.deadline_ms > now_ms ? static_cast<int>(pending.deadline_ms - now_ms) : 0;
      timeout_ms = timeout_ms < 0 ? left_ms : std::min(timeout_ms, left_ms);
    }
  }
  return timeout_ms;
}

void LinkServer::Serve(std::span<const pollfd, kPollFds> fds, uint64_t now_ms) {
  // Leases first: who comes may want what another has just given back. Each descriptor is compared, as it may have changed meanwhile.
  for (uint32_t port = 0; port < kMaxNicPorts; ++port) {
    const pollfd& found = fds[1 + kMaxPending + port];
    // A holder says nothing more: words end the lease as its close does.
    if (leases_[port].valid() && found.fd == leases_[port].get() && found.revents != 0) {
      EndLease(port);
    }
  }
  for (size_t i = 0; i < kMaxPending; ++i) {
    Pending& pending = pending_[i];
    if (!pending.connection.valid()) {
      continue;
    }
    if (fds[1 + i].fd == pending.connection.get() && fds[1 + i].revents != 0) {
      HearPending(pending);
    } else if (now_ms >= pending.deadline_ms) {
      pending.connection.Reset();
    }
  }
  if (listener_.valid() && fds[0].revents != 0) {
    AcceptOne(now_ms);
  }
}

void LinkServer::AcceptOne(uint64_t now_ms) {
  UniqueFd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!connection.valid() || !IsTrusted(connection.get(), own_uid_)) {
    return;
  }
  Pending* place = &pending_[0];
  for (Pending& pending : pending_) {
    if (!pending.connection.valid()) {
      place = &pending;
      break;
    }
    if (pending.deadline_ms < place->deadline_ms) {
      place = &pending;
    }
  }
  place->connection = std::move(connection);
  place->deadline_ms = now_ms + kPatience_ms;
}

void LinkServer::HearPending(Pending& pending) {
  UniqueFd connection = std::move(pending.connection);
  AttachRequest request{};
  const ssize_t size = recv(connection.get(), &request, sizeof(request), MSG_DONTWAIT | MSG_TRUNC);
  if (size <= 0) {
    return;  // gone
  }
  if (size != static_cast<ssize_t>(sizeof(request)) || request.magic != kAttachMagic ||
      request.version != kNicVersion || (request.kind != AttachKind::kUplink && request.kind != AttachKind::kLink)) {
    SendAnswer(connection.get(), EPROTO, 0);
    return;
  }
  const int32_t port = FindPort(request.kind);
  if (port < 0) {
    SendAnswer(connection.get(), EBUSY, 0);
    return;
  }
  Grant(std::move(connection), static_cast<uint32_t>(port));
}

int32_t LinkServer::FindPort(AttachKind kind) const {
  const uint32_t first = kind == AttachKind::kUplink ? kUplinkPort : kUplinkPort + 1;
  const uint32_t end = kind == AttachKind::kUplink ? kUplinkPort + 1 : nic_->geometry().port_count;
  for (uint32_t port = first; port < end; ++port) {
    if (!leases_[port].valid()) {
      return static_cast<int32_t>(port);
    }
  }
  return -1;
}

void LinkServer::Grant(UniqueFd connection, uint32_t port) {
  NicPort& shared = nic_->header().ports[port];
  DrainEvent(nic_->peer_event(port));  // what was meant for the peer before
  shared.peer_doorbell.store(kAwake, std::memory_order_relaxed);
  // Odd before the answer: who has a port finds it open.
  shared.generation.store(++generations_[port], std::memory_order_release);
  if (!SendAnswer(connection.get(), 0, port)) {
    EndLease(port);
    return;
  }
  leases_[port] = std::move(connection);
  WakeInstance(nic_->header(), nic_->instance_waker(), Ringer::kSleeps);
}

void LinkServer::EndLease(uint32_t port) {
  leases_[port].Reset();
  nic_->header().ports[port].generation.store(++generations_[port], std::memory_order_release);
  WakeInstance(nic_->header(), nic_->instance_waker(), Ringer::kSleeps);
}

bool LinkServer::SendAnswer(int connection, int32_t status, uint32_t port) const {
  const NicSettings& settings = nic_->settings();
  AttachAnswer answer{};
  answer.status = status;
  int fds[kDescriptors] = {nic_->memory_fd(), nic_->instance_waker(), -1};
  if (status == 0) {
    fds[2] = nic_->peer_event(port);
    answer.port = port;
    answer.port_count = nic_->geometry().port_count;
    answer.queue_pair_count = nic_->geometry().queue_pair_count;
    std::memcpy(answer.instance_mac, settings.instance_mac, sizeof(answer.instance_mac));
    std::memcpy(answer.peer_mac, settings.peer_mac[port], sizeof(answer.peer_mac));
    std::memcpy(answer.instance_ip4, settings.ip4, sizeof(answer.instance_ip4));
    std::memcpy(answer.instance_ip6, settings.ip6, sizeof(answer.instance_ip6));
    std::memcpy(answer.peer_ip4, settings.link_peer4[port], sizeof(answer.peer_ip4));
    std::memcpy(answer.peer_ip6, settings.link_peer6[port], sizeof(answer.peer_ip6));
  }
  iovec vector = {.iov_base = &answer, .iov_len = sizeof(answer)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(fds))] = {};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  if (status == 0) {
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
    cmsghdr* const part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(fds));
    std::memcpy(CMSG_DATA(part), fds, sizeof(fds));
  }
  return sendmsg(connection, &header, MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(sizeof(answer));
}

void LinkServer::RemoveName() {
  if (listener_.valid()) {
    listener_.Reset();
    unlink(path_.c_str());  // if it fails, the next start replaces it
  }
}

}  // namespace junction
