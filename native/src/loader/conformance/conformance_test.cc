// SPDX-License-Identifier: Apache-2.0
// The same program on Linux first, then in an instance (junction_run with its whole sandbox): standard output, standard error and
// exit status must be equal. And what only the Junction kernel does, which needs no sandbox (passthrough_exec).
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/control_block.h"

namespace junction {
namespace {

namespace fs = std::filesystem;
using Command = std::vector<std::string>;

constexpr const char* kDriver = JUNCTION_DRIVER;
constexpr const char* kRun = JUNCTION_RUN;
constexpr const char* kGuests = JUNCTION_GUESTS;  // folder of the built programs
constexpr const char* kSources = JUNCTION_SOURCES;

std::string Guest(const std::string& name) { return std::string(kGuests) + "/" + name; }
std::string Source(const std::string& name) { return std::string(kSources) + "/" + name; }

// A folder of its own that is removed in the end.
class Folder {
 public:
  Folder() {
    path_ = (fs::temp_directory_path() / "junction-conformance-XXXXXX").string();
    EXPECT_NE(mkdtemp(path_.data()), nullptr);
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

struct Outcome {
  std::string out;
  std::string err;
  int status = -1;
};

std::string Quote(const std::string& text) { return "'" + text + "'"; }  // none of ours holds a quote

Outcome RunOnLinux(const Command& command, const Folder& folder) {
  std::ostringstream line;
  line << "cd " << Quote(folder.path()) << " && timeout -s KILL 100";
  for (const std::string& word : command) {
    line << ' ' << Quote(word);
  }
  line << " > out 2> err < /dev/null";
  const int status = std::system(line.str().c_str());
  return {ReadAll(folder.File("out")), ReadAll(folder.File("err")),
          WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status};
}

Outcome RunInJunction(const Command& command, const Folder& folder, const Command& options = {}) {
  Command whole = {kDriver, "--stats", folder.File("stats")};
  whole.insert(whole.end(), options.begin(), options.end());
  whole.insert(whole.end(), command.begin(), command.end());
  return RunOnLinux(whole, folder);
}

std::map<std::string, uint64_t> ParseStats(const std::string& whole) {
  std::map<std::string, uint64_t> stats;
  std::istringstream text(whole);
  std::string key;
  uint64_t value = 0;
  while (text >> key >> value) {
    stats[key] = value;
    text.ignore(200, '\n');
  }
  return stats;
}

std::map<std::string, uint64_t> Stats(const Folder& folder) { return ParseStats(ReadAll(folder.File("stats"))); }

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

struct InstanceSettings {
  std::string cores = "2";
  bool has_nic = false;
  uid_t uid = 0;  // within the instance
};

// An instance as junctiond would start it, but for its root: the host's, read-only, with a /tmp of its own, the folder of the case and
// those that the programs lie in.
class TestInstance {
 public:
  // `folder` becomes the guest's: it may write there.
  TestInstance(const InstanceSettings& settings, const Folder& folder) : folder_(folder) {
    fs::permissions(around_.path(), fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec);
    std::ofstream config(around_.File("config"));
    config << "runtime_kthreads " << settings.cores << '\n';
    if (settings.has_nic) {  // the addresses of passthrough_exec's, with nobody at the other ends either
      config << "host_addr 10.99.0.2\nhost_netmask 255.255.255.0\nhost_addr6 fd99::2\nhost_prefix6 64\n";
      Add({"--links", "1", "--links_path", around_.File("links.sock")});
    }
    std::ofstream environment(around_.File("environment"), std::ios::binary);
    for (char** entry = environ; *entry != nullptr; ++entry) {
      environment << *entry << '\0';
    }
    const std::string uid = std::to_string(settings.uid);
    Add({"--uid", uid, "--gid", uid});
    Show(fs::canonical(JUNCTION_ROOT));
    Show(fs::canonical(kGuests));
    Add({"--mount", folder.path() + ":" + folder.path(), "--cwd", folder.path()});
    for (const char* name : {"out", "err"}) {  // so that /dev/stdout can be opened
      std::ofstream(folder.File(name)).close();
    }
    for (const std::string& path : {folder.path(), folder.File("out"), folder.File("err")}) {
      EXPECT_EQ(chown(path.c_str(), kUidBase + settings.uid, kUidBase + settings.uid), 0)
          << "these tests make sandboxes: run them as root";
    }
  }

  Outcome Run(const Command& command) {
    Add({"--"});
    Add(command);
    Outcome outcome = RunOnLinux(command_, folder_);
    // What the instance says of itself on the same stream as the program: how a process crashed, and in the end its counters.
    const size_t stats_at = outcome.err.rfind(kStatsStart);
    if (stats_at == std::string::npos) {
      ADD_FAILURE() << "not run by the Junction kernel:\n" << outcome.err;
      return outcome;
    }
    EXPECT_GT(ParseStats(outcome.err.substr(stats_at + kSpeaker.size()))["guest_syscalls"], 0U);
    const std::string_view said(outcome.err.data(), stats_at);
    std::string said_by_program;
    for (size_t at = 0, end = 0; at < said.size(); at = end) {
      end = std::min(said.find('\n', at), said.size() - 1) + 1;
      if (!said.substr(at).starts_with(kReportStart)) {
        said_by_program += said.substr(at, end - at);
      }
    }
    outcome.err = said_by_program;
    return outcome;
  }

 private:
  static constexpr uid_t kUidBase = 0x0fff0000;  // junction_run's default
  static constexpr std::string_view kSpeaker = "junction_run: ";
  static constexpr std::string_view kStatsStart = "junction_run: guest_syscalls ";
  static constexpr std::string_view kReportStart = "junction: ";

  void Add(const Command& words) { command_.insert(command_.end(), words.begin(), words.end()); }

  // A folder of the host, read-only. If it lies in one that only the host's root may enter (/root, a home), an empty one hides that.
  void Show(const std::string& path) {
    fs::path above = "/";
    for (const fs::path& part : fs::path(path).relative_path().parent_path()) {
      above /= part;
      if ((fs::status(above).permissions() & fs::perms::others_exec) == fs::perms::none) {
        if (hidden_.insert(above.string()).second) {
          const std::string empty = around_.File("empty" + std::to_string(hidden_.size()));
          fs::create_directory(empty);
          Add({"--mount", empty + ":" + above.string()});
        }
        break;
      }
    }
    Add({"--mount", path + ":" + path + ":ro"});
  }

  const Folder around_;
  const Folder& folder_;
  std::set<std::string> hidden_;
  Command command_ = {kRun,         around_.File("config"),     "--stats",
                      "--control",  around_.File("control"),    "--read_only_root",
                      "--env_file", around_.File("environment")};
};

bool IsFree(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool is_free = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return is_free;
}

// A port that is free, as are the ten behind it. Below the range from which Linux takes the ports of clients, any of which could
// turn up here meanwhile.
uint16_t FreePort() {
  constexpr uint16_t kPorts = 11;
  std::random_device random;
  std::uniform_int_distribution<uint16_t> candidates(20000, 31000);
  while (true) {
    const uint16_t base = candidates(random);
    uint16_t count = 0;
    while (count < kPorts && IsFree(static_cast<uint16_t>(base + count))) {
      ++count;
    }
    if (count == kPorts) {
      return base;
    }
  }
}

struct Case {
  std::string name;
  Command command;          // FOLDER and PORT stand for a folder to write in and a free port
  std::string suite = {};   // name of the program in the syscall suite, empty if it is none of those
  std::string cores = "2";  // of the instance
  bool has_nic = false;     // its inet sockets are on the stack of its own
  uid_t uid = 0;            // whom it runs as in the instance
};

void PrintTo(const Case& printed, std::ostream* out) { *out << printed.name; }

Command Fill(Command command, const std::string& folder, uint16_t port) {
  for (std::string& word : command) {
    if (word == "FOLDER") {
      word = folder;
    } else if (word == "PORT") {
      word = std::to_string(port);
    }
  }
  return command;
}

std::vector<std::string> Words(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

// What the gateway and the provider need: addon, programs, node. Built by the workspace, not by CMake; ./junction test builds all of it.
Command PeersFiles() {
  const std::string root = fs::canonical(JUNCTION_ROOT);
  return {root + "/native/build/release/junction_addon.node", root + "/apps/gateway/dist/main.js",
          root + "/apps/provider/dist/main.js", root + "/.tools/node/bin/node"};
}

// The programs that must run unmodified, each with the numbers of cores that matter for it: one kthread, several.
void AddPrograms(std::vector<Case>& cases) {
  const auto add = [&cases](const std::string& name, const Command& command, const std::string& cores) {
    if (fs::exists(command.front())) {
      for (const std::string& count : Words(cores)) {
        cases.push_back({name + "_on_" + count, command, {}, count});
      }
    }
  };
  add("threads", {Guest("threads"), "all", "2"}, "1 2 4");
  add("connections", {Guest("connections"), "10000"}, "1 2");
  add("threads_static", {Guest("threads_static"), "all", "2"}, "4");
  add("go_stress", {Guest("gostress")}, "1 2 4");
  add("go_stress_with_cgo", {Guest("gostress_cgo")}, "1 2");
  add("rust_tokio", {Guest("ruststress")}, "1 4");
  add("python_asyncio", {JUNCTION_PYTHON, Source("programs/asyncio_program.py")}, "1");
  add("gunicorn", {"/bin/bash", Source("programs/gunicorn.sh"), "FOLDER", "PORT"}, "2");
  add("node_workers", {JUNCTION_NODE, Source("programs/workers.cjs"), "FOLDER"}, "1 4");
  add("node_streams", {JUNCTION_NODE, Source("programs/streams.cjs")}, "1 2");
  add("java_load", {JUNCTION_JAVA, Source("programs/Load.java")}, "1 2");
  add("bash_pipelines", {"/bin/bash", Source("programs/pipelines.sh")}, "1");
  if (const Command files = PeersFiles();
      std::ranges::all_of(files, [](const auto& file) { return fs::exists(file); })) {
    const std::string root = fs::canonical(JUNCTION_ROOT);
    add("gateway_and_provider",
        {"/bin/bash", Source("programs/peers.sh"), "FOLDER", "PORT", root, files.front(), files.back()}, "2");
  }
  add("busybox", {JUNCTION_BUSYBOX, "sh", Source("programs/busybox.sh")}, "1");
}

// What has to do with the network, again with a NIC: over the instance's own loopback device, and with nothing of the host's network.
void AddWithNic(std::vector<Case>& cases) {
  const std::set<std::string> suites = {"bad_pointers", "descriptors", "epoll",         "exec", "poll_select",
                                        "restarts",     "tcp",         "unix_messages", "udp",  "waiting"};
  const std::set<std::string> programs = {"sockets_dynamic",
                                          "sockets_static",
                                          "go",
                                          "python",
                                          "node",
                                          "java",
                                          "redis",
                                          "nginx",
                                          "go_stress_on_2",
                                          "go_stress_with_cgo_on_1",
                                          "rust_tokio_on_1",
                                          "rust_tokio_on_4",
                                          "python_asyncio_on_1",
                                          "gunicorn_on_2",
                                          "node_workers_on_4",
                                          "node_streams_on_1",
                                          "node_streams_on_2",
                                          "java_load_on_1",
                                          "java_load_on_2",
                                          "connections_on_1",
                                          "connections_on_2",
                                          "gateway_and_provider_on_2"};
  const size_t count = cases.size();
  for (size_t i = 0; i < count; ++i) {
    if (suites.contains(cases[i].suite) || programs.contains(cases[i].name)) {
      Case again = cases[i];
      again.name += "_with_nic";
      again.has_nic = true;
      cases.push_back(again);
    }
  }
}

std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const char* name : {"signals", "processes", "memory", "sockets"}) {
    cases.push_back({std::string(name) + "_dynamic", {Guest(name), "FOLDER"}, {}});
    cases.push_back({std::string(name) + "_static", {Guest(std::string(name) + "_static"), "FOLDER"}, {}});
  }
  for (const std::string& name : Words(JUNCTION_SUITE)) {
    // Without a NIC unix sockets do not answer for devices, as if_nametoindex(3) asks them, and ports are mapped to IPv4 ones of the host.
    const bool is_of_nic_only = name == "devices" || name == "inet_options";
    cases.push_back(
        {"suite_" + name + (is_of_nic_only ? "_with_nic" : ""), {Guest("suite_" + name)}, name, "2", is_of_nic_only});
  }
  constexpr uid_t kSomeUser = 1000;
  for (const std::string& name : Words(JUNCTION_SUITE_STATIC)) {
    cases.push_back({"suite_" + name + "_static", {Guest("suite_" + name + "_static")}, name, "2", false, kSomeUser});
  }
  cases.push_back({"vectors", {Guest("vectors")}, {}});
  cases.push_back({"cpp", {Guest("cpp_program"), "FOLDER"}, {}});
  cases.push_back({"sh", {"/bin/sh", Source("program.sh")}, {}});
  cases.push_back({"bash", {"/bin/bash", Source("program.sh")}, {}});
  cases.push_back({"missing_program", {"/bin/sh", "-c", "/does/not/exist; exit 5"}, {}});
  for (const auto& [name, program, command] : std::vector<std::tuple<std::string, std::string, Command>>{
           {"go", Guest("goprogram"), {}},
           {"python", JUNCTION_PYTHON, {Source("program.py")}},
           {"node", JUNCTION_NODE, {Source("program.cjs")}},
           {"java", JUNCTION_JAVA, {Source("Program.java")}},
       }) {
    if (fs::exists(program)) {
      Command whole = {program};
      whole.insert(whole.end(), command.begin(), command.end());
      cases.push_back({name, whole, {}});
    }
  }
  if (JUNCTION_HAS_REDIS) {
    cases.push_back({"redis", {"/bin/bash", Source("redis.sh"), "FOLDER", "PORT"}, {}});
  }
  if (JUNCTION_HAS_NGINX) {
    cases.push_back({"nginx", {"/bin/bash", Source("nginx.sh"), "FOLDER", "PORT"}, {}});
  }
  AddPrograms(cases);
  AddWithNic(cases);
  return cases;
}

class Conformance : public testing::TestWithParam<Case> {};

TEST_P(Conformance, InAnInstanceAsOnLinux) {
  const Folder linux_folder;
  const Folder instance_folder;
  const Outcome on_linux = RunOnLinux(Fill(GetParam().command, linux_folder.path(), FreePort()), linux_folder);
  TestInstance instance({.cores = GetParam().cores, .has_nic = GetParam().has_nic, .uid = GetParam().uid},
                        instance_folder);
  const Outcome in_instance = instance.Run(Fill(GetParam().command, instance_folder.path(), FreePort()));
  if (!GetParam().suite.empty()) {
    EXPECT_EQ(on_linux.out.find(" FAILED"), std::string::npos) << "wrong about Linux:\n" << on_linux.out;
  }
  EXPECT_EQ(on_linux.out, in_instance.out);
  EXPECT_EQ(on_linux.err, in_instance.err);
  EXPECT_EQ(on_linux.status, in_instance.status);
  EXPECT_LT(on_linux.status, 124) << "the program itself failed:\n" << on_linux.out << on_linux.err;
}

INSTANTIATE_TEST_SUITE_P(Programs, Conformance, testing::ValuesIn(Cases()),
                         [](const testing::TestParamInfo<Case>& tested) { return tested.param.name; });

// Their cases are left out where they are missing: ./junction test installs them all.
TEST(Programs, AreAllInstalled) {
  for (const std::string& program :
       {Guest("goprogram"), Guest("gostress"), Guest("gostress_cgo"), Guest("ruststress"), std::string(JUNCTION_PYTHON),
        std::string(JUNCTION_NODE), std::string(JUNCTION_JAVA), std::string(JUNCTION_BUSYBOX),
        std::string("/usr/bin/gunicorn")}) {
    EXPECT_TRUE(fs::exists(program)) << program;
  }
  for (const std::string& file : PeersFiles()) {
    EXPECT_TRUE(fs::exists(file)) << file << ": ./junction test builds it, or ./junction nx run-many -t build";
  }
  EXPECT_TRUE(JUNCTION_HAS_REDIS);
  EXPECT_TRUE(JUNCTION_HAS_NGINX);
}

TEST(Suite, HasAtLeast250CasesWithNamesOfTheirOwn) {
  const Folder folder;
  std::set<std::string> names;
  for (const std::string& program : Words(JUNCTION_SUITE)) {
    for (const std::string& name : Lines(RunOnLinux({Guest("suite_" + program), "--list"}, folder).out)) {
      EXPECT_TRUE(names.insert(program + " " + name).second) << program << " " << name;
    }
  }
  EXPECT_GE(names.size(), 250U);
}

// Kernel objects of `count` of the kind, made and ended one after the other: bytes left in the arena.
uint64_t LiveBytesAfter(const std::string& kind, int count, const Command& options = {}) {
  const Folder folder;
  const Outcome outcome = RunInJunction({Guest("growth"), kind, std::to_string(count)}, folder, options);
  EXPECT_EQ(outcome.out + outcome.err, "");
  EXPECT_EQ(outcome.status, 0);
  const uint64_t live_bytes = Stats(folder)["arena_live_bytes"];
  EXPECT_GT(live_bytes, 0U);
  return live_bytes;
}

TEST(Arena, DoesNotGrowWithWorkThatIsDone) {
  // A few dead processes wait for the end of their host processes, a few blocks are kept for later.
  constexpr uint64_t kSlack_bytes = 512 << 10;
  const std::vector<std::pair<std::string, int>> kinds = {{"program", 2000}, {"fork", 1000},    {"thread", 20000},
                                                          {"pipe", 100000},  {"socket", 20000}, {"events", 10000},
                                                          {"memory", 10000}, {"signal", 10000}};
  for (const auto& [kind, count] : kinds) {
    EXPECT_LE(LiveBytesAfter(kind, count), LiveBytesAfter(kind, 20) + kSlack_bytes) << kind;
  }
}

TEST(Arena, DoesNotGrowWithSocketsThatAreClosed) {
  constexpr uint64_t kSlack_bytes = 512 << 10;
  const std::vector<std::pair<std::string, int>> kinds = {{"connection", 5000}, {"datagram", 20000}, {"names", 5000}};
  for (const auto& [kind, count] : kinds) {
    EXPECT_LE(LiveBytesAfter(kind, count, {"--nic"}), LiveBytesAfter(kind, 20, {"--nic"}) + kSlack_bytes) << kind;
  }
}

// A short run for CI; longer ones by hand, with other seeds (random_calls.c).
TEST(RandomCalls, LeaveTheKernelWell) {
  const Folder folder;
  // In namespaces of its own: what the calls make there, System V objects and processes that nobody knows any more, goes with them.
  const Outcome outcome = RunOnLinux({"unshare", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc", kDriver,
                                      Guest("random_calls"), "20261127", "40", "400"},
                                     folder);
  EXPECT_EQ(outcome.out, "survived\n");
  EXPECT_EQ(outcome.err.find("junction kernel"), std::string::npos) << outcome.err;
  EXPECT_EQ(outcome.status, 0);
}

// With a NIC: on Linux the same program leaves much behind that takes a minute to go away.
TEST(RandomSockets, LeaveTheStackWell) {
  for (const char* cores : {"1", "2"}) {
    const Folder folder;
    const Outcome outcome =
        RunInJunction({Guest("random_sockets"), "20261128", "4", "10000"}, folder, {"--nic", "--cores", cores});
    EXPECT_EQ(outcome.out, "works, 0 failed\n");
    EXPECT_EQ(outcome.err, "");
    EXPECT_EQ(outcome.status, 0);
  }
}

// The slow path of every call: nothing may change but what is printed.
TEST(Strace, ChangesNothingButTheOutput) {
  for (const char* name : {"signals", "processes", "sockets"}) {
    const Folder plain_folder;
    const Folder traced_folder;
    const Outcome plain = RunInJunction({Guest(name), plain_folder.path()}, plain_folder);
    const Outcome traced = RunInJunction({Guest(name), traced_folder.path()}, traced_folder, {"--strace"});
    EXPECT_EQ(plain.out, traced.out) << name;
    EXPECT_EQ(plain.status, traced.status) << name;
  }
}

TEST(Strace, PrintsNamesArgumentsAndResults) {
  const Folder folder;
  const Outcome outcome = RunInJunction({"/bin/cat", "/does/not/exist"}, folder, {"--strace"});
  EXPECT_NE(outcome.err.find("openat(-100, \"/does/not/exist\", 0x0, 00)"), std::string::npos);
  EXPECT_NE(outcome.err.find("openat = -2"), std::string::npos);
  EXPECT_NE(RunInJunction({"/bin/sh", "-c", "exit 3"}, folder, {"--strace"}).err.find("exit_group(3)"),
            std::string::npos);
}

TEST(CoreLimit, IsTheNumberOfCpusThatAGuestSees) {
  for (const char* cores : {"1", "2"}) {
    const Folder folder;
    EXPECT_EQ(RunInJunction({"/usr/bin/nproc"}, folder, {"--cores", cores}).out, std::string(cores) + "\n");
  }
}

// On each CPU of the host, as only one of them would pass by chance.
TEST(CoreLimit, NoThreadRunsOnACpuBeyondIt) {
  cpu_set_t host_cpus;
  ASSERT_EQ(sched_getaffinity(0, sizeof(host_cpus), &host_cpus), 0);
  for (size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &host_cpus)) {
      const Folder folder;
      const Outcome outcome = RunOnLinux({"taskset", "-c", std::to_string(cpu), kDriver, "--cores", "1",
                                          Guest("suite_misc"), "runs_on_a_cpu_that_it_may_use"},
                                         folder);
      EXPECT_EQ(outcome.out.find("FAILED"), std::string::npos) << outcome.out;
      EXPECT_EQ(outcome.status, 0) << outcome.err;
    }
  }
}

TEST(Counters, TellProcessesSitesAndTraps) {
  const Folder folder;
  RunInJunction({"/bin/sh", "-c", "/bin/true; (exit 0); /bin/true"}, folder);
  auto stats = Stats(folder);
  EXPECT_EQ(stats["processes_started"], 6U);  // the shell, three children, two of which execute a program
  EXPECT_GT(stats["sites_patched"], 100U);
  EXPECT_LT(stats["sud_traps"], 50U);
}

// Where an instance differs from Linux on purpose: its root has no capabilities, and the host's root is read-only.
TEST(Privileges, AnInstancesRootIsAnOrdinaryUser) {
  for (const bool has_nic : {false, true}) {
    const Folder folder;
    TestInstance instance({.has_nic = has_nic}, folder);
    const Outcome outcome = instance.Run({Guest("privileges")});
    EXPECT_EQ(outcome.out, ReadAll(Source("programs/privileges.expected")));
    EXPECT_EQ(outcome.err, "");
    EXPECT_EQ(outcome.status, 0);
  }
}

TEST(Protected, KernelMemoryAndDangerousCallsAreRefused) {
  const Folder folder;
  const Outcome outcome = RunInJunction({Guest("protected")}, folder);
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.out, ReadAll(Source("protected.expected")));
}

