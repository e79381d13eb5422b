/* SPDX-License-Identifier: Apache-2.0 */
/* TCP on 127.0.0.1: connections, their ends and errors, options, sendfile, listeners shared by processes. */
#include "inet.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>

CASE(connect_accept_and_bytes) {
  int fds[2];
  char buffer[8];
  make_connection(fds);
  EXPECT_EQ(send(fds[0], "there", 5, 0), 5);
  EXPECT_EQ(recv(fds[1], buffer, 5, MSG_WAITALL), 5);
  EXPECT_BYTES(buffer, "there");
  EXPECT_EQ(write(fds[1], "back", 4), 4);
  EXPECT_EQ(recv(fds[0], buffer, 4, MSG_WAITALL), 4);
  EXPECT_BYTES(buffer, "back");
}

CASE(names_of_both_ends) {
  const int listener = make_tcp_listener();
  const int client = make_inet(SOCK_STREAM);
  EXPECT_EQ(port_of(client), 0); /* not bound yet */
  EXPECT_OK(connect_port(client, port_of(listener)));
  struct sockaddr_in from = loopback(0);
  socklen_t size = sizeof(from);
  const int server = accept(listener, (struct sockaddr*)&from, &size);
  EXPECT_OK(server);
  EXPECT_EQ(size, sizeof(from));
  EXPECT_EQ(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  EXPECT_EQ(ntohs(from.sin_port), port_of(client));
  EXPECT_EQ(port_of(server), port_of(listener));
  EXPECT_EQ(peer_port_of(client), port_of(listener));
  EXPECT_EQ(peer_port_of(server), port_of(client));
}

CASE(addresses_are_cut_to_the_room_given) {
  struct sockaddr_in address = loopback(0);
  memset(&address, 0x55, sizeof(address));
  socklen_t size = 2;
  const int fd = make_bound(SOCK_STREAM);
  EXPECT_OK(getsockname(fd, (struct sockaddr*)&address, &size));
  EXPECT_EQ(size, sizeof(address)); /* the true size */
  EXPECT_EQ(address.sin_family, AF_INET);
  EXPECT_EQ(address.sin_port, 0x5555);
  size = (socklen_t)-1;
  EXPECT_ERR(getsockname(fd, (struct sockaddr*)&address, &size), EINVAL);
}

CASE(connect_to_nobody_is_refused) {
  const int bound = make_bound(SOCK_STREAM); /* but not listening */
  const int client = make_inet(SOCK_STREAM);
  EXPECT_ERR(connect_port(client, port_of(bound)), ECONNREFUSED);
  EXPECT_OK(listen(bound, 1));
  EXPECT_OK(connect_port(client, port_of(bound))); /* may be tried again */
}

CASE(nonblocking_connect) {
  const int listener = make_tcp_listener();
  const int client = make_inet(SOCK_STREAM | SOCK_NONBLOCK);
  EXPECT_ERR(connect_port(client, port_of(listener)), EINPROGRESS);
  EXPECT_EQ(wait_for_events(client, POLLOUT), POLLOUT);
  EXPECT_EQ(int_option(client, SOL_SOCKET, SO_ERROR), 0);
  const int again = connect_port(client, port_of(listener));
  EXPECT(again == 0 || errno == EISCONN);
  EXPECT_ERR(connect_port(client, port_of(listener)), EISCONN);
  EXPECT_OK(accept(listener, NULL, NULL));
}

CASE(nonblocking_connect_refused) {
  const int bound = make_bound(SOCK_STREAM);
  const int client = make_inet(SOCK_STREAM | SOCK_NONBLOCK);
  EXPECT_ERR(connect_port(client, port_of(bound)), EINPROGRESS);
  const short events = wait_for_events(client, POLLOUT);
  EXPECT_EQ(events & (POLLERR | POLLHUP), POLLERR | POLLHUP);
  EXPECT_EQ(int_option(client, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
  EXPECT_EQ(int_option(client, SOL_SOCKET, SO_ERROR), 0); /* told once */
}

CASE(nonblocking_accept_read_and_write) {
  static char block[1 << 16];
  const int listener = make_tcp_listener();
  set_nonblocking(listener);
  EXPECT_ERR(accept(listener, NULL, NULL), EAGAIN);
  const int client = make_inet(SOCK_STREAM);
  EXPECT_OK(connect_port(client, port_of(listener)));
  EXPECT_EQ(wait_for_events(listener, POLLIN), POLLIN);
  const int server = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  EXPECT_EQ(fcntl(server, F_GETFL), O_RDWR | O_NONBLOCK);
  EXPECT_EQ(fcntl(server, F_GETFD), FD_CLOEXEC);
  EXPECT_ERR(recv(server, block, 1, 0), EAGAIN);
  EXPECT_ERR(recv(client, block, 1, MSG_DONTWAIT), EAGAIN);
  size_t sent = 0;
  for (ssize_t size; (size = send(server, block, sizeof(block), 0)) > 0;) {
    sent += (size_t)size;
  }
  EXPECT_EQ(errno, EAGAIN);
  while (sent > 0) {
    const ssize_t size = recv(client, block, sizeof(block), 0);
    EXPECT(size > 0);
    sent -= (size_t)size;
  }
  EXPECT_EQ(wait_for_events(server, POLLOUT), POLLOUT);
  EXPECT_ERR(accept4(listener, NULL, NULL, 1), EINVAL);
}

CASE(half_close) {
  int fds[2];
  char buffer[8];
  make_connection(fds);
  EXPECT_EQ(send(fds[0], "last", 4, 0), 4);
  EXPECT_OK(shutdown(fds[0], SHUT_WR));
  EXPECT_EQ(recv(fds[1], buffer, 8, MSG_WAITALL), 4);
  EXPECT_EQ(recv(fds[1], buffer, 8, 0), 0);
  EXPECT_EQ(wait_for_events(fds[1], POLLIN | POLLOUT | POLLRDHUP), POLLIN | POLLOUT | POLLRDHUP);
  EXPECT_EQ(send(fds[1], "answer", 6, 0), 6); /* the other half */
  EXPECT_EQ(recv(fds[0], buffer, 6, MSG_WAITALL), 6);
  EXPECT_ERR(send(fds[0], "x", 1, MSG_NOSIGNAL), EPIPE);
  EXPECT_OK(shutdown(fds[1], SHUT_WR));
  EXPECT_EQ(recv(fds[0], buffer, 8, 0), 0);
}

CASE(close_is_the_peers_end_of_file) {
  int fds[2];
  char byte;
  make_connection(fds);
  EXPECT_EQ(send(fds[0], "x", 1, 0), 1);
  close(fds[0]);
  EXPECT_EQ(recv(fds[1], &byte, 1, 0), 1);
  EXPECT_EQ(recv(fds[1], &byte, 1, 0), 0);
  EXPECT_EQ(recv(fds[1], &byte, 1, 0), 0);
}

CASE(send_after_the_peer_closed_is_epipe_in_the_end) {
  int fds[2];
  make_connection(fds);
  close(fds[0]);
  install(SIGPIPE, count_signal, 0);
  while (send(fds[1], "x", 1, 0) == 1) { /* the first one makes the peer answer with a reset */
    sched_yield();
  }
  EXPECT(errno == EPIPE || errno == ECONNRESET);
  EXPECT_ERR(send(fds[1], "x", 1, 0), EPIPE);
  EXPECT_GE(atomic_load(&handled), 1);
}

CASE(close_with_unread_bytes_resets) {
  int fds[2];
  char byte;
  make_connection(fds);
  EXPECT_EQ(send(fds[0], "unread", 6, 0), 6);
  EXPECT_EQ(wait_for_events(fds[1], POLLIN), POLLIN);
  close(fds[1]);
  EXPECT_EQ(wait_for_events(fds[0], POLLIN) & POLLERR, POLLERR);
  EXPECT_ERR(recv(fds[0], &byte, 1, 0), ECONNRESET);
  EXPECT_EQ(recv(fds[0], &byte, 1, 0), 0);
}

CASE(linger_of_zero_resets) {
  int fds[2];
  const struct linger linger = {1, 0};
  make_connection(fds);
  EXPECT_OK(setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
  close(fds[1]);
  wait_for_events(fds[0], POLLIN);
  EXPECT_EQ(int_option(fds[0], SOL_SOCKET, SO_ERROR), ECONNRESET);
}

CASE(bind_errors) {
  const int listener = make_tcp_listener();
  const int fd = make_inet(SOCK_STREAM);
  struct sockaddr_in address = loopback(0);
  EXPECT_ERR(bind_port(fd, port_of(listener)), EADDRINUSE);
  EXPECT_ERR(bind(fd, (struct sockaddr*)&address, 4), EINVAL);
  address.sin_addr.s_addr = htonl(0x08080808);
  EXPECT_ERR(bind(fd, (struct sockaddr*)&address, sizeof(address)), EADDRNOTAVAIL);
  address = loopback(0);
  address.sin_family = AF_UNIX;
  EXPECT_ERR(bind(fd, (struct sockaddr*)&address, sizeof(address)), EAFNOSUPPORT);
  EXPECT_OK(bind_port(fd, 0));
  EXPECT_ERR(bind_port(fd, 0), EINVAL);
}

CASE(states_are_checked) {
  const int fd = make_inet(SOCK_STREAM);
  struct sockaddr_in address;
  socklen_t size = sizeof(address);
  char byte;
  EXPECT_ERR(getpeername(fd, (struct sockaddr*)&address, &size), ENOTCONN);
  EXPECT_ERR(accept(fd, NULL, NULL), EINVAL);
  EXPECT_ERR(recv(fd, &byte, 1, 0), ENOTCONN);
  EXPECT_ERR(send(fd, &byte, 1, MSG_NOSIGNAL), EPIPE);
  EXPECT_ERR(shutdown(fd, SHUT_RDWR), ENOTCONN);
  EXPECT_OK(listen(fd, 1)); /* binds it by itself */
  EXPECT(port_of(fd) != 0);
  EXPECT_ERR(connect_port(fd, 1), EISCONN);
  EXPECT_ERR(listen(make_inet(SOCK_DGRAM), 1), EOPNOTSUPP);
}

CASE(reuseaddr_after_a_connection) {
  int first = make_inet(SOCK_STREAM);
  EXPECT_OK(set_int_option(first, SOL_SOCKET, SO_REUSEADDR, 1));
  EXPECT_OK(bind_port(first, 0));
  EXPECT_OK(listen(first, 1));
  const uint16_t port = port_of(first);
  const int client = make_inet(SOCK_STREAM);
  EXPECT_OK(connect_port(client, port));
  const int server = accept(first, NULL, NULL);
  close(first);
  close(server); /* first to close: it is left in TIME_WAIT */
  char byte;
  EXPECT_EQ(recv(client, &byte, 1, 0), 0);
  close(client);
  first = make_inet(SOCK_STREAM);
  EXPECT_OK(set_int_option(first, SOL_SOCKET, SO_REUSEADDR, 1));
  EXPECT_EQ(int_option(first, SOL_SOCKET, SO_REUSEADDR), 1);
  EXPECT_OK(bind_port(first, port));
  EXPECT_OK(listen(first, 1));
  const int second = make_inet(SOCK_STREAM);
  EXPECT_OK(set_int_option(second, SOL_SOCKET, SO_REUSEADDR, 1));
  EXPECT_ERR(bind_port(second, port), EADDRINUSE); /* not beside one that listens */
}

CASE(receive_timeout) {
  int fds[2];
  char byte;
  const struct timeval timeout = {0, 10000};
  struct timeval now;
  socklen_t size = sizeof(now);
  make_connection(fds);
  EXPECT_OK(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
  EXPECT_OK(getsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &now, &size));
  EXPECT_GE(now.tv_usec, 10000); /* rounded up to ticks */
  EXPECT_ERR(recv(fds[0], &byte, 1, 0), EAGAIN);
  const struct timeval bad = {0, 1000000};
  EXPECT_ERR(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &bad, sizeof(bad)), EDOM);
}

CASE(accept_timeout) {
  const struct timeval timeout = {0, 10000};
  const int listener = make_tcp_listener();
  EXPECT_OK(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
  EXPECT_ERR(accept(listener, NULL, NULL), EAGAIN);
}

CASE(peek_and_fionread) {
  int fds[2];
  char buffer[8];
  int size = 0;
  make_connection(fds);
  EXPECT_EQ(send(fds[0], "abc", 3, 0), 3);
  EXPECT_EQ(recv(fds[1], buffer, 8, MSG_PEEK), 3);
  EXPECT_OK(ioctl(fds[1], FIONREAD, &size));
  EXPECT_EQ(size, 3);
  EXPECT_EQ(recv(fds[1], buffer, 2, MSG_TRUNC), 2); /* thrown away */
  EXPECT_EQ(recv(fds[1], buffer, 8, 0), 1);
  EXPECT_EQ(buffer[0], 'c');
}

CASE(vectors) {
  int fds[2];
  char first[3], second[4];
  make_connection(fds);
  struct iovec out[] = {{(void*)"abc", 3}, {(void*)"defg", 4}};
  struct msghdr header = {.msg_iov = out, .msg_iovlen = 2};
  EXPECT_EQ(sendmsg(fds[0], &header, 0), 7);
  struct iovec in[] = {{first, 3}, {second, 4}};
  header.msg_iov = in;
  EXPECT_EQ(recvmsg(fds[1], &header, MSG_WAITALL), 7);
  EXPECT_BYTES(first, "abc");
  EXPECT_BYTES(second, "defg");
  EXPECT_EQ(writev(fds[1], out, 2), 7);
  EXPECT_EQ(recvmsg(fds[0], &header, MSG_WAITALL), 7);
}

CASE(options) {
  const int fd = make_inet(SOCK_STREAM);
  EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
  EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_DOMAIN), AF_INET);
  EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
  EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
  EXPECT_EQ(int_option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_OK(set_int_option(fd, IPPROTO_TCP, TCP_NODELAY, 1));
  EXPECT_EQ(int_option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_OK(set_int_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1));
  EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_OK(set_int_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 77));
  EXPECT_EQ(int_option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 77);
  EXPECT_OK(set_int_option(fd, SOL_SOCKET, SO_SNDBUF, 20000));
  EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_SNDBUF), 40000);
  EXPECT_ERR(set_int_option(fd, SOL_SOCKET, 9999, 1), ENOPROTOOPT);
  EXPECT_ERR(set_int_option(fd, 9999, 1, 1), ENOPROTOOPT);
  EXPECT_ERR(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(char){1}, 1), EINVAL);
}

