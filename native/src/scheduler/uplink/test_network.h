// SPDX-License-Identifier: Apache-2.0
// Network namespaces and sockets for the tests of the uplink.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <future>
#include <mutex>
#include <queue>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

extern char** environ;

namespace junction::scheduler {

constexpr int kPatience_ms = 30'000;

/// Runs a command of the shell in the calling thread's network namespace. Its exit status.
inline int Shell(const std::string& command) {
  std::string words[] = {"/bin/sh", "-c", command};
  char* const argv[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
  pid_t pid = -1;
  if (posix_spawn(&pid, "/bin/sh", nullptr, nullptr, argv, environ) != 0) {
    return -1;
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// A network namespace: a thread that lives in it and does what it is told there.
class Namespace {
 public:
  Namespace() : thread_([this] { Live(); }) {
    // A new namespace takes net.ipv4 settings over from the first one.
    Do([] { EXPECT_EQ(Shell("ip link set lo up && echo 0 > /proc/sys/net/ipv4/ip_forward"), 0); });
  }
  Namespace(const Namespace&) = delete;
  Namespace& operator=(const Namespace&) = delete;
  ~Namespace() {
    Post(nullptr);
    thread_.join();
  }

  /// Does it in the namespace and waits for it.
  template <typename Work>
  auto Do(Work work) -> decltype(work()) {
    std::packaged_task<decltype(work())()> task(std::move(work));
    auto result = task.get_future();
    Post([&task] { task(); });
    return result.get();
  }

  pid_t thread_id() {
    return Do([] { return gettid(); });
  }

 private:
  void Post(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    work_.push(std::move(work));
    changed_.notify_one();
  }

  void Live() {
    EXPECT_EQ(unshare(CLONE_NEWNET), 0);
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !work_.empty(); });
      auto work = std::move(work_.front());
      work_.pop();
      lock.unlock();
      if (!work) {
        return;
      }
      work();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::queue<std::function<void()>> work_;
  std::thread thread_;
};

/// An address of either family with a port.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  SocketAddress(const std::string& ip, uint16_t port) {
    auto* in4 = reinterpret_cast<sockaddr_in*>(&storage);
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&storage);
    if (inet_pton(AF_INET, ip.c_str(), &in4->sin_addr) == 1) {
      in4->sin_family = AF_INET;
      in4->sin_port = htons(port);
      size = sizeof(sockaddr_in);
    } else {
      EXPECT_EQ(inet_pton(AF_INET6, ip.c_str(), &in6->sin6_addr), 1) << ip;
      in6->sin6_family = AF_INET6;
      in6->sin6_port = htons(port);
      size = sizeof(sockaddr_in6);
    }
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

inline std::string TextOf(const sockaddr_storage& storage) {
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(storage).sin_addr, text, sizeof(text));
  } else {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr, text, sizeof(text));
  }
  return text;
}

inline UniqueFd Socket(const SocketAddress& address, int type) {
  UniqueFd fd(socket(address.get()->sa_family, type | SOCK_CLOEXEC, 0));
  EXPECT_TRUE(fd.valid());
  const timeval patience = {.tv_sec = kPatience_ms / 1000, .tv_usec = 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  return fd;
}

inline UniqueFd Bound(Namespace& where, const std::string& ip, uint16_t port, int type = SOCK_STREAM) {
  return where.Do([&] {
    const SocketAddress address(ip, port);
    UniqueFd fd = Socket(address, type);
    EXPECT_EQ(bind(fd.get(), address.get(), address.size), 0) << ip << ": " << std::strerror(errno);
    if (type == SOCK_STREAM) {
      EXPECT_EQ(listen(fd.get(), 64), 0);
    }
    return fd;
  });
}

struct Connecting {
  UniqueFd fd;
  int error = 0;  // errno of connect
};

inline Connecting Connect(Namespace& from, const std::string& ip, uint16_t port) {
  return from.Do([&] {
    const SocketAddress address(ip, port);
    Connecting result{.fd = Socket(address, SOCK_STREAM)};
    result.error = connect(result.fd.get(), address.get(), address.size) == 0 ? 0 : errno;
    return result;
  });
}

struct Accepted {
  UniqueFd fd;
  std::string peer;
};

inline Accepted Accept(const UniqueFd& listener) {
  sockaddr_storage peer{};
  socklen_t size = sizeof(peer);
  UniqueFd fd(accept4(listener.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC));
  EXPECT_TRUE(fd.valid()) << std::strerror(errno);
  const timeval patience = {.tv_sec = kPatience_ms / 1000, .tv_usec = 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  return {.fd = std::move(fd), .peer = TextOf(peer)};
}

/// Sends a text one way and reads it at the other end.
inline void ExpectPasses(const UniqueFd& from, const UniqueFd& to, const std::string& text) {
  ASSERT_EQ(send(from.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  std::string got(text.size(), '\0');
  ASSERT_EQ(recv(to.get(), got.data(), got.size(), MSG_WAITALL), static_cast<ssize_t>(got.size()))
      << std::strerror(errno);
  EXPECT_EQ(got, text);
}

/// Many bytes one way, checked.
inline void ExpectBulk(const UniqueFd& from, const UniqueFd& to, size_t total_bytes) {
  std::thread sender([&] {
    std::vector<uint8_t> chunk(256 * 1024);
    for (size_t sent = 0; sent < total_bytes;) {
      for (size_t i = 0; i < chunk.size(); ++i) {
        chunk[i] = static_cast<uint8_t>((sent + i) * 31 >> 3);
      }
      const size_t wanted = std::min(chunk.size(), total_bytes - sent);
      const ssize_t count = send(from.get(), chunk.data(), wanted, MSG_NOSIGNAL);
      if (count <= 0) {
        ADD_FAILURE() << "send: " << std::strerror(errno);
        return;
      }
      sent += static_cast<size_t>(count);
    }
  });
  std::vector<uint8_t> chunk(256 * 1024);
  size_t got = 0;
  size_t wrong = 0;
  while (got < total_bytes) {
    const ssize_t count = recv(to.get(), chunk.data(), chunk.size(), 0);
    if (count <= 0) {
      ADD_FAILURE() << "recv after " << got << ": " << std::strerror(errno);
      break;
    }
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
      wrong += chunk[i] != static_cast<uint8_t>((got + i) * 31 >> 3) ? 1 : 0;
    }
    got += static_cast<size_t>(count);
  }
  sender.join();
  EXPECT_EQ(got, total_bytes);
  EXPECT_EQ(wrong, 0U);
}

}  // namespace junction::scheduler