TEST(Failures, AreToldAsAShellWould) {
  const Folder folder;
  const Outcome missing = RunInJunction({"/does/not/exist"}, folder);
  EXPECT_EQ(missing.status, 127);
  EXPECT_EQ(missing.err, "junction_run: /does/not/exist: No such file or directory\n");
  const Outcome not_a_program = RunInJunction({Source("protected.expected")}, folder);
  EXPECT_EQ(not_a_program.status, 126);
  const Outcome folder_itself = RunInJunction({"/usr"}, folder);
  EXPECT_EQ(folder_itself.status, 126);
}

TEST(Programs, AreFoundInPathAndMayBeScripts) {
  const Folder folder;
  EXPECT_EQ(RunInJunction({"echo", "found"}, folder).out, "found\n");
  const std::string script = folder.File("script");
  std::ofstream(script) << "#!/bin/sh -e\necho \"$0 $*\"\nfalse\necho not reached\n";
  fs::permissions(script, fs::perms::owner_all);
  const Outcome outcome = RunInJunction({script, "one"}, folder);
  EXPECT_EQ(outcome.out, script + " one\n");
  EXPECT_EQ(outcome.status, 1);
}

// The plans of one program in a folder.
class Plans {
 public:
  Plans(const Folder& folder, const std::string& program) : dir(folder.File("plans")) {
    fs::create_directory(dir);
    EXPECT_EQ(RunOnLinux({JUNCTION_PLAN, "--out", dir, program}, folder).status, 0);
  }
  // Changes `size_bytes` at `offset` of each file, 0 = to the end.
  void Overwrite(size_t offset, size_t size_bytes, const std::function<char(char)>& change) const {
    for (const auto& entry : fs::directory_iterator(dir)) {
      std::string bytes = ReadAll(entry.path());
      const size_t end = size_bytes == 0 ? bytes.size() : std::min(bytes.size(), offset + size_bytes);
      for (size_t i = offset; i < end; ++i) {
        bytes[i] = change(bytes[i]);
      }
      fs::permissions(entry.path(), fs::perms::owner_write, fs::perm_options::add);
      std::ofstream(entry.path(), std::ios::binary) << bytes;
    }
  }

