// SPDX-License-Identifier: Apache-2.0
// Clones real instances by junction_run --clone_of. Needs root and a host with Landlock's signal scopes.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>

#include "base/control_snapshot.h"
#include "base/parse_number.h"
#include "base/test_files.h"
#include "run/instance_fixture.h"

namespace junction {
namespace {

UniqueFd Connect(uint16_t port) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience = {.tv_sec = kPatience_ms / 1000, .tv_usec = 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    fd.Reset();
  }
  return fd;
}

std::string Exchange(uint16_t port, const std::string& request) {
  const UniqueFd fd = Connect(port);
  if (!fd.valid()) {
    return std::string("connect: ") + std::strerror(errno);
  }
  send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
  std::string answer;
  char buffer[4096];
  for (ssize_t size = 0; (size = recv(fd.get(), buffer, sizeof(buffer), 0)) > 0;) {
    answer.append(buffer, static_cast<size_t>(size));
  }
  return answer;
}

// An instance that serves port 8080.
class Server {
 public:
  Server(const std::string& dir, Args args) : dir_(dir) {
    // A folder of its own: what an earlier instance left would be taken for this one's.
    EXPECT_TRUE(std::filesystem::create_directory(dir)) << dir;
    args.insert(args.begin() + 2, {"--instance_dir", dir, "--control", dir + "/control"});
    instance_ = std::make_unique<Instance>(args, Args{});
  }

  // Waits until it listens. False if it ended instead.
  bool IsUp() {
    for (int waited_ms = 0; waited_ms < kPatience_ms; ++waited_ms) {
      const UniqueFd fd(open((dir_ + "/control").c_str(), O_RDONLY | O_CLOEXEC));
      const auto snapshot = fd.valid() ? ReadControlSnapshot(fd.get()) : PlainError("not yet");
      if (snapshot && !Field(Status(), "pid").empty()) {
        for (const PortSnapshot& port : snapshot->ports) {
          if (port.is_listening && port.guest_port == 8080) {
            port_ = port.host_port;
            return true;
          }
        }
      }
      if (Field(Status(), "state") == "exited") {
        return false;
      }
      poll(nullptr, 0, 1);
    }
    return false;
  }

  std::string Ask(const std::string& command) const { return Exchange(port_, command); }
  std::string Get() const {
    const std::string answer = Exchange(port_, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    const size_t count = answer.find("count ");
    return count == std::string::npos ? answer : answer.substr(count, answer.find_first_of("\r\n", count) - count);
  }
  std::string Status() const { return Slurp(dir_ + "/status.json"); }
  std::string Log() const { return Slurp(dir_ + "/log"); }
  pid_t HostPid() const { return ParseNumber<pid_t>(Field(Status(), "pid")).value_or(0); }
  // Kills the guest's first process. Never a group, which 0 and -1 would name.
  void KillGuest() const {
    const pid_t pid = HostPid();
    ASSERT_GT(pid, 1);
    EXPECT_EQ(kill(pid, SIGKILL), 0);
  }
  // The guest's pid within its instance's pid namespace.
  std::string PidInside() const {
    std::istringstream status(Slurp("/proc/" + std::to_string(HostPid()) + "/status"));
    std::string line;
    while (std::getline(status, line) && !line.starts_with("NSpid:")) {
    }
    return line.substr(line.find_last_of('\t') + 1);
  }
  const std::string& dir() const { return dir_; }
  uint16_t port() const { return port_; }
  Instance& instance() { return *instance_; }
  int Stop() {
    instance_->Signal(SIGTERM);
    return instance_->Finish();
  }

 private:
  std::string dir_;
  std::unique_ptr<Instance> instance_;
  uint16_t port_ = 0;
};

class CloneTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(geteuid(), 0) << "these tests make sandboxes: run them as root";
    std::filesystem::create_directories(dir_.File("rootfs/bin"));
    std::filesystem::copy_file(JUNCTION_CLONE_PROBE, dir_.File("rootfs/bin/probe"));
    dir_.Write("rootfs/data/letters", "aabbccddeeffgghhiijj");
    config_ = dir_.Write("config", "runtime_kthreads 1\n");
    ASSERT_EQ(chmod(dir_.path().c_str(), 0755), 0);
  }

  std::unique_ptr<Server> Template() {
    std::filesystem::remove_all(dir_.File("template"));
    auto server = std::make_unique<Server>(
        dir_.File("template"),
        Args{JUNCTION_RUN, config_, "--chroot_path", dir_.File("rootfs"), "--", "/bin/probe", "serve"});
    EXPECT_TRUE(server->IsUp()) << server->Log();
    return server;
  }

  std::unique_ptr<Server> StartClone(const std::string& name, const Args& options = {}) {
    Args args = {JUNCTION_RUN, config_, "--clone-of", dir_.File("template")};
    args.insert(args.end(), options.begin(), options.end());
    return std::make_unique<Server>(dir_.File(name), args);
  }

