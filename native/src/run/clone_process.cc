// SPDX-License-Identifier: Apache-2.0
// The monitor's side of base/clone_protocol.h.
#include "run/clone_process.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <time.h>

#include <cerrno>
#include <cstring>

#include "base/clone_protocol.h"

namespace junction {
namespace {

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
    case CloneStep::kNic:
      return "take up its NIC";
  }
  return "do what is unknown";
}

Error ToError(const RequestMessage& message) {
  std::string where = message.value > 0 ? " (descriptor " + std::to_string(message.value) + ")" : "";
  if (message.answer == RequestAnswer::kRefused) {
    return {EBUSY, std::string("the template cannot be cloned now: ") +
                       Text(static_cast<CloneRefusal>(message.reason)) + where};
  }
  return {-message.error, std::string("the clone failed to ") + Text(static_cast<CloneStep>(message.reason)) + where +
                              ": " + strerror(-message.error)};
}

// The other side has closed; what it said before can still be received.
bool IsClosed(const Error& error) { return error.code == EPIPE || error.code == ECONNRESET; }

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

// struct pidfd_info of Linux 6.15 (include/uapi/linux/pidfd.h), newer than Debian 12's headers.
struct PidfdInfo {
  uint64_t mask;
  uint64_t cgroup_id;
  uint32_t ids[11];
  int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr uint64_t kPidfdInfoExit = 8;

static_assert(kCloneMaxNicPorts == kMaxNicPorts);

}  // namespace

Result<CloneRequest> CloneRequest::Prepare(const RunningInstance& from, const std::vector<std::string>& cgroup_dirs) {
  auto prepared = KernelRequest::Prepare(from, RequestKind::kClone);
  if (!prepared) {
    return std::unexpected(prepared.error());
  }
  CloneRequest request(std::move(*prepared));
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
  return request;
}

Result<void> CloneRequest::SendOrder(int control_fd, const UniqueFd (&output)[2], const NicDescriptors& nic) const {
  const bool has_nic = nic.geometry.is_valid();
  const CloneOrder order = {.magic = kRequestMagic,
                            .cgroup_count = static_cast<uint32_t>(cgroups_.size()),
                            .nic_port_count = has_nic ? nic.geometry.port_count : 0,
                            .nic_queue_pair_count = has_nic ? nic.geometry.queue_pair_count : 0};
  std::vector<int> fds = {control_fd, output[0].get(), output[1].get()};
  for (const UniqueFd& fd : cgroups_) {
    fds.push_back(fd.get());
  }
  if (has_nic) {
    fds.insert(fds.end(), {nic.memory, nic.instance_event});
    fds.insert(fds.end(), nic.peer_events, nic.peer_events + nic.geometry.port_count);
  }
  return request_.SendOrder(&order, sizeof(order), fds);
}

Result<GuestProcess> CloneRequest::Start(const RunningInstance& from, const ControlFile& control,
                                         const UniqueFd (&output)[2], const NicDescriptors& nic) {
  NoteAsked(control);
  if (auto sent = request_.Send(from, "the template was not idle within 10 s"); !sent) {
    return std::unexpected(sent.error());
  }
  // At once, without the template's answer: most often it forks already.
  if (auto sent = SendOrder(control.fd.get(), output, nic); !sent && !IsClosed(sent.error())) {
    return std::unexpected(sent.error());
  }
  constexpr int kMostMessages = 2;
  for (int i = 0; i < kMostMessages; ++i) {
    auto received = request_.Receive(from, "the clone did not run within 10 s");
    if (!received) {
      return std::unexpected(received.error());
    }
    const RequestAnswer answer = received->message.answer;
    if (answer == RequestAnswer::kAccepted) {
      continue;
    }
    if (answer != RequestAnswer::kRunning) {
      return std::unexpected(ToError(received->message));
    }
    if (!received->pid_fd.valid() || received->pid <= 0) {
      return PlainError("the host does not tell who the clone is");
    }
    GuestProcess guest;
    guest.pid = received->pid;
    guest.pid_fd = std::move(received->pid_fd);
    guest.lifeline = request_.TakeConnection();
    return guest;
  }
  return PlainError("the template does not keep to the protocol");
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
