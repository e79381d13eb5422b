// SPDX-License-Identifier: Apache-2.0
// Makes and ends many of one kind of thing, so that the test can see whether the kernel's memory grows with them.
// Usage: growth KIND COUNT.
#define _GNU_SOURCE
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char* g_self;

static void RunProgram(void) {
  const pid_t child = fork();
  if (child == 0) {
    execl(g_self, g_self, "nothing", "0", (char*)NULL);
    _exit(98);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
    printf("failed: %d %x\n", (int)child, status);
    exit(1);
  }
}

static void Fork(void) {
  const pid_t child = fork();
  if (child == 0) {
    _exit(0);
  }
  waitpid(child, NULL, 0);
}

static void* Nothing(void* argument) { return argument; }

static void Thread(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, Nothing, NULL) != 0) {
    exit(1);
  }
  pthread_join(thread, NULL);
}

static void Pipe(void) {
  int fds[2];
  char byte = 'a';
  if (pipe(fds) != 0 || write(fds[1], &byte, 1) != 1 || read(fds[0], &byte, 1) != 1) {
    exit(1);
  }
  close(fds[0]);
  close(fds[1]);
}

static void Socket(void) {
  int fds[2];
  char byte = 'a';
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0 || write(fds[1], &byte, 1) != 1) {
    exit(1);
  }
  close(fds[0]);
  close(fds[1]);
}

// A connection over the loopback device, ended by a reset, so that no TIME_WAIT is left.
static void Connection(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  const struct linger reset = {1, 0};
  char bytes[3000] = {0};
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr*)&address, size) != 0 || listen(listener, 1) != 0 ||
      getsockname(listener, (struct sockaddr*)&address, &size) != 0 ||
      connect(client, (struct sockaddr*)&address, size) != 0) {
    exit(1);
  }
  const int server = accept(listener, NULL, NULL);
  setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  if (write(client, bytes, sizeof(bytes)) != sizeof(bytes) || read(server, bytes, 1) != 1) {
    exit(1);
  }
  close(client);
  close(server);
  close(listener);
}

static void Datagram(void) {
  struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
  socklen_t size = sizeof(address);
  char byte = 'a';
  const int server = socket(AF_INET6, SOCK_DGRAM, 0);
  const int client = socket(AF_INET6, SOCK_DGRAM, 0);
  if (bind(server, (struct sockaddr*)&address, size) != 0 ||
      getsockname(server, (struct sockaddr*)&address, &size) != 0 ||
      sendto(client, &byte, 1, 0, (struct sockaddr*)&address, size) != 1 ||
      sendto(client, &byte, 1, MSG_MORE, (struct sockaddr*)&address, size) != 1) {
    exit(1);
  }
  close(client);
  close(server);
}

static void Names(void) {
  if (if_nametoindex("lo") != 1) {
    exit(1);
  }
  struct ifaddrs* list;
  if (getifaddrs(&list) != 0) {
    exit(1);
  }
  freeifaddrs(list);
  char text[256];
  const int fd = open("/proc/net/tcp", O_RDONLY);
  if (read(fd, text, sizeof(text)) < 100) {
    exit(1);
  }
  close(fd);
}

static void Events(void) {
  const int epoll = epoll_create1(0);
  const int event = eventfd(1, 0);
  const int timer = timerfd_create(CLOCK_MONOTONIC, 0);
  const struct itimerspec soon = {{0, 0}, {100, 0}};
  timerfd_settime(timer, 0, &soon, NULL);
  struct epoll_event wanted = {.events = EPOLLIN};
  epoll_ctl(epoll, EPOLL_CTL_ADD, event, &wanted);
  epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &wanted);
  epoll_wait(epoll, &wanted, 1, 0);
  close(timer);
  close(event);
  close(epoll);
}

static void Memory(void) {
  char* const memory = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(memory + 8192, 4096, PROT_READ);
  munmap(memory, 65536);
}

static void Signal(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &set, NULL);
  sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 1});
  sigwaitinfo(&set, NULL);
  timer_t timer;
  if (timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0) {
    timer_delete(timer);
  }
}

int main(int argc, char** argv) {
  static const struct {
    const char* name;
    void (*run)(void);
  } kKinds[] = {{"program", RunProgram}, {"fork", Fork},     {"thread", Thread},        {"pipe", Pipe},
                {"socket", Socket},      {"events", Events}, {"memory", Memory},        {"signal", Signal},
                {"datagram", Datagram},  {"names", Names},   {"connection", Connection}};
  g_self = argv[0];
  for (size_t i = 0; argc == 3 && i < sizeof(kKinds) / sizeof(kKinds[0]); ++i) {
    if (strcmp(argv[1], kKinds[i].name) == 0) {
      for (long n = strtol(argv[2], NULL, 10); n > 0; --n) {
        kKinds[i].run();
      }
    }
  }
  return 0;
}
