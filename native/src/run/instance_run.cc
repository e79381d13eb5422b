// SPDX-License-Identifier: Apache-2.0
#include "run/instance_run.h"

#include <fcntl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <latch>
#include <optional>
#include <thread>
#include <utility>

#include "run/added_process.h"
#include "run/clone_process.h"
#include "run/control_file.h"
#include "run/env_file.h"
#include "run/guest_identity.h"
#include "run/guest_process.h"
#include "run/listen_watcher.h"
#include "run/made_filters.h"
#include "run/monitor.h"
#include "run/running_instance.h"
#include "run/seccomp_filter.h"
#include "run/user_namespace.h"

namespace junction {
namespace {

constexpr char kDefaultHostname[] = "junction";
constexpr char kDefaultPath[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr int kPassedSignals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

Result<std::vector<std::string>> GuestEnvironment(const RunOptions& options) {
  std::vector<std::string> env = options.env;
  if (!options.env_file.empty()) {
    auto more = ReadEnvFile(options.env_file);
    if (!more) {
      return more;
    }
    env.insert(env.end(), more->begin(), more->end());
  }
  if (std::none_of(env.begin(), env.end(), [](const std::string& entry) { return entry.starts_with("PATH="); })) {
    env.push_back(kDefaultPath);
  }
  return env;
}

// Blocks the signals that are passed on to the guest; they are read from the descriptor instead.
Result<UniqueFd> TakeSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : kPassedSignals) {
    sigaddset(&set, number);
  }
  UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid() || sigprocmask(SIG_BLOCK, &set, nullptr) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
    return ErrnoError("signals");
  }
  return fd;
}

Result<void> MakeOutputPipe(UniqueFd& read_end, UniqueFd& write_end) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) {
    return ErrnoError("pipe");
  }
  read_end.Reset(fds[0]);
  write_end.Reset(fds[1]);
  if (fcntl(fds[0], F_SETFL, O_NONBLOCK) != 0) {
    return ErrnoError("pipe");
  }
  return {};
}

// The log and the pipes into it; nothing in the foreground.
Result<void> PrepareOutput(const RunOptions& options, MonitorPlan& monitor, UniqueFd (&guest_output)[2]) {
  if (options.instance_dir.empty()) {
    return {};
  }
  // What an earlier start left must not be taken for this one's. And a rename onto nothing is quick, whereas ext4 flushes
  // the new file when it replaces one (1.4 ms were measured).
  unlink((options.instance_dir + "/status.json").c_str());
  auto log = LogWriter::Open(options.instance_dir, options.log_max_bytes);
  if (!log) {
    return std::unexpected(log.error());
  }
  monitor.log.emplace(std::move(*log));
  for (size_t i = 0; i < 2; ++i) {
    if (auto made = MakeOutputPipe(monitor.output[i], guest_output[i]); !made) {
      return made;
    }
  }
  return {};
}

RootPlan PlanRoot(const JunctionConfig& config, const RunOptions& options, int user_namespace_fd) {
  RootPlan root;
  root.chroot_path = options.chroot_path;
  root.is_read_only = options.has_read_only_root;
  root.scratch_max_bytes = options.scratch_max_bytes;
  root.uid_base = options.uid_base;
  root.user_namespace_fd = user_namespace_fd;
  root.core_limit = config.kthreads;
  root.hostname = options.hostname.empty() ? kDefaultHostname : options.hostname;
  root.hosts = options.hosts;
  root.resolv_conf = options.resolv_conf;
  root.mounts = options.mounts;
  if (!options.control_path.empty()) {
    root.mounts.push_back({.host_path = options.control_path, .guest_path = kGuestControlPath, .is_read_only = false});
  }
  if (!options.plan_dir.empty()) {
    root.mounts.push_back({.host_path = options.plan_dir, .guest_path = kGuestPlanPath, .is_read_only = true});
  }
  root.cwd = options.cwd;
  root.uid = options.uid;
  root.gid = options.gid;
  return root;
}

// The control block at a place where junctiond finds it, for the guest's user to open by its mount in the sandbox.
// Junction's spinning kthreads look at the NIC without end. Ours do so for longer than the others, but still only while it mostly pays: a
// machine of few cores has none to give away.
ControlSettings ControlSettingsOf(const JunctionConfig& config, const RunOptions& options) {
  constexpr uint32_t kLongSpin_us = 10'000;
  return {.core_limit = config.kthreads,
          .has_strace = options.has_strace,
          .spin_us = config.spinning_kthreads > 0 ? kLongSpin_us : 0};
}

Result<ControlFile> MakeSharedControl(const RunOptions& options, const ControlSettings& settings,
                                      const GuestOwner& owner) {
  auto control = CreateControlFile(options.control_path, settings);
  if (control && fchown(control->fd.get(), owner.host_uid, owner.host_gid) != 0) {
    return ErrnoError(options.control_path);
  }
  return control;
}

