// SPDX-License-Identifier: Apache-2.0
#include "kernel/sockets/fd_transit.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>

#include "kernel/files/file.h"
#include "kernel/process/uproc.h"
#include "uthread/arena.h"
#include "uthread/host_call.h"

namespace junction {
namespace {

/// Instance::fd_transit.
struct FdTransit {
  uint64_t inode;  // of the socket: another process may have an older one
  uint32_t count;  // messages in it
  int64_t last_ticket;
};

FdTransit* Transit() { return static_cast<FdTransit*>(TheInstance().fd_transit); }

uint64_t SocketInode(int32_t fd) {
  struct stat status;
  const bool is_socket = HostCall(SYS_fstat, fd, &status) == 0 && S_ISSOCK(status.st_mode);
  return is_socket ? status.st_ino : 0;
}

// The socket in the process of this kthread (there may be no current thread); -EBADF if it was made after the process.
int64_t TransitFd() {
  const FdTable* const table = reinterpret_cast<UProc*>(CurrentKthread()->group)->files;
  if (Transit() == nullptr || table == nullptr) {
    return -EBADF;
  }
  for (const auto& slot : table->reserved) {
    if (slot.now >= 0 && SocketInode(slot.now) == Transit()->inode) {
      return slot.now;
    }
  }
  return -EBADF;
}

// Closes what this process has from before others made the present one: no other reserved descriptor is a socket.
void ReleaseOld() {
  for (const auto& slot : CurrentProcess().files->reserved) {
    if (slot.now >= 0 && SocketInode(slot.now) != 0) {
      ReleaseReservedHostFd(slot.home);
    }
  }
}

// One message: the ticket, and the descriptor beside it.
class Envelope {
 public:
  Envelope() {
    vector_ = {&ticket_, sizeof(ticket_)};
    header_.msg_iov = &vector_;
    header_.msg_iovlen = 1;
    header_.msg_control = control_;
    header_.msg_controllen = sizeof(control_);
  }
  Envelope(const Envelope&) = delete;
  Envelope& operator=(const Envelope&) = delete;

  int64_t Send(int64_t transit_fd, int64_t ticket, int32_t fd) {
    ticket_ = ticket;
    const cmsghdr control = {CMSG_LEN(sizeof(fd)), SOL_SOCKET, SCM_RIGHTS};
    __builtin_memcpy(control_, &control, sizeof(control));
    __builtin_memcpy(control_ + sizeof(control), &fd, sizeof(fd));
    header_.msg_controllen = CMSG_SPACE(sizeof(fd));
    return HostCall(SYS_sendmsg, transit_fd, &header_, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  /// The descriptor, or -errno; -EMFILE if the process has no room for it.
  int64_t Receive(int64_t transit_fd, bool is_close_on_exec) {
    const int flags = MSG_DONTWAIT | (is_close_on_exec ? MSG_CMSG_CLOEXEC : 0);
    const int64_t result = HostCall(SYS_recvmsg, transit_fd, &header_, flags);
    if (result < 0) {
      return result;
    }
    int32_t fd = -EMFILE;
    if (header_.msg_controllen >= CMSG_LEN(sizeof(fd))) {
      __builtin_memcpy(&fd, control_ + sizeof(cmsghdr), sizeof(fd));
    }
    return fd;
  }
  int64_t ticket() const { return ticket_; }

 private:
  alignas(cmsghdr) uint8_t control_[CMSG_SPACE(sizeof(int32_t))] = {};
  int64_t ticket_ = 0;
  iovec vector_ = {};
  msghdr header_ = {};
};

int64_t MakeSelfConnected() {
  const int64_t fd = HostCall(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    return fd;
  }
  // A name of the host's choice; once connected, the socket takes messages from itself only (unix(7)).
  sockaddr_storage name = {};
  name.ss_family = AF_UNIX;
  uint32_t size = sizeof(name.ss_family);
  int64_t result = HostCall(SYS_bind, fd, &name, size);
  if (result == 0) {
    size = sizeof(name);
    result = HostCall(SYS_getsockname, fd, &name, &size);
  }
  if (result == 0) {
    result = HostCall(SYS_connect, fd, &name, size);
  }
  if (result != 0) {
    HostCall(SYS_close, fd);
    return result;
  }
  return ReserveHostFd(static_cast<int32_t>(fd));
}

}  // namespace

int64_t PrepareFdTransit() {
  if (TransitFd() >= 0) {
    return 0;
  }
  if (Transit() == nullptr) {
    TheInstance().fd_transit = ArenaNew<FdTransit>();
    if (Transit() == nullptr) {
      return -ENOMEM;
    }
  }
  if (Transit()->count != 0) {
    return -EOPNOTSUPP;
  }
  ReleaseOld();
  const int64_t fd = MakeSelfConnected();
  if (fd < 0) {
    return fd;
  }
  Transit()->inode = SocketInode(static_cast<int32_t>(fd));
  return 0;
}

bool HasDescriptorsInTransit() { return Transit() != nullptr && Transit()->count != 0; }

int64_t SendToFdTransit(int32_t fd) {
  if (const int64_t error = PrepareFdTransit(); error != 0) {
    return error;
  }
  const int64_t transit_fd = TransitFd();
  FdTransit& transit = *Transit();
  Envelope envelope;
  const int64_t result = envelope.Send(transit_fd, transit.last_ticket + 1, fd);
  if (result < 0) {
    return result == -EAGAIN ? -ETOOMANYREFS : result;
  }
  ++transit.count;
  return ++transit.last_ticket;
}

int64_t TakeFromFdTransit(int64_t ticket, bool is_close_on_exec) {
  const int64_t transit_fd = TransitFd();
  FdTransit& transit = *Transit();
  if (transit_fd < 0) {
    --transit.count;  // lost: it stays in the socket until the processes that have it end
    return transit_fd;
  }
  // Mostly the first one; what belongs to others goes to the end of the queue.
  for (uint32_t left = transit.count; left > 0; --left) {
    Envelope envelope;
    const int64_t fd = envelope.Receive(transit_fd, is_close_on_exec);
    if (fd == -EAGAIN) {
      transit.count = 0;
      return -EBADF;
    }
    if (envelope.ticket() == ticket || fd < 0) {
      --transit.count;
    }
    if (envelope.ticket() == ticket) {
      return fd;
    }
    if (fd >= 0) {
      Envelope back;
      back.Send(transit_fd, envelope.ticket(), static_cast<int32_t>(fd));
      HostCall(SYS_close, fd);
    }
  }
  return -EBADF;
}

}  // namespace junction
