// SPDX-License-Identifier: Apache-2.0
// Tests of the daemon's parts, each alone.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "base/control_block.h"
#include "base/test_files.h"
#include "scheduler/daemon_options.h"
#include "scheduler/doorbell.h"
#include "scheduler/hold_policy.h"
#include "scheduler/idle_states.h"
#include "scheduler/instance_table.h"
#include "scheduler/line_connection.h"
#include "scheduler/registry.h"

namespace junction::scheduler {
namespace {

TEST(HoldPolicy, HoldsFromTheFirstWorkUntilAWhileWithout) {
  HoldPolicy policy(1000);
  EXPECT_FALSE(policy.is_awake());
  EXPECT_TRUE(policy.OnWork(10'000, 1));
  EXPECT_FALSE(policy.OnWork(10'100, 2)) << "held already";
  EXPECT_FALSE(policy.OnTick(10'900, 3)) << "new work";
  EXPECT_FALSE(policy.OnTick(11'899, 3)) << "not long enough";
  EXPECT_TRUE(policy.OnTick(11'900, 3));
  EXPECT_FALSE(policy.is_awake());
  EXPECT_FALSE(policy.OnTick(99'999, 3)) << "let go already";
  EXPECT_EQ(policy.holds(), 1);
  EXPECT_EQ(policy.held_ns(99'999), 1900);
  EXPECT_TRUE(policy.OnWork(100'000, 4));
  EXPECT_EQ(policy.holds(), 2);
  EXPECT_EQ(policy.held_ns(100'050), 1950);
  EXPECT_EQ(policy.work(), 4);
}

TEST(ControlProtocol, ReadsRequests) {
  auto sync = ParseRequest(R"({"op":"sync","instances":[{"id":"a","control":"/c","pid":7,"coreLimit":2}]})");
  ASSERT_TRUE(sync.has_value()) << sync.error().message;
  const auto& instance = std::get<SyncRequest>(*sync).instances.at(0);
  EXPECT_EQ(instance.id, "a");
  EXPECT_EQ(instance.control_path, "/c");
  EXPECT_EQ(instance.pid, 7);
  EXPECT_EQ(instance.core_limit, 2);
  EXPECT_EQ(std::get<UpdateRequest>(*ParseRequest(R"({"op":"update","id":"a","coreLimit":3})")).core_limit, 3);
  EXPECT_EQ(std::get<RemoveRequest>(*ParseRequest(R"({"id":"a","op":"remove","more":[]})")).id, "a");
  EXPECT_TRUE(std::holds_alternative<StatsRequest>(*ParseRequest(R"({"op":"stats"})")));
}

TEST(ControlProtocol, RefusesWhatItCannotCarryOut) {
  for (
      const char* line : {
          "",
          "x",
          "[]",
          "{}",
          R"({"op":"what"})",
          R"({"op":1})",
          R"({"op":"sync"})",
          R"({"op":"sync","instances":[{}]})",
          R"({"op":"add","id":"a"})",
          R"({"op":"add","id":"","control":"/c","pid":1,"coreLimit":1})",
          R"({"op":"add","id":"a","control":"/c","pid":1,"coreLimit":0})",
          R"({"op":"add","id":"a","control":"/c","pid":-1,"coreLimit":1})",
          R"({"op":"add","id":"a\u0000","control":"/c","pid":1,"coreLimit":1})",
          R"({"op":"update","id":"a"})",
          R"({"op":"remove"})",
          R"({"op":"add","id":"a","control":"/c","pid":1,"coreLimit":1,"number":16777216})",
          R"({"op":"add","id":"a","control":"/c","pid":1,"coreLimit":1,"linksPath":"/l"})",
          R"({"op":"add","id":"a","control":"/c","pid":1,"coreLimit":1,"linksPath":"/l","ip":"10.0.0"})",
          R"({"op":"add","id":"a","control":"/c","pid":1,"coreLimit":1,"linksPath":"/l","ip":"10.0.0.2","ip6":"10.0.0.3"})",
          R"({"op":"add","id":"a","control":"/c","pid":1,"coreLimit":1,"linksPath":"/l","ip":"10.0.0.2","mac":"02"})",
          R"({"op":"add","id":"a","control":"/c","pid":1,"coreLimit":1,"linksPath":"/l","ip":"10.0.0.2","allow":[{"port":1}]})",
          R"({"op":"add","id":"a","control":"/c","pid":1,"coreLimit":1,"linksPath":"/l","ip":"10.0.0.2","allow":[{"to":"::/0","port":65536}]})",
      }) {
    EXPECT_FALSE(ParseRequest(line).has_value()) << line;
  }
  EXPECT_EQ(ParseRequest(R"({"op":"update","id":"a"})").error().message,
            "update: coreLimit: a number from 1 to 4096 is needed");
}

TEST(ControlProtocol, ReadsTheLinesItWrites) {
  const Registration written = {.id = "a\"b", .control_path = "/c d", .pid = 4, .core_limit = 9};
  std::string line = AddLine(written);
  ASSERT_EQ(line.back(), '\n');
  line.pop_back();
  const auto read = std::get<AddRequest>(*ParseRequest(line)).instance;
  EXPECT_EQ(read.id, written.id);
  EXPECT_EQ(read.control_path, written.control_path);
  EXPECT_EQ(read.links_path, "");
  EXPECT_EQ(ErrorLine("why \"so\""), "{\"error\":\"why \\\"so\\\"\"}\n");
}

TEST(ControlProtocol, KeepsTheUplinkOfAnInstance) {
  Registration written = {.id = "a", .control_path = "/c", .pid = 4, .core_limit = 9, .number = 7, .links_path = "/l"};
  written.ip4 = {10, 62, 0, 5};
  written.ip6 = ParseIp6("fd62::5");
  written.mac = Mac{2, 0, 0, 0, 0, 9};
  written.allow = {{.to = *ParseCidr("10.0.0.0/8"), .port = 443}, {.to = *ParseCidr("::/0"), .port = 0}};
  std::string line = AddLine(written);
  line.pop_back();
  const auto read = std::get<AddRequest>(*ParseRequest(line)).instance;
  EXPECT_EQ(read.number, 7);
  EXPECT_EQ(read.links_path, "/l");
  EXPECT_EQ(read.ip4, written.ip4);
  EXPECT_EQ(read.ip6, written.ip6);
  EXPECT_EQ(read.mac, written.mac);
  EXPECT_EQ(read.allow, written.allow);
}

TEST(Registry, KeepsWhatWasSaved) {
  const TempDir dir;
  const Registry registry(dir.File("registry"));
  EXPECT_TRUE(registry.Load().empty());
  ASSERT_TRUE(registry.Save({{"a", "/c", 1, 2}, {"b", "/d", 3, 4}}).has_value());
  ASSERT_EQ(registry.Load().size(), 2);
  EXPECT_EQ(registry.Load()[1].core_limit, 4);
  ASSERT_TRUE(registry.Save({}).has_value());
  EXPECT_TRUE(registry.Load().empty());
}

TEST(Registry, LeavesOutLinesThatAreNone) {
  const TempDir dir;
  dir.Write("registry", "garbage\n{\"op\":\"stats\"}\n" + AddLine({"a", "/c", 1, 2}) + "{\"op\":\"add\",\"id\":");
  const auto loaded = Registry(dir.File("registry")).Load();
  ASSERT_EQ(loaded.size(), 1);
  EXPECT_EQ(loaded[0].id, "a");
}

// The control block of an instance that counts guest syscalls.
class FakeInstance {
 public:
  explicit FakeInstance(std::string path) : path_(std::move(path)) {
    const UniqueFd fd(open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    EXPECT_EQ(ftruncate(fd.get(), kControlBlockSize_bytes), 0);
    block_ = static_cast<ControlBlock*>(
        mmap(nullptr, kControlBlockSize_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
    block_->magic = kControlBlockMagic;
    block_->version = kControlBlockVersion;
  }
  FakeInstance(const FakeInstance&) = delete;
  FakeInstance& operator=(const FakeInstance&) = delete;
  ~FakeInstance() { munmap(block_, kControlBlockSize_bytes); }
  void Work(uint64_t syscalls) { block_->threads[0].guest_syscalls += syscalls; }
  void Shrink() { EXPECT_EQ(truncate(path_.c_str(), 10), 0); }

 private:
  std::string path_;
  ControlBlock* block_;
};

TEST(InstanceTable, SeesWhoIsActive) {
  const TempDir dir;
  FakeInstance busy(dir.File("busy"));
  FakeInstance idle(dir.File("idle"));
  InstanceTable table;
  table.Sync({{"busy", dir.File("busy"), 1, 1}, {"idle", dir.File("idle"), 2, 1}});
  busy.Work(5);
  table.Sample(100);
  EXPECT_TRUE(table.entries().at("busy").activity.is_active);
  EXPECT_EQ(table.entries().at("busy").activity.guest_syscalls, 5);
  EXPECT_EQ(table.entries().at("busy").activity.last_active_ns, 100);
  EXPECT_FALSE(table.entries().at("idle").activity.is_active);
  EXPECT_EQ(table.entries().at("idle").activity.last_active_ns, 0);
  table.Sample(200);
  EXPECT_FALSE(table.entries().at("busy").activity.is_active);
  EXPECT_EQ(table.entries().at("busy").activity.last_active_ns, 100);
}

TEST(InstanceTable, ShowsAHostileBlockAsAFaultOfItsOwn) {
  const TempDir dir;
  FakeInstance hostile(dir.File("hostile"));
  FakeInstance good(dir.File("good"));
  InstanceTable table;
  table.Sync({{"hostile", dir.File("hostile"), 1, 1},
              {"good", dir.File("good"), 2, 1},
              {"missing", dir.File("none"), 3, 1},
              {"folder", dir.path(), 4, 1}});
  table.Sample(1);
  hostile.Shrink();
  good.Work(1);
  table.Sample(2);
  EXPECT_EQ(table.entries().at("hostile").activity.fault, "the control block is too short");
  EXPECT_TRUE(table.entries().at("good").activity.is_active);
  EXPECT_NE(table.entries().at("missing").activity.fault, "");
  EXPECT_NE(table.entries().at("folder").activity.fault, "");
}

TEST(InstanceTable, FollowsAnInstanceThatWasStartedAnew) {
  const TempDir dir;
  InstanceTable table;
  table.Add({"a", dir.File("a"), 1, 1});
  FakeInstance first(dir.File("a"));
  first.Work(9);
  table.Sample(1);
  unlink(dir.File("a").c_str());
  FakeInstance second(dir.File("a"));
  second.Work(2);
  table.Sample(2);
  EXPECT_EQ(table.entries().at("a").activity.guest_syscalls, 2);
}

TEST(InstanceTable, ChangesAsRequested) {
  InstanceTable table;
  EXPECT_TRUE(table.Add({"a", "/a", 1, 1}));
  EXPECT_TRUE(table.Add({"b", "/b", 2, 1}));
  EXPECT_TRUE(table.Update("a", 4));
  EXPECT_EQ(table.entries().at("a").registration.core_limit, 4);
  EXPECT_FALSE(table.Update("c", 4));
  EXPECT_TRUE(table.Remove("b"));
  EXPECT_FALSE(table.Remove("b"));
  table.Sync({{"c", "/c", 3, 1}});
  EXPECT_EQ(table.entries().size(), 1);
}

bool IsReadable(int fd, int timeout_ms) {
  pollfd state = {.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&state, 1, timeout_ms) == 1;
}

// A gateway's side of the page, by the protocol in base/control_block.h.
class Producer {
 public:
  explicit Producer(const std::string& path) {
    const UniqueFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
    page_ = static_cast<SchedulerDoorbell*>(
        mmap(nullptr, kSchedulerDoorbellSize_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
  }
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;
  ~Producer() { munmap(page_, kSchedulerDoorbellSize_bytes); }
  void Work() {
    page_->work.fetch_add(1);
    if (page_->sleeping.load() != 0) {
      page_->rings.fetch_add(1);
      syscall(SYS_futex, &page_->rings, FUTEX_WAKE, 1, nullptr, nullptr, 0);
    }
  }
  const SchedulerDoorbell& page() const { return *page_; }

 private:
  SchedulerDoorbell* page_;
};

constexpr int kPatience_ms = 60'000;

TEST(Doorbell, ReportsWorkOnceUntilItIsArmedAgain) {
  const TempDir dir;
  auto doorbell = Doorbell::Open(dir.File("bell"));
  ASSERT_TRUE(doorbell.has_value()) << doorbell.error().message;
  Producer producer(dir.File("bell"));
  EXPECT_EQ(producer.page().magic, kSchedulerDoorbellMagic);
  (*doorbell)->Arm(0);
  producer.Work();
  EXPECT_TRUE(IsReadable((*doorbell)->rang(), kPatience_ms));
  (*doorbell)->Taken();
  EXPECT_EQ((*doorbell)->work(), 1);
  producer.Work();
  EXPECT_FALSE(IsReadable((*doorbell)->rang(), 0)) << "not armed";
  EXPECT_EQ(producer.page().sleeping, 0) << "awake: nobody needs to ring";
  (*doorbell)->Arm(1);
  EXPECT_TRUE(IsReadable((*doorbell)->rang(), kPatience_ms)) << "work had come while it was not armed";
  EXPECT_EQ((*doorbell)->wakeups(), 2);
}

TEST(Doorbell, KeepsThePageThatGatewaysHaveMapped) {
  const TempDir dir;
  (void)Doorbell::Open(dir.File("bell"));
  Producer producer(dir.File("bell"));
  producer.Work();
  auto again = Doorbell::Open(dir.File("bell"));
  EXPECT_EQ((*again)->work(), 1);
  (*again)->Arm(1);
  producer.Work();
  EXPECT_TRUE(IsReadable((*again)->rang(), kPatience_ms));
}

TEST(Doorbell, EndsWhileItWaits) {
  const TempDir dir;
  auto doorbell = Doorbell::Open(dir.File("bell"));
  (*doorbell)->Arm(0);
  doorbell->reset();  // joins the thread
  EXPECT_FALSE(Doorbell::Open("/nonexistent/bell").has_value());
}

class IdleStatesTest : public testing::Test {
 protected:
  IdleStateOptions Options(IdleMechanism mechanism) const {
    return {.mechanism = mechanism,
            .haltpoll_ns = 150,
            .paths = {.cpu_dma_latency = dir_.File("latency"),
                      .haltpoll_ns = dir_.File("haltpoll"),
                      .restore_file = dir_.File("restore")}};
  }
  int32_t Wish() const {
    const std::string bytes = Slurp(dir_.File("latency"));
    int32_t wish = -1;
    EXPECT_EQ(bytes.size(), sizeof(wish));
    std::memcpy(&wish, bytes.data(), sizeof(wish));
    return wish;
  }
  // As sysfs does, a write replaces what is there.
  std::string Setting() const { return Slurp(dir_.File("haltpoll")); }
  TempDir dir_;
};

TEST_F(IdleStatesTest, WishesALatencyOfZeroWhileHeld) {
  dir_.Write("latency", "");
  auto states = OpenIdleStates(Options(IdleMechanism::kCpuDmaLatency));
  ASSERT_TRUE(states.has_value());
  EXPECT_EQ(Wish(), 2'000'000'000);
  ASSERT_TRUE((*states)->Hold().has_value());
  EXPECT_EQ(Wish(), 0);
  ASSERT_TRUE((*states)->LetGo().has_value());
  EXPECT_EQ(Wish(), 2'000'000'000);
}

TEST_F(IdleStatesTest, SetsHaltpollAndPutsItBack) {
  dir_.Write("haltpoll", "777\n");
  auto states = OpenIdleStates(Options(IdleMechanism::kHaltpoll));
  ASSERT_TRUE((*states)->Hold().has_value());
  EXPECT_EQ(Setting().substr(0, 3), "150");
  EXPECT_EQ(Slurp(dir_.File("restore")), "777\n");
  ASSERT_TRUE((*states)->Hold().has_value()) << "twice is once";
  EXPECT_EQ(Slurp(dir_.File("restore")), "777\n");
  ASSERT_TRUE((*states)->LetGo().has_value());
  EXPECT_EQ(Setting().substr(0, 3), "777");
  EXPECT_FALSE(std::filesystem::exists(dir_.File("restore")));
}

TEST_F(IdleStatesTest, RestoresWhatAKilledDaemonLeft) {
  dir_.Write("haltpoll", "150");
  const auto paths = Options(IdleMechanism::kHaltpoll).paths;
  EXPECT_FALSE(*RestoreIdleStates(paths)) << "nothing was held";
  dir_.Write("restore", "777\n");
  EXPECT_TRUE(*RestoreIdleStates(paths));
  EXPECT_EQ(Setting(), "777");
  EXPECT_FALSE(std::filesystem::exists(dir_.File("restore")));
  dir_.Write("restore", "");
  EXPECT_FALSE(*RestoreIdleStates(paths)) << "an unfinished note";
  EXPECT_FALSE(std::filesystem::exists(dir_.File("restore")));
}

TEST_F(IdleStatesTest, AutoTakesWhatThereIs) {
  EXPECT_EQ((*OpenIdleStates(Options(IdleMechanism::kAuto)))->mechanism(), IdleMechanism::kNone);
  dir_.Write("haltpoll", "0\n");
  EXPECT_EQ((*OpenIdleStates(Options(IdleMechanism::kAuto)))->mechanism(), IdleMechanism::kHaltpoll);
  dir_.Write("latency", "");
  EXPECT_EQ((*OpenIdleStates(Options(IdleMechanism::kAuto)))->mechanism(), IdleMechanism::kCpuDmaLatency);
}

TEST_F(IdleStatesTest, AnExplicitMechanismMustBeThere) {
  EXPECT_FALSE(OpenIdleStates(Options(IdleMechanism::kCpuDmaLatency)).has_value());
  EXPECT_FALSE(OpenIdleStates(Options(IdleMechanism::kHaltpoll)).has_value());
  EXPECT_TRUE(OpenIdleStates(Options(IdleMechanism::kNone)).has_value());
}

TEST(LineConnection, CutsTheStreamIntoLines) {
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  LineConnection connection{UniqueFd(fds[0])};
  UniqueFd other(fds[1]);
  std::vector<std::string> lines;
  const auto collect = [&](std::string_view line) { lines.emplace_back(line); };
  ASSERT_EQ(write(other.get(), "one\ntw", 6), 6);
  EXPECT_TRUE(connection.ReadLines(collect));
  EXPECT_TRUE(connection.ReadLines(collect)) << "nothing there is no end";
  ASSERT_EQ(write(other.get(), "o\n\n", 3), 3);
  EXPECT_TRUE(connection.ReadLines(collect));
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "two", ""}));
  EXPECT_TRUE(connection.Send("answer\n"));
  char text[16];
  EXPECT_EQ(read(other.get(), text, sizeof(text)), 7);
  other.Reset();
  EXPECT_FALSE(connection.ReadLines(collect));
}

TEST(LineConnection, EndsOneThatSendsNoLineEndOrDoesNotRead) {
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  LineConnection connection{UniqueFd(fds[0])};
  const UniqueFd other(fds[1]);
  const std::string chunk(16 * 1024, 'x');
  bool is_open = true;
  for (size_t sent = 0; is_open && sent <= 2 * kMaxLine_bytes; sent += chunk.size()) {
    ASSERT_EQ(write(other.get(), chunk.data(), chunk.size()), static_cast<ssize_t>(chunk.size()));
    is_open = connection.ReadLines([](std::string_view) { ADD_FAILURE(); });
  }
  EXPECT_FALSE(is_open);
  is_open = true;
  for (size_t sent = 0; is_open && sent <= 4 * kMaxLine_bytes; sent += chunk.size()) {
    is_open = connection.Send(chunk);
  }
  EXPECT_FALSE(is_open);
}

TEST(DaemonOptions, ReadsAllAndReportsAllFaults) {
  const auto options =
      ParseDaemonOptions({"--run_dir", "/r", "--idle_states", "haltpoll", "--let_go_after_ms", "50",
                          "--sample_every_ms", "5", "--haltpoll_ns", "9", "--restore", "--end_with_parent"});
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->socket_path, "/r/scheduler.sock");
  EXPECT_EQ(options->doorbell_path, "/r/scheduler-doorbell");
  EXPECT_EQ(options->idle_states.mechanism, IdleMechanism::kHaltpoll);
  EXPECT_EQ(options->let_go_after_ms, 50);
  EXPECT_TRUE(options->is_restore_only);
  EXPECT_EQ(
      ParseDaemonOptions({"--run_dir", "r", "--let_go_after_ms", "0", "--idle_states", "x", "--what"}).error().size(),
      4);
  EXPECT_EQ(ParseDaemonOptions({}).error().size(), 1);
  EXPECT_TRUE(ParseDaemonOptions({"--help"})->wants_help);
  EXPECT_NE(DaemonHelp().find("--run_dir DIR"), std::string::npos);
}

}  // namespace
}  // namespace junction::scheduler
