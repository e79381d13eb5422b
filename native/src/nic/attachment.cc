// SPDX-License-Identifier: Apache-2.0
// Read first: unix(7), memfd_create(2) and fcntl(2) on seals.
#include "nic/attachment.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "nic/wake_instance.h"

namespace junction {
namespace {

constexpr size_t kDescriptors = 3;
constexpr int kNeededSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

uint64_t Now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

// From here on no call on the socket blocks beyond the deadline. SO_SNDTIMEO holds for connect as well (socket(7)).
Result<void> LimitWaits(int fd, uint64_t deadline_ms) {
  const uint64_t now_ms = Now_ms();
  if (now_ms >= deadline_ms) {
    return ErrnoError("attach", ETIMEDOUT);
  }
  const uint64_t left_ms = deadline_ms - now_ms;
  const timeval limit = {.tv_sec = static_cast<time_t>(left_ms / 1000),
                         .tv_usec = static_cast<suseconds_t>(left_ms % 1000 * 1000)};
  if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0) {
    return ErrnoError("attach");
  }
  return {};
}

Error ErrorOf(const std::string& path, int code) {
  return ErrnoError("attach to " + path, code == EAGAIN ? ETIMEDOUT : code).error();
}

Result<UniqueFd> ConnectTo(const std::string& path, uint64_t deadline_ms) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return std::unexpected(ErrorOf(path, ENAMETOOLONG));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd.valid()) {
    return std::unexpected(ErrorOf(path, errno));
  }
  if (auto limited = LimitWaits(fd.get(), deadline_ms); !limited) {
    return std::unexpected(limited.error());
  }
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return std::unexpected(ErrorOf(path, errno));
  }
  return fd;
}

struct Received {
  AttachAnswer answer;
  UniqueFd fds[kDescriptors];
  size_t fd_count = 0;
};

Result<Received> ReceiveAnswer(int fd, const std::string& path) {
  Received received;
  iovec vector = {.iov_base = &received.answer, .iov_len = sizeof(received.answer)};
  alignas(cmsghdr) char control[CMSG_SPACE(kDescriptors * sizeof(int))];
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  ssize_t size;
  do {
    size = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size < 0) {
    return std::unexpected(ErrorOf(path, errno));
  }
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) {
      continue;
    }
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count && received.fd_count < kDescriptors; ++i) {
      int one = -1;
      std::memcpy(&one, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      received.fds[received.fd_count++].Reset(one);
    }
  }
  if (size == 0) {
    return std::unexpected(ErrorOf(path, ECONNRESET));
  }
  if (size != static_cast<ssize_t>(sizeof(received.answer)) || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
      received.answer.magic != kAttachMagic || received.answer.version != kNicVersion) {
    return std::unexpected(ErrorOf(path, EPROTO));
  }
  if (received.answer.status != 0) {
    return std::unexpected(ErrorOf(path, received.answer.status > 0 ? received.answer.status : EPROTO));
  }
  return received;
}

// A file that could shrink would kill us by SIGBUS when we look at the rings.
Result<uint8_t*> MapSealed(int fd, const NicGeometry& geometry, const std::string& path) {
  const int seals = fcntl(fd, F_GET_SEALS);
  struct stat info{};
  if (seals < 0 || (seals & kNeededSeals) != kNeededSeals || fstat(fd, &info) != 0 ||
      info.st_size != static_cast<off_t>(geometry.size_bytes())) {
    return std::unexpected(ErrorOf(path, EPROTO));
  }
  void* const address = mmap(nullptr, geometry.size_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (address == MAP_FAILED) {
    return std::unexpected(ErrorOf(path, errno));
  }
  return static_cast<uint8_t*>(address);
}

}  // namespace

Result<NicAttachment> NicAttachment::Open(const std::string& socket_path, AttachKind kind, uint32_t timeout_ms) {
  const uint64_t deadline_ms = Now_ms() + timeout_ms;
  auto lease = ConnectTo(socket_path, deadline_ms);
  if (!lease) {
    return std::unexpected(lease.error());
  }
  const AttachRequest request = {.kind = kind};
  if (auto limited = LimitWaits(lease->get(), deadline_ms); !limited) {
    return std::unexpected(limited.error());
  }
  if (send(lease->get(), &request, sizeof(request), MSG_NOSIGNAL) != static_cast<ssize_t>(sizeof(request))) {
    return std::unexpected(ErrorOf(socket_path, errno));
  }
  auto received = ReceiveAnswer(lease->get(), socket_path);
  if (!received) {
    return std::unexpected(received.error());
  }
  const NicGeometry geometry = {.port_count = received->answer.port_count,
                                .queue_pair_count = received->answer.queue_pair_count};
  if (received->fd_count != kDescriptors || !geometry.is_valid() || received->answer.port >= geometry.port_count ||
      (received->answer.port == kUplinkPort) != (kind == AttachKind::kUplink)) {
    return std::unexpected(ErrorOf(socket_path, EPROTO));
  }
  auto base = MapSealed(received->fds[0].get(), geometry, socket_path);
  if (!base) {
    return std::unexpected(base.error());
  }
  NicAttachment attachment;
  attachment.view_ = {.base = *base, .geometry = geometry};
  attachment.answer_ = received->answer;
  attachment.lease_ = std::move(*lease);
  attachment.instance_event_ = std::move(received->fds[1]);
  attachment.peer_event_ = std::move(received->fds[2]);
  return attachment;
}

NicAttachment::NicAttachment(NicAttachment&& other) noexcept { *this = std::move(other); }

NicAttachment& NicAttachment::operator=(NicAttachment&& other) noexcept {
  std::swap(view_, other.view_);
  std::swap(answer_, other.answer_);
  std::swap(lease_, other.lease_);
  std::swap(instance_event_, other.instance_event_);
  std::swap(peer_event_, other.peer_event_);
  return *this;
}

NicAttachment::~NicAttachment() {
  if (view_.base != nullptr) {
    munmap(view_.base, view_.geometry.size_bytes());
  }
}

void NicAttachment::DrainEvents() const { DrainEvent(peer_event_.get()); }

bool NicAttachment::RingInstance(Ringer ringer) const {
  return WakeInstance(view_.header(), instance_event_.get(), ringer);
}

}  // namespace junction