CASE(sendfile_to_a_socket) {
  static char block[100000], got[100000];
  int fds[2];
  for (size_t i = 0; i < sizeof(block); ++i) {
    block[i] = (char)(i * 31 >> 4);
  }
  const int file = scratch_file();
  EXPECT_EQ(write(file, block, sizeof(block)), sizeof(block));
  make_connection(fds);
  const pid_t pid = child_start();
  if (pid == 0) {
    off_t offset = 1000;
    while (offset < (off_t)sizeof(block)) {
      EXPECT(sendfile(fds[0], file, &offset, sizeof(block)) > 0);
    }
    EXPECT_EQ(lseek(file, 0, SEEK_CUR), sizeof(block)); /* not moved */
    _exit(0);
  }
  EXPECT_EQ(recv(fds[1], got, sizeof(block) - 1000, MSG_WAITALL), sizeof(block) - 1000);
  EXPECT(memcmp(got, block + 1000, sizeof(block) - 1000) == 0);
  EXPECT_EQ(child_result(pid), 0);
  EXPECT_EQ(lseek(file, 99990, SEEK_SET), 99990);
  EXPECT_EQ(sendfile(fds[0], file, NULL, 100), 10);
  EXPECT_EQ(sendfile(fds[0], file, NULL, 100), 0);
  EXPECT_ERR(sendfile(fds[0], fds[1], NULL, 10), EINVAL);
}

