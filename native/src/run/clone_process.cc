// SPDX-License-Identifier: Apache-2.0
// The monitor's side of base/clone_protocol.h. Read first: unix(7) on SO_PEERCRED, SO_PASSPIDFD and abstract sockets, sigqueue(3).
#include "run/clone_process.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <time.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/clone_protocol.h"

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

namespace junction {
namespace {

constexpr int kIdlePatience_ms = 10'000;  // for the template to become idle
constexpr int kCopyPatience_ms = 10'000;  // for the clone to run

const char* Text(CloneRefusal refusal) {
  switch (refusal) {
    case CloneRefusal::kNone:
      break;
    case CloneRefusal::kNoLandlock:
      return "the host keeps clones not apart (Landlock with signal scopes: Linux 6.12)";
    case CloneRefusal::kIsClone:
      return "it is a clone itself";
    case CloneRefusal::kSeveralProcesses:
      return "it has more than one process";
    case CloneRefusal::kConnectedSocket:
      return "it has a connected socket";
    case CloneRefusal::kOtherDescriptor:
      return "it has a descriptor that cannot be made anew";
    case CloneRefusal::kDescriptorsInFlight:
      return "descriptors wait in its unix sockets";
    case CloneRefusal::kSystemVMemory:
      return "it has System V shared memory";
    case CloneRefusal::kTooMuchSharedMemory:
      return "it has too much shared memory";
    case CloneRefusal::kMemoryFile:
      return "it has a memory file open";
    case CloneRefusal::kBusyMemory:
      return "its mappings are being changed";
  }
  return "for no known reason";
}

const char* Text(CloneStep step) {
  switch (step) {
    case CloneStep::kFork:
      return "fork";
    case CloneStep::kOrder:
      return "receive the order";
    case CloneStep::kCgroup:
      return "join the cgroup";
    case CloneStep::kArena:
      return "copy the arena";
    case CloneStep::kSharedMemory:
      return "copy shared memory";
    case CloneStep::kControl:
      return "map the control block";
    case CloneStep::kDescriptor:
      return "renew a descriptor";
    case CloneStep::kSocket:
      return "renew a socket";
    case CloneStep::kIsolation:
      return "shut itself off";
    case CloneStep::kAttach:
      return "attach";
  }
  return "do what is unknown";
}

Error ToError(const CloneMessage& message) {
  std::string where = message.value > 0 ? " (descriptor " + std::to_string(message.value) + ")" : "";
  if (message.answer == CloneAnswer::kRefused) {
    return {EBUSY, std::string("the template cannot be cloned now: ") +
                       Text(static_cast<CloneRefusal>(message.reason)) + where};
  }
  return {-message.error, std::string("the clone failed to ") + Text(static_cast<CloneStep>(message.reason)) + where +
                              ": " + strerror(-message.error)};
}

int64_t Now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

// Waits until `fd` has something. Fails at the deadline, or when the template has died.
Result<void> Await(int fd, const TemplateInstance& from, int64_t deadline_ms, const char* what) {
  for (;;) {
    pollfd fds[] = {{.fd = fd, .events = POLLIN, .revents = 0},
                    {.fd = from.pid_fd.get(), .events = POLLIN, .revents = 0}};
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
      return PlainError("the template has ended");
    }
  }
}

Result<UniqueFd> OpenCgroup(const std::string& dir) {
  struct statfs info{};
  if (statfs(dir.c_str(), &info) != 0) {
    return ErrnoError(dir);
  }
  // As in guest_process.cc: a thread that moves itself by v1's "tasks" pays no grace period.
  const std::string file = dir + (info.f_type == CGROUP2_SUPER_MAGIC ? "/cgroup.procs" : "/tasks");
  UniqueFd fd(open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) {
    return ErrnoError("open " + file);
  }
  return fd;
}

// A message, and by whom if descriptors may come with it.
struct Received {
  CloneMessage message{};
  pid_t pid = -1;
  UniqueFd pid_fd;
};

Result<Received> Receive(int connection) {
  Received received;
  iovec vector = {.iov_base = &received.message, .iov_len = sizeof(received.message)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int))];
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  const ssize_t size = recvmsg(connection, &header, MSG_CMSG_CLOEXEC);
  if (size < 0) {
    return ErrnoError("receive from the clone");
  }
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
  if (size == 0) {
    return PlainError("the clone died before it ran");
  }
  if (size != sizeof(received.message) || received.message.magic != kCloneMagic) {
    return PlainError("no message of the clone protocol");
  }
  return received;
}

// struct pidfd_info of Linux 6.15 (include/uapi/linux/pidfd.h), newer than Debian 12's headers.
struct PidfdInfo {
  uint64_t mask;
  uint64_t cgroup_id;
  uint32_t ids[11];
  int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr uint64_t kPidfdInfoExit = 8;

}  // namespace