  const std::string dir;
};

constexpr size_t kPlanTextAt = 4096;  // loader/patch_plan.h
constexpr size_t kPlanVersionAt = 8;
constexpr size_t kPlanPoolDistanceAt = 96;

TEST(Plans, GiveTheSameSitesWithoutAScan) {
  const Folder folder;
  const std::string program = Guest("memory_static");
  const Plans plans(folder, program);
  const Outcome scanned = RunInJunction({program}, folder);
  const uint64_t sites = Stats(folder)["sites_patched"];
  EXPECT_GT(sites, 0U);
  const Outcome planned = RunInJunction({program}, folder, {"--plans", plans.dir});
  EXPECT_EQ(Stats(folder)["sites_patched"], sites);
  EXPECT_EQ(planned.out, scanned.out);
  EXPECT_EQ(planned.status, scanned.status);
}

TEST(Plans, GiveTheTextThatRuns) {
  const Folder folder;
  const std::string program = Guest("memory_static");
  const Plans plans(folder, program);
  plans.Overwrite(kPlanTextAt, 0, [](char) { return '\xf4'; });  // hlt
  EXPECT_EQ(RunInJunction({program}, folder, {"--plans", plans.dir}).status, 128 + SIGSEGV);
}

TEST(Plans, AreNotUsedWhenTheyAreOfAnotherVersionOrWritable) {
  const Folder folder;
  const std::string program = Guest("memory_static");
  const Plans plans(folder, program);
  const Outcome scanned = RunInJunction({program}, folder);
  const uint64_t sites = Stats(folder)["sites_patched"];
  plans.Overwrite(kPlanTextAt, 0, [](char) { return '\xf4'; });
  for (const auto& entry : fs::directory_iterator(plans.dir)) {
    fs::permissions(entry.path(), fs::perms::group_write, fs::perm_options::add);
  }
  const Outcome writable = RunInJunction({program}, folder, {"--plans", plans.dir});
  EXPECT_EQ(writable.out, scanned.out);
  EXPECT_EQ(Stats(folder)["sites_patched"], sites);
  for (const auto& entry : fs::directory_iterator(plans.dir)) {
    fs::permissions(entry.path(), fs::perms::group_write, fs::perm_options::remove);
  }
  plans.Overwrite(kPlanVersionAt, 1, [](char version) { return static_cast<char>(version - 1); });
  const Outcome old = RunInJunction({program}, folder, {"--plans", plans.dir});
  EXPECT_EQ(old.out, scanned.out);
  EXPECT_EQ(Stats(folder)["sites_patched"], sites);
}