static void serve_one(int listener) {
  const int fd = accept(listener, NULL, NULL);
  EXPECT_OK(fd);
  char byte;
  EXPECT_EQ(recv(fd, &byte, 1, 0), 1);
  EXPECT_EQ(send(fd, &byte, 1, 0), 1);
}

CASE(listener_shared_by_forked_servers) {
  const int listener = make_tcp_listener();
  pid_t pids[4];
  for (size_t i = 0; i < COUNT_OF(pids); ++i) {
    pids[i] = child_start();
    if (pids[i] == 0) {
      for (int j = 0; j < 5; ++j) {
        serve_one(listener);
      }
      _exit(0);
    }
  }
  for (int i = 0; i < 20; ++i) {
    const int fd = make_inet(SOCK_STREAM);
    EXPECT_OK(connect_port(fd, port_of(listener)));
    put_byte(fd);
    take_byte(fd);
    close(fd);
  }
  for (size_t i = 0; i < COUNT_OF(pids); ++i) {
    EXPECT_EQ(child_result(pids[i]), 0);
  }
}

CASE(connection_goes_on_in_a_child) {
  int fds[2];
  make_connection(fds);
  const pid_t pid = child_start();
  if (pid == 0) {
    close(fds[0]);
    take_byte(fds[1]);
    put_byte(fds[1]);
    _exit(0);
  }
  close(fds[1]);
  put_byte(fds[0]);
  take_byte(fds[0]);
  char byte;
  EXPECT_EQ(recv(fds[0], &byte, 1, 0), 0); /* closed by the child's end, since we closed ours */
  EXPECT_EQ(child_result(pid), 0);
}

