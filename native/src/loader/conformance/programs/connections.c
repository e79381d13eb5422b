// SPDX-License-Identifier: Apache-2.0
// Many connections at once over the loopback device: a server that echoes, by edge-triggered epoll, and a client with all of them open.
// Usage: connections COUNT.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kRounds = 3, kEvents = 256 };

static void Fail(const char* what) {
  printf("%s: %s\n", what, strerrorname_np(errno));
  fflush(stdout);
  _exit(1);
}

static struct sockaddr_in Loopback(uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static uint16_t Listen(int* listener) {
  struct sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  *listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (bind(*listener, (struct sockaddr*)&address, sizeof(address)) != 0 || listen(*listener, 4096) != 0 ||
      getsockname(*listener, (struct sockaddr*)&address, &size) != 0) {
    Fail("listen");
  }
  return ntohs(address.sin_port);
}

static void Watch(int epoll, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    Fail("epoll_ctl");
  }
}

static void AcceptAll(int epoll, int listener) {
  for (;;) {
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0) {
      if (errno != EAGAIN) {
        Fail("accept");
      }
      return;
    }
    Watch(epoll, fd, EPOLLIN | EPOLLRDHUP | EPOLLET);
  }
}

// True if the connection is over.
static int Echo(int fd) {
  char buffer[64];
  for (;;) {
    const ssize_t size = read(fd, buffer, sizeof(buffer));
    if (size < 0 && errno == EAGAIN) {
      return 0;
    }
    if (size <= 0) {
      close(fd);
      return 1;
    }
    if (write(fd, buffer, (size_t)size) != size) {
      Fail("write");
    }
  }
}

static void Serve(int listener, int count) {
  const int epoll = epoll_create1(0);
  struct epoll_event events[kEvents];
  Watch(epoll, listener, EPOLLIN | EPOLLET);
  for (int over = 0; over < count;) {
    const int ready = epoll_wait(epoll, events, kEvents, -1);
    for (int i = 0; i < ready; ++i) {
      if (events[i].data.fd == listener) {
        AcceptAll(epoll, listener);
      } else {
        over += Echo(events[i].data.fd);
      }
    }
  }
}

static void Ask(const int* fds, int count, int round) {
  char text[16], answer[16];
  for (int i = 0; i < count; ++i) {
    const int size = snprintf(text, sizeof(text), "%d.%d", round, i);
    if (write(fds[i], text, (size_t)size) != size) {
      Fail("write");
    }
  }
  for (int i = 0; i < count; ++i) {
    const int size = snprintf(text, sizeof(text), "%d.%d", round, i);
    if (recv(fds[i], answer, (size_t)size, MSG_WAITALL) != size || memcmp(text, answer, (size_t)size) != 0) {
      Fail("read");
    }
  }
}

static void Connect(uint16_t port, int count) {
  int* const fds = calloc((size_t)count, sizeof(int));
  const struct sockaddr_in address = Loopback(port);
  const struct linger reset = {1, 0};  // leaves no TIME_WAIT behind, here or on the host that runs the test
  for (int i = 0; i < count; ++i) {
    fds[i] = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    if (connect(fds[i], (const struct sockaddr*)&address, sizeof(address)) != 0) {
      Fail("connect");
    }
  }
  for (int round = 0; round < kRounds; ++round) {
    Ask(fds, count, round);
  }
  for (int i = 0; i < count; ++i) {
    close(fds[i]);
  }
  free(fds);
}

int main(int argc, char** argv) {
  const int count = argc > 1 ? atoi(argv[1]) : 100;
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < (rlim_t)count + 100) {
    printf("too few descriptors\n");
    return 1;
  }
  int listener;
  const uint16_t port = Listen(&listener);
  const pid_t child = fork();
  if (child == 0) {
    close(listener);
    Connect(port, count);
    _exit(0);
  }
  Serve(listener, count);
  int status = -1;
  waitpid(child, &status, 0);
  printf("%d connections, client %d\n", count, status);
  return 0;
}
