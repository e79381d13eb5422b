// SPDX-License-Identifier: Apache-2.0
// Starts real instances of sandbox_probe by junction_run. Needs root and the host's cgroups.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>

#include "base/parse_number.h"
#include "base/test_files.h"
#include "nic/attachment.h"
#include "run/instance_fixture.h"

namespace junction {
namespace {

// A root file system with the probe, a configuration, and a folder for the instance.
class SandboxTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(geteuid(), 0) << "these tests make sandboxes: run them as root";
    std::filesystem::create_directories(dir_.File("rootfs/bin"));
    std::filesystem::copy_file(JUNCTION_PROBE, dir_.File("rootfs/bin/probe"));
    std::filesystem::create_directories(dir_.File("instance"));
    dir_.Write("rootfs/data/owned.txt", "image\n");
    ASSERT_EQ(chown(dir_.File("rootfs/data/owned.txt").c_str(), 1000, 1001), 0);
    dir_.Write("rootfs/data/secret.txt", "roots\n", 0600);
    config_ = dir_.Write("config", "runtime_kthreads 1\n");
    ASSERT_EQ(chmod(dir_.path().c_str(), 0755), 0);
    ASSERT_EQ(Instance({JUNCTION_RUN, "--make_mntns", dir_.File("mntns")}, {}).Finish(), 0);
  }

  void TearDown() override { umount2(dir_.File("mntns").c_str(), MNT_DETACH); }

  // As junctiond starts them: from an empty mount namespace.
  std::unique_ptr<Instance> Start(const Args& options, const Args& probe, const Args& env = {}) const {
    Args all = {"--mntns", dir_.File("mntns")};
    all.insert(all.end(), options.begin(), options.end());
    return StartFromHostMounts(all, probe, env);
  }

  std::unique_ptr<Instance> StartFromHostMounts(const Args& options, const Args& probe, const Args& env = {}) const {
    Args args = {JUNCTION_RUN, config_, "--chroot_path", dir_.File("rootfs")};
    args.insert(args.end(), options.begin(), options.end());
    args.insert(args.end(), {"--", "/bin/probe"});
    args.insert(args.end(), probe.begin(), probe.end());
    return std::make_unique<Instance>(args, env);
  }

  // Runs the probe in the foreground to its end and gives its output.
  std::string Output(const Args& options, const Args& probe, const Args& env = {}) const {
    const auto instance = Start(options, probe, env);
    EXPECT_EQ(instance->Finish(), 0) << instance->errors;
    return instance->output;
  }

  std::string Status() const { return Slurp(dir_.File("instance/status.json")); }

  TempDir dir_;
  std::string config_;
};

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

TEST_F(SandboxTest, GivesTheGuestAnIdentityWithoutPrivileges) {
  EXPECT_EQ(Output({}, {"identity"}), "pid 1 uid 0 gid 0 groups 0\nno_new_privs 1 dumpable 1\nbounding set 0\n");
  EXPECT_TRUE(Has(Output({"--uid", "1000", "--gid", "1001"}, {"identity"}), "pid 1 uid 1000 gid 1001 groups 0\n"));
  const std::string status = Output({}, {"read", "/proc/self/status"});
  EXPECT_TRUE(Has(status, "CapPrm:\t0000000000000000\n"));
  EXPECT_TRUE(Has(status, "CapEff:\t0000000000000000\n"));
  EXPECT_TRUE(Has(status, "Seccomp:\t2\n"));
}

TEST_F(SandboxTest, MapsTheImagesOwners) {
  EXPECT_EQ(Output({}, {"stat", "/data/owned.txt"}), "stat /data/owned.txt: 1000 1001 644\n");
  EXPECT_EQ(Output({}, {"stat", "/data/secret.txt"}), "stat /data/secret.txt: 0 0 600\n");
  EXPECT_EQ(Output({}, {"read", "/data/secret.txt"}), "roots\n");
  EXPECT_EQ(Output({"--uid", "1000"}, {"read", "/data/secret.txt"}), "read /data/secret.txt: EACCES\n");
}

TEST_F(SandboxTest, KeepsWhatTheGuestWritesOutOfTheImage) {
  EXPECT_EQ(Output({}, {"write", "/data/new.txt"}), "write /data/new.txt: ok\n");
  EXPECT_EQ(Output({}, {"write", "/data/secret.txt"}), "write /data/secret.txt: ok\n");
  EXPECT_FALSE(std::filesystem::exists(dir_.File("rootfs/data/new.txt")));
  EXPECT_EQ(Slurp(dir_.File("rootfs/data/secret.txt")), "roots\n");
}

TEST_F(SandboxTest, AReadOnlyRootHasAWritableTmp) {
  EXPECT_EQ(Output({"--read_only_root"}, {"write", "/data/new.txt"}), "write /data/new.txt: EROFS\n");
  EXPECT_EQ(Output({"--read_only_root"}, {"write", "/new.txt"}), "write /new.txt: EROFS\n");
  EXPECT_EQ(Output({"--read_only_root"}, {"write", "/tmp/new.txt"}), "write /tmp/new.txt: ok\n");
  EXPECT_EQ(Output({"--read_only_root", "--uid", "5"}, {"write", "/dev/shm/new"}), "write /dev/shm/new: ok\n");
}

TEST_F(SandboxTest, ShowsNothingOfTheHost) {
  EXPECT_EQ(Lines(Output({}, {"list", "/"})), (Args{"bin", "data", "dev", "etc", "proc", "sys", "tmp"}));
  EXPECT_EQ(Lines(Output({}, {"list", "/tmp"})), Args{});
  EXPECT_EQ(Lines(Output({}, {"list", "/dev"})), (Args{"fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr",
                                                       "stdin", "stdout", "tty", "urandom", "zero"}));
  EXPECT_EQ(Output({}, {"read", "/proc/1/../../etc/shadow"}), "read /proc/1/../../etc/shadow: ENOENT\n");
  EXPECT_FALSE(Has(Output({}, {"read", "/proc/self/mountinfo"}), dir_.path()));
  const auto processes = Lines(Output({}, {"list", "/proc"}));
  EXPECT_EQ(std::count_if(processes.begin(), processes.end(),
                          [](const auto& name) { return ParseNumber<int>(name).has_value(); }),
            1);
  EXPECT_EQ(Output({}, {"read", "/proc/cmdline"}), "");
  EXPECT_EQ(Output({}, {"write", "/proc/sys/kernel/core_pattern"}), "write /proc/sys/kernel/core_pattern: EACCES\n");
  EXPECT_EQ(Output({}, {"write", "/sys/new"}), "write /sys/new: EROFS\n");
}