CASE(edge_triggered_epoll_over_tcp) {
  int fds[2];
  char buffer[8];
  make_connection(fds);
  set_nonblocking(fds[1]);
  const int epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
  EXPECT_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[1], &event));
  EXPECT_EQ(epoll_wait(epoll, &event, 1, -1), 1);
  EXPECT_EQ(event.events, EPOLLOUT);
  EXPECT_EQ(epoll_wait(epoll, &event, 1, 0), 0);
  put_byte(fds[0]);
  EXPECT_EQ(epoll_wait(epoll, &event, 1, -1), 1);
  EXPECT_EQ(event.events & EPOLLIN, EPOLLIN);
  EXPECT_EQ(recv(fds[1], buffer, 8, 0), 1);
  EXPECT_OK(shutdown(fds[0], SHUT_WR));
  do {
    EXPECT_EQ(epoll_wait(epoll, &event, 1, -1), 1);
  } while ((event.events & EPOLLRDHUP) == 0);
  EXPECT_EQ(recv(fds[1], buffer, 8, 0), 0);
}

static void* send_much(void* fd) {
  static char block[1 << 20];
  for (size_t i = 0; i < sizeof(block); ++i) {
    block[i] = (char)(i * 7 >> 3);
  }
  for (size_t at = 0; at < sizeof(block);) {
    const ssize_t size = send(*(int*)fd, block + at, sizeof(block) - at, 0);
    EXPECT(size > 0);
    at += (size_t)size;
  }
  EXPECT_OK(shutdown(*(int*)fd, SHUT_WR));
  return NULL;
}