  std::unique_ptr<Server> Clone(const std::string& name, const Args& options = {}) {
    auto clone = StartClone(name, options);
    EXPECT_TRUE(clone->IsUp()) << clone->Status() << clone->Log();
    return clone;
  }

  // A clone that is refused: what junction_run says.
  std::string Refusal() {
    std::filesystem::remove_all(dir_.File("refused"));
    auto clone = StartClone("refused");
    EXPECT_EQ(clone->instance().Finish(), 125);
    EXPECT_EQ(Field(clone->Status(), "exitCode"), "125");
    return clone->instance().errors;
  }

  TempDir dir_;
  std::string config_;
};

TEST_F(CloneTest, AnswersAndIsIndependent) {
  const auto from = Template();
  EXPECT_EQ(from->Ask("count"), "1");
  EXPECT_EQ(from->Ask("shared"), "1");
  EXPECT_EQ(from->Ask("letters"), "aa");
  const auto clone = Clone("clone");
  EXPECT_NE(clone->port(), from->port());
  EXPECT_EQ(clone->Ask("count"), "2");
  EXPECT_EQ(clone->Ask("count"), "3");
  EXPECT_EQ(from->Ask("count"), "2");
  EXPECT_EQ(clone->Ask("shared"), "2");
  EXPECT_EQ(clone->Ask("shared"), "3");
  EXPECT_EQ(from->Ask("shared"), "2");
  EXPECT_EQ(clone->Ask("letters"), "bb");
  EXPECT_EQ(clone->Ask("letters"), "cc");
  EXPECT_EQ(from->Ask("letters"), "bb");
  EXPECT_EQ(clone->Ask("pid"), from->Ask("pid"));
  EXPECT_NE(clone->Ask("random"), from->Ask("random"));
  EXPECT_EQ(from->Stop(), 128 + SIGTERM);
}

TEST_F(CloneTest, ItsThreadsAndTimersGoOn) {
  const auto from = Template();
  const auto clone = Clone("clone");
  for (const auto* server : {from.get(), clone.get()}) {
    const int before = ParseNumber<int>(server->Ask("ticks")).value_or(-1);
    while (ParseNumber<int>(server->Ask("ticks")).value_or(-1) < before + 3) {
      poll(nullptr, 0, 1);
    }
  }
}

TEST_F(CloneTest, HasProcessesAndSignalsOfItsOwn) {
  const auto from = Template();
  const auto clone = Clone("clone");
  const std::string expected = "child 7, program 9, signal 1, kill 15";
  EXPECT_EQ(clone->Ask("family"), expected);
  EXPECT_EQ(from->Ask("family"), expected);
  EXPECT_EQ(clone->Ask("family"), expected);
}

TEST_F(CloneTest, ExecutesAnotherProgram) {
  const auto from = Template();
  const auto clone = Clone("clone");
  EXPECT_EQ(from->Ask("count"), "1");
  clone->Ask("exec");
  ASSERT_TRUE(clone->IsUp());
  // The new program binds the port again, in the clone's own control block.
  std::string count;
  for (int waited_ms = 0; waited_ms < kPatience_ms && count != "1"; ++waited_ms) {
    clone->IsUp();
    count = clone->Ask("count");
    poll(nullptr, 0, 1);
  }
  EXPECT_EQ(count, "1");
  EXPECT_EQ(clone->Ask("family"), "child 7, program 9, signal 1, kill 15");
  EXPECT_EQ(from->Ask("count"), "2");
}

TEST_F(CloneTest, HasALogOfItsOwn) {
  const auto from = Template();
  const auto clone = Clone("clone");
  EXPECT_EQ(clone->Ask("print 1"), "ok");
  EXPECT_EQ(from->Ask("print 2"), "ok");
  EXPECT_EQ(clone->Stop(), 128 + SIGTERM);
  EXPECT_EQ(from->Stop(), 128 + SIGTERM);
  EXPECT_TRUE(Has(clone->Log(), "printed 1") && !Has(clone->Log(), "printed 2")) << clone->Log();
  EXPECT_TRUE(Has(from->Log(), "printed 2") && !Has(from->Log(), "printed 1")) << from->Log();
}

TEST_F(CloneTest, ItsEndIsRecorded) {
  const auto from = Template();
  const auto exiting = Clone("exiting");
  exiting->Ask("exit 7");
  EXPECT_EQ(exiting->instance().Finish(), 7);
  EXPECT_EQ(Field(exiting->Status(), "exitCode"), "7");
  const auto crashing = Clone("crashing");
  crashing->Ask("crash");
  EXPECT_EQ(crashing->instance().Finish(), 128 + SIGABRT);
  EXPECT_EQ(Field(crashing->Status(), "signal"), "6");
  const auto killed = Clone("killed");
  killed->KillGuest();
  EXPECT_EQ(killed->instance().Finish(), 128 + SIGKILL);
  EXPECT_EQ(Field(killed->Status(), "signal"), "9");
  EXPECT_EQ(from->Ask("count"), "1");
}

