/* SPDX-License-Identifier: Apache-2.0 */
/* Unix sockets: connections and their ends, names, datagrams, sequenced packets. What travels beside the bytes: unix_messages.c. */
#include "suite.h"

#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

struct name {
  struct sockaddr_un address;
  socklen_t size;
};

static struct name path_name(const char* path) {
  struct name name = {.address = {.sun_family = AF_UNIX}};
  snprintf(name.address.sun_path, sizeof(name.address.sun_path), "%s", path);
  name.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
  return name;
}

/* The process id makes it unique on the machine. */
static struct name abstract_name(const char* word) {
  struct name name = {.address = {.sun_family = AF_UNIX}};
  const int length =
      snprintf(name.address.sun_path + 1, sizeof(name.address.sun_path) - 1, "suite-%d-%s", (int)getpid(), word);
  name.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
  return name;
}

static int bind_to(int fd, const struct name* name) {
  return bind(fd, (const struct sockaddr*)&name->address, name->size);
}

static int connect_to(int fd, const struct name* name) {
  return connect(fd, (const struct sockaddr*)&name->address, name->size);
}

static int make_socket(int type) {
  const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  EXPECT_OK(fd);
  return fd;
}

static int make_listener(int type, const struct name* name, int backlog) {
  const int fd = make_socket(type);
  EXPECT_OK(bind_to(fd, name));
  EXPECT_OK(listen(fd, backlog));
  return fd;
}

static void make_pair(int type, int fds[2]) { EXPECT_OK(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds)); }

static short poll_state(int fd) {
  struct pollfd polled = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};
  EXPECT(poll(&polled, 1, 0) >= 0);
  return polled.revents;
}

CASE(socket_errors_and_flags) {
  EXPECT_ERR(socket(AF_UNIX, 77, 0), EINVAL);
  EXPECT_ERR(socket(AF_UNIX, SOCK_STREAM, 99), EPROTONOSUPPORT);
  EXPECT_ERR(socket(9999, SOCK_STREAM, 0), EAFNOSUPPORT);
  EXPECT_ERR(socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){0, 0}), EOPNOTSUPP);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
}

CASE(stream_is_a_stream_of_bytes) {
  int fds[2];
  char buffer[16] = "";
  make_pair(SOCK_STREAM, fds);
  EXPECT_EQ(send(fds[0], "abc", 3, 0), 3);
  EXPECT_EQ(send(fds[0], "def", 3, 0), 3);
  EXPECT_EQ(recv(fds[1], buffer, 2, 0), 2);
  EXPECT_EQ(recv(fds[1], buffer, sizeof(buffer), 0), 4);
  EXPECT_BYTES(buffer, "cdef");
  EXPECT_EQ(send(fds[1], "back", 4, 0), 4);
  EXPECT_EQ(recv(fds[0], buffer, sizeof(buffer), 0), 4);
  EXPECT_BYTES(buffer, "back");
}

CASE(datagrams_keep_their_bounds) {
  int fds[2];
  char buffer[16] = "";
  make_pair(SOCK_DGRAM, fds);
  EXPECT_EQ(send(fds[0], "abc", 3, 0), 3);
  EXPECT_EQ(send(fds[0], "", 0, 0), 0);
  EXPECT_EQ(send(fds[0], "de", 2, 0), 2);
  EXPECT_EQ(recv(fds[1], buffer, 2, 0), 2); /* the rest is lost */
  EXPECT_EQ(recv(fds[1], buffer, sizeof(buffer), 0), 0);
  EXPECT_EQ(recv(fds[1], buffer, sizeof(buffer), 0), 2);
  EXPECT_BYTES(buffer, "de");
}

CASE(seqpacket_keeps_bounds_and_has_an_end) {
  int fds[2];
  char buffer[16] = "";
  make_pair(SOCK_SEQPACKET, fds);
  EXPECT_EQ(send(fds[0], "abc", 3, 0), 3);
  EXPECT_EQ(send(fds[0], "de", 2, 0), 2);
  close(fds[0]);
  EXPECT_EQ(recv(fds[1], buffer, sizeof(buffer), 0), 3);
  EXPECT_EQ(recv(fds[1], buffer, sizeof(buffer), 0), 2);
  EXPECT_EQ(recv(fds[1], buffer, sizeof(buffer), 0), 0);
  EXPECT_ERR(send(fds[1], "x", 1, MSG_NOSIGNAL), EPIPE);
}