static int int_ioctl(int fd, unsigned long request) {
  int value = -1;
  EXPECT_OK(ioctl(fd, request, &value));
  return value;
}

/* Connections whose clients ([0]) have sent several requests of one byte each at once; an epoll watches the servers' ends ([1]). */
enum { kPeers = 8, kRequests = 5 };

static int watch_busy_peers(int fds[kPeers][2], uint32_t events) {
  const int epoll = epoll_create1(0);
  EXPECT_OK(epoll);
  for (int i = 0; i < kPeers; ++i) {
    make_connection(fds[i]);
    set_nonblocking(fds[i][1]);
    struct epoll_event event = {.events = events, .data = {.u32 = (uint32_t)i}};
    EXPECT_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i][1], &event));
    EXPECT_EQ(send(fds[i][0], "requests", kRequests, 0), kRequests);
  }
  return epoll;
}

static int answer_one(int fd) {
  char byte;
  const ssize_t got = recv(fd, &byte, 1, 0);
  if (got == -1) {
    EXPECT(errno == EAGAIN);
    return 0;
  }
  EXPECT_EQ(got, 1);
  EXPECT_EQ(send(fd, &byte, 1, 0), 1);
  return 1;
}

/* Whoever reads until EAGAIN and then waits hears of all that is left, even where a read leaves the turn to others. */
CASE(edge_readers_answer_all_requests_of_all_peers) {
  int fds[kPeers][2];
  int answered[kPeers] = {0};
  int total = 0;
  const int epoll = watch_busy_peers(fds, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
  while (total < kPeers * kRequests) {
    struct epoll_event events[kPeers];
    const int count = epoll_wait(epoll, events, kPeers, -1);
    EXPECT(count > 0);
    for (int i = 0; i < count; ++i) {
      const uint32_t peer = events[i].data.u32;
      while ((events[i].events & EPOLLIN) != 0 && answer_one(fds[peer][1])) {
        ++answered[peer];
        ++total;
      }
    }
  }
  for (int i = 0; i < kPeers; ++i) {
    EXPECT_EQ(answered[i], kRequests);
    char answers[kRequests];
    EXPECT_EQ(recv(fds[i][0], answers, kRequests, MSG_WAITALL), kRequests);
    EXPECT_EQ(memcmp(answers, "requests", kRequests), 0);
  }
}

/* Nobody would tell these readers a second time, or they ask before they read: what is there is what they get. */
CASE(readers_without_edges_get_what_is_there) {
  const uint32_t kinds[] = {EPOLLIN, EPOLLIN | EPOLLET | EPOLLONESHOT, EPOLLOUT | EPOLLET};
  for (size_t kind = 0; kind < COUNT_OF(kinds); ++kind) {
    int fds[kPeers][2];
    struct epoll_event events[kPeers];
    const int epoll = watch_busy_peers(fds, kinds[kind]);
    for (int i = 0; i < kPeers; ++i) {
      while (int_ioctl(fds[i][1], FIONREAD) < kRequests) {
        EXPECT_EQ(wait_for_events(fds[i][1], POLLIN), POLLIN);
      }
    }
    for (uint32_t reported = 0; reported != (1U << kPeers) - 1;) {
      const int count = epoll_wait(epoll, events, kPeers, -1);
      EXPECT(count > 0);
      for (int i = 0; i < count; ++i) {
        reported |= 1U << events[i].data.u32;
      }
    }
    for (int i = 0; i < kPeers; ++i) {
      for (int request = 0; request < kRequests; ++request) {
        EXPECT_EQ(answer_one(fds[i][1]), 1);
      }
      EXPECT_EQ(answer_one(fds[i][1]), 0);
      close(fds[i][0]);
      close(fds[i][1]);
    }
    close(epoll);
  }
}

/* A look at what is there, and a read that wants it whole, are not turned away either. */
CASE(an_edge_reader_peeks_and_takes_all_after_an_answer) {
  int fds[kPeers][2];
  char bytes[kRequests];
  watch_busy_peers(fds, EPOLLIN | EPOLLET);
  for (int i = 0; i < kPeers; ++i) {
    while (int_ioctl(fds[i][1], FIONREAD) < kRequests) {
      EXPECT_EQ(wait_for_events(fds[i][1], POLLIN), POLLIN);
    }
    EXPECT_EQ(answer_one(fds[i][1]), 1);
    EXPECT_EQ(recv(fds[i][1], bytes, sizeof(bytes), MSG_PEEK), kRequests - 1);
    EXPECT_EQ(recv(fds[i][1], bytes, kRequests - 1, MSG_WAITALL), kRequests - 1);
    EXPECT_EQ(memcmp(bytes, "equests", kRequests - 1), 0);
  }
}

static int (*busy_peers)[2];

/* Asks its peers in turn again as soon as they have answered. */
static void* keep_asking(void* exchanges) {
  for (int round = 0; round < (int)(intptr_t)exchanges; ++round) {
    for (int i = 0; i < kPeers; ++i) {
      char byte;
      EXPECT_EQ(recv(busy_peers[i][0], &byte, 1, 0), 1);
      EXPECT_EQ(send(busy_peers[i][0], "r", 1, 0), 1);
    }
  }
  return NULL;
}

/* Clients in another thread that are never without a request: none is left without an answer. */
CASE(busy_peers_are_all_served) {
  enum { kExchanges = 200 };
  int fds[kPeers][2];
  int total = 0;
  const int epoll = watch_busy_peers(fds, EPOLLIN | EPOLLET);
  busy_peers = fds;
  const pthread_t client = thread_start(keep_asking, (void*)(intptr_t)kExchanges);
  while (total < kPeers * (kRequests + kExchanges)) {
    struct epoll_event events[kPeers];
    const int count = epoll_wait(epoll, events, kPeers, -1);
    EXPECT(count > 0);
    for (int i = 0; i < count; ++i) {
      while (answer_one(fds[events[i].data.u32][1])) {
        ++total;
      }
    }
  }
  thread_join(client);
}

CASE(a_megabyte_arrives_in_order) {
  int fds[2];
  static char buffer[30000];
  make_connection(fds);
  const pthread_t thread = thread_start(send_much, &fds[0]);
  size_t at = 0;
  for (ssize_t size; (size = recv(fds[1], buffer, sizeof(buffer), 0)) > 0;) {
    for (ssize_t i = 0; i < size; ++i, ++at) {
      EXPECT_EQ(buffer[i], (char)(at * 7 >> 3));
    }
  }
  EXPECT_EQ(at, 1 << 20);
  thread_join(thread);
}

CASE(shutdown_of_a_listener_wakes_accept_with_einval) {
  const int listener = make_tcp_listener();
  const pid_t pid = child_start();
  if (pid == 0) {
    EXPECT_OK(shutdown(listener, SHUT_RDWR));
    _exit(0);
  }
  EXPECT_ERR(accept(listener, NULL, NULL), EINVAL);
  EXPECT_EQ(child_result(pid), 0);
}

CASE(any_address_is_reached_by_loopback) {
  struct sockaddr_in address = loopback(0);
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  const int listener = make_inet(SOCK_STREAM);
  EXPECT_OK(bind(listener, (struct sockaddr*)&address, sizeof(address)));
  EXPECT_OK(listen(listener, 1));
  const int client = make_inet(SOCK_STREAM);
  EXPECT_OK(connect_port(client, port_of(listener)));
  EXPECT_OK(accept(listener, NULL, NULL));
}