Result<CloneRequest> CloneRequest::Prepare(const std::vector<std::string>& cgroup_dirs) {
  CloneRequest request;
  if (cgroup_dirs.size() > kCloneMaxCgroups) {
    return PlainError("a clone joins at most " + std::to_string(kCloneMaxCgroups) + " cgroups");
  }
  for (const std::string& dir : cgroup_dirs) {
    auto fd = OpenCgroup(dir);
    if (!fd) {
      return std::unexpected(fd.error());
    }
    request.cgroups_.push_back(std::move(*fd));
  }
  while (request.id_ == 0) {
    if (getrandom(&request.id_, sizeof(request.id_), 0) != sizeof(request.id_)) {
      return ErrnoError("random number");
    }
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const int length = snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s%016llx", kCloneSocketPrefix,
                              static_cast<unsigned long long>(request.id_));
  request.listener_.Reset(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!request.listener_.valid() ||
      bind(request.listener_.get(), reinterpret_cast<const sockaddr*>(&address),
           static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + static_cast<size_t>(length))) != 0 ||
      listen(request.listener_.get(), 8) != 0) {
    return ErrnoError("socket for the clone");
  }
  return request;
}

Result<UniqueFd> CloneRequest::AcceptFrom(const TemplateInstance& from) {
  const int64_t deadline_ms = Now_ms() + kIdlePatience_ms;
  for (;;) {
    if (auto there = Await(listener_.get(), from, deadline_ms, "the template was not idle within 10 s"); !there) {
      return std::unexpected(there.error());
    }
    UniqueFd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    ucred peer{};
    socklen_t size = sizeof(peer);
    // Anybody on the host can find the name; only the template's process counts.
    if (connection.valid() && getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
        peer.pid == from.pid) {
      return connection;
    }
  }
}

Result<void> CloneRequest::SendOrder(int connection, int control_fd, const UniqueFd (&output)[2]) {
  CloneOrder order = {.magic = kCloneMagic, .cgroup_count = static_cast<uint32_t>(cgroups_.size())};
  int fds[kCloneMaxDescriptors] = {control_fd, output[0].get(), output[1].get()};
  size_t count = kCloneFixedDescriptors;
  for (const UniqueFd& fd : cgroups_) {
    fds[count++] = fd.get();
  }
  iovec vector = {.iov_base = &order, .iov_len = sizeof(order)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(fds))] = {};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = CMSG_SPACE(count * sizeof(int));
  cmsghdr* const part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(count * sizeof(int));
  std::memcpy(CMSG_DATA(part), fds, count * sizeof(int));
  if (sendmsg(connection, &header, MSG_NOSIGNAL) != sizeof(order)) {
    return ErrnoError("send the order to the clone");
  }
  return {};
}

Result<GuestProcess> CloneRequest::Start(const TemplateInstance& from, const ControlFile& control,
                                         const UniqueFd (&output)[2]) {
  NoteAsked(control);
  siginfo_t info{};
  info.si_signo = kCloneSignal;
  info.si_code = SI_QUEUE;
  info.si_value.sival_ptr = reinterpret_cast<void*>(id_);
  if (syscall(SYS_pidfd_send_signal, from.pid_fd.get(), kCloneSignal, &info, 0) != 0) {
    return ErrnoError("signal the template");
  }
  auto connection = AcceptFrom(from);
  if (!connection) {
    return std::unexpected(connection.error());
  }
  const int on = 1;
  if (setsockopt(connection->get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0 ||
      setsockopt(connection->get(), SOL_SOCKET, SO_PASSPIDFD, &on, sizeof(on)) != 0) {
    return ErrnoError("credentials of the clone");
  }
  // At once, without the template's answer: most often it forks already.
  if (auto sent = SendOrder(connection->get(), control.fd.get(), output); !sent && sent.error().code != EPIPE) {
    return std::unexpected(sent.error());
  }
  const int64_t deadline_ms = Now_ms() + kCopyPatience_ms;
  for (;;) {
    if (auto there = Await(connection->get(), from, deadline_ms, "the clone did not run within 10 s"); !there) {
      return std::unexpected(there.error());
    }
    auto received = Receive(connection->get());
    if (!received) {
      return std::unexpected(received.error());
    }
    const CloneAnswer answer = received->message.answer;
    if (answer == CloneAnswer::kAccepted) {
      continue;
    }
    if (answer != CloneAnswer::kRunning) {
      return std::unexpected(ToError(received->message));
    }
    if (!received->pid_fd.valid() || received->pid <= 0) {
      return PlainError("the host does not tell who the clone is");
    }
    GuestProcess guest;
    guest.pid = received->pid;
    guest.pid_fd = std::move(received->pid_fd);
    guest.lifeline = std::move(*connection);
    return guest;
  }
}

std::optional<int> ExitStatusOf(int pid_fd) {
  // The end is seen when the process is a zombie; the host tells the status once its parent, the template, has reaped it.
  constexpr timespec kPause = {.tv_sec = 0, .tv_nsec = 200'000};
  constexpr int kTries = 250;
  for (int i = 0; i < kTries; ++i) {
    PidfdInfo info{};
    info.mask = kPidfdInfoExit;
    if (ioctl(pid_fd, kPidfdGetInfo, &info) == 0) {
      if ((info.mask & kPidfdInfoExit) != 0) {
        return info.exit_code;
      }
    } else if (errno != ESRCH) {
      return std::nullopt;
    }
    clock_nanosleep(CLOCK_MONOTONIC, 0, &kPause, nullptr);
  }
  return std::nullopt;
}

}  // namespace junction