// From here on the monitor is left with no more than it needs.
Result<void> ConfineMonitor() {
  if (auto kept = KeepOnlyKillCapability(); !kept) {
    return kept;
  }
  return InstallSeccompFilter(MonitorFilter(), true);
}

// The thread that reports listening ports, if anybody wants to know.
Result<void> StartListenWatcher(const RunOptions& options, const IdRange& ids, const ControlFile& control,
                                const Notifier& notifier) {
  if (!notifier.is_wanted() || control.block == nullptr) {
    return {};
  }
  std::optional<ListenerOwner> owner;
  if (!options.links) {
    auto opened = ListenerOwner::Open();
    if (!opened) {
      return std::unexpected(opened.error());
    }
    owner.emplace(std::move(*opened));
  }
  ListenWatcher watcher(options.name, control, ids, std::move(owner), notifier);
  // The monitor's filter admits no start of a thread, so this one must be under way before.
  std::latch is_running(1);
  // It lives as long as the process: junction_run leaves by _exit.
  std::thread([watcher = std::move(watcher), &is_running]() mutable {
    is_running.count_down();
    watcher.Run();
  }).detach();
  is_running.wait();
  return {};
}

MonitorPlan PlanMonitor(const RunOptions& options) {
  return {.instance_id = options.name,
          .instance_dir = options.instance_dir,
          .owner = {.uid_base = options.uid_base,
                    .host_uid = options.uid_base + options.uid,
                    .host_gid = options.uid_base + options.gid},
          .log = std::nullopt,
          .output = {},
          .signals = {},
          .control_fd = -1,
          .is_addition = !options.add_to.empty(),
          .prints_stats = options.has_stats,
          .oom_count = OomCount(options.cgroup_dirs),
          .nic = {},
          .links_path = options.links_path};
}

// The guest is there: records that and watches it to its end.
Result<int> Watch(const RunOptions& options, const IdRange& ids, MonitorPlan plan, const ControlFile& control,
                  const GuestProcess& guest) {
  const Notifier notifier(options.notify_path);
  Monitor monitor(std::move(plan), guest, notifier);
  monitor.ReportStart(UnixTime_ns());
  if (auto started = StartListenWatcher(options, ids, control, notifier); !started) {
    return std::unexpected(started.error());
  }
  monitor.RecordStatus();
  if (auto confined = ConfineMonitor(); !confined) {
    return std::unexpected(confined.error());
  }
  return monitor.WaitForEnd();
}