TEST_F(SandboxTest, IsTheSameWhereItsMountsBeginWithTheHosts) {
  const Args probes[] = {{"list", "/"},          {"list", "/.."},           {"list", "/proc/self/root/.."},
                         {"list", "/dev"},       {"list", "/sys"},          {"stat", "/data/owned.txt"},
                         {"stat", "/"},          {"write", "/tmp/new"},     {"write", "/dev/new"},
                         {"read", "/proc/1/ns"}, {"read", "/proc/cmdline"}, {"refused"}};
  for (const Args& probe : probes) {
    const auto from_host = StartFromHostMounts({}, probe);
    const auto from_nothing = Start({}, probe);
    EXPECT_EQ(from_host->Finish(), from_nothing->Finish());
    EXPECT_EQ(Lines(from_host->output), Lines(from_nothing->output)) << probe[0] << ' ' << probe.back();
  }
}

TEST_F(SandboxTest, SeesItsOwnMountsOnly) {
  for (const auto& instance :
       {StartFromHostMounts({}, {"read", "/proc/self/mountinfo"}), Start({}, {"read", "/proc/self/mountinfo"})}) {
    ASSERT_EQ(instance->Finish(), 0) << instance->errors;
    for (const std::string& line : Lines(instance->output)) {
      EXPECT_FALSE(Has(line, "/stage") || Has(line, " / /sys ") || Has(line, dir_.path())) << line;
    }
  }
}

TEST_F(SandboxTest, SaysWhatIsNoMountNamespace) {
  const auto instance = StartFromHostMounts({"--mntns", "/etc/passwd"}, {"identity"});
  EXPECT_EQ(instance->Finish(), 125);
  EXPECT_TRUE(Has(instance->errors, "enter the empty mount namespace")) << instance->errors;
}

TEST_F(SandboxTest, SynthesisesWhatRuntimesRead) {
  dir_.Write("config", "runtime_kthreads 3\n");
  EXPECT_EQ(Output({}, {"read", "/sys/devices/system/cpu/online"}), "0-2\n");
  EXPECT_EQ(Output({}, {"read", "/sys/devices/system/cpu/possible"}), "0-2\n");
  EXPECT_TRUE(Has(Output({}, {"read", "/sys/kernel/mm/transparent_hugepage/enabled"}), "["));
  EXPECT_EQ(Output({"--hostname", "aes"}, {"read", "/etc/hostname"}), "aes\n");
  EXPECT_EQ(Output({"--hostname", "aes"}, {"read", "/proc/sys/kernel/hostname"}), "aes\n");
  EXPECT_TRUE(Has(Output({"--host", "gateway=127.0.0.9"}, {"read", "/etc/hosts"}), "127.0.0.9 gateway\n"));
  EXPECT_EQ(Output({}, {"read", "/etc/resolv.conf"}), Slurp("/etc/resolv.conf"));
  dir_.Write("resolv.conf", "nameserver 10.62.0.1\n");
  EXPECT_EQ(Output({"--resolv_conf", dir_.File("resolv.conf")}, {"read", "/etc/resolv.conf"}),
            "nameserver 10.62.0.1\n");
}

TEST_F(SandboxTest, PassesOnTheNamedEnvironmentOnly) {
  dir_.Write("env", std::string_view("FROM_FILE=two\nlines\0", 20));
  const std::string env =
      Output({"--env", "A=1", "--env_file", dir_.File("env")}, {"env"}, {"JUNCTION_SECRET=monitor", "HOME=/root"});
  EXPECT_TRUE(Has(env, "A=1\n"));
  EXPECT_TRUE(Has(env, "FROM_FILE=two\nlines\n"));
  EXPECT_TRUE(Has(env, "PATH=/usr/local/sbin:"));
  EXPECT_FALSE(Has(env, "monitor"));
  EXPECT_FALSE(Has(env, "HOME"));
}

TEST_F(SandboxTest, LeavesTheGuestThreeDescriptors) {
  const int extra = open("/etc/passwd", O_RDONLY);  // not close-on-exec: junction_run inherits it
  EXPECT_EQ(Output({}, {"fds"}), "fd 0\nfd 1\nfd 2\n");
  EXPECT_EQ(Output({"--control", dir_.File("control")}, {"fds"}), "fd 0\nfd 1\nfd 2\n");
  close(extra);
}

TEST_F(SandboxTest, MountsWhatTheOptionsName) {
  dir_.Write("secrets/key", "k1\n");
  const std::string option = dir_.File("secrets") + ":/var/openfaas/secrets";
  EXPECT_EQ(Output({"--mount", option + ":ro"}, {"read", "/var/openfaas/secrets/key"}), "k1\n");
  EXPECT_EQ(Output({"--mount", option + ":ro", "--read_only_root"}, {"read", "/var/openfaas/secrets/key"}), "k1\n");
  EXPECT_EQ(Output({"--mount", option + ":ro"}, {"write", "/var/openfaas/secrets/new"}),
            "write /var/openfaas/secrets/new: EROFS\n");
  ASSERT_EQ(chmod(dir_.File("secrets").c_str(), 0777), 0);
  EXPECT_EQ(Output({"--mount", option}, {"write", "/var/openfaas/secrets/new"}),
            "write /var/openfaas/secrets/new: ok\n");
  EXPECT_EQ(Slurp(dir_.File("secrets/new")), "x");
  EXPECT_EQ(Output({"--mount", dir_.File("secrets/key") + ":/data/one-file:ro"}, {"read", "/data/one-file"}), "k1\n");
}

TEST_F(SandboxTest, AnImagesLinksLeadNowhereOutside) {
  std::filesystem::create_directory_symlink("/../../../..", dir_.File("rootfs/data/up"));
  dir_.Write("secrets/key", "k1\n");
  EXPECT_EQ(Output({"--mount", dir_.File("secrets") + ":/data/up/in:ro"}, {"read", "/in/key"}), "k1\n");
  EXPECT_FALSE(std::filesystem::exists("/in"));
}