CASE(connect_accept_by_path) {
  const struct name name = path_name(scratch("stream"));
  const int listener = make_listener(SOCK_STREAM, &name, 5);
  struct stat stat;
  EXPECT_OK(lstat(name.address.sun_path, &stat));
  EXPECT(S_ISSOCK(stat.st_mode));
  const int client = make_socket(SOCK_STREAM);
  EXPECT_OK(connect_to(client, &name));
  EXPECT_EQ(send(client, "early", 5, 0), 5); /* before accept */
  const int server = accept(listener, NULL, NULL);
  EXPECT_OK(server);
  char buffer[8];
  EXPECT_EQ(recv(server, buffer, sizeof(buffer), 0), 5);
  struct name peer = {.size = sizeof(peer.address)};
  EXPECT_OK(getpeername(client, (struct sockaddr*)&peer.address, &peer.size));
  EXPECT_EQ(strcmp(peer.address.sun_path, name.address.sun_path), 0);
  EXPECT_OK(unlink(name.address.sun_path));
}

CASE(path_names_have_errors) {
  const struct name name = path_name(scratch("taken"));
  const int listener = make_listener(SOCK_STREAM, &name, 5);
  const int other = make_socket(SOCK_STREAM);
  EXPECT_ERR(bind_to(other, &name), EADDRINUSE);
  close(listener);
  EXPECT_ERR(bind_to(other, &name), EADDRINUSE); /* the file stays */
  EXPECT_ERR(connect_to(other, &name), ECONNREFUSED);
  EXPECT_OK(unlink(name.address.sun_path));
  EXPECT_ERR(connect_to(other, &name), ENOENT);
  EXPECT_OK(bind_to(other, &name));
  const struct name second = path_name(scratch("second"));
  EXPECT_ERR(bind_to(other, &second), EINVAL); /* once only */
  EXPECT_ERR(connect_to(make_socket(SOCK_DGRAM), &name), EPROTOTYPE);
  EXPECT_OK(unlink(name.address.sun_path));
  const struct name nowhere = path_name("/does/not/exist");
  EXPECT_ERR(bind_to(make_socket(SOCK_STREAM), &nowhere), ENOENT);
  const struct name folder = path_name(scratch("."));
  EXPECT_ERR(connect_to(make_socket(SOCK_STREAM), &folder), ECONNREFUSED);
}

CASE(abstract_names_go_with_the_socket) {
  const struct name name = abstract_name("gone");
  const int listener = make_listener(SOCK_STREAM, &name, 5);
  const int other = make_socket(SOCK_STREAM);
  EXPECT_ERR(bind_to(other, &name), EADDRINUSE);
  EXPECT_OK(connect_to(make_socket(SOCK_STREAM), &name));
  close(listener);
  EXPECT_ERR(connect_to(other, &name), ECONNREFUSED);
  EXPECT_OK(bind_to(other, &name));
}

CASE(abstract_names_are_compared_with_their_length) {
  struct name name = abstract_name("length");
  const int first = make_socket(SOCK_DGRAM);
  EXPECT_OK(bind_to(first, &name));
  name.size += 1; /* a zero byte more: another name */
  const int second = make_socket(SOCK_DGRAM);
  EXPECT_OK(bind_to(second, &name));
  struct name got = {.size = sizeof(got.address)};
  EXPECT_OK(getsockname(second, (struct sockaddr*)&got.address, &got.size));
  EXPECT_EQ(got.size, name.size);
  EXPECT(memcmp(&got.address, &name.address, name.size) == 0);
}

