// SPDX-License-Identifier: Apache-2.0
#include "addon/process_waiter.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "base/check.h"

namespace junction::addon {
namespace {

// waitid(2)'s P_PIDFD, which glibc's headers have as an enumerator only from 2.36 on.
constexpr auto kPidfd = static_cast<idtype_t>(3);

ProcessEnd Reap(int pidfd) {
  siginfo_t info{};
  ProcessEnd end;
  if (waitid(kPidfd, static_cast<id_t>(pidfd), &info, WEXITED) != 0) {
    return end;  // somebody else has reaped it
  }
  end.is_known = true;
  if (info.si_code == CLD_EXITED) {
    end.exit_code = info.si_status;
  } else {
    end.signal = info.si_status;
  }
  return end;
}

}  // namespace

ProcessWaiter::~ProcessWaiter() {
  if (thread_.joinable()) {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(stop_.get(), &one, sizeof(one));
    thread_.join();
  }
}

Result<void> ProcessWaiter::Start() {
  if (thread_.joinable()) {
    return {};
  }
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  UniqueFd stop(eventfd(0, EFD_CLOEXEC));
  epoll_event event{.events = EPOLLIN, .data = {.u64 = 0}};
  if (!epoll.valid() || !stop.valid() || epoll_ctl(epoll.get(), EPOLL_CTL_ADD, stop.get(), &event) != 0) {
    return ErrnoError("process waiter");
  }
  epoll_ = std::move(epoll);
  stop_ = std::move(stop);
  sigset_t all;
  sigset_t old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  thread_ = std::thread([this] { Run(); });
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  return {};
}

Result<uint64_t> ProcessWaiter::Watch(UniqueFd pidfd, bool is_child, OnEnd on_end) {
  const std::lock_guard lock(mutex_);
  if (auto started = Start(); !started) {
    return std::unexpected(std::move(started.error()));
  }
  const uint64_t number = next_number_++;
  const int fd = pidfd.get();
  watched_[number] = Watched{.pidfd = std::move(pidfd), .is_child = is_child, .on_end = std::move(on_end)};
  epoll_event event{.events = EPOLLIN, .data = {.u64 = number}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    auto error = ErrnoError("epoll_ctl");
    watched_.erase(number);
    return error;
  }
  return number;
}

void ProcessWaiter::Unwatch(const Watched& watched) {
  // Closing is not enough: others may hold copies of the descriptor, and epoll watches what is behind it.
  JUNCTION_CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, watched.pidfd.get(), nullptr) == 0);
}

void ProcessWaiter::Forget(uint64_t number) {
  const std::lock_guard lock(mutex_);
  const auto found = watched_.find(number);
  if (found == watched_.end()) {
    return;
  }
  if (found->second.is_child) {
    found->second.on_end = nullptr;
  } else {
    Unwatch(found->second);
    watched_.erase(found);
  }
}

void ProcessWaiter::Run() {
  for (;;) {
    epoll_event event;
    const int count = epoll_wait(epoll_.get(), &event, 1, -1);
    if (count < 0) {
      JUNCTION_CHECK(errno == EINTR);
      continue;
    }
    if (event.data.u64 == 0) {
      return;
    }
    Watched ended;
    {
      const std::lock_guard lock(mutex_);
      const auto found = watched_.find(event.data.u64);
      if (found == watched_.end()) {
        continue;
      }
      ended = std::move(found->second);
      Unwatch(ended);
      watched_.erase(found);
    }
    const ProcessEnd end = ended.is_child ? Reap(ended.pidfd.get()) : ProcessEnd{};
    ended.pidfd.Reset();
    if (ended.on_end) {
      ended.on_end(end);
    }
  }
}

}  // namespace junction::addon