TEST(Plans, ArePatchedPrivatelyWhereThePlaceOfThePoolIsTaken) {
  const Folder folder;
  const std::string program = Guest("memory_static");
  const Plans plans(folder, program);
  const Outcome scanned = RunInJunction({program}, folder);
  const uint64_t sites = Stats(folder)["sites_patched"];
  // One page below the text: that is where the image's headers are. And a text that would not run.
  for (size_t byte = 0; byte < 8; ++byte) {
    plans.Overwrite(kPlanPoolDistanceAt + byte, 1, [&](char) { return static_cast<char>(byte == 1 ? 0x10 : 0); });
  }
  const Outcome taken = RunInJunction({program}, folder, {"--plans", plans.dir});
  EXPECT_EQ(taken.out, scanned.out);
  EXPECT_EQ(taken.status, scanned.status);
  EXPECT_EQ(Stats(folder)["sites_patched"], sites);
}

TEST(Plans, DoNotShowInTheListOfMappings) {
  const Folder folder;
  const Plans plans(folder, "/usr/lib/x86_64-linux-gnu");
  const Outcome outcome = RunInJunction({"/bin/cat", "/proc/self/maps"}, folder, {"--plans", plans.dir});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_NE(outcome.out.find("r-xp"), std::string::npos);
  EXPECT_NE(outcome.out.find("libc.so.6"), std::string::npos);
  EXPECT_EQ(outcome.out.find(".plan"), std::string::npos);
}