bool Ends(pid_t pid) {
  const UniqueFd fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  pollfd state = {.fd = fd.get(), .events = POLLIN, .revents = 0};
  return !fd.valid() || poll(&state, 1, kPatience_ms) == 1;
}

TEST_F(CloneTest, DiesWithItsMonitor) {
  const auto from = Template();
  const auto clone = Clone("clone");
  const pid_t pid = clone->HostPid();
  ASSERT_GT(pid, 1);
  clone->instance().Signal(SIGKILL);
  EXPECT_TRUE(Ends(pid));
  EXPECT_EQ(from->Ask("count"), "1");
}

TEST_F(CloneTest, DiesWithItsTemplate) {
  const auto from = Template();
  const auto clone = Clone("clone");
  from->instance().Signal(SIGKILL);
  EXPECT_EQ(clone->instance().Finish(), 128 + SIGKILL);
}

// A cgroup of a test's own in the pids hierarchy of v1, or in a mount of v2.
class Cgroup {
 public:
  Cgroup(const TempDir& dir, bool is_unified) {
    if (is_unified) {
      mount_ = dir.File("unified");
      std::filesystem::create_directory(mount_);
      EXPECT_EQ(mount("cgroup2", mount_.c_str(), "cgroup2", 0, nullptr), 0) << std::strerror(errno);
    }
    path_ = (is_unified ? mount_ : "/sys/fs/cgroup/pids") + "/junction-clone-test-" + std::to_string(getpid());
    EXPECT_TRUE(std::filesystem::create_directory(path_));
  }
  ~Cgroup() {
    EXPECT_EQ(rmdir(path_.c_str()), 0) << "something is left in " << path_;
    if (!mount_.empty()) {
      EXPECT_EQ(umount(mount_.c_str()), 0);
    }
  }
  Cgroup(const Cgroup&) = delete;
  Cgroup& operator=(const Cgroup&) = delete;
  const std::string& path() const { return path_; }
  std::string Members() const { return Slurp(path_ + "/cgroup.procs"); }

 private:
  std::string mount_;
  std::string path_;
};

TEST_F(CloneTest, JoinsItsCgroups) {
  for (const bool is_unified : {false, true}) {
    if (!is_unified && !std::filesystem::exists("/sys/fs/cgroup/pids")) {
      continue;
    }
    const auto from = Template();
    const Cgroup cgroup(dir_, is_unified);
    const auto clone = Clone(is_unified ? "unified_clone" : "clone", {"--cgroup", cgroup.path()});
    ASSERT_GT(clone->HostPid(), 1);
    EXPECT_EQ(cgroup.Members(), std::to_string(clone->HostPid()) + "\n");
    // Its children are in there too, and end with it, even when it is killed from outside.
    EXPECT_EQ(clone->Ask("child"), "ok");
    EXPECT_EQ(std::ranges::count(cgroup.Members(), '\n'), 2);
    clone->KillGuest();
    EXPECT_EQ(clone->instance().Finish(), 128 + SIGKILL);
    for (int waited_ms = 0; waited_ms < kPatience_ms && !cgroup.Members().empty(); ++waited_ms) {
      poll(nullptr, 0, 1);
    }
    from->Stop();
  }
}

TEST_F(CloneTest, CannotReachItsTemplateOrSiblings) {
  const auto from = Template();
  const auto attacker = Clone("attacker");
  const auto sibling = Clone("sibling");
  // Where the Junction kernel makes its host calls: hostile guest code can go there.
  std::ostringstream command;
  command << "nm " << JUNCTION_RUN << " | awk '$3 == \"junction_host_call\" {print $1}' > " << dir_.File("address");
  ASSERT_EQ(std::system(command.str().c_str()), 0);
  std::string address = Slurp(dir_.File("address"));
  ASSERT_FALSE(address.empty());
  std::erase(address, '\n');
  const std::string refused =
      "kill EPERM, tgkill EPERM, pidfd ENOSYS, ptrace ENOSYS, prlimit EPERM, setpriority EPERM, "
      "mem EACCES, environ EACCES, maps EACCES, fd/3 EACCES, root/data/letters EACCES";
  EXPECT_EQ(attacker->Ask("attack 1 " + address), refused);
  EXPECT_EQ(attacker->Ask("attack " + sibling->PidInside() + " " + address), refused);
  EXPECT_EQ(sibling->Ask("attack " + attacker->PidInside() + " " + address), refused);
  EXPECT_EQ(from->Ask("count"), "1");
  EXPECT_EQ(sibling->Ask("count"), "1");
  EXPECT_EQ(attacker->Ask("count"), "1");
}

