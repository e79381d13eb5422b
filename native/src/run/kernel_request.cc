// SPDX-License-Identifier: Apache-2.0
// Read first: unix(7) on SO_PEERCRED, SO_PASSPIDFD and abstract sockets, sigqueue(3).
#include "run/kernel_request.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstring>

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

namespace junction {
namespace {

constexpr int kPatience_ms = 10'000;
constexpr size_t kMaxDescriptors = 24;

int64_t Now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

// Waits until `fd` has something. Fails at the deadline, or when the instance has died.
Result<void> Await(int fd, const RunningInstance& instance, int64_t deadline_ms, const char* what) {
  for (;;) {
    pollfd fds[] = {{.fd = fd, .events = POLLIN, .revents = 0},
                    {.fd = instance.pid_fd.get(), .events = POLLIN, .revents = 0}};
    const int64_t left_ms = deadline_ms - Now_ms();
    if (left_ms <= 0) {
      return PlainError(what);
    }
    if (poll(fds, 2, static_cast<int>(left_ms)) < 0 && errno != EINTR) {
      return ErrnoError("poll");
    }
    if (fds[0].revents != 0) {
      return {};
    }
    if (fds[1].revents != 0) {
      return PlainError("the instance has ended");
    }
  }
}

void TakeSender(msghdr& header, ReceivedMessage& received) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET) {
      continue;
    }
    if (part->cmsg_type == SCM_CREDENTIALS) {
      ucred sender{};
      std::memcpy(&sender, CMSG_DATA(part), sizeof(sender));
      received.pid = sender.pid;
    } else if (part->cmsg_type == SCM_PIDFD) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part), sizeof(fd));
      received.pid_fd.Reset(fd);
    }
  }
}

// Abstract names belong to network namespaces, and a socket to that in which it was made. An instance with a NIC is not in the host's.
Result<UniqueFd> MakeSocketFor(const RunningInstance& instance) {
  UniqueFd home;
  if (instance.has_nic) {
    home.Reset(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!home.valid() || setns(instance.pid_fd.get(), CLONE_NEWNET) != 0) {
      return ErrnoError("the instance's network namespace");
    }
  }
  UniqueFd made(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int error = errno;
  if (home.valid() && setns(home.get(), CLONE_NEWNET) != 0) {
    return ErrnoError("back from the instance's network namespace");
  }
  if (!made.valid()) {
    return ErrnoError("socket for the answer", error);
  }
  return made;
}

Result<void> AskForSenders(int connection) {
  const int on = 1;
  if (setsockopt(connection, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0 ||
      (setsockopt(connection, SOL_SOCKET, SO_PASSPIDFD, &on, sizeof(on)) != 0 && errno != ENOPROTOOPT)) {
    return ErrnoError("credentials of who answers");
  }
  return {};
}

}  // namespace

Result<KernelRequest> KernelRequest::Prepare(const RunningInstance& instance, RequestKind kind) {
  KernelRequest request;
  if (getrandom(&request.id_, sizeof(request.id_), 0) != sizeof(request.id_)) {
    return ErrnoError("random number");
  }
  request.id_ = (request.id_ & ~kRequestKindMask) | static_cast<uint64_t>(kind);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const int length = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s%016llx", kRequestSocketPrefix,
                              static_cast<unsigned long long>(request.id_));
  auto listener = MakeSocketFor(instance);
  if (!listener) {
    return std::unexpected(listener.error());
  }
  request.listener_ = std::move(*listener);
  if (!request.listener_.valid() ||
      bind(request.listener_.get(), reinterpret_cast<const sockaddr*>(&address),
           static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + static_cast<size_t>(length))) != 0 ||
      listen(request.listener_.get(), 8) != 0) {
    return ErrnoError("socket for the answer");
  }
  return request;
}

Result<void> KernelRequest::Send(const RunningInstance& instance, const char* what) {
  siginfo_t info{};
  info.si_signo = kRequestSignal;
  info.si_code = SI_QUEUE;
  info.si_value.sival_ptr = reinterpret_cast<void*>(id_);
  if (syscall(SYS_pidfd_send_signal, instance.pid_fd.get(), kRequestSignal, &info, 0) != 0) {
    return ErrnoError("signal the instance");
  }
  const int64_t deadline_ms = Now_ms() + kPatience_ms;
  for (;;) {
    if (auto there = Await(listener_.get(), instance, deadline_ms, what); !there) {
      return there;
    }
    UniqueFd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ucred peer{};
    socklen_t size = sizeof(peer);
    // Anybody on the host can find the name; only the instance's process counts.
    if (connection.valid() && getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
        peer.pid == instance.pid) {
      connection_ = std::move(connection);
      return AskForSenders(connection_.get());
    }
  }
}

Result<void> KernelRequest::SendOrder(const void* order, size_t order_bytes, std::span<const int> fds) const {
  iovec vector = {.iov_base = const_cast<void*>(order), .iov_len = order_bytes};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxDescriptors * sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = CMSG_SPACE(fds.size_bytes());
  cmsghdr* const part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(fds.size_bytes());
  std::memcpy(CMSG_DATA(part), fds.data(), fds.size_bytes());
  if (sendmsg(connection_.get(), &header, MSG_NOSIGNAL) != static_cast<ssize_t>(order_bytes)) {
    return ErrnoError("send the order");
  }
  return {};
}

Result<ReceivedMessage> KernelRequest::Receive(const RunningInstance& instance, const char* what) const {
  if (auto there = Await(connection_.get(), instance, Now_ms() + kPatience_ms, what); !there) {
    return std::unexpected(there.error());
  }
  ReceivedMessage received;
  iovec vector = {.iov_base = &received.message, .iov_len = sizeof(received.message)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int))];
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  ssize_t size = recvmsg(connection_.get(), &header, MSG_CMSG_CLOEXEC);
  if (size < 0 && errno == ECONNRESET) {
    // It has closed without having taken our order. The host says that once, and before what had been said to us (unix_release_sock).
    size = recvmsg(connection_.get(), &header, MSG_CMSG_CLOEXEC);
  }
  if (size < 0) {
    return ErrnoError("receive the answer");
  }
  TakeSender(header, received);
  if (size == 0) {
    return PlainError("it died before it ran");
  }
  if (size != sizeof(received.message) || received.message.magic != kRequestMagic) {
    return PlainError("no message of the request protocol");
  }
  return received;
}

}  // namespace junction