CASE(autobind_gives_an_abstract_name) {
  const int fd = make_socket(SOCK_DGRAM);
  const struct sockaddr_un family = {.sun_family = AF_UNIX};
  EXPECT_OK(bind(fd, (const struct sockaddr*)&family, sizeof(sa_family_t)));
  struct name got = {.size = sizeof(got.address)};
  EXPECT_OK(getsockname(fd, (struct sockaddr*)&got.address, &got.size));
  EXPECT_EQ(got.size, sizeof(sa_family_t) + 6);
  EXPECT_EQ(got.address.sun_path[0], 0);
}

CASE(unnamed_sockets_have_only_a_family) {
  int fds[2];
  make_pair(SOCK_STREAM, fds);
  struct name got = {.size = sizeof(got.address)};
  EXPECT_OK(getsockname(fds[0], (struct sockaddr*)&got.address, &got.size));
  EXPECT_EQ(got.size, sizeof(sa_family_t));
  EXPECT_EQ(got.address.sun_family, AF_UNIX);
  got.size = sizeof(got.address);
  EXPECT_OK(getpeername(fds[0], (struct sockaddr*)&got.address, &got.size));
  EXPECT_EQ(got.size, sizeof(sa_family_t));
}

CASE(address_lengths_are_checked) {
  const struct name name = abstract_name("lengths");
  const int fd = make_socket(SOCK_STREAM);
  EXPECT_ERR(bind(fd, (const struct sockaddr*)&name.address, sizeof(name.address) + 1), EINVAL);
  EXPECT_ERR(bind(fd, (const struct sockaddr*)&name.address, 1), EINVAL);
  struct name other = name;
  other.address.sun_family = AF_INET;
  EXPECT_ERR(bind_to(fd, &other), EINVAL);
}

CASE(states_of_connections_are_checked) {
  const struct name name = abstract_name("states");
  const int fd = make_socket(SOCK_STREAM);
  EXPECT_ERR(listen(fd, 1), EINVAL); /* no name */
  EXPECT_ERR(accept(fd, NULL, NULL), EINVAL);
  EXPECT_ERR(recv(fd, &(char){0}, 1, 0), EINVAL);
  EXPECT_ERR(send(fd, "x", 1, MSG_NOSIGNAL), ENOTCONN);
  struct name got = {.size = sizeof(got.address)};
  EXPECT_ERR(getpeername(fd, (struct sockaddr*)&got.address, &got.size), ENOTCONN);
  const int listener = make_listener(SOCK_STREAM, &name, 5);
  EXPECT_OK(connect_to(fd, &name));
  EXPECT_ERR(connect_to(fd, &name), EISCONN);
  EXPECT_ERR(listen(fd, 1), EINVAL);
  EXPECT_ERR(connect_to(listener, &name), EINVAL);
  EXPECT_ERR(listen(make_socket(SOCK_DGRAM), 1), EOPNOTSUPP);
  EXPECT_ERR(accept(make_socket(SOCK_DGRAM), NULL, NULL), EOPNOTSUPP);
}

CASE(backlog_is_a_limit) {
  const struct name name = abstract_name("backlog");
  const int listener = make_listener(SOCK_STREAM, &name, 2);
  int connected = 0;
  for (;;) {
    const int fd = make_socket(SOCK_STREAM | SOCK_NONBLOCK);
    if (connect_to(fd, &name) != 0) {
      EXPECT(errno == EAGAIN);
      break;
    }
    ++connected;
  }
  EXPECT_EQ(connected, 3);
  EXPECT_OK(accept(listener, NULL, NULL));
  EXPECT_OK(connect_to(make_socket(SOCK_STREAM | SOCK_NONBLOCK), &name));
}

static struct name shared_name;
static void* connect_blocking(void* unused) {
  (void)unused;
  EXPECT_OK(connect_to(make_socket(SOCK_STREAM), &shared_name));
  return NULL;
}

CASE(connect_waits_for_room_in_the_backlog) {
  shared_name = abstract_name("room");
  const int listener = make_listener(SOCK_STREAM, &shared_name, 0);
  pthread_t threads[4];
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    threads[i] = thread_start(connect_blocking, NULL);
  }
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    EXPECT_OK(accept(listener, NULL, NULL));
  }
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    thread_join(threads[i]);
  }
}

