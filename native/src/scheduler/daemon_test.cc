// SPDX-License-Identifier: Apache-2.0
// Runs the real daemon with files of its own in place of the machine's settings.
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>

#include "base/control_block.h"
#include "base/test_files.h"

extern char** environ;

namespace junction::scheduler {
namespace {

constexpr int kPatience_ms = 60'000;

class DaemonTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_.Write("latency", "");
    dir_.Write("haltpoll", "777\n");
  }
  void TearDown() override { Kill(SIGKILL); }

  void Start(const std::string& mechanism) {
    std::vector<std::string> words = {JUNCTION_SCHEDULER,
                                      "--run_dir",
                                      dir_.path(),
                                      "--idle_states",
                                      mechanism,
                                      "--let_go_after_ms",
                                      "20",
                                      "--sample_every_ms",
                                      "5",
                                      "--cpu_dma_latency_path",
                                      dir_.File("latency"),
                                      "--haltpoll_path",
                                      dir_.File("haltpoll")};
    std::vector<char*> argv;
    for (std::string& word : words) {
      argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    ASSERT_EQ(posix_spawn(&pid_, JUNCTION_SCHEDULER, nullptr, nullptr, argv.data(), environ), 0);
    Connect();
  }

  // The exit status, or 1000 + the signal.
  int Kill(int number) {
    if (pid_ <= 0) {
      return -1;
    }
    kill(pid_, number);
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }

  void Connect() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    dir_.File("scheduler.sock").copy(address.sun_path, sizeof(address.sun_path) - 1);
    for (int waited_ms = 0; waited_ms < kPatience_ms; ++waited_ms) {
      client_.Reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (connect(client_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
        return;
      }
      poll(nullptr, 0, 1);
    }
    FAIL() << "no daemon";
  }

  void Say(const std::string& line) const {
    EXPECT_EQ(send(client_.get(), (line + "\n").data(), line.size() + 1, MSG_NOSIGNAL),
              static_cast<ssize_t>(line.size() + 1));
  }

  std::string Hear() const {
    std::string line;
    pollfd state = {.fd = client_.get(), .events = POLLIN, .revents = 0};
    for (char c = 0; poll(&state, 1, kPatience_ms) == 1 && read(client_.get(), &c, 1) == 1 && c != '\n';) {
      line += c;
    }
    return line;
  }

  std::string Stats() const {
    Say(R"({"op":"stats"})");
    return Hear();
  }

  static bool Has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

  // Waits for a text in the stats.
  void Await(const std::string& part) const {
    for (int waited_ms = 0; waited_ms < kPatience_ms; ++waited_ms) {
      if (Has(Stats(), part)) {
        return;
      }
      poll(nullptr, 0, 1);
    }
    FAIL() << "never: " << part << " in " << Stats();
  }

  // One piece of work, as a gateway reports it.
  void Work() const {
    const UniqueFd fd(open(dir_.File("scheduler-doorbell").c_str(), O_RDWR | O_CLOEXEC));
    auto* page = static_cast<SchedulerDoorbell*>(
        mmap(nullptr, kSchedulerDoorbellSize_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
    ASSERT_NE(page, MAP_FAILED);
    page->work.fetch_add(1);
    if (page->sleeping.load() != 0) {
      page->rings.fetch_add(1);
      syscall(SYS_futex, &page->rings, FUTEX_WAKE, 1, nullptr, nullptr, 0);
    }
    munmap(page, kSchedulerDoorbellSize_bytes);
  }

  TempDir dir_;
  pid_t pid_ = -1;
  UniqueFd client_;
};

TEST_F(DaemonTest, HoldsIdleStatesWhileThereIsWorkAndLetsGoAfterwards) {
  Start("cpu_dma_latency");
  EXPECT_TRUE(Has(Stats(), R"("heldShallow":false,"mechanism":"cpu_dma_latency","holds":0)"));
  Work();
  Await("\"holds\":1");
  Await("\"heldShallow\":false");
  Work();
  Await("\"holds\":2");
  EXPECT_EQ(Kill(SIGTERM), 0);
  int32_t wish = 0;
  std::memcpy(&wish, Slurp(dir_.File("latency")).data(), sizeof(wish));
  EXPECT_EQ(wish, 2'000'000'000) << "no wish is left";
  EXPECT_FALSE(std::filesystem::exists(dir_.File("scheduler.sock")));
}

TEST_F(DaemonTest, HasNoTimerWhileThereIsNoWork) {
  Start("none");
  Work();
  Await("\"holds\":1");
  Await("\"heldShallow\":false");
  // timerfd's own account of itself: proc(5), /proc/pid/fdinfo.
  int timers = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid_) + "/fdinfo")) {
    const std::string info = Slurp(entry.path());
    if (Has(info, "it_value")) {
      ++timers;
      EXPECT_TRUE(Has(info, "it_value: (0, 0)")) << info;
      EXPECT_TRUE(Has(info, "it_interval: (0, 0)")) << info;
    }
  }
  EXPECT_EQ(timers, 1);
}

TEST_F(DaemonTest, PutsBackWhatAKilledOneHeld) {
  dir_.Write("scheduler-idle-states", "555\n");  // as a daemon leaves it that is killed while it holds
  Start("haltpoll");
  EXPECT_EQ(Slurp(dir_.File("haltpoll")).substr(0, 3), "555");
  Work();
  Await("\"holds\":1");
  Await("\"heldShallow\":false");
  EXPECT_EQ(Slurp(dir_.File("haltpoll")).substr(0, 3), "555");
  EXPECT_EQ(Kill(SIGTERM), 0);
  dir_.Write("scheduler-idle-states", "333\n");
  const std::string command = std::string(JUNCTION_SCHEDULER) + " --restore --run_dir " + dir_.path() +
                              " --haltpoll_path " + dir_.File("haltpoll");
  EXPECT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(Slurp(dir_.File("haltpoll")).substr(0, 3), "333");
}

TEST_F(DaemonTest, KnowsInstancesAndKeepsThemOverAKill) {
  Start("none");
  Say(R"({"op":"sync","instances":[{"id":"a","control":"/none","pid":1,"coreLimit":2},{"id":"b","control":"/none","pid":2,"coreLimit":1}]})");
  Say(R"({"op":"update","id":"a","coreLimit":3})");
  Say(R"({"op":"remove","id":"b"})");
  Say(R"({"op":"add","id":"c","control":"/none","pid":5,"coreLimit":1})");
  const std::string stats = Stats();
  EXPECT_TRUE(Has(stats, R"({"id":"a","coreLimit":3,)")) << stats;
  EXPECT_FALSE(Has(stats, R"("id":"b")"));
  EXPECT_TRUE(Has(stats, R"("fault":"/none: No such file or directory")"));
  EXPECT_EQ(Kill(SIGKILL), 1000 + SIGKILL);
  Start("none");
  const std::string after = Stats();
  EXPECT_TRUE(Has(after, R"({"id":"a","coreLimit":3,)")) << after;
  EXPECT_TRUE(Has(after, R"("id":"c")"));
  EXPECT_FALSE(Has(after, R"("id":"b")"));
}

TEST_F(DaemonTest, AnswersWhatItCannotCarryOutAndGoesOn) {
  Start("none");
  Say("garbage");
  EXPECT_TRUE(Has(Hear(), "{\"error\":\"JSON"));
  Say(R"({"op":"remove","id":"nobody"})");
  EXPECT_EQ(Hear(), R"({"error":"remove: unknown instance nobody"})");
  EXPECT_TRUE(Has(Stats(), "\"instances\":[]"));
}

TEST_F(DaemonTest, RefusesToStartBesideAnother) {
  Start("none");
  const std::string command =
      std::string(JUNCTION_SCHEDULER) + " --run_dir " + dir_.path() + " --idle_states none 2>" + dir_.File("errors");
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 1);
  EXPECT_TRUE(Has(Slurp(dir_.File("errors")), "another one runs already")) << Slurp(dir_.File("errors"));
  EXPECT_TRUE(Has(Stats(), "\"instances\":[]")) << "the first one goes on";
}

TEST_F(DaemonTest, RefusesToStartWithoutTheMechanismAskedFor) {
  const std::string command = std::string(JUNCTION_SCHEDULER) + " --run_dir " + dir_.path() +
                              " --idle_states haltpoll --haltpoll_path /nonexistent 2>" + dir_.File("errors");
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 1);
  EXPECT_EQ(Slurp(dir_.File("errors")), "junction_scheduler: /nonexistent: No such file or directory\n");
}

}  // namespace
}  // namespace junction::scheduler
