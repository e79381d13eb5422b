/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets on 127.0.0.1, for the cases of tcp.c and udp.c. Ports are always given by the kernel. */
#pragma once

#include "suite.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

static inline struct sockaddr_in loopback(uint16_t port) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof(address));
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static inline int make_inet(int type) {
  const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  EXPECT_OK(fd);
  return fd;
}

static inline int bind_port(int fd, uint16_t port) {
  const struct sockaddr_in address = loopback(port);
  return bind(fd, (const struct sockaddr*)&address, sizeof(address));
}

static inline int connect_port(int fd, uint16_t port) {
  const struct sockaddr_in address = loopback(port);
  return connect(fd, (const struct sockaddr*)&address, sizeof(address));
}

static inline uint16_t port_of(int fd) {
  struct sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  EXPECT_OK(getsockname(fd, (struct sockaddr*)&address, &size));
  EXPECT_EQ(size, sizeof(address));
  EXPECT_EQ(address.sin_family, AF_INET);
  return ntohs(address.sin_port);
}

static inline uint16_t peer_port_of(int fd) {
  struct sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  EXPECT_OK(getpeername(fd, (struct sockaddr*)&address, &size));
  return ntohs(address.sin_port);
}

static inline int make_bound(int type) {
  const int fd = make_inet(type);
  EXPECT_OK(bind_port(fd, 0));
  EXPECT(port_of(fd) != 0);
  return fd;
}

static inline int make_tcp_listener(void) {
  const int fd = make_bound(SOCK_STREAM);
  EXPECT_OK(listen(fd, 20));
  return fd;
}

/* Both ends of a connection: [0] has connected, [1] was accepted. */
static inline void make_connection(int fds[2]) {
  const int listener = make_tcp_listener();
  fds[0] = make_inet(SOCK_STREAM);
  EXPECT_OK(connect_port(fds[0], port_of(listener)));
  fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  EXPECT_OK(fds[1]);
  EXPECT_OK(close(listener));
}

static inline short wait_for_events(int fd, short events) {
  struct pollfd polled = {fd, events, 0};
  EXPECT_EQ(poll(&polled, 1, -1), 1);
  return polled.revents;
}

static inline int int_option(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  EXPECT_OK(getsockopt(fd, level, name, &value, &size));
  EXPECT_EQ(size, sizeof(value));
  return value;
}

static inline int set_int_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof(value));
}
