// SPDX-License-Identifier: Apache-2.0
// The guest of instance_net_test: serves TCP and UDP on port 8080 and echoes what it gets. What begins with '?' is a question instead.
//
//   serve     one thread and epoll
//   busy      the same, and other threads that compute without end
//   prefork   a worker process accepts, its parent only waits
//   fork      a process for each connection
//   exec      serve, after an execve
//   flood N   sends N datagrams to the first link's peer as fast as they go, and ends
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

namespace {

constexpr uint16_t kPort = 8080;
constexpr int kBacklog = 4096;
constexpr size_t kBuffer_bytes = 65536;

int answers;

[[noreturn]] void Fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

sockaddr_in6 AnyAddress() {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(kPort);
  return address;
}

int Listen() {
  const int fd = socket(AF_INET6, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const sockaddr_in6 address = AnyAddress();
  if (fd < 0 || bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(fd, kBacklog) != 0) {
    Fail("listen");
  }
  return fd;
}

int BindUdp() {
  const int fd = socket(AF_INET6, SOCK_DGRAM, 0);
  const sockaddr_in6 address = AnyAddress();
  if (fd < 0 || bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    Fail("bind");
  }
  return fd;
}

// "?…" -> what is asked for, padded to the question's length so that the peer knows when it has all.
void Answer(char* bytes, size_t size) {
  ++answers;
  if (bytes[0] != '?') {
    return;
  }
  const std::string question(bytes, size);
  std::string text = "unknown";
  if (question.starts_with("?count")) {
    text = std::to_string(answers);
  } else if (question.starts_with("?pid")) {
    text = std::to_string(getpid());
  } else if (question.starts_with("?exit")) {
    std::exit(7);
  }
  text.resize(size, ' ');
  std::memcpy(bytes, text.data(), size);
}

// False if the connection is to be closed.
bool Echo(int fd) {
  static char buffer[kBuffer_bytes];
  const ssize_t size = read(fd, buffer, sizeof(buffer));
  if (size <= 0) {
    return false;
  }
  Answer(buffer, static_cast<size_t>(size));
  for (ssize_t sent = 0; sent < size;) {
    const ssize_t part = write(fd, buffer + sent, static_cast<size_t>(size - sent));
    if (part <= 0) {
      return false;
    }
    sent += part;
  }
  return true;
}

void EchoDatagram(int fd) {
  static char buffer[kBuffer_bytes];
  sockaddr_in6 from{};
  socklen_t from_bytes = sizeof(from);
  const ssize_t size = recvfrom(fd, buffer, sizeof(buffer), 0, reinterpret_cast<sockaddr*>(&from), &from_bytes);
  if (size > 0) {
    Answer(buffer, static_cast<size_t>(size));
    sendto(fd, buffer, static_cast<size_t>(size), 0, reinterpret_cast<sockaddr*>(&from), from_bytes);
  }
}

void Add(int poller, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0) {
    Fail("epoll_ctl");
  }
}

[[noreturn]] void Serve(int listener) {
  const int datagrams = BindUdp();
  const int poller = epoll_create1(0);
  Add(poller, listener);
  Add(poller, datagrams);
  while (true) {
    epoll_event events[64];
    const int count = epoll_wait(poller, events, 64, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener) {
        const int connection = accept(listener, nullptr, nullptr);
        if (connection >= 0) {
          Add(poller, connection);
        }
      } else if (fd == datagrams) {
        EchoDatagram(fd);
      } else if (!Echo(fd)) {
        close(fd);
      }
    }
  }
}

[[noreturn]] void ServeByForks(int listener) {
  signal(SIGCHLD, SIG_IGN);
  while (true) {
    const int connection = accept(listener, nullptr, nullptr);
    if (connection < 0) {
      continue;
    }
    if (fork() == 0) {
      close(listener);
      while (Echo(connection)) {
      }
      std::_Exit(0);
    }
    close(connection);
  }
}

[[noreturn]] void Flood(int count) {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(kPort);
  to.sin_addr.s_addr = inet_addr("169.254.254.1");
  // Until there is a peer the network is unreachable, or says that nobody listens.
  char bytes[1400] = {};
  for (int sent = 0; sent < count;) {
    sent += sendto(fd, bytes, sizeof(bytes), 0, reinterpret_cast<sockaddr*>(&to), sizeof(to)) > 0 ? 1 : 0;
  }
  std::exit(0);
}

[[noreturn]] void Compute() {
  volatile uint64_t sum = 0;
  while (true) {
    sum = sum + 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "serve";
  const int threads = argc > 2 ? std::atoi(argv[2]) : 1;
  if (mode == "exec") {
    execl("/bin/probe", "probe", "serve", nullptr);
    Fail("exec");
  }
  if (mode == "flood") {
    Flood(threads);
  }
  const int listener = Listen();
  if (mode == "busy") {
    for (int i = 0; i < threads; ++i) {
      std::thread(Compute).detach();
    }
  } else if (mode == "fork") {
    ServeByForks(listener);
  } else if (mode == "prefork") {
    if (const pid_t worker = fork(); worker != 0) {
      int status = 0;
      waitpid(worker, &status, 0);
      if (argc > 2) {
        Serve(listener);  // goes on alone
      }
      return 3;
    }
  }
  Serve(listener);
}