CASE(accept_nonblocking_and_flags) {
  const struct name name = abstract_name("accept");
  const int listener = make_listener(SOCK_STREAM | SOCK_NONBLOCK, &name, 5);
  EXPECT_ERR(accept(listener, NULL, NULL), EAGAIN);
  EXPECT_EQ(poll_state(listener), 0);
  EXPECT_OK(connect_to(make_socket(SOCK_STREAM), &name));
  EXPECT_OK(connect_to(make_socket(SOCK_STREAM), &name));
  EXPECT_EQ(poll_state(listener), POLLIN);
  const int plain = accept(listener, NULL, NULL);
  EXPECT_EQ(fcntl(plain, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(fcntl(plain, F_GETFD), 0);
  const int flagged = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  EXPECT_EQ(fcntl(flagged, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
  EXPECT_EQ(fcntl(flagged, F_GETFD), FD_CLOEXEC);
  EXPECT_ERR(accept4(listener, NULL, NULL, 1), EINVAL);
}

CASE(closing_a_listener_resets_those_that_wait) {
  const struct name name = abstract_name("reset");
  const int listener = make_listener(SOCK_STREAM, &name, 5);
  const int client = make_socket(SOCK_STREAM);
  EXPECT_OK(connect_to(client, &name));
  close(listener);
  char byte;
  EXPECT_ERR(recv(client, &byte, 1, 0), ECONNRESET);
  EXPECT_EQ(recv(client, &byte, 1, 0), 0);
}

CASE(close_with_unread_bytes_resets) {
  int fds[2];
  char byte;
  make_pair(SOCK_STREAM, fds);
  EXPECT_EQ(send(fds[0], "lost", 4, 0), 4);
  close(fds[1]);
  EXPECT_ERR(recv(fds[0], &byte, 1, 0), ECONNRESET);
  EXPECT_EQ(recv(fds[0], &byte, 1, 0), 0);
}

CASE(bytes_outlive_the_sender) {
  int fds[2];
  char buffer[8];
  make_pair(SOCK_STREAM, fds);
  EXPECT_EQ(send(fds[0], "abc", 3, 0), 3);
  close(fds[0]);
  EXPECT_EQ(poll_state(fds[1]), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
  EXPECT_EQ(recv(fds[1], buffer, sizeof(buffer), 0), 3);
  EXPECT_EQ(recv(fds[1], buffer, sizeof(buffer), 0), 0);
}

CASE(send_to_a_closed_peer_is_epipe_with_sigpipe) {
  int fds[2];
  make_pair(SOCK_STREAM, fds);
  close(fds[0]);
  install(SIGPIPE, count_signal, 0);
  EXPECT_ERR(send(fds[1], "x", 1, 0), EPIPE);
  EXPECT_ERR(write(fds[1], "x", 1), EPIPE);
  EXPECT_EQ(atomic_load(&handled), 2);
  EXPECT_ERR(send(fds[1], "x", 1, MSG_NOSIGNAL), EPIPE);
  EXPECT_EQ(atomic_load(&handled), 2);
}

CASE(shutdown_of_writing_is_the_peers_end_of_file) {
  int fds[2];
  char byte;
  make_pair(SOCK_STREAM, fds);
  EXPECT_OK(shutdown(fds[0], SHUT_WR));
  EXPECT_EQ(recv(fds[1], &byte, 1, 0), 0);
  EXPECT_EQ(poll_state(fds[1]), POLLIN | POLLOUT | POLLRDHUP);
  EXPECT_ERR(send(fds[0], "x", 1, MSG_NOSIGNAL), EPIPE);
  EXPECT_EQ(send(fds[1], "x", 1, 0), 1); /* the other half goes on */
  EXPECT_EQ(recv(fds[0], &byte, 1, 0), 1);
  EXPECT_ERR(shutdown(fds[0], 3), EINVAL);
}

CASE(shutdown_of_reading_stops_the_peer) {
  int fds[2];
  char byte;
  make_pair(SOCK_STREAM, fds);
  EXPECT_EQ(send(fds[1], "x", 1, 0), 1);
  EXPECT_OK(shutdown(fds[0], SHUT_RD));
  EXPECT_ERR(send(fds[1], "x", 1, MSG_NOSIGNAL), EPIPE);
  EXPECT_EQ(recv(fds[0], &byte, 1, 0), 1);
  EXPECT_EQ(recv(fds[0], &byte, 1, 0), 0);
  EXPECT_OK(shutdown(fds[0], SHUT_RDWR));
  EXPECT_EQ(poll_state(fds[0]), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
}

static void* receive_until_shutdown(void* fd) {
  char byte;
  EXPECT_EQ(recv(*(int*)fd, &byte, 1, 0), 1);
  EXPECT_EQ(recv(*(int*)fd, &byte, 1, 0), 0);
  return NULL;
}

CASE(shutdown_wakes_a_receiver) {
  int fds[2];
  make_pair(SOCK_STREAM, fds);
  const pthread_t thread = thread_start(receive_until_shutdown, &fds[0]);
  EXPECT_EQ(send(fds[1], "x", 1, 0), 1);
  EXPECT_OK(shutdown(fds[0], SHUT_RDWR));
  thread_join(thread);
}

CASE(datagram_to_a_name_and_back) {
  const struct name server_name = abstract_name("server");
  const struct name client_name = abstract_name("client");
  const int server = make_socket(SOCK_DGRAM);
  const int client = make_socket(SOCK_DGRAM);
  EXPECT_OK(bind_to(server, &server_name));
  EXPECT_OK(bind_to(client, &client_name));
  EXPECT_EQ(sendto(client, "ask", 3, 0, (const struct sockaddr*)&server_name.address, server_name.size), 3);
  char buffer[8];
  struct name from = {.size = sizeof(from.address)};
  EXPECT_EQ(recvfrom(server, buffer, sizeof(buffer), 0, (struct sockaddr*)&from.address, &from.size), 3);
  EXPECT_EQ(from.size, client_name.size);
  EXPECT(memcmp(&from.address, &client_name.address, from.size) == 0);
  EXPECT_EQ(sendto(server, "yes!", 4, 0, (const struct sockaddr*)&from.address, from.size), 4);
  EXPECT_EQ(recv(client, buffer, sizeof(buffer), 0), 4);
}

CASE(datagram_errors) {
  const struct name name = abstract_name("nobody");
  const struct name listener_name = path_name(scratch("listener"));
  const int fd = make_socket(SOCK_DGRAM);
  EXPECT_ERR(send(fd, "x", 1, 0), ENOTCONN);
  EXPECT_ERR(sendto(fd, "x", 1, 0, (const struct sockaddr*)&name.address, name.size), ECONNREFUSED);
  make_listener(SOCK_STREAM, &listener_name, 1);
  EXPECT_ERR(sendto(fd, "x", 1, 0, (const struct sockaddr*)&listener_name.address, listener_name.size), EPROTOTYPE);
  EXPECT_OK(unlink(listener_name.address.sun_path));
  int fds[2];
  make_pair(SOCK_DGRAM, fds);
  close(fds[1]);
  EXPECT_ERR(send(fds[0], "x", 1, 0), ECONNREFUSED);
  char large[1000];
  memset(large, 0, sizeof(large));
  make_pair(SOCK_DGRAM, fds);
  int size = 100;
  EXPECT_OK(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
  socklen_t length = sizeof(size);
  EXPECT_OK(getsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, &length));
  EXPECT_GE(size, 2 * 100); /* Linux doubles it and has a least one */
  static char huge[1 << 20];
  EXPECT_ERR(send(fds[0], huge, sizeof(huge), 0), EMSGSIZE);
}

CASE(connected_datagram_socket_hears_only_its_peer) {
  const struct name server_name = abstract_name("peer");
  const struct name client_name = abstract_name("mine");
  const int server = make_socket(SOCK_DGRAM);
  const int client = make_socket(SOCK_DGRAM);
  const int stranger = make_socket(SOCK_DGRAM);
  EXPECT_OK(bind_to(server, &server_name));
  EXPECT_OK(bind_to(client, &client_name));
  EXPECT_OK(connect_to(client, &server_name));
  EXPECT_ERR(sendto(stranger, "x", 1, 0, (const struct sockaddr*)&client_name.address, client_name.size), EPERM);
  EXPECT_EQ(send(client, "x", 1, 0), 1);
  EXPECT_EQ(recv(server, &(char){0}, 1, 0), 1);
}

CASE(full_buffer_is_eagain_until_read) {
  int fds[2];
  static char block[65536];
  make_pair(SOCK_STREAM | SOCK_NONBLOCK, fds);
  while (send(fds[0], block, sizeof(block), 0) > 0) {
  }
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(poll_state(fds[0]) & POLLOUT, 0);
  while (recv(fds[1], block, sizeof(block), 0) > 0) {
  }
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(poll_state(fds[0]), POLLOUT);
}

CASE(fionread_of_stream_and_datagram) {
  int fds[2];
  int size = 0;
  make_pair(SOCK_STREAM, fds);
  EXPECT_EQ(send(fds[0], "abc", 3, 0), 3);
  EXPECT_EQ(send(fds[0], "de", 2, 0), 2);
  EXPECT_OK(ioctl(fds[1], FIONREAD, &size));
  EXPECT_EQ(size, 5);
  make_pair(SOCK_DGRAM, fds);
  EXPECT_EQ(send(fds[0], "abc", 3, 0), 3);
  EXPECT_EQ(send(fds[0], "de", 2, 0), 2);
  EXPECT_OK(ioctl(fds[1], FIONREAD, &size));
  EXPECT_EQ(size, 3);
}

CASE(receive_timeout) {
  int fds[2];
  char byte;
  make_pair(SOCK_STREAM, fds);
  const struct timeval timeout = {0, 10000};
  EXPECT_OK(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
  const int64_t start = now_ns(CLOCK_MONOTONIC);
  EXPECT_ERR(recv(fds[0], &byte, 1, 0), EAGAIN);
  EXPECT_GE(now_ns(CLOCK_MONOTONIC) - start, 10000000 - 4000000); /* kept in ticks of up to 4 ms */
}

CASE(options_that_can_be_read) {
  int fds[2];
  int value = 0;
  socklen_t size = sizeof(value);
  const struct name name = abstract_name("options");
  make_pair(SOCK_SEQPACKET, fds);
  EXPECT_OK(getsockopt(fds[0], SOL_SOCKET, SO_TYPE, &value, &size));
  EXPECT_EQ(value, SOCK_SEQPACKET);
  EXPECT_OK(getsockopt(fds[0], SOL_SOCKET, SO_DOMAIN, &value, &size));
  EXPECT_EQ(value, AF_UNIX);
  EXPECT_OK(getsockopt(make_listener(SOCK_STREAM, &name, 1), SOL_SOCKET, SO_ACCEPTCONN, &value, &size));
  EXPECT_EQ(value, 1);
  EXPECT_OK(getsockopt(fds[0], SOL_SOCKET, SO_ERROR, &value, &size));
  EXPECT_EQ(value, 0);
  EXPECT_ERR(getsockopt(fds[0], SOL_SOCKET, 9999, &value, &size), ENOPROTOOPT);
}

CASE(server_with_forked_clients) {
  const struct name name = abstract_name("forked");
  const int listener = make_listener(SOCK_STREAM, &name, 10);
  pid_t pids[5];
  for (size_t i = 0; i < COUNT_OF(pids); ++i) {
    pids[i] = child_start();
    if (pids[i] == 0) {
      const int fd = make_socket(SOCK_STREAM);
      EXPECT_OK(connect_to(fd, &name));
      for (int round = 0; round < 20; ++round) {
        put_byte(fd);
        take_byte(fd);
      }
      _exit(0);
    }
  }
  for (size_t i = 0; i < COUNT_OF(pids); ++i) {
    const int fd = accept(listener, NULL, NULL);
    EXPECT_OK(fd);
    for (int round = 0; round < 20; ++round) {
      take_byte(fd);
      put_byte(fd);
    }
    close(fd);
  }
  for (size_t i = 0; i < COUNT_OF(pids); ++i) {
    EXPECT_EQ(child_result(pids[i]), 0);
  }
}