TEST_F(CloneTest, ManyAtOnceAllAnswer) {
  constexpr int kClones = 20;
  const auto from = Template();
  std::vector<std::unique_ptr<Server>> clones;
  for (int i = 0; i < kClones; ++i) {
    clones.push_back(StartClone("clone" + std::to_string(i)));
  }
  std::set<std::string> random = {from->Ask("random")};
  for (const auto& clone : clones) {
    ASSERT_TRUE(clone->IsUp()) << clone->Status() << clone->Log();
    EXPECT_EQ(clone->Ask("count"), "1");
    EXPECT_TRUE(random.insert(clone->Ask("random")).second);
  }
  EXPECT_EQ(from->Ask("count"), "1");
  for (const auto& clone : clones) {
    EXPECT_EQ(clone->Stop(), 128 + SIGTERM);
  }
}

TEST_F(CloneTest, RefusesWhatCannotBeCloned) {
  const struct {
    const char* command;
    const char* reason;
  } cases[] = {
      {"inotify", "it has a descriptor that cannot be made anew (descriptor "},
      {"memfd", "it has a memory file open (descriptor "},
      {"child", "it has more than one process"},
  };
  for (const auto& [command, reason] : cases) {
    const auto from = Template();
    EXPECT_EQ(from->Ask(command), "ok");
    const std::string errors = Refusal();
    EXPECT_TRUE(Has(errors, std::string("junction_run: the template cannot be cloned now: ") + reason)) << errors;
    EXPECT_EQ(from->Ask("count"), "1");
    EXPECT_EQ(from->Stop(), 128 + SIGTERM);
  }
}

TEST_F(CloneTest, RefusesWhileAConnectionIsOpen) {
  const auto from = Template();
  UniqueFd connection = Connect(from->port());
  ASSERT_TRUE(connection.valid());
  char answer[2];
  send(connection.get(), "wait", 4, MSG_NOSIGNAL);
  ASSERT_EQ(recv(connection.get(), answer, sizeof(answer), MSG_WAITALL), 2);
  const std::string errors = Refusal();
  EXPECT_TRUE(Has(errors, "it has a connected socket (descriptor ")) << errors;
  connection.Reset();
  EXPECT_EQ(from->Ask("count"), "1");
}

TEST_F(CloneTest, RefusesClonesOfClones) {
  const auto from = Template();
  const auto clone = Clone("clone");
  Server second(dir_.File("second"), {JUNCTION_RUN, config_, "--clone_of", clone->dir()});
  EXPECT_EQ(second.instance().Finish(), 125);
  EXPECT_TRUE(Has(second.instance().errors, "it is a clone itself")) << second.instance().errors;
}

TEST_F(CloneTest, RefusesATemplateThatDoesNotRun) {
  EXPECT_TRUE(Has(Refusal(), "template/status.json: No such file or directory"));
  Template()->Stop();
  EXPECT_TRUE(Has(Refusal(), "does not run"));
}

// The runtimes that functions are written in: each counts requests in memory.
class CloneRuntime : public CloneTest, public testing::WithParamInterface<std::pair<const char*, Args>> {};

TEST_P(CloneRuntime, AnswersInTheClone) {
  const Args& program = GetParam().second;
  if (!std::filesystem::exists(program[0])) {
    FAIL() << program[0] << " is not here: ./junction test installs it";
  }
  Args args = {JUNCTION_RUN, config_, "--"};
  args.insert(args.end(), program.begin(), program.end());
  Server from(dir_.File("template"), args);
  ASSERT_TRUE(from.IsUp()) << from.Log();
  EXPECT_EQ(from.Get(), "count 1");
  EXPECT_EQ(from.Get(), "count 2");
  const auto first = Clone("first");
  const auto second = Clone("second");
  EXPECT_EQ(first->Get(), "count 3");
  EXPECT_EQ(first->Get(), "count 4");
  EXPECT_EQ(second->Get(), "count 3");
  EXPECT_EQ(from.Get(), "count 3");
  EXPECT_EQ(first->Stop(), 128 + SIGTERM);
  EXPECT_EQ(from.Get(), "count 4");
}

INSTANTIATE_TEST_SUITE_P(Runtimes, CloneRuntime,
                         testing::Values(std::pair{"go", Args{JUNCTION_CLONE_GUESTS "/goserver"}},
                                         std::pair{"node", Args{JUNCTION_NODE, JUNCTION_CLONE_SOURCES "/server.cjs"}},
                                         std::pair{"java", Args{JUNCTION_JAVA, JUNCTION_CLONE_SOURCES "/Server.java"}}),
                         [](const auto& tested) { return std::string(tested.param.first); });

}  // namespace
}  // namespace junction