// The control block, as the host side reads it while the guest runs.
class RunningGuest {
 public:
  RunningGuest(const Folder& folder, const Command& command) : control_path_(folder.File("control")) {
    int fds[2];
    EXPECT_EQ(pipe2(fds, O_CLOEXEC), 0);
    input_ = fds[1];
    pid_ = fork();
    if (pid_ == 0) {
      dup2(fds[0], STDIN_FILENO);
      std::vector<const char*> argv = {kDriver, "--control", control_path_.c_str()};
      for (const std::string& word : command) {
        argv.push_back(word.c_str());
      }
      argv.push_back(nullptr);
      execv(kDriver, const_cast<char* const*>(argv.data()));
      _exit(1);
    }
    close(fds[0]);
  }
  ~RunningGuest() {
    if (input_ >= 0) {
      Finish();
    }
  }
  RunningGuest(const RunningGuest&) = delete;
  RunningGuest& operator=(const RunningGuest&) = delete;

  // Waits until some TCP entry has the state; its host port, or 0 if the guest ended before.
  uint16_t WaitForPort(uint16_t guest_port, bool is_listening) {
    while (waitpid(pid_, nullptr, WNOHANG) == 0) {
      const int fd = open(control_path_.c_str(), O_RDONLY | O_CLOEXEC);
      void* const memory = fd < 0 ? MAP_FAILED : mmap(nullptr, sizeof(ControlBlock), PROT_READ, MAP_SHARED, fd, 0);
      close(fd);
      if (memory == MAP_FAILED || fs::file_size(control_path_) < sizeof(ControlBlock)) {
        continue;
      }
      uint16_t host_port = 0;
      for (const ControlPort& entry : static_cast<ControlBlock*>(memory)->ports) {
        if (entry.guest_port.load() == guest_port && (entry.listening.load() != 0) == is_listening) {
          host_port = entry.host_port.load();
        }
      }
      munmap(memory, sizeof(ControlBlock));
      if (host_port != 0) {
        return host_port;
      }
      sched_yield();
    }
    return 0;
  }

