// SPDX-License-Identifier: Apache-2.0
// Calls on inet and netlink sockets with arguments that are mostly sensible, in an order that is not, by several processes that share some of
// them. Nothing is expected of the answers, but that the kernel goes on: the end is a connection that works.
// Usage: random_sockets SEED PROCESSES CALLS.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kSockets = 24, kPorts = 6, kFirstPort = 20100 };

static uint64_t g_state;
static int g_fds[kSockets];
static char g_bytes[70000];

static uint32_t Random(uint32_t below) {
  g_state ^= g_state << 13;
  g_state ^= g_state >> 7;
  g_state ^= g_state << 17;
  return (uint32_t)(g_state >> 20) % below;
}

static uint32_t Size(void) { return Random(10) == 0 ? Random(sizeof(g_bytes)) : Random(2000); }
static int Fd(void) { return g_fds[Random(kSockets)]; }

static socklen_t Address(struct sockaddr_storage* out) {
  const uint16_t port = htons((uint16_t)(kFirstPort + Random(kPorts)));
  static const char* const kV4[] = {"127.0.0.1", "0.0.0.0",     "10.99.0.2",  "127.0.0.9",
                                    "224.0.0.5", "10.99.0.255", "10.99.0.77", "8.8.8.8"};
  static const char* const kV6[] = {"::1",     "::",      "::ffff:127.0.0.1", "fd99::2",
                                    "ff02::5", "fe80::1", "fd99::77",         "::ffff:10.99.0.2"};
  memset(out, 0, sizeof(*out));
  if (Random(2) == 0) {
    struct sockaddr_in* const address = (struct sockaddr_in*)out;
    address->sin_family = Random(20) == 0 ? AF_UNSPEC : AF_INET;
    address->sin_port = port;
    inet_pton(AF_INET, kV4[Random(Random(3) == 0 ? 8 : 2)], &address->sin_addr);
    return Random(30) == 0 ? Random(128) : sizeof(*address);
  }
  struct sockaddr_in6* const address = (struct sockaddr_in6*)out;
  address->sin6_family = AF_INET6;
  address->sin6_port = port;
  address->sin6_scope_id = Random(4);
  inet_pton(AF_INET6, kV6[Random(Random(3) == 0 ? 8 : 3)], &address->sin6_addr);
  return Random(30) == 0 ? Random(128) : sizeof(*address);
}

static void Open(void) {
  int* const slot = &g_fds[Random(kSockets)];
  close(*slot);
  const int flags = Random(4) == 0 ? 0 : SOCK_NONBLOCK;
  const uint32_t kind = Random(10);
  if (kind == 0) {
    *slot = socket(AF_NETLINK, SOCK_RAW | flags, 0);
  } else if (kind == 1) {
    *slot = socket(AF_INET, SOCK_DGRAM | flags, IPPROTO_ICMP);
  } else {
    *slot = socket(Random(2) == 0 ? AF_INET : AF_INET6, (kind < 7 ? SOCK_STREAM : SOCK_DGRAM) | flags, 0);
  }
}

static void Accept(void) {
  int* const slot = &g_fds[Random(kSockets)];
  const int fd = accept4(Fd(), NULL, NULL, SOCK_NONBLOCK);
  if (fd >= 0) {
    close(*slot);
    *slot = fd;
  }
}

static void SetOption(void) {
  static const int kLevels[] = {SOL_SOCKET, SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_UDP, 270};
  int values[4];
  for (int i = 0; i < 4; ++i) {
    values[i] = Random(3) == 0 ? (int)Random(~0U) : (int)Random(3);
  }
  const int level = kLevels[Random(7)];
  const int option = (int)Random(80);
  if (level == SOL_SOCKET && option == SO_LINGER) {
    values[1] &= 1;  // seconds
  }
  socklen_t size = Random(sizeof(values) + 1);
  if (Random(2) == 0) {
    setsockopt(Fd(), level, option, values, size);
  } else {
    getsockopt(Fd(), level, option, values, &size);
  }
}

static void SendMessage(void) {
  struct sockaddr_storage name;
  char control[128];
  struct iovec parts[3] = {{g_bytes, Size()}, {g_bytes + 100, Size()}, {g_bytes, Random(3)}};
  struct msghdr header = {.msg_name = &name, .msg_namelen = Address(&name), .msg_iov = parts, .msg_iovlen = Random(4)};
  if (Random(2) == 0) {
    struct cmsghdr* const item = (struct cmsghdr*)control;
    for (size_t i = 0; i < sizeof(control); ++i) {
      control[i] = (char)Random(4);
    }
    item->cmsg_len = Random(5) == 0 ? Random(200) : CMSG_LEN(Random(2) == 0 ? 4 : 12);
    item->cmsg_level = Random(2) == 0 ? IPPROTO_IP : IPPROTO_IPV6;
    item->cmsg_type = (int)Random(80);
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
  }
  if (Random(3) == 0) {
    header.msg_name = NULL;
  }
  sendmsg(Fd(), &header, (int)(MSG_NOSIGNAL | (Random(4) == 0 ? MSG_MORE : 0)));
}