TEST_F(SandboxTest, StartsInAWorkingFolderThatItMakesIfNeeded) {
  EXPECT_EQ(Output({"--cwd", "/srv/app", "--uid", "7"}, {"write", "file"}), "write file: ok\n");
  EXPECT_EQ(Output({"--cwd", "/data"}, {"read", "owned.txt"}), "image\n");
}

TEST_F(SandboxTest, RefusesWhatMustBeRefused) {
  EXPECT_EQ(Output({}, {"refused"}), "packet socket: EAFNOSUPPORT\nkill host: ESRCH\ndevice: EPERM\n");
}

TEST_F(SandboxTest, AGuestsExecChangesNothing) {
  EXPECT_EQ(Output({"--uid", "9"}, {"exec", "/bin/probe", "identity"}),
            "pid 1 uid 9 gid 0 groups 0\nno_new_privs 1 dumpable 1\nbounding set 0\n");
  EXPECT_EQ(Output({}, {"exec", "/bin/probe", "refused"}), Output({}, {"refused"}));
  EXPECT_TRUE(Has(Output({}, {"exec", "/bin/probe", "read", "/proc/self/status"}), "Seccomp:\t2\n"));
}

TEST_F(SandboxTest, LimitsWhatCgroupsDoNot) {
  const std::string limits = Output({}, {"read", "/proc/self/limits"});
  rlimit files{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
  std::string most = std::to_string(std::min<rlim_t>(files.rlim_max, 65536));
  most.resize(21, ' ');  // the columns of that file
  EXPECT_TRUE(Has(limits, "Max open files            " + most + most)) << limits;
  EXPECT_TRUE(Has(limits, "Max core file size        0                    0 ")) << limits;
  EXPECT_TRUE(Has(limits, "Max realtime priority     0                    0 ")) << limits;
}

TEST_F(SandboxTest, BoundsWhatTheGuestWrites) {
  EXPECT_EQ(Output({"--scratch_max_bytes", "1048576"}, {"fill", "/tmp/file"}), "fill /tmp/file: ENOSPC below 2 MiB\n");
  EXPECT_EQ(Output({"--scratch_max_bytes", "1048576"}, {"fill", "/data/file"}),
            "fill /data/file: ENOSPC below 2 MiB\n");
}

TEST_F(SandboxTest, DoesWithoutOwnersWhereTheyCannotBeMapped) {
  // No kernel maps the owners of an overlay.
  for (const char* folder : {"upper", "work", "overlay"}) {
    std::filesystem::create_directory(dir_.File(folder));
  }
  const std::string layers =
      "lowerdir=" + dir_.File("rootfs") + ",upperdir=" + dir_.File("upper") + ",workdir=" + dir_.File("work");
  ASSERT_EQ(mount("overlay", dir_.File("overlay").c_str(), "overlay", 0, layers.c_str()), 0) << std::strerror(errno);
  Instance instance(
      {JUNCTION_RUN, config_, "--chroot_path", dir_.File("overlay"), "--", "/bin/probe", "stat", "/data/owned.txt"},
      {});
  EXPECT_EQ(instance.Finish(), 0);
  EXPECT_EQ(instance.output, "stat /data/owned.txt: 65534 65534 644\n");
  EXPECT_TRUE(Has(instance.errors, "cannot map owners")) << instance.errors;
  EXPECT_EQ(umount(dir_.File("overlay").c_str()), 0);
}

TEST_F(SandboxTest, EndsWithTheGuestsStatus) {
  EXPECT_EQ(Start({}, {"exit", "0"})->Finish(), 0);
  EXPECT_EQ(Start({}, {"exit", "7"})->Finish(), 7);
  EXPECT_EQ(Start({}, {"crash"})->Finish(), 128 + SIGSEGV);
}

TEST_F(SandboxTest, SaysWhatCouldNotBeStarted) {
  Instance missing({JUNCTION_RUN, config_, "--chroot_path", dir_.File("rootfs"), "--", "/bin/nothing"}, {});
  EXPECT_EQ(missing.Finish(), 127);
  EXPECT_TRUE(Has(missing.errors, "junction_run: /bin/nothing: ")) << missing.errors;
  Instance no_program({JUNCTION_RUN, config_, "--chroot_path", dir_.File("rootfs"), "--", "/data/owned.txt"}, {});
  EXPECT_EQ(no_program.Finish(), 126);
}

TEST_F(SandboxTest, ReportsItsOwnFailure) {
  const auto no_root = Start({"--mount", "/nonexistent:/x"}, {"exit", "0"});
  EXPECT_EQ(no_root->Finish(), 125);
  EXPECT_TRUE(Has(no_root->errors, "/nonexistent: No such file or directory")) << no_root->errors;
  const auto recorded = Start({"--instance_dir", dir_.File("instance"), "--cgroup", "/nonexistent"}, {"exit", "0"});
  EXPECT_EQ(recorded->Finish(), 125);
  EXPECT_EQ(Field(Status(), "exitCode"), "125");
  EXPECT_TRUE(Has(Field(Status(), "error"), "/nonexistent")) << Status();
  dir_.Write("config", "runtime_kthreads 0\nwhat\n");
  const auto faults = Start({}, {"exit", "0"});
  EXPECT_EQ(faults->Finish(), 125);
  EXPECT_TRUE(Has(faults->errors, "config:1: ")) << faults->errors;
  EXPECT_TRUE(Has(faults->errors, "config:2: ")) << faults->errors;
}

TEST_F(SandboxTest, PassesSignalsOn) {
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
    const auto instance = Start({}, {"handle"});
    EXPECT_EQ(instance->ReadLine(), "ready\n");
    instance->Signal(number);
    EXPECT_EQ(instance->Finish(), 40 + number);
  }
}

TEST_F(SandboxTest, BringsAboutTheDefaultEffectOfASignal) {
  const auto instance = Start({"--instance_dir", dir_.File("instance"), "--control", dir_.File("control")}, {"wait"});
  while (!Has(Slurp(dir_.File("instance/log")), "ready")) {
    poll(nullptr, 0, 1);
  }
  instance->Signal(SIGTERM);
  EXPECT_EQ(instance->Finish(), 128 + SIGTERM);
  EXPECT_EQ(Field(Status(), "signal"), "15");
  EXPECT_EQ(Field(Status(), "exitCode"), "143");
}