  int Finish() {
    close(input_);
    input_ = -1;
    int status = 0;
    waitpid(pid_, &status, 0);
    return status;
  }

 private:
  std::string control_path_;
  pid_t pid_ = -1;
  int input_ = -1;
};

TEST(Ports, AListenerIsReachedAtTheHostPortThatIsReported) {
  const Folder folder;
  constexpr uint16_t kGuestPort = 8080;
  RunningGuest guest(folder, {Guest("one_answer"), std::to_string(kGuestPort)});
  const uint16_t host_port = guest.WaitForPort(kGuestPort, true);
  ASSERT_NE(host_port, 0);
  EXPECT_NE(host_port, kGuestPort);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(host_port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  char text[16] = {};
  EXPECT_EQ(recv(fd, text, sizeof(text), MSG_WAITALL), 6);
  EXPECT_STREQ(text, "answer");
  close(fd);
  EXPECT_EQ(guest.WaitForPort(kGuestPort, false), host_port) << "a closed listener must be seen";
  EXPECT_EQ(guest.Finish(), 0);
}

// A guest expects its vector registers unchanged after a call, and only the change of uthreads (vector_moves.S) touches them.
TEST(GuestSideCode, UsesGeneralRegistersOnly) {
  const Folder folder;
  const Outcome outcome = RunOnLinux({"/bin/sh", "-c",
                                      std::string("objdump -d --no-show-raw-insn ") + JUNCTION_GUEST_SIDE_OBJECTS +
                                          " | grep -cE \"%[xyz]mm|%st|%mm[0-7]\""},
                                     folder);
  EXPECT_EQ(outcome.out, "0\n") << outcome.err;
}

// libc's functions use vector registers, and are not even there after a guest's execve: no libc is started then.
TEST(GuestSideCode, CallsNoLibc) {
  const Folder folder;
  const std::string objects = JUNCTION_GUEST_SIDE_OBJECTS;
  const std::string defined = folder.File("defined");
  const std::string list = "nm -j --quiet ";
  const std::string script = "export LC_ALL=C; " + list + "--defined-only " + objects + " | sort -u > " + defined +
                             "; " + list + "-u " + objects + " | grep -v -e : -e ^junction_ | sort -u | comm -23 - " +
                             defined;
  const Outcome outcome = RunOnLinux({"/bin/sh", "-c", script}, folder);
  EXPECT_EQ(outcome.out.substr(0, 300), "_start\n") << outcome.err;  // where second_stage_start.S leaves
}

}  // namespace
}  // namespace junction
