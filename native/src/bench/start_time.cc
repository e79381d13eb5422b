// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "base/control_block.h"
#include "bench/http_client.h"
#include "bench/loads.h"
#include "bench/report.h"

namespace junction::bench {
namespace {

constexpr uint64_t kDeadline_ns = 10'000'000'000;
constexpr uint16_t kAnyPort = 1;  // of a URL: the port is found out
constexpr uint16_t kLinkPort = 8080;

struct Listener {
  uint16_t port = 0;
  uint64_t asked_at_ns = 0;  // when junction_run asked for the guest's process
};

// Null without an error: the file is not there yet.
Result<const ControlBlock*> MapBlock(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid() || lseek(fd.get(), 0, SEEK_END) < static_cast<off_t>(kControlBlockSize_bytes)) {
    return nullptr;
  }
  void* mapping = mmap(nullptr, kControlBlockSize_bytes, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (mapping == MAP_FAILED) {
    return ErrnoError("map " + path);
  }
  return static_cast<const ControlBlock*>(mapping);
}

// Tells of changes of a folder's files, so that who waits for one leaves the processors to the program that starts.
class FolderWatch {
 public:
  explicit FolderWatch(const std::string& path) : fd_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    const size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    inotify_add_watch(fd_.get(), folder.c_str(), IN_CREATE | IN_MODIFY);
  }

  void Wait() const {
    constexpr int kLimit_ms = 100;
    pollfd state = {.fd = fd_.get(), .events = POLLIN, .revents = 0};
    poll(&state, 1, kLimit_ms);
    alignas(inotify_event) char events[4096];
    while (read(fd_.get(), events, sizeof(events)) > 0) {
    }
  }

 private:
  UniqueFd fd_;
};

// The port that the instance behind `path` listens on; waits for the file and for the port.
Result<Listener> WaitForPort(const std::string& path, const FolderWatch& watch, uint64_t deadline_ns) {
  const ControlBlock* block = nullptr;
  while (Now_ns() < deadline_ns) {
    if (block == nullptr) {
      const auto mapped = MapBlock(path);
      if (!mapped) {
        return std::unexpected(mapped.error());
      }
      block = *mapped;
      if (block == nullptr) {
        watch.Wait();
      }
      continue;
    }
    const uint32_t seen = block->listen_seq.load(std::memory_order_acquire);
    for (const ControlPort& port : block->ports) {
      if (port.guest_port.load(std::memory_order_acquire) != 0 && port.listening.load(std::memory_order_relaxed) == 1) {
        return Listener{port.host_port.load(std::memory_order_relaxed),
                        block->asked_at_ns.load(std::memory_order_relaxed)};
      }
    }
    const timespec limit{.tv_sec = 0, .tv_nsec = 100'000'000};
    syscall(SYS_futex, &block->listen_seq, FUTEX_WAIT, seen, &limit, nullptr, 0);
  }
  return PlainError("the instance did not listen in time");
}

Result<void> AskOnce(const StartOptions& options, Target target, uint64_t deadline_ns) {
  const std::string request = RenderRequest(target, options.body);
  while (Now_ns() < deadline_ns) {
    const auto connection = Connect(target, false);
    if (!connection) {
      sched_yield();  // not listening yet; asking again at once costs the started program as little as a wait would
      continue;
    }
    if (send(connection->get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
      return ErrnoError("send");
    }
    AnswerReader answer;
    char buffer[65536];
    auto state = AnswerReader::State::kIncomplete;
    while (state == AnswerReader::State::kIncomplete) {
      const ssize_t received = recv(connection->get(), buffer, sizeof(buffer), 0);
      if (received <= 0) {
        return ErrnoError("receive", received == 0 ? ECONNRESET : errno);
      }
      state = answer.Feed({buffer, static_cast<size_t>(received)});
    }
    if (state != AnswerReader::State::kComplete || answer.status() != 200 ||
        (!options.expected.empty() && answer.body() != options.expected)) {
      return PlainError("wrong first answer");
    }
    return {};
  }
  return PlainError("no answer in time");
}

}  // namespace

Result<void> RunStart(const StartOptions& options) {
  auto target = ParseUrl(options.url);
  if (!target) {
    return std::unexpected(target.error());
  }
  std::vector<char*> argv;
  for (const std::string& argument : options.command) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  if (!options.control_path.empty()) {
    unlink(options.control_path.c_str());
  }
  const FolderWatch watch(options.control_path);
  const uint64_t begin_ns = Now_ns();
  const pid_t child = vfork();
  if (child == 0) {
    execvp(argv[0], argv.data());
    _exit(127);
  }
  if (child < 0) {
    return ErrnoError("vfork");
  }
  uint64_t asked_ns = begin_ns;
  uint64_t listening_ns = begin_ns;
  const bool has_control = !options.control_path.empty();
  const auto wait_for_listener = [&]() -> Result<void> {
    if (has_control) {
      const auto listener = WaitForPort(options.control_path, watch, begin_ns + kDeadline_ns);
      if (!listener) {
        return std::unexpected(listener.error());
      }
      target->port = listener->port;
      asked_ns = listener->asked_at_ns;
      listening_ns = Now_ns();
    }
    return {};
  };
  Result<void> outcome;
  if (options.link.empty()) {
    outcome = wait_for_listener();
    if (outcome) {
      outcome = AskOnce(options, *target, begin_ns + kDeadline_ns);
    }
  } else {
    target->port = target->port == kAnyPort ? kLinkPort : target->port;
    outcome = AskOnceOverLink(options, *target, begin_ns + kDeadline_ns, wait_for_listener);
  }
  const uint64_t end_ns = Now_ns();
  kill(child, SIGTERM);
  waitpid(child, nullptr, 0);
  if (!outcome) {
    return outcome;
  }
  // "from_asked": without junction_run's own start, what a clone or a fork of it takes.
  std::printf("{\"first_answer_ns\":%llu,\"listening_ns\":%llu,\"from_asked_ns\":%llu}\n",
              static_cast<unsigned long long>(end_ns - begin_ns),
              static_cast<unsigned long long>(has_control ? listening_ns - begin_ns : 0),
              static_cast<unsigned long long>(end_ns - asked_ns));
  return {};
}

}  // namespace junction::bench