TEST_F(SandboxTest, RecordsStatusAndLog) {
  const auto instance = Start({"--instance_dir", dir_.File("instance")}, {"identity"});
  EXPECT_EQ(instance->Finish(), 0);
  EXPECT_EQ(Field(Status(), "state"), "exited");
  EXPECT_EQ(Field(Status(), "exitCode"), "0");
  EXPECT_EQ(Field(Status(), "oomKilled"), "false");
  EXPECT_TRUE(Has(Slurp(dir_.File("instance/log")), R"("s":"out","m":"pid 1 uid 0 gid 0 groups 0"})"));
  EXPECT_EQ(instance->output, "");
}

TEST_F(SandboxTest, BoundsTheLogOfAFlood) {
  constexpr uint64_t kMax_bytes = 256 * 1024;
  const auto instance = Start({"--instance_dir", dir_.File("instance"), "--log_max_bytes", std::to_string(kMax_bytes)},
                              {"flood", "50000"});
  EXPECT_EQ(instance->Finish(), 0);
  const std::string log = Slurp(dir_.File("instance/log"));
  EXPECT_TRUE(Has(log, "line 49999 of"));
  EXPECT_LE(log.size(), kMax_bytes / 2);
  EXPECT_LE(Slurp(dir_.File("instance/log.1")).size(), kMax_bytes / 2);
}

// Waits until the running instance has written its status, and gives the guest's pid on the host.
pid_t GuestPid(const std::string& status_path) {
  for (int waited_ms = 0; waited_ms < kPatience_ms; ++waited_ms) {
    if (const auto pid = ParseNumber<pid_t>(Field(Slurp(status_path), "pid"))) {
      return *pid;
    }
    poll(nullptr, 0, 1);
  }
  ADD_FAILURE() << "no " << status_path;
  return -1;
}

TEST_F(SandboxTest, TheGuestDiesWithItsMonitor) {
  const auto instance = Start({"--instance_dir", dir_.File("instance")}, {"wait"});
  while (!Has(Slurp(dir_.File("instance/log")), "ready")) {
    poll(nullptr, 0, 1);
  }
  const pid_t guest = GuestPid(dir_.File("instance/status.json"));
  const UniqueFd guest_fd(static_cast<int>(syscall(SYS_pidfd_open, guest, 0)));
  ASSERT_TRUE(guest_fd.valid());
  instance->Signal(SIGKILL);
  EXPECT_EQ(instance->Finish(), 1000 + SIGKILL);
  pollfd state = {.fd = guest_fd.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&state, 1, kPatience_ms), 1) << "the guest lives on";
}

TEST_F(SandboxTest, LeavesTheMonitorOneCapability) {
  const auto instance = Start({"--instance_dir", dir_.File("instance")}, {"wait"});
  while (!Has(Slurp(dir_.File("instance/log")), "ready")) {
    poll(nullptr, 0, 1);
  }
  const std::string status_path = "/proc/" + std::to_string(instance->pid()) + "/status";
  while (!Has(Slurp(status_path), "Seccomp:\t2\n")) {
    poll(nullptr, 0, 1);
  }
  EXPECT_TRUE(Has(Slurp(status_path), "CapEff:\t0000000000000020\n")) << "CAP_KILL alone";
  instance->Signal(SIGTERM);
  EXPECT_EQ(instance->Finish(), 128 + SIGTERM);
}

// The events that junction_run sends to a notify socket.
class EventListener {
 public:
  explicit EventListener(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(fd_.get(), 16), 0);
  }
  std::string Next() const {
    pollfd state = {.fd = fd_.get(), .events = POLLIN, .revents = 0};
    if (poll(&state, 1, kPatience_ms) != 1) {
      ADD_FAILURE() << "no event";
      return "";
    }
    const UniqueFd connection(accept(fd_.get(), nullptr, nullptr));
    char text[1024];
    const ssize_t size = recv(connection.get(), text, sizeof(text), MSG_WAITALL);
    return std::string(text, static_cast<size_t>(std::max<ssize_t>(size, 0)));
  }

 private:
  UniqueFd fd_;
};

TEST_F(SandboxTest, TellsOfStartAndEnd) {
  const EventListener events(dir_.File("events.sock"));
  const auto instance = Start({"--name", "i-1", "--notify", dir_.File("events.sock"), "--instance_dir",
                               dir_.File("instance"), "--control", dir_.File("control")},
                              {"exit", "3"});
  const std::string started = events.Next();
  EXPECT_TRUE(started.starts_with(R"({"id":"i-1","event":"started","pid":)")) << started;
  EXPECT_EQ(Field(started, "monitorPid"), std::to_string(instance->pid()));
  const std::string exited = events.Next();
  EXPECT_TRUE(exited.starts_with(R"({"id":"i-1","event":"exited","monitorPid":)" + std::to_string(instance->pid()) +
                                 R"(,"exitCode":3,"signal":0,"oomKilled":false,)"))
      << exited;
  EXPECT_EQ(Field(Status(), "state"), "exited") << "written before the event";
  EXPECT_EQ(instance->Finish(), 3);
}

TEST_F(SandboxTest, TellsOfItsOwnFailure) {
  const EventListener events(dir_.File("events.sock"));
  const auto instance = Start(
      {"--name", "i-1", "--notify", dir_.File("events.sock"), "--control", "/nonexistent/control"}, {"exit", "3"});
  const std::string exited = events.Next();
  EXPECT_TRUE(Has(exited, R"("event":"exited","monitorPid":)")) << exited;
  EXPECT_EQ(Field(exited, "exitCode"), "125");
  EXPECT_TRUE(Has(exited, "/nonexistent/control")) << exited;
  EXPECT_EQ(instance->Finish(), 125);
}