static void ReceiveMessage(void) {
  struct sockaddr_storage name;
  char control[256];
  struct iovec parts[2] = {{g_bytes, Size()}, {g_bytes + 300, Random(100)}};
  struct msghdr header = {.msg_name = &name,
                          .msg_namelen = Random(200),
                          .msg_iov = parts,
                          .msg_iovlen = Random(3),
                          .msg_control = control,
                          .msg_controllen = Random(sizeof(control))};
  static const int kFlags[] = {0, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_ERRQUEUE, MSG_OOB};
  recvmsg(Fd(), &header, MSG_DONTWAIT | kFlags[Random(6)]);
}

static void AskNetlink(void) {
  uint32_t words[16];
  for (int i = 0; i < 16; ++i) {
    words[i] = Random(3) == 0 ? Random(~0U) : Random(4);
  }
  words[0] = Random(4) == 0 ? Random(100) : 32;
  words[1] = (16 + Random(16)) | (Random(2) == 0 ? 0x03010000 : 0x00050000);
  send(Fd(), words, Random(sizeof(words) + 1), MSG_DONTWAIT);
}

static void Call(int epoll) {
  struct sockaddr_storage address;
  struct epoll_event event = {.events = Random(2) == 0 ? EPOLLIN | EPOLLOUT | EPOLLET : EPOLLIN | EPOLLRDHUP};
  struct epoll_event events[4];
  socklen_t size = sizeof(address);
  int number = 0;
  switch (Random(20)) {
    case 0:
    case 1:
      Open();
      break;
    case 2: {
      size = Address(&address);
      bind(Fd(), (struct sockaddr*)&address, size);
      break;
    }
    case 3:
      listen(Fd(), (int)Random(5));
      break;
    case 4:
    case 5: {
      size = Address(&address);
      connect(Fd(), (struct sockaddr*)&address, size);
      break;
    }
    case 6:
    case 7:
      Accept();
      break;
    case 8:
    case 9:
      SendMessage();
      break;
    case 10:
    case 11:
      ReceiveMessage();
      break;
    case 12:
      SetOption();
      break;
    case 13:
      send(Fd(), g_bytes, Size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      break;
    case 14:
      recv(Fd(), g_bytes, Size(), MSG_DONTWAIT);
      break;
    case 15:
      if (Random(4) == 0) {
        shutdown(Fd(), (int)Random(3));
      }
      break;
    case 16:
      getsockname(Fd(), (struct sockaddr*)&address, &size);
      getpeername(Fd(), (struct sockaddr*)&address, &size);
      break;
    case 17:
      ioctl(Fd(), Random(2) == 0 ? FIONREAD : TIOCOUTQ, &number);
      ioctl(Fd(), 0x8910 + Random(64), g_bytes);
      break;
    case 18:
      epoll_ctl(epoll, EPOLL_CTL_ADD + (int)Random(3), Fd(), &event);
      epoll_wait(epoll, events, 4, 0);
      break;
    default:
      AskNetlink();
      break;
  }
}

static void Nothing(int signal) { (void)signal; }

static void Run(uint64_t seed, int calls) {
  g_state = seed * 0x9e3779b97f4a7c15ULL + 1;
  const int epoll = epoll_create1(0);
  const struct itimerval tick = {{0, 2000}, {0, 2000}};  // blocking calls end by it
  struct sigaction action = {.sa_handler = Nothing};
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &tick, NULL);
  for (int i = 0; i < calls; ++i) {
    Call(epoll);
  }
  _exit(0);
}

static int Works(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  char byte = 'w';
  if (bind(listener, (struct sockaddr*)&address, size) != 0 || listen(listener, 1) != 0 ||
      getsockname(listener, (struct sockaddr*)&address, &size) != 0 ||
      connect(client, (struct sockaddr*)&address, size) != 0) {
    return 0;
  }
  const int server = accept(listener, NULL, NULL);
  return send(client, &byte, 1, 0) == 1 && recv(server, &byte, 1, 0) == 1;
}

int main(int argc, char** argv) {
  const uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
  const int processes = argc > 2 ? atoi(argv[2]) : 4;
  const int calls = argc > 3 ? atoi(argv[3]) : 1000;
  signal(SIGPIPE, SIG_IGN);
  g_state = seed + 7;
  for (int i = 0; i < kSockets; ++i) {
    g_fds[i] = -1;
    Open();
  }
  for (int i = 0; i < processes; ++i) {
    if (fork() == 0) {
      Run(seed + (uint64_t)i, calls);
    }
  }
  int failures = 0;
  for (int status = 0; wait(&status) > 0;) {
    failures += status != 0;
  }
  for (int i = 0; i < kSockets; ++i) {
    close(g_fds[i]);
  }
  printf("%s, %d failed\n", Works() ? "works" : "broken", failures);
  return 0;
}
