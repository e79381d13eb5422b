// SPDX-License-Identifier: Apache-2.0
#include "run/guest_process.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/short_slice.h"
#include "loader/program.h"
#include "run/guest_identity.h"
#include "run/user_namespace.h"

extern char** environ;

namespace junction {
namespace {

constexpr uint64_t kNamespaces = CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
constexpr int kFirstFreeFd = 3;

// The v2 folder that the child can be born in, -1 if there is none: moving a process later costs an RCU grace period
// (7 ms were measured).
UniqueFd OpenUnifiedCgroup(const std::vector<std::string>& dirs) {
  for (const std::string& dir : dirs) {
    struct statfs info{};
    if (statfs(dir.c_str(), &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC) {
      return UniqueFd(open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
  }
  return UniqueFd();
}

Result<void> JoinCgroups(const std::vector<std::string>& dirs, bool has_joined_unified) {
  for (const std::string& dir : dirs) {
    struct statfs info{};
    if (statfs(dir.c_str(), &info) != 0) {
      return ErrnoError(dir);
    }
    const bool is_unified = info.f_type == CGROUP2_SUPER_MAGIC;
    if (is_unified && has_joined_unified) {
      continue;
    }
    // v1: a single thread that moves itself by "tasks" needs no lock over all threads, which costs that grace period.
    const std::string file = dir + (is_unified ? "/cgroup.procs" : "/tasks");
    const UniqueFd fd(open(file.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid() || write(fd.get(), "0", 1) != 1) {
      return ErrnoError("join cgroup " + file);
    }
  }
  // A view of its own: /proc/self/cgroup then does not tell where on the host the instance is.
  if (unshare(CLONE_NEWCGROUP) != 0) {
    return ErrnoError("cgroup namespace");
  }
  return {};
}

// Those that a parent may have told us to ignore, which even exec keeps so. Handlers we have none.
constexpr int kPossiblyIgnored[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGPIPE, SIGALRM, SIGTERM, SIGUSR1,  SIGUSR2, SIGCHLD,
                                    SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG,  SIGXFSZ, SIGWINCH, SIGIO};

void ResetSignals() {
  for (const int number : kPossiblyIgnored) {
    signal(number, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// The monitor's environment is not the guest's: it is wiped from the memory that the guest could read.
void WipeEnvironment() {
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    explicit_bzero(*entry, std::strlen(*entry));
  }
  environ = nullptr;
}

Result<void> ConnectOutput(const GuestPlan& plan) {
  if (!plan.output[0].valid()) {
    return {};
  }
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null.valid() || dup2(null.get(), STDIN_FILENO) < 0 || dup2(plan.output[0].get(), STDOUT_FILENO) < 0 ||
      dup2(plan.output[1].get(), STDERR_FILENO) < 0) {
    return ErrnoError("connect the guest's output");
  }
  setsid();  // fails for a leader, who has one already
  return {};
}

// Everything above stdio but `kept` and the NIC's.
Result<void> CloseInherited(int kept, const NicDescriptors& nic) {
  std::vector<int> stay = {kept};
  if (nic.geometry.is_valid()) {
    stay.insert(stay.end(), {nic.memory, nic.instance_event});
    stay.insert(stay.end(), nic.peer_events, nic.peer_events + nic.geometry.port_count);
  }
  std::sort(stay.begin(), stay.end());
  int next = kFirstFreeFd;
  for (const int fd : stay) {
    if (fd > next && close_range(static_cast<unsigned>(next), static_cast<unsigned>(fd) - 1, 0) != 0) {
      return ErrnoError("close inherited descriptors");
    }
    next = fd + 1;
  }
  if (close_range(static_cast<unsigned>(next), ~0U, 0) != 0) {
    return ErrnoError("close inherited descriptors");
  }
  return {};
}

// With a NIC nothing of the host's network is left: no addresses, not even loopback, no abstract unix sockets.
Result<void> LeaveHostNetwork(const GuestPlan& plan) {
  if (!plan.nic.geometry.is_valid()) {
    return {};
  }
  const int result =
      plan.network_namespace.valid() ? setns(plan.network_namespace.get(), CLONE_NEWNET) : unshare(CLONE_NEWNET);
  return result == 0 ? Result<void>{} : ErrnoError("network namespace");
}

void PrintWarnings(const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) {
    const std::string line = "junction_run: " + warning + "\n";
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
  }
}

// The guest's own control block where the host wants none, at the place where the host's would be mounted.
Result<ControlBlock*> OpenControl(const GuestPlan& plan) {
  if (plan.control != nullptr) {
    return plan.control;
  }
  auto file = CreateControlFile(kGuestControlPath, plan.control_settings);
  if (!file) {
    return std::unexpected(file.error());
  }
  if (fchown(file->fd.get(), plan.root.uid_base + plan.root.uid, plan.root.uid_base + plan.root.gid) != 0) {
    return ErrnoError(kGuestControlPath);
  }
  return file->block;
}

// PR_SET_PDEATHSIG tells of a death from now on; this tells of an earlier one: a pipe that nobody can read.
Result<void> CheckMonitorLives(int faults_fd) {
  pollfd state = {.fd = faults_fd, .events = 0, .revents = 0};
  if (poll(&state, 1, 0) != 0) {
    return PlainError("the monitor is gone");
  }
  return {};
}

// The way from a fork of junction_run to a process that can do no more than a guest may. Each step is the last one that
// has the privilege it needs.
Result<ControlBlock*> SetUpGuest(const GuestPlan& plan, bool has_joined_unified, int faults_fd) {
  ResetSignals();
  if (auto joined = JoinCgroups(plan.cgroup_dirs, has_joined_unified); !joined) {
    return std::unexpected(joined.error());
  }
  if (auto left = LeaveHostNetwork(plan); !left) {
    return std::unexpected(left.error());
  }
  std::vector<std::string> warnings;
  if (auto entered = EnterRoot(plan.root, warnings); !entered) {
    return std::unexpected(entered.error());
  }
  PrintWarnings(warnings);
  const auto control = OpenControl(plan);
  if (!control) {
    return control;
  }
  if (auto connected = ConnectOutput(plan); !connected) {
    return std::unexpected(connected.error());
  }
  const GuestIdentity identity = {
      .user_namespace_fd = plan.root.user_namespace_fd, .uid = plan.root.uid, .gid = plan.root.gid};
  if (auto become = BecomeGuest(identity); !become) {
    return std::unexpected(become.error());
  }
  if (auto lives = CheckMonitorLives(faults_fd); !lives) {
    return std::unexpected(lives.error());
  }
  if (plan.nic.geometry.is_valid()) {
    RequestShortSlice();
  }
  if (auto closed = CloseInherited(faults_fd, plan.nic); !closed) {
    return std::unexpected(closed.error());
  }
  WipeEnvironment();
  if (auto installed = InstallSeccompFilter(plan.filter, false); !installed) {
    return std::unexpected(installed.error());
  }
  return control;
}

[[noreturn]] void RunGuest(const GuestPlan& plan, bool has_joined_unified, int faults_fd) {
  const auto control = SetUpGuest(plan, has_joined_unified, faults_fd);
  if (!control) {
    const std::string& message = control.error().message;
    [[maybe_unused]] const ssize_t written = write(faults_fd, message.data(), message.size());
    _exit(kOwnFailureStatus);
  }
  // From here on the monitor passes signals on. They wait until the Junction kernel has its handlers: pid 1 would ignore them.
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  close(faults_fd);
  RunProgram({.path = plan.argv[0],
              .argv = plan.argv,
              .env = plan.env,
              .control = *control,
              .control_path = kGuestControlPath,
              .plan_path = plan.has_patch_plans ? kGuestPlanPath : "",
              .signal_mask = 0,
              .nic = plan.nic.geometry.is_valid() ? &plan.nic : nullptr});
}

}  // namespace

Result<GuestProcess> StartGuest(const GuestPlan& plan) {
  int faults[2];
  if (pipe2(faults, O_CLOEXEC) != 0) {
    return ErrnoError("pipe");
  }
  GuestProcess guest;
  guest.faults.Reset(faults[0]);
  const UniqueFd faults_write(faults[1]);
  const UniqueFd cgroup = OpenUnifiedCgroup(plan.cgroup_dirs);
  int pid_fd = -1;
  clone_args args{};
  args.flags = kNamespaces | CLONE_PIDFD | (cgroup.valid() ? CLONE_INTO_CGROUP : 0) |
               (plan.mount_namespace.valid() ? 0 : CLONE_NEWNS);
  args.pidfd = reinterpret_cast<uint64_t>(&pid_fd);
  args.exit_signal = SIGCHLD;
  args.cgroup = cgroup.valid() ? static_cast<uint64_t>(cgroup.get()) : 0;
  // Not fork(): glibc's knows neither namespaces nor process descriptors. We have one thread, so nothing of libc's is
  // held by another, and the child makes no use of its cached thread id.
  guest.pid = static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof(args)));
  if (guest.pid < 0) {
    return ErrnoError("start the guest's process");
  }
  if (guest.pid == 0) {
    guest.faults.Reset();
    RunGuest(plan, cgroup.valid(), faults_write.get());
  }
  guest.pid_fd.Reset(pid_fd);
  return guest;
}

}  // namespace junction