// The NIC, and the network namespace that goes with it.
Result<void> PrepareNic(const JunctionConfig& config, const RunOptions& options, MonitorPlan& monitor,
                        GuestPlan& guest) {
  auto nic = MakeInstanceNic(config, options);
  if (!nic) {
    return std::unexpected(nic.error());
  }
  monitor.nic = std::move(*nic);
  guest.nic = monitor.nic.descriptors();
  if (!options.netns_path.empty()) {
    guest.network_namespace.Reset(open(options.netns_path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!guest.network_namespace.valid()) {
      return ErrnoError(options.netns_path);
    }
  }
  return {};
}

Result<int> RunFromProgram(const JunctionConfig& config, const RunOptions& options) {
  GuestPlan guest_plan;
  MonitorPlan monitor_plan = PlanMonitor(options);
  auto env = GuestEnvironment(options);
  if (!env) {
    return std::unexpected(env.error());
  }
  auto signals = TakeSignals();
  if (!signals) {
    return std::unexpected(signals.error());
  }
  monitor_plan.signals = std::move(*signals);
  if (auto prepared = PrepareOutput(options, monitor_plan, guest_plan.output); !prepared) {
    return std::unexpected(prepared.error());
  }
  const ControlSettings settings = ControlSettingsOf(config, options);
  ControlFile control;
  if (!options.control_path.empty()) {
    auto made = MakeSharedControl(options, settings, monitor_plan.owner);
    if (!made) {
      return std::unexpected(made.error());
    }
    control = std::move(*made);
    monitor_plan.control_fd = control.fd.get();
  }
  if (auto prepared = PrepareNic(config, options, monitor_plan, guest_plan); !prepared) {
    return std::unexpected(prepared.error());
  }
  if (!options.mntns_path.empty()) {
    guest_plan.mount_namespace.Reset(open(options.mntns_path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!guest_plan.mount_namespace.valid()) {
      return ErrnoError(options.mntns_path);
    }
  }
  auto user_namespace = UserNamespace::Make({.first_host_id = options.uid_base});
  if (!user_namespace) {
    return std::unexpected(user_namespace.error());
  }
  guest_plan.root = PlanRoot(config, options, user_namespace->fd());
  guest_plan.root.empty_namespace_fd = guest_plan.mount_namespace.get();
  guest_plan.control = control.block;
  guest_plan.control_settings = settings;
  guest_plan.cgroup_dirs = options.cgroup_dirs;
  guest_plan.filter = GuestFilter(options.links.has_value());
  guest_plan.has_patch_plans = !options.plan_dir.empty();
  guest_plan.argv = options.program;
  guest_plan.env = std::move(*env);
  NoteAsked(control);
  const auto guest = StartGuest(guest_plan);
  if (!guest) {
    return std::unexpected(guest.error());
  }
  user_namespace->Reap();
  for (UniqueFd& fd : guest_plan.output) {
    fd.Reset();
  }
  return Watch(options, {.first_host_id = options.uid_base}, std::move(monitor_plan), control, *guest);
}

// In the foreground a clone has the caller's stdout and stderr.
Result<void> PrepareCloneOutput(const RunOptions& options, MonitorPlan& monitor, UniqueFd (&output)[2]) {
  if (!options.instance_dir.empty()) {
    return PrepareOutput(options, monitor, output);
  }
  output[0].Reset(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  output[1].Reset(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
  return output[0].valid() && output[1].valid() ? Result<void>{} : ErrnoError("stdout and stderr");
}

// All that can be made before is, so that the clone need not wait for it.
Result<int> RunAsClone(const JunctionConfig& config, const RunOptions& options) {
  const auto from = FindRunningInstance(options.clone_of);
  if (!from) {
    return std::unexpected(from.error());
  }
  MonitorPlan monitor_plan = PlanMonitor(options);
  monitor_plan.owner = {.uid_base = from->uid_base, .host_uid = from->host_uid, .host_gid = from->host_gid};
  auto signals = TakeSignals();
  if (!signals) {
    return std::unexpected(signals.error());
  }
  monitor_plan.signals = std::move(*signals);
  UniqueFd output[2];
  if (auto prepared = PrepareCloneOutput(options, monitor_plan, output); !prepared) {
    return std::unexpected(prepared.error());
  }
  const auto control = MakeSharedControl(options, ControlSettingsOf(config, options), monitor_plan.owner);
  if (!control) {
    return std::unexpected(control.error());
  }
  monitor_plan.control_fd = control->fd.get();
  if (from->has_nic != options.links.has_value()) {
    return PlainError(from->has_nic ? "the template has a NIC: its clones need --links"
                                    : "--links: the template has no NIC");
  }
  auto nic = MakeInstanceNic(config, options);
  if (!nic) {
    return std::unexpected(nic.error());
  }
  monitor_plan.nic = std::move(*nic);
  auto request = CloneRequest::Prepare(*from, options.cgroup_dirs);
  if (!request) {
    return std::unexpected(request.error());
  }
  const auto guest = request->Start(*from, *control, output, monitor_plan.nic.descriptors());
  if (!guest) {
    return std::unexpected(guest.error());
  }
  for (UniqueFd& fd : output) {
    fd.Reset();
  }
  return Watch(options, {.first_host_id = from->uid_base}, std::move(monitor_plan), *control, *guest);
}

}  // namespace

Result<int> RunInstance(const JunctionConfig& config, const RunOptions& options) {
  return options.clone_of.empty() ? RunFromProgram(config, options) : RunAsClone(config, options);
}

Result<int> RunAddition(const RunOptions& options) {
  const auto instance = FindRunningInstance(options.add_to);
  if (!instance) {
    return std::unexpected(instance.error());
  }
  MonitorPlan monitor_plan = PlanMonitor(options);
  auto env = GuestEnvironment(options);
  if (!env) {
    return std::unexpected(env.error());
  }
  auto signals = TakeSignals();
  if (!signals) {
    return std::unexpected(signals.error());
  }
  monitor_plan.signals = std::move(*signals);
  const auto guest = StartAddition(
      *instance,
      {.cwd = options.cwd, .argv = options.program, .env = std::move(*env), .has_stdio = options.has_attach});
  if (!guest) {
    if (guest.error().exit_status == kOwnFailureStatus) {
      return std::unexpected(guest.error().error);
    }
    RecordFailure(options, guest.error().error, guest.error().exit_status);
    return guest.error().exit_status;
  }
  return Watch(options, {}, std::move(monitor_plan), ControlFile{}, *guest);
}

void RecordFailure(const RunOptions& options, const Error& error, int exit_status) {
  const std::string line = "junction_run: " + error.message + "\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
  const uint64_t now_ns = UnixTime_ns();
  InstanceStatus status;
  status.monitor_pid = getpid();
  status.monitor_start_time_ticks = StartTimeTicks(status.monitor_pid).value_or(0);
  status.started_at_ns = now_ns;
  status.exit = GuestExit{.exit_code = exit_status, .exited_at_ns = now_ns, .error = error.message};
  if (!options.instance_dir.empty()) {
    // A failure to write it is told by the same exit status and message that the caller gets anyway.
    (void)WriteStatusFile(options.instance_dir, status);
  }
  Notifier(options.notify_path).Send(ExitedEvent(options.name, status, !options.add_to.empty()));
}

}  // namespace junction