TEST_F(SandboxTest, ReadsPatchPlans) {
  std::filesystem::create_directories(dir_.File("plans"));
  ASSERT_EQ(
      std::system((JUNCTION_PLAN " --out " + dir_.File("plans") + " " + dir_.File("rootfs") + " > /dev/null").c_str()),
      0);
  EXPECT_FALSE(std::filesystem::is_empty(dir_.File("plans")));
  EXPECT_EQ(Output({"--plan_dir", dir_.File("plans")}, {"write", "/dev/.junction/plans/new"}),
            "write /dev/.junction/plans/new: EROFS\n");
}

TEST_F(SandboxTest, TellsOfAListeningPort) {
  const EventListener events(dir_.File("events.sock"));
  const auto instance = Start({"--name", "i-1", "--notify", dir_.File("events.sock"), "--instance_dir",
                               dir_.File("instance"), "--control", dir_.File("control")},
                              {"listen", "8080"});
  EXPECT_EQ(Field(events.Next(), "event"), "started");
  const std::string listening = events.Next();
  EXPECT_EQ(Field(listening, "event"), "listening");
  EXPECT_EQ(Field(listening, "guestPort"), "8080");
  const auto port = ParseNumber<uint16_t>(Field(listening, "hostPort"));
  ASSERT_TRUE(port.has_value()) << listening;
  const UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(*port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  instance->Signal(SIGTERM);
  EXPECT_EQ(instance->Finish(), 128 + SIGTERM);
}

// An instance with a NIC. What comes through it is the Junction kernel's and tested there.
class NicTest : public SandboxTest {
 protected:
  void SetUp() override {
    signal(SIGPIPE, SIG_IGN);  // as each peer of a NIC
    SandboxTest::SetUp();
    config_ = dir_.Write("config", "runtime_kthreads 2\nhost_addr 10.62.0.2\nhost_netmask 255.255.0.0\n");
  }

  Args Options(const Args& more = {}) const {
    Args options = {"--links", "2", "--instance_dir", dir_.File("instance")};
    options.insert(options.end(), more.begin(), more.end());
    return options;
  }
  std::string Log() const { return Slurp(dir_.File("instance/log")); }
  std::string links_path() const { return dir_.File("instance/links.sock"); }

  // Waits for the instance's first line and its status.
  void AwaitReady() const {
    for (int i = 0; i < kPatience_ms && !(Has(Log(), "ready") && Has(Status(), "running")); ++i) {
      usleep(1000);
    }
    ASSERT_TRUE(Has(Log(), "ready") && Has(Status(), "running")) << Log() << Status();
  }
  std::string GuestNetwork() const {
    return std::filesystem::read_symlink("/proc/" + Field(Status(), "pid") + "/ns/net");
  }
};

// A TCP listener on 127.0.0.1 and one with an abstract name made from its port.
class HostListeners {
 public:
  HostListeners() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(tcp_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(tcp_.get(), 4), 0);
    EXPECT_EQ(getsockname(tcp_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port = ntohs(address.sin_port);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const int length = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "junction-reach-%u", port);
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + static_cast<size_t>(length));
    EXPECT_EQ(bind(local_.get(), reinterpret_cast<sockaddr*>(&name), size), 0);
    EXPECT_EQ(listen(local_.get(), 4), 0);
  }
  uint16_t port = 0;

 private:
  UniqueFd tcp_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  UniqueFd local_{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
};

TEST_F(NicTest, HasNoneOfTheHostsNetwork) {
  const HostListeners listeners;
  const std::string port = std::to_string(listeners.port);
  EXPECT_TRUE(Has(Output({}, {"reach", port}), "loopback: reached")) << "the listener is there, without a NIC";
  EXPECT_EQ(Output({"--links", "1", "--links_path", dir_.File("l.sock")}, {"reach", port}),
            "loopback: not reached\nabstract: not reached\n");
}

TEST_F(NicTest, IsInANetworkOfItsOwn) {
  const auto instance = Start(Options(), {"wait"});
  AwaitReady();
  EXPECT_NE(GuestNetwork(), std::filesystem::read_symlink("/proc/self/ns/net").string());
  const std::string devices = Slurp("/proc/" + Field(Status(), "pid") + "/net/dev");
  EXPECT_TRUE(Has(devices, "lo:")) << devices;
  EXPECT_EQ(std::count(devices.begin(), devices.end(), ':'), 1) << devices;
  instance->Signal(SIGTERM);
  EXPECT_EQ(instance->Finish(), 128 + SIGTERM);
}

TEST_F(NicTest, IsInTheNetworkThatIsGiven) {
  // A namespace that lives by a file, as junctiond makes one.
  const std::string file = dir_.Write("netns", "");
  const pid_t maker = fork();
  ASSERT_GE(maker, 0);
  if (maker == 0) {
    _exit(unshare(CLONE_NEWNET) == 0 && mount("/proc/self/ns/net", file.c_str(), nullptr, MS_BIND, nullptr) == 0 ? 0
                                                                                                                 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(maker, &status, 0), maker);
  ASSERT_EQ(status, 0);
  struct stat info{};
  ASSERT_EQ(stat(file.c_str(), &info), 0);
  const auto instance = Start(Options({"--netns", file}), {"wait"});
  AwaitReady();
  EXPECT_EQ(GuestNetwork(), "net:[" + std::to_string(info.st_ino) + "]");
  instance->Signal(SIGTERM);
  EXPECT_EQ(instance->Finish(), 128 + SIGTERM);
  EXPECT_EQ(umount2(file.c_str(), MNT_DETACH), 0);
}

TEST_F(NicTest, LeasesItsPorts) {
  const auto instance = Start(Options(), {"wait"});
  AwaitReady();
  EXPECT_EQ(Field(Status(), "linksPath"), links_path());
  auto link = NicAttachment::Open(links_path(), AttachKind::kLink, kPatience_ms);
  ASSERT_TRUE(link.has_value()) << link.error().message;
  EXPECT_EQ(link->answer().port, 1);
  EXPECT_EQ(link->view().geometry.port_count, 3);
  EXPECT_EQ(link->view().geometry.queue_pair_count, 2);
  EXPECT_EQ(link->answer().instance_mac[1], 0x6a);
  EXPECT_EQ(link->answer().instance_ip4[0], 10);
  EXPECT_EQ(link->answer().peer_ip4[3], 1);
  EXPECT_EQ(link->view().header().ports[1].generation.load(), 1);
  EXPECT_TRUE(NicAttachment::Open(links_path(), AttachKind::kUplink, kPatience_ms).has_value());
  const auto second = NicAttachment::Open(links_path(), AttachKind::kLink, kPatience_ms);
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(NicAttachment::Open(links_path(), AttachKind::kLink, kPatience_ms).error().code, EBUSY);
  *link = NicAttachment();
  for (int i = 0; i < kPatience_ms && second->view().header().ports[1].generation.load() != 2; ++i) {
    usleep(1000);
  }
  EXPECT_TRUE(NicAttachment::Open(links_path(), AttachKind::kLink, kPatience_ms).has_value());
  instance->Signal(SIGTERM);
  EXPECT_EQ(instance->Finish(), 128 + SIGTERM);
  pollfd lease = {.fd = second->lease_fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&lease, 1, kPatience_ms), 1);
  EXPECT_NE(lease.revents & POLLHUP, 0);
  EXPECT_EQ(NicAttachment::Open(links_path(), AttachKind::kLink, kPatience_ms).error().code, ENOENT);
  second->RingInstance();  // nobody there, and SIGPIPE is ignored
}

TEST_F(NicTest, ShowsTheGuestNoneOfItsDescriptors) {
  EXPECT_EQ(Output({"--links", "1", "--links_path", dir_.File("l.sock")}, {"fds"}), "fd 0\nfd 1\nfd 2\n");
}

TEST_F(NicTest, TakesFurtherPrograms) {
  const auto first = Start(Options(), {"wait"});
  AwaitReady();
  Instance second({JUNCTION_RUN, "--add_to", dir_.File("instance"), "--attach", "--", "/bin/probe", "exit", "7"}, {});
  EXPECT_EQ(second.Finish(), 7) << second.errors;
  first->Signal(SIGTERM);
  EXPECT_EQ(first->Finish(), 128 + SIGTERM);
}

TEST_F(NicTest, ACloneHasOneOfItsOwn) {
  const auto from = Start(Options(), {"wait"});
  AwaitReady();
  const std::string clone_config =
      dir_.Write("clone-config", "runtime_kthreads 2\nhost_addr 10.62.0.3\nhost_netmask 255.255.0.0\n");
  std::filesystem::create_directories(dir_.File("clone"));
  const Args args = {JUNCTION_RUN,     clone_config,       "--clone_of", dir_.File("instance"),
                     "--instance_dir", dir_.File("clone"), "--control",  dir_.File("clone/control")};
  {
    Instance without(args, {});
    EXPECT_EQ(without.Finish(), 125);
    EXPECT_TRUE(Has(without.errors, "its clones need --links")) << without.errors;
  }
  Args with_links = args;
  with_links.insert(with_links.end(), {"--links", "2"});
  Instance clone(with_links, {});
  const auto status = [&] { return Slurp(dir_.File("clone/status.json")); };
  for (int i = 0; i < kPatience_ms && Field(status(), "linksPath").empty(); ++i) {
    usleep(1000);
  }
  ASSERT_EQ(Field(status(), "state"), "running") << status();
  const auto link = NicAttachment::Open(dir_.File("clone/links.sock"), AttachKind::kLink, kPatience_ms);
  ASSERT_TRUE(link.has_value()) << link.error().message;
  EXPECT_EQ(link->answer().instance_ip4[3], 3);
  EXPECT_EQ(link->view().settings().ip4[3], 3);
  const auto templates = NicAttachment::Open(links_path(), AttachKind::kUplink, kPatience_ms);
  ASSERT_TRUE(templates.has_value()) << templates.error().message;
  EXPECT_EQ(templates->answer().instance_ip4[3], 2);
  EXPECT_EQ(templates->view().header().ports[1].generation.load(), 0) << "that link is the clone's";
  clone.Signal(SIGTERM);
  EXPECT_EQ(clone.Finish(), 128 + SIGTERM) << clone.errors;
  EXPECT_FALSE(std::filesystem::exists(dir_.File("clone/links.sock")));
  from->Signal(SIGTERM);
  EXPECT_EQ(from->Finish(), 128 + SIGTERM);
}

TEST_F(NicTest, NeedsAnAddress) {
  dir_.Write("config", "runtime_kthreads 1\n");
  const auto instance = Start({"--links", "1", "--links_path", dir_.File("l.sock")}, {"exit", "0"});
  EXPECT_EQ(instance->Finish(), 125);
  EXPECT_TRUE(Has(instance->errors, "host_addr")) << instance->errors;
}

// A memory cgroup of a test's own, v1 or v2, whichever the host has.
class MemoryCgroup {
 public:
  explicit MemoryCgroup(uint64_t max_bytes) {
    const std::string name = "/junction-test-" + std::to_string(getpid());
    const bool is_v1 = std::filesystem::exists("/sys/fs/cgroup/memory/memory.limit_in_bytes");
    path_ = (is_v1 ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup") + name;
    std::filesystem::create_directory(path_);
    std::ofstream(path_ + (is_v1 ? "/memory.limit_in_bytes" : "/memory.max")) << max_bytes;
    if (is_v1) {
      std::ofstream(path_ + "/memory.swappiness") << 0;
    }
  }
  MemoryCgroup(const MemoryCgroup&) = delete;
  MemoryCgroup& operator=(const MemoryCgroup&) = delete;
  ~MemoryCgroup() { EXPECT_EQ(rmdir(path_.c_str()), 0) << "something is left in " << path_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST_F(SandboxTest, RecordsThatTheGuestRanOutOfMemory) {
  const MemoryCgroup cgroup(32 * 1024 * 1024);
  const auto instance = Start({"--instance_dir", dir_.File("instance"), "--cgroup", cgroup.path()}, {"eat"});
  EXPECT_EQ(instance->Finish(), 128 + SIGKILL);
  EXPECT_EQ(Field(Status(), "oomKilled"), "true") << Status();
  EXPECT_EQ(Field(Status(), "signal"), "9");
}

TEST_F(SandboxTest, TheGuestIsBornInAUnifiedCgroup) {
  // Mounted here, as a host with v1 controllers may not show it. All mounts of it are one tree.
  std::filesystem::create_directory(dir_.File("unified"));
  ASSERT_EQ(mount("cgroup2", dir_.File("unified").c_str(), "cgroup2", 0, nullptr), 0) << std::strerror(errno);
  const std::string cgroup = dir_.File("unified/junction-test-" + std::to_string(getpid()));
  ASSERT_TRUE(std::filesystem::create_directory(cgroup));
  const auto instance = Start({"--instance_dir", dir_.File("instance"), "--cgroup", cgroup}, {"wait"});
  const pid_t guest = GuestPid(dir_.File("instance/status.json"));
  while (!Has(Slurp(dir_.File("instance/log")), "ready")) {
    poll(nullptr, 0, 1);
  }
  EXPECT_EQ(Slurp(cgroup + "/cgroup.procs"), std::to_string(guest) + "\n");
  instance->Signal(SIGTERM);
  EXPECT_EQ(instance->Finish(), 128 + SIGTERM);
  EXPECT_EQ(rmdir(cgroup.c_str()), 0);
  EXPECT_EQ(umount(dir_.File("unified").c_str()), 0);
}

TEST_F(SandboxTest, ShowsTheGuestNoCgroupOfTheHost) {
  const MemoryCgroup cgroup(64 * 1024 * 1024);
  const std::string text = Output({"--cgroup", cgroup.path()}, {"read", "/proc/self/cgroup"});
  EXPECT_FALSE(Has(text, "junction-test")) << text;
  EXPECT_TRUE(Has(text, ":/\n")) << text;
}

TEST_F(SandboxTest, OnlyTheGuestJoinsTheCgroup) {
  const MemoryCgroup cgroup(64 * 1024 * 1024);
  const auto instance = Start({"--instance_dir", dir_.File("instance"), "--cgroup", cgroup.path()}, {"wait"});
  const pid_t guest = GuestPid(dir_.File("instance/status.json"));
  while (!Has(Slurp(dir_.File("instance/log")), "ready")) {
    poll(nullptr, 0, 1);
  }
  EXPECT_EQ(Slurp(cgroup.path() + "/cgroup.procs"), std::to_string(guest) + "\n");
  instance->Signal(SIGTERM);
  instance->Finish();
}

// A running instance, and further programs in it.
class AdditionTest : public SandboxTest {
 protected:
  void StartFirst(const Args& probe) {
    first_ = Start({"--instance_dir", dir_.File("instance"), "--control", dir_.File("control")}, probe);
    while (!Has(Log(), "ready") || Field(Status(), "state") != "running") {
      poll(nullptr, 0, 1);
    }
  }

  std::unique_ptr<Instance> Add(const Args& options, const Args& program) const {
    Args args = {JUNCTION_RUN, "--add_to", dir_.File("instance")};
    args.insert(args.end(), options.begin(), options.end());
    args.push_back("--");
    args.insert(args.end(), program.begin(), program.end());
    return std::make_unique<Instance>(args, Args{});
  }

  std::string AddedOutput(const Args& options, const Args& program) const {
    Args all = {"--attach"};
    all.insert(all.end(), options.begin(), options.end());
    const auto added = Add(all, program);
    EXPECT_EQ(added->Finish(), 0) << added->errors;
    return added->output;
  }

  int EndFirst() {
    first_->Signal(SIGTERM);
    return first_->Finish();
  }

  std::string Log() const { return Slurp(dir_.File("instance/log")); }

  std::unique_ptr<Instance> first_;
};

TEST_F(AdditionTest, TalksWithTheFirstProgram) {
  StartFirst({"meet_first"});
  const auto second = Add({}, {"/bin/probe", "meet_second"});
  EXPECT_EQ(second->Finish(), 0) << second->errors;
  EXPECT_EQ(first_->Finish(), 0);
  EXPECT_EQ(second->output + second->errors, "") << "all of it goes to the log";
  for (const char* line : {"first has: question", "second has: answer", "first has: by pipe"}) {
    EXPECT_TRUE(Has(Log(), line)) << Log();
  }
}

TEST_F(AdditionTest, LeavesTheFirstProgramAlone) {
  StartFirst({"handle"});  // SIGCHLD too
  EXPECT_EQ(AddedOutput({}, {"/bin/probe", "place"}), "pid 2 parent 0 in /\n");
  EXPECT_EQ(Add({}, {"/bin/probe", "exit", "3"})->Finish(), 3);
  EXPECT_EQ(EndFirst(), 40 + SIGTERM);
}

TEST_F(AdditionTest, IsStartedThoughTheFirstProgramNeverRests) {
  StartFirst({"spin"});
  EXPECT_EQ(Add({}, {"/bin/probe", "exit", "3"})->Finish(), 3);
  EXPECT_EQ(EndFirst(), 128 + SIGTERM);
}

TEST_F(AdditionTest, GetsItsOwnEnvironmentAndFolder) {
  StartFirst({"wait"});
  const std::string env = AddedOutput({"--env", "A=1", "-E", "B=two words"}, {"probe", "env"});
  EXPECT_EQ(Lines(env),
            (Args{"A=1", "B=two words", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}));
  EXPECT_TRUE(Has(AddedOutput({"--cwd", "/data"}, {"probe", "place"}), " in /data\n"));
  EXPECT_EQ(AddedOutput({"--cwd", "/data"}, {"../bin/probe", "read", "owned.txt"}), "image\n");
  EXPECT_EQ(AddedOutput({}, {"probe", "fds"}), "fd 0\nfd 1\nfd 2\n");
  EXPECT_TRUE(Has(AddedOutput({}, {"probe", "identity"}), " uid 0 gid 0 groups 0\nno_new_privs 1 dumpable 1\n"));
  EXPECT_EQ(EndFirst(), 128 + SIGTERM);
}

TEST_F(AdditionTest, EndsWithItsOwnStatusWhichTheLogTells) {
  StartFirst({"wait"});
  EXPECT_EQ(Add({}, {"probe", "exit", "0"})->Finish(), 0);
  EXPECT_EQ(Add({}, {"probe", "exit", "7"})->Finish(), 7);
  EXPECT_EQ(Add({}, {"probe", "crash"})->Finish(), 128 + SIGSEGV);
  EXPECT_EQ(EndFirst(), 128 + SIGTERM);
  EXPECT_TRUE(Has(Log(), "junction: added program /bin/probe (process 3) exited with code 7")) << Log();
  EXPECT_TRUE(Has(Log(), "junction: added program /bin/probe (process 4) was ended by signal 11")) << Log();
}

TEST_F(AdditionTest, TakesSignalsFromOutsideAndInside) {
  StartFirst({"wait"});
  const auto added = Add({"--attach"}, {"probe", "handle"});
  EXPECT_EQ(added->ReadLine(), "ready\n");
  added->Signal(SIGTERM);
  EXPECT_EQ(added->Finish(), 40 + SIGTERM);
  const auto killed = Add({"--attach"}, {"probe", "wait"});
  EXPECT_EQ(killed->ReadLine(), "ready\n");
  EXPECT_EQ(AddedOutput({}, {"probe", "kill", "3"}), "");
  EXPECT_EQ(killed->Finish(), 128 + SIGKILL);
  EXPECT_EQ(EndFirst(), 128 + SIGTERM);
}

TEST_F(AdditionTest, SaysWhyThereIsNoFurtherProgram) {
  StartFirst({"wait"});
  const auto missing = Add({}, {"/bin/nothing"});
  EXPECT_EQ(missing->Finish(), 127);
  EXPECT_EQ(missing->errors, "junction_run: /bin/nothing: No such file or directory\n");
  const auto no_program = Add({}, {"/data/owned.txt"});
  EXPECT_EQ(no_program->Finish(), 126);
  EXPECT_EQ(no_program->errors, "junction_run: /data/owned.txt: Permission denied\n");
  const auto no_folder = Add({"--cwd", "/nowhere"}, {"probe", "exit", "0"});
  EXPECT_EQ(no_folder->Finish(), 126);
  EXPECT_EQ(no_folder->errors, "junction_run: working folder /nowhere: No such file or directory\n");
  Args much;
  for (char name = 'A'; name < 'I'; ++name) {
    EXPECT_EQ(Add(much, {"probe", "exit", "0"})->Finish(), 0);
    much.insert(much.end(), {"--env", name + ("=" + std::string(125'000, 'x'))});
  }
  much.insert(much.end(), {"--env", "I=" + std::string(125'000, 'x')});
  const auto too_much = Add(much, {"probe", "exit", "0"});
  EXPECT_EQ(too_much->Finish(), 125);
  EXPECT_EQ(too_much->errors, "junction_run: arguments and environment together are too long\n");
  EXPECT_EQ(EndFirst(), 128 + SIGTERM);
  const auto too_late = Add({}, {"probe", "exit", "0"});
  EXPECT_EQ(too_late->Finish(), 125);
  EXPECT_TRUE(Has(too_late->errors, "does not run")) << too_late->errors;
}

TEST_F(AdditionTest, DiesWithItsInstance) {
  StartFirst({"wait"});
  const auto added = Add({"--attach"}, {"probe", "wait"});
  EXPECT_EQ(added->ReadLine(), "ready\n");
  EXPECT_EQ(EndFirst(), 128 + SIGTERM);
  EXPECT_EQ(added->Finish(), 128 + SIGKILL);
}

TEST_F(AdditionTest, DiesWithItsMonitor) {
  StartFirst({"wait"});
  const EventListener events(dir_.File("events.sock"));
  const auto added = Add({"--name", "i-1", "--notify", dir_.File("events.sock")}, {"probe", "wait"});
  const std::string started = events.Next();
  EXPECT_TRUE(started.starts_with(R"({"id":"i-1","event":"uprocStarted","pid":)")) << started;
  EXPECT_EQ(Field(started, "monitorPid"), std::to_string(added->pid()));
  const auto pid = ParseNumber<pid_t>(Field(started, "pid"));
  ASSERT_TRUE(pid && *pid > 1) << started;
  const UniqueFd pid_fd(static_cast<int>(syscall(SYS_pidfd_open, *pid, 0)));
  ASSERT_TRUE(pid_fd.valid());
  added->Signal(SIGKILL);
  pollfd state = {.fd = pid_fd.get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&state, 1, kPatience_ms), 1) << "the program lives on";
  EXPECT_EQ(EndFirst(), 128 + SIGTERM);
}

TEST_F(AdditionTest, TellsOfItsEnd) {
  StartFirst({"wait"});
  const EventListener events(dir_.File("events.sock"));
  const Args options = {"--name", "i-1", "--notify", dir_.File("events.sock")};
  const auto missing = Add(options, {"/bin/nothing"});
  const std::string failed = events.Next();
  EXPECT_EQ(missing->Finish(), 127);
  EXPECT_EQ(Field(failed, "event"), "uprocExited") << failed;
  EXPECT_EQ(Field(failed, "exitCode"), "127") << failed;
  EXPECT_TRUE(Has(failed, R"("error":"/bin/nothing: No such file or directory")")) << failed;
  const auto added = Add(options, {"probe", "exit", "5"});
  EXPECT_EQ(Field(events.Next(), "event"), "uprocStarted");
  const std::string exited = events.Next();
  EXPECT_EQ(Field(exited, "event"), "uprocExited") << exited;
  EXPECT_EQ(Field(exited, "exitCode"), "5") << exited;
  EXPECT_EQ(Field(exited, "monitorPid"), std::to_string(added->pid()));
  EXPECT_EQ(added->Finish(), 5);
  EXPECT_EQ(EndFirst(), 128 + SIGTERM);
}

TEST_F(AdditionTest, ManyAtOnceRunSideBySide) {
  StartFirst({"wait"});
  std::vector<std::unique_ptr<Instance>> added;
  for (int i = 0; i < 16; ++i) {
    added.push_back(Add({}, {"probe", "exit", std::to_string(i)}));
  }
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(added[static_cast<size_t>(i)]->Finish(), i);
  }
  EXPECT_EQ(EndFirst(), 128 + SIGTERM);
}

TEST_F(SandboxTest, RunsOnTheHostsRootForDevelopment) {
  Instance instance({JUNCTION_RUN, config_, "--", JUNCTION_PROBE, "write", "/etc/passwd"}, {});
  EXPECT_EQ(instance.Finish(), 0) << instance.errors;
  EXPECT_EQ(instance.output, "write /etc/passwd: EACCES\n");
}

}  // namespace
}  // namespace junction
