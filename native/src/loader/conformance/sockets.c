/* SPDX-License-Identifier: Apache-2.0 */
/* Ports as a guest sees them. Port numbers differ between runs and are shown by name. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static uint16_t port_a;
static uint16_t port_b;

static const char* port_name(uint16_t port) {
  return port == port_a ? "A" : (port == port_b ? "B" : (port == 0 ? "0" : "other"));
}

static struct sockaddr_storage address_of(const char* ip, uint16_t port, socklen_t* size) {
  struct sockaddr_storage storage = {0};
  struct sockaddr_in* v4 = (struct sockaddr_in*)&storage;
  struct sockaddr_in6* v6 = (struct sockaddr_in6*)&storage;
  if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    *size = sizeof(*v4);
  } else {
    MUST(inet_pton(AF_INET6, ip, &v6->sin6_addr) == 1);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    *size = sizeof(*v6);
  }
  return storage;
}

static int try_bind(int fd, const char* ip, uint16_t port) {
  socklen_t size;
  const struct sockaddr_storage address = address_of(ip, port, &size);
  return bind(fd, (const struct sockaddr*)&address, size);
}

static int try_connect(int fd, const char* ip, uint16_t port) {
  socklen_t size;
  const struct sockaddr_storage address = address_of(ip, port, &size);
  return connect(fd, (const struct sockaddr*)&address, size);
}

static void set(int fd, int level, int name, int value) {
  MUST(setsockopt(fd, level, name, &value, sizeof(value)) == 0);
}

static void show_name(const char* what, int fd, int is_peer) {
  struct sockaddr_storage storage = {0};
  socklen_t size = sizeof(storage);
  const int result =
      is_peer ? getpeername(fd, (struct sockaddr*)&storage, &size) : getsockname(fd, (struct sockaddr*)&storage, &size);
  if (result != 0) {
    printf("%s: %s\n", what, strerrorname_np(errno));
    return;
  }
  char ip[INET6_ADDRSTRLEN] = "";
  const struct sockaddr_in* v4 = (struct sockaddr_in*)&storage;
  const struct sockaddr_in6* v6 = (struct sockaddr_in6*)&storage;
  const int is_v6 = storage.ss_family == AF_INET6;
  inet_ntop(storage.ss_family, is_v6 ? (const void*)&v6->sin6_addr : (const void*)&v4->sin_addr, ip, sizeof(ip));
  printf("%s: %s port %s size %u\n", what, ip, port_name(ntohs(is_v6 ? v6->sin6_port : v4->sin_port)), size);
}

static uint16_t free_port(void) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {0};
  socklen_t size = sizeof(address);
  MUST(try_bind(fd, "127.0.0.1", 0) == 0 && getsockname(fd, (struct sockaddr*)&address, &size) == 0);
  close(fd);
  return ntohs(address.sin_port);
}

static void talk(int client, int server) {
  char text[8] = "";
  MUST(write(client, "ping", 4) == 4 && read(server, text, 4) == 4);
  MUST(write(server, "pong", 4) == 4 && read(client, text, 4) == 4);
  printf("talk: %s\n", text);
}

static void plain(void) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  show_name("unbound", listener, 0);
  SHOW(try_bind(listener, "0.0.0.0", port_a));
  show_name("bound", listener, 0);
  SHOW(try_bind(listener, "0.0.0.0", port_b));
  SHOW(listen(listener, 5));
  show_name("listening", listener, 0);
  const int second = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(try_bind(second, "0.0.0.0", port_a));
  SHOW(try_bind(second, "127.0.0.1", port_a));
  SHOW(try_bind(second, "203.0.113.9", port_a));
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(try_connect(client, "127.0.0.1", port_a));
  const int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  show_name("server", server, 0);
  show_name("client's peer", client, 1);
  talk(client, server);
  close(listener);
  SHOW(try_bind(second, "0.0.0.0", port_a));
  set(second, SOL_SOCKET, SO_REUSEADDR, 1);
  SHOW(try_bind(second, "0.0.0.0", port_a));
  const int late = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(try_connect(late, "127.0.0.1", port_a));
  SHOW(listen(second, 5));
  close(client), close(server), close(second), close(late);
}

static void reuse_port(void) {
  int fds[3];
  for (int i = 0; i < 3; ++i) {
    fds[i] = socket(AF_INET, SOCK_STREAM, 0);
    if (i < 2) {
      set(fds[i], SOL_SOCKET, SO_REUSEPORT, 1);
    }
    SHOW(try_bind(fds[i], "0.0.0.0", port_b));
    if (i < 2) {
      SHOW(listen(fds[i], 5));
    }
  }
  close(fds[0]);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(try_connect(client, "127.0.0.1", port_b));
  const int server = accept(fds[1], NULL, NULL);
  talk(client, server);
  close(client), close(server), close(fds[1]), close(fds[2]);
}

static void dual_stack(void) {
  const uint16_t port = free_port();
  port_a = port;
  const int listener = socket(AF_INET6, SOCK_STREAM, 0);
  SHOW(try_bind(listener, "::", port));
  SHOW(listen(listener, 5));
  show_name("dual", listener, 0);
  const int beside = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(try_bind(beside, "0.0.0.0", port));
  static const char* const targets[] = {"127.0.0.1", "::1", "0.0.0.0", "::ffff:127.0.0.1"};
  for (int i = 0; i < 4; ++i) {
    const int client = socket(strchr(targets[i], ':') != NULL ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
    printf("to %s: ", targets[i]);
    SHOW(try_connect(client, targets[i], port));
    const int server = accept(listener, NULL, NULL);
    talk(client, server);
    close(client), close(server);
  }
  close(listener), close(beside);

  port_b = free_port();
  const int only6 = socket(AF_INET6, SOCK_STREAM, 0);
  set(only6, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  SHOW(try_bind(only6, "::", port_b));
  SHOW(listen(only6, 5));
  const int only4 = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(try_bind(only4, "0.0.0.0", port_b));
  SHOW(listen(only4, 5));
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(try_connect(client, "127.0.0.1", port_b));
  const int server = accept(only4, NULL, NULL);
  talk(client, server);
  close(client), close(server), close(only4), close(only6);
}

static void unbound_listener(void) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(listen(listener, 1));
  struct sockaddr_in address;
  socklen_t size = sizeof(address);
  MUST(getsockname(listener, (struct sockaddr*)&address, &size) == 0 && address.sin_port != 0);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(try_connect(client, "127.0.0.1", ntohs(address.sin_port)));
  close(client), close(listener);
}

static void across_processes(void) {
  port_a = free_port();
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  MUST(try_bind(listener, "0.0.0.0", port_a) == 0 && listen(listener, 5) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    const int other = socket(AF_INET, SOCK_STREAM, 0);
    const int is_taken = try_bind(other, "0.0.0.0", port_a) == -1 && errno == EADDRINUSE;
    close(listener);
    _exit(try_connect(client, "127.0.0.1", port_a) == 0 && is_taken ? 0 : 1);
  }
  const int server = accept(listener, NULL, NULL);
  int status;
  MUST(server >= 0 && waitpid(child, &status, 0) == child);
  printf("child connected: %d\n", status == 0);
  show_name("still listening", listener, 0);
  close(server), close(listener);
}

static void datagrams(void) {
  port_a = free_port();
  const int server = socket(AF_INET, SOCK_DGRAM, 0);
  SHOW(try_bind(server, "127.0.0.1", port_a));
  show_name("datagram", server, 0);
  const int client = socket(AF_INET, SOCK_DGRAM, 0);
  socklen_t size;
  const struct sockaddr_storage to = address_of("127.0.0.1", port_a, &size);
  char text[8] = "";
  SHOW(sendto(client, "one", 3, 0, (const struct sockaddr*)&to, size));
  SHOW(recv(server, text, sizeof(text), 0));
  SHOW(try_connect(client, "127.0.0.1", port_a));
  show_name("datagram peer", client, 1);
  SHOW(send(client, "two", 3, 0));
  SHOW(recv(server, text, sizeof(text), 0));
  close(client), close(server);
}

static void other_families(void) {
  int pair[2];
  SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  talk(pair[0], pair[1]);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/conformance-%d.sock", (int)getpid());
  SHOW(bind(fd, (struct sockaddr*)&address, sizeof(address)));
  SHOW(listen(fd, 1));
  unlink(address.sun_path);
  SHOW(bind(99, (struct sockaddr*)&address, sizeof(address)));
  SHOW(bind(0, (struct sockaddr*)&address, sizeof(address)));
  SHOW(bind(fd, (struct sockaddr*)8, 16));
  SHOW(connect(fd, (struct sockaddr*)8, 16));
  SHOW(listen(99, 1));
  SHOW(getsockname(99, (struct sockaddr*)&address, &(socklen_t){16}));
  SHOW(socket(AF_INET, SOCK_STREAM, 12345));
  close(pair[0]), close(pair[1]), close(fd);
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  port_a = free_port();
  port_b = free_port();
  plain();
  reuse_port();
  dual_stack();
  unbound_listener();
  across_processes();
  datagrams();
  other_families();
  return 0;
}
