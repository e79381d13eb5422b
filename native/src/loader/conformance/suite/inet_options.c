/* SPDX-License-Identifier: Apache-2.0 */
/* Options of inet sockets and what they do: SOL_SOCKET, TCP, IP, IPv6; ancillary data; both families on one port. */
#include "inet.h"

#include <linux/sockios.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

static struct sockaddr_in6 loopback6(uint16_t port) {
  struct sockaddr_in6 address;
  memset(&address, 0, sizeof(address));
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  address.sin6_addr = in6addr_loopback;
  return address;
}

static int make_inet6(int type) {
  const int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);
  EXPECT_OK(fd);
  return fd;
}

static int bind_any6(int fd, uint16_t port) {
  struct sockaddr_in6 address = loopback6(port);
  address.sin6_addr = in6addr_any;
  return bind(fd, (const struct sockaddr*)&address, sizeof(address));
}

static uint16_t port6_of(int fd) {
  struct sockaddr_in6 address;
  socklen_t size = sizeof(address);
  EXPECT_OK(getsockname(fd, (struct sockaddr*)&address, &size));
  EXPECT_EQ(size, sizeof(address));
  EXPECT_EQ(address.sin6_family, AF_INET6);
  return ntohs(address.sin6_port);
}

static int connect_port6(int fd, uint16_t port) {
  const struct sockaddr_in6 address = loopback6(port);
  return connect(fd, (const struct sockaddr*)&address, sizeof(address));
}

/* ---- SOL_SOCKET ---- */

CASE(flags_are_kept) {
  static const int names[] = {SO_REUSEADDR, SO_REUSEPORT, SO_KEEPALIVE, SO_BROADCAST,
                              SO_OOBINLINE, SO_DONTROUTE, SO_TIMESTAMP, SO_TIMESTAMPNS};
  for (size_t i = 0; i < COUNT_OF(names); ++i) {
    const int fd = make_inet(i % 2 == 0 ? SOCK_STREAM : SOCK_DGRAM);
    EXPECT_EQ(int_option(fd, SOL_SOCKET, names[i]), 0);
    EXPECT_OK(set_int_option(fd, SOL_SOCKET, names[i], 5));
    EXPECT_EQ(int_option(fd, SOL_SOCKET, names[i]), 1);
    EXPECT_OK(set_int_option(fd, SOL_SOCKET, names[i], 0));
    EXPECT_EQ(int_option(fd, SOL_SOCKET, names[i]), 0);
    close(fd);
  }
}

CASE(buffers_are_doubled_and_have_a_least_size) {
  const int fd = make_inet(SOCK_DGRAM);
  EXPECT_OK(set_int_option(fd, SOL_SOCKET, SO_RCVBUF, 20000));
  EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_RCVBUF), 40000);
  EXPECT_OK(set_int_option(fd, SOL_SOCKET, SO_SNDBUF, 30000));
  EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_SNDBUF), 60000);
  EXPECT_OK(set_int_option(fd, SOL_SOCKET, SO_RCVBUF, 1));
  EXPECT_GE(int_option(fd, SOL_SOCKET, SO_RCVBUF), 2000);
}

CASE(a_small_receive_buffer_drops_datagrams) {
  static char block[1000];
  const int server = make_bound(SOCK_DGRAM);
  const int client = make_inet(SOCK_DGRAM);
  EXPECT_OK(set_int_option(server, SOL_SOCKET, SO_RCVBUF, 2500));
  EXPECT_OK(connect_port(client, port_of(server)));
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(send(client, block, sizeof(block), 0), sizeof(block));
  }
  int count = 0;
  while (recv(server, block, sizeof(block), MSG_DONTWAIT) > 0) {
    ++count;
  }
  EXPECT(count >= 1 && count < 20);
}

CASE(receive_low_water_holds_back_poll_and_recv) {
  int fds[2];
  char buffer[16];
  make_connection(fds);
  EXPECT_OK(set_int_option(fds[1], SOL_SOCKET, SO_RCVLOWAT, 5));
  EXPECT_EQ(int_option(fds[1], SOL_SOCKET, SO_RCVLOWAT), 5);
  EXPECT_EQ(send(fds[0], "abc", 3, 0), 3);
  int size = 0;
  do {
    EXPECT_OK(ioctl(fds[1], FIONREAD, &size));
    sched_yield();
  } while (size < 3);
  struct pollfd polled = {fds[1], POLLIN, 0};
  EXPECT_EQ(poll(&polled, 1, 0), 0);
  EXPECT_EQ(send(fds[0], "de", 2, 0), 2);
  EXPECT_EQ(poll(&polled, 1, -1), 1);
  EXPECT_EQ(recv(fds[1], buffer, sizeof(buffer), 0), 5);
}

CASE(linger_is_told_as_it_was_set) {
  const int fd = make_inet(SOCK_STREAM);
  struct linger linger = {7, 9};
  socklen_t size = sizeof(linger);
  EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
  EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size));
  EXPECT_EQ(linger.l_onoff, 1);
  EXPECT_EQ(linger.l_linger, 9);
  EXPECT_ERR(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, 4), EINVAL);
}

CASE(a_lingering_close_delivers_everything) {
  static char block[200000], got[200000];
  int fds[2];
  const struct linger linger = {1, 60};
  for (size_t i = 0; i < sizeof(block); ++i) {
    block[i] = (char)(i * 13 >> 3);
  }
  int ready[2];
  make_pipe(ready);
  make_connection(fds);
  EXPECT_OK(setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
  const pid_t pid = child_start();
  if (pid == 0) {
    close(fds[0]); /* not the last: does not wait */
    put_byte(ready[1]);
    EXPECT_EQ(recv(fds[1], got, sizeof(got), MSG_WAITALL), sizeof(got));
    EXPECT(memcmp(block, got, sizeof(got)) == 0);
    EXPECT_EQ(recv(fds[1], got, 1, 0), 0);
    _exit(0);
  }
  close(fds[1]);
  take_byte(ready[0]);
  EXPECT_EQ(send(fds[0], block, sizeof(block), 0), sizeof(block));
  EXPECT_OK(close(fds[0]));
  EXPECT_EQ(child_result(pid), 0);
}

CASE(listeners_with_reuseport_share_a_port) {
  const int first = make_inet(SOCK_STREAM);
  const int second = make_inet(SOCK_STREAM);
  EXPECT_OK(set_int_option(first, SOL_SOCKET, SO_REUSEPORT, 1));
  EXPECT_OK(bind_port(first, 0));
  EXPECT_OK(listen(first, 5));
  EXPECT_ERR(bind_port(second, port_of(first)), EADDRINUSE);
  EXPECT_OK(set_int_option(second, SOL_SOCKET, SO_REUSEPORT, 1));
  EXPECT_OK(bind_port(second, port_of(first)));
  EXPECT_OK(listen(second, 5));
  set_nonblocking(first);
  set_nonblocking(second);
  for (int i = 0; i < 10; ++i) {
    const int client = make_inet(SOCK_STREAM);
    EXPECT_OK(connect_port(client, port_of(first)));
    struct pollfd polled[2] = {{first, POLLIN, 0}, {second, POLLIN, 0}};
    EXPECT_EQ(poll(polled, 2, -1), 1);
    const int server = accept(polled[0].revents != 0 ? first : second, NULL, NULL);
    EXPECT_OK(server);
    close(client);
    close(server);
  }
}

CASE(accepting_and_kind_are_told) {
  const int listener = make_tcp_listener();
  EXPECT_EQ(int_option(listener, SOL_SOCKET, SO_ACCEPTCONN), 1);
  const int udp = make_inet6(SOCK_DGRAM);
  EXPECT_EQ(int_option(udp, SOL_SOCKET, SO_ACCEPTCONN), 0);
  EXPECT_EQ(int_option(udp, SOL_SOCKET, SO_DOMAIN), AF_INET6);
  EXPECT_EQ(int_option(udp, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
  EXPECT_EQ(int_option(udp, SOL_SOCKET, SO_PROTOCOL), IPPROTO_UDP);
  EXPECT_EQ(int_option(udp, SOL_SOCKET, SO_SNDLOWAT), 1);
  struct ucred peer = {1, 1, 1};
  socklen_t size = sizeof(peer);
  EXPECT_OK(getsockopt(listener, SOL_SOCKET, SO_PEERCRED, &peer, &size));
  EXPECT_EQ(peer.pid, 0);
  EXPECT_EQ(peer.uid, (uid_t)-1);
}

CASE(cookies_are_sockets_own) {
  uint64_t first = 0, second = 0, again = 0;
  socklen_t size = sizeof(first);
  const int a = make_inet(SOCK_STREAM);
  const int b = make_inet(SOCK_STREAM);
  EXPECT_OK(getsockopt(a, SOL_SOCKET, SO_COOKIE, &first, &size));
  EXPECT_OK(getsockopt(b, SOL_SOCKET, SO_COOKIE, &second, &size));
  EXPECT_OK(getsockopt(a, SOL_SOCKET, SO_COOKIE, &again, &size));
  EXPECT(first != 0 && first == again && first != second);
}

CASE(bound_to_a_device) {
  const int fd = make_inet(SOCK_DGRAM);
  char name[16] = {0};
  socklen_t size = sizeof(name);
  EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size));
  EXPECT_EQ(size, 0);
  EXPECT_ERR(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "nosuch0", 8), ENODEV);
  EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
  size = sizeof(name);
  EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size));
  EXPECT_EQ(size, 3);
  EXPECT_BYTES(name, "lo");
  EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_BINDTOIFINDEX), 1);
  EXPECT_OK(bind_port(fd, 0));
  EXPECT_OK(connect_port(fd, port_of(fd)));
  EXPECT_EQ(send(fd, "self", 4, 0), 4);
  EXPECT_EQ(recv(fd, name, sizeof(name), 0), 4);
}

CASE(peer_name_by_option) {
  int fds[2];
  struct sockaddr_in peer;
  socklen_t size = sizeof(peer);
  make_connection(fds);
  EXPECT_OK(getsockopt(fds[0], SOL_SOCKET, SO_PEERNAME, &peer, &size));
  EXPECT_EQ(size, sizeof(peer));
  EXPECT_EQ(ntohs(peer.sin_port), port_of(fds[1]));
  EXPECT_ERR(getsockopt(make_inet(SOCK_STREAM), SOL_SOCKET, SO_PEERNAME, &peer, &size), ENOTCONN);
}

CASE(values_are_cut_to_the_room_given) {
  const int fd = make_inet(SOCK_STREAM);
  int value = 0x55555555;
  socklen_t size = 1;
  EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size));
  EXPECT_EQ(size, 1);
  EXPECT_EQ(value, 0x55555500 | SOCK_STREAM);
  size = 100;
  EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size));
  EXPECT_EQ(size, 4);
  size = (socklen_t)-1;
  EXPECT_ERR(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size), EINVAL);
  EXPECT_ERR(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, 3), EINVAL);
  EXPECT_ERR(getsockopt(fd, 9999, 1, &value, &size), EOPNOTSUPP); /* set says ENOPROTOOPT */
}

/* ---- TCP ---- */

CASE(tcp_options_and_their_ranges) {
  static const struct {
    int name, good, low, high;
  } options[] = {{TCP_KEEPIDLE, 11, 0, 32768}, {TCP_KEEPINTVL, 12, 0, 32768}, {TCP_KEEPCNT, 13, 0, 128},
                 {TCP_SYNCNT, 3, 0, 128},      {TCP_MAXSEG, 500, 10, 40000},  {TCP_USER_TIMEOUT, 5000, -1, -1}};
  const int fd = make_inet(SOCK_STREAM);
  for (size_t i = 0; i < COUNT_OF(options); ++i) {
    EXPECT_OK(set_int_option(fd, IPPROTO_TCP, options[i].name, options[i].good));
    EXPECT_EQ(int_option(fd, IPPROTO_TCP, options[i].name), options[i].good);
    EXPECT_ERR(set_int_option(fd, IPPROTO_TCP, options[i].name, options[i].low), EINVAL);
    EXPECT_ERR(set_int_option(fd, IPPROTO_TCP, options[i].name, options[i].high), EINVAL);
    EXPECT_EQ(int_option(fd, IPPROTO_TCP, options[i].name), options[i].good);
  }
  EXPECT_ERR(set_int_option(make_inet(SOCK_DGRAM), IPPROTO_TCP, TCP_NODELAY, 1), ENOPROTOOPT);
}

CASE(tcp_info_of_a_connection) {
  int fds[2];
  char buffer[8];
  struct tcp_info info;
  socklen_t size = sizeof(info);
  make_connection(fds);
  EXPECT_EQ(send(fds[0], "bytes", 5, 0), 5);
  EXPECT_EQ(recv(fds[1], buffer, 5, MSG_WAITALL), 5);
  memset(&info, 0x55, sizeof(info));
  EXPECT_OK(getsockopt(fds[1], IPPROTO_TCP, TCP_INFO, &info, &size));
  EXPECT_GE(size, 104);
  EXPECT_EQ(info.tcpi_state, TCP_ESTABLISHED);
  EXPECT_GE(info.tcpi_snd_mss, 88);
  EXPECT_GE(info.tcpi_rto, 1000);
  EXPECT_GE(info.tcpi_snd_cwnd, 1);
  uint8_t state = 0;
  size = 1;
  EXPECT_OK(getsockopt(fds[1], IPPROTO_TCP, TCP_INFO, &state, &size));
  EXPECT_EQ(size, 1);
  EXPECT_EQ(state, TCP_ESTABLISHED);
  EXPECT_OK(shutdown(fds[0], SHUT_WR));
  EXPECT_EQ(recv(fds[1], buffer, 1, 0), 0);
  EXPECT_OK(getsockopt(fds[1], IPPROTO_TCP, TCP_INFO, &state, &size));
  EXPECT_EQ(state, TCP_CLOSE_WAIT);
  EXPECT_OK(getsockopt(make_tcp_listener(), IPPROTO_TCP, TCP_INFO, &state, &size));
  EXPECT_EQ(state, TCP_LISTEN);
}

CASE(corked_bytes_leave_when_the_cork_does) {
  int fds[2];
  char buffer[8];
  make_connection(fds);
  EXPECT_OK(set_int_option(fds[0], IPPROTO_TCP, TCP_CORK, 1));
  EXPECT_EQ(send(fds[0], "a", 1, 0), 1);
  EXPECT_EQ(send(fds[0], "bc", 2, MSG_MORE), 2);
  EXPECT_EQ(int_option(fds[0], IPPROTO_TCP, TCP_CORK), 1);
  EXPECT_OK(set_int_option(fds[0], IPPROTO_TCP, TCP_CORK, 0));
  EXPECT_EQ(recv(fds[1], buffer, 3, MSG_WAITALL), 3);
  EXPECT_BYTES(buffer, "abc");
}

CASE(queued_bytes_are_told) {
  int fds[2];
  int size = -1;
  make_connection(fds);
  EXPECT_EQ(send(fds[0], "abc", 3, 0), 3);
  do { /* until it is acknowledged */
    EXPECT_OK(ioctl(fds[0], SIOCOUTQ, &size));
    sched_yield();
  } while (size != 0);
  EXPECT_OK(ioctl(fds[1], SIOCINQ, &size));
  EXPECT_EQ(size, 3);
  EXPECT_OK(ioctl(fds[0], SIOCOUTQNSD, &size));
  EXPECT_EQ(size, 0);
  const int listener = make_tcp_listener();
  EXPECT_ERR(ioctl(listener, SIOCINQ, &size), EINVAL);
  EXPECT_ERR(ioctl(listener, SIOCOUTQ, &size), EINVAL);
}

CASE(peek_waits_for_all) {
  int fds[2];
  char buffer[8];
  make_connection(fds);
  const pid_t pid = child_start();
  if (pid == 0) {
    EXPECT_EQ(send(fds[0], "ab", 2, 0), 2);
    EXPECT_EQ(send(fds[0], "cd", 2, 0), 2);
    _exit(0);
  }
  EXPECT_EQ(recv(fds[1], buffer, 4, MSG_PEEK | MSG_WAITALL), 4);
  EXPECT_BYTES(buffer, "abcd");
  EXPECT_EQ(recv(fds[1], buffer, 8, 0), 4);
  EXPECT_EQ(child_result(pid), 0);
}

CASE(wait_for_all_ends_with_the_stream) {
  int fds[2];
  char buffer[8];
  make_connection(fds);
  EXPECT_EQ(send(fds[0], "abc", 3, 0), 3);
  EXPECT_OK(shutdown(fds[0], SHUT_WR));
  EXPECT_EQ(recv(fds[1], buffer, 8, MSG_WAITALL), 3);
  EXPECT_EQ(recv(fds[1], buffer, 8, MSG_WAITALL), 0);
}

CASE(bad_addresses_lose_no_byte) {
  int fds[2];
  char buffer[8];
  make_connection(fds);
  EXPECT_ERR(send(fds[0], (void*)8, 3, 0), EFAULT);
  EXPECT_EQ(send(fds[0], "abc", 3, 0), 3);
  EXPECT_EQ(wait_for_events(fds[1], POLLIN), POLLIN);
  EXPECT_ERR(recv(fds[1], (void*)8, 3, 0), EFAULT);
  struct iovec parts[2] = {{buffer, 1}, {(void*)8, 2}};
  EXPECT_ERR(readv(fds[1], parts, 2), EFAULT); /* a piece of the stream is copied whole or not at all */
  EXPECT_EQ(recv(fds[1], buffer, 8, 0), 3);
  EXPECT_BYTES(buffer, "abc");
}

CASE(tcp_connection_is_dissolved_by_unspec) {
  int fds[2];
  const struct sockaddr unspecified = {.sa_family = AF_UNSPEC};
  char byte;
  const int listener = make_tcp_listener();
  make_connection(fds);
  EXPECT_OK(connect(fds[0], &unspecified, sizeof(unspecified)));
  EXPECT_ERR(recv(fds[1], &byte, 1, 0), ECONNRESET);
  EXPECT_ERR(recv(fds[0], &byte, 1, 0), ECONNRESET);
  EXPECT_ERR(recv(fds[0], &byte, 1, 0), ENOTCONN);
  EXPECT_OK(connect_port(fds[0], port_of(listener)));
  EXPECT_OK(accept(listener, NULL, NULL));
  EXPECT_EQ(send(fds[0], "x", 1, 0), 1);
}

CASE(no_error_queue_and_no_urgent_byte) {
  int fds[2];
  char byte;
  struct iovec part = {&byte, 1};
  struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
  make_connection(fds);
  EXPECT_ERR(recvmsg(fds[0], &header, MSG_ERRQUEUE), EAGAIN);
  EXPECT_ERR(recv(fds[0], &byte, 1, MSG_OOB), EINVAL);
  EXPECT_ERR(recvmsg(make_bound(SOCK_DGRAM), &header, MSG_ERRQUEUE), EAGAIN);
}

CASE(connections_are_passed_by_unix_sockets) {
  int fds[2], pair[2];
  make_connection(fds);
  EXPECT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  const pid_t pid = child_start();
  char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
  char byte = 'p';
  struct iovec part = {&byte, 1};
  struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
  if (pid == 0) {
    close(fds[1]);
    EXPECT_EQ(recvmsg(pair[1], &header, 0), 1);
    int fd;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(fd));
    EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    take_byte(fd);
    put_byte(fd);
    _exit(0);
  }
  struct cmsghdr* const item = CMSG_FIRSTHDR(&header);
  item->cmsg_level = SOL_SOCKET;
  item->cmsg_type = SCM_RIGHTS;
  item->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(item), &fds[1], sizeof(int));
  EXPECT_EQ(sendmsg(pair[0], &header, 0), 1);
  close(fds[1]);
  put_byte(fds[0]);
  take_byte(fds[0]);
  EXPECT_EQ(recv(fds[0], &byte, 1, 0), 0);
  EXPECT_EQ(child_result(pid), 0);
}

/* ---- IP ---- */

CASE(ip_options_and_their_ranges) {
  const int fd = make_inet(SOCK_DGRAM);
  EXPECT_OK(set_int_option(fd, IPPROTO_IP, IP_TTL, 33));
  EXPECT_EQ(int_option(fd, IPPROTO_IP, IP_TTL), 33);
  EXPECT_ERR(set_int_option(fd, IPPROTO_IP, IP_TTL, 0), EINVAL);
  EXPECT_ERR(set_int_option(fd, IPPROTO_IP, IP_TTL, 256), EINVAL);
  EXPECT_OK(set_int_option(fd, IPPROTO_IP, IP_TOS, 0x28));
  EXPECT_EQ(int_option(fd, IPPROTO_IP, IP_TOS), 0x28);
  EXPECT_OK(setsockopt(fd, IPPROTO_IP, IP_TOS, &(char){0x10}, 1)); /* a byte will do */
  EXPECT_EQ(int_option(fd, IPPROTO_IP, IP_TOS), 0x10);
  char byte = 0;
  socklen_t size = 1;
  EXPECT_OK(getsockopt(fd, IPPROTO_IP, IP_TOS, &byte, &size));
  EXPECT_EQ(byte, 0x10);
  EXPECT_OK(set_int_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO));
  EXPECT_EQ(int_option(fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_DO);
  EXPECT_ERR(set_int_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, 17), EINVAL);
  EXPECT_ERR(getsockopt(fd, IPPROTO_IP, IP_MTU, &(int){0}, &(socklen_t){4}), ENOTCONN);
  EXPECT_OK(set_int_option(fd, IPPROTO_IP, IP_RECVERR, 1));
  EXPECT_EQ(int_option(fd, IPPROTO_IP, IP_RECVERR), 1);
  EXPECT_ERR(set_int_option(fd, IPPROTO_IP, 999, 1), ENOPROTOOPT);
  EXPECT_ERR(set_int_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1), ENOPROTOOPT);
  const int stream = make_inet(SOCK_STREAM);
  EXPECT_OK(set_int_option(stream, IPPROTO_IP, IP_TOS, 0x2b)); /* the two low bits are TCP's */
  EXPECT_EQ(int_option(stream, IPPROTO_IP, IP_TOS), 0x28);
}

static struct cmsghdr* find_control(struct msghdr* header, int level, int type) {
  for (struct cmsghdr* item = CMSG_FIRSTHDR(header); item != NULL; item = CMSG_NXTHDR(header, item)) {
    if (item->cmsg_level == level && item->cmsg_type == type) {
      return item;
    }
  }
  return NULL;
}

static int int_control(struct msghdr* header, int level, int type) {
  struct cmsghdr* const item = find_control(header, level, type);
  EXPECT(item != NULL);
  int value = 0;
  memcpy(&value, CMSG_DATA(item), item->cmsg_len - CMSG_LEN(0) < 4 ? 1 : 4);
  return value;
}

CASE(packets_tell_where_they_were_sent) {
  const int server = make_bound(SOCK_DGRAM);
  const int client = make_inet(SOCK_DGRAM);
  char buffer[8], control[256] __attribute__((aligned(8)));
  struct iovec part = {buffer, sizeof(buffer)};
  struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
  EXPECT_OK(set_int_option(server, IPPROTO_IP, IP_PKTINFO, 1));
  EXPECT_OK(set_int_option(server, IPPROTO_IP, IP_RECVTTL, 1));
  EXPECT_OK(set_int_option(server, IPPROTO_IP, IP_RECVTOS, 1));
  EXPECT_OK(set_int_option(server, SOL_SOCKET, SO_TIMESTAMP, 1));
  EXPECT_OK(set_int_option(client, IPPROTO_IP, IP_TTL, 77));
  EXPECT_OK(set_int_option(client, IPPROTO_IP, IP_TOS, 0x20));
  EXPECT_OK(connect_port(client, port_of(server)));
  EXPECT_EQ(send(client, "x", 1, 0), 1);
  EXPECT_EQ(recvmsg(server, &header, 0), 1);
  EXPECT_EQ(header.msg_flags, 0);
  EXPECT_EQ(int_control(&header, IPPROTO_IP, IP_TTL), 77);
  EXPECT_EQ(int_control(&header, IPPROTO_IP, IP_TOS), 0x20);
  EXPECT(find_control(&header, SOL_SOCKET, SCM_TIMESTAMP) != NULL);
  struct cmsghdr* const item = find_control(&header, IPPROTO_IP, IP_PKTINFO);
  EXPECT(item != NULL);
  struct in_pktinfo info;
  memcpy(&info, CMSG_DATA(item), sizeof(info));
  EXPECT_EQ(info.ipi_ifindex, 1);
  EXPECT_EQ(info.ipi_addr.s_addr, htonl(INADDR_LOOPBACK));
  EXPECT_EQ(info.ipi_spec_dst.s_addr, htonl(INADDR_LOOPBACK));
  /* no room for it */
  EXPECT_EQ(send(client, "x", 1, 0), 1);
  header.msg_controllen = 20;
  EXPECT_EQ(recvmsg(server, &header, 0), 1);
  EXPECT_EQ(header.msg_flags, MSG_CTRUNC);
}

CASE(packets_are_sent_from_where_it_is_asked) {
  const int server = make_bound(SOCK_DGRAM);
  const int client = make_inet(SOCK_DGRAM);
  char buffer[8];
  union {
    char bytes[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control;
  struct sockaddr_in to = loopback(port_of(server));
  struct iovec part = {(void*)"y", 1};
  struct msghdr header = {.msg_name = &to,
                          .msg_namelen = sizeof(to),
                          .msg_iov = &part,
                          .msg_iovlen = 1,
                          .msg_control = control.bytes,
                          .msg_controllen = sizeof(control.bytes)};
  memset(&control, 0, sizeof(control));
  struct cmsghdr* item = CMSG_FIRSTHDR(&header);
  struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(0x7f000005)};
  item->cmsg_level = IPPROTO_IP;
  item->cmsg_type = IP_PKTINFO;
  item->cmsg_len = CMSG_LEN(sizeof(info));
  memcpy(CMSG_DATA(item), &info, sizeof(info));
  item = CMSG_NXTHDR(&header, item);
  item->cmsg_level = IPPROTO_IP;
  item->cmsg_type = IP_TTL;
  item->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(item), &(int){9}, sizeof(int));
  EXPECT_EQ(sendmsg(client, &header, 0), 1);
  struct sockaddr_in from;
  socklen_t size = sizeof(from);
  EXPECT_EQ(recvfrom(server, buffer, sizeof(buffer), 0, (struct sockaddr*)&from, &size), 1);
  EXPECT_EQ(from.sin_addr.s_addr, htonl(0x7f000005));
  memcpy(CMSG_DATA(item), &(int){0}, sizeof(int));
  EXPECT_ERR(sendmsg(client, &header, 0), EINVAL);
}

CASE(broadcast_must_be_allowed) {
  const int fd = make_inet(SOCK_DGRAM);
  struct sockaddr_in to = loopback(9);
  to.sin_addr.s_addr = htonl(INADDR_BROADCAST);
  EXPECT_ERR(sendto(fd, "x", 1, 0, (struct sockaddr*)&to, sizeof(to)), EACCES);
  EXPECT_ERR(connect(fd, (struct sockaddr*)&to, sizeof(to)), EACCES);
}

CASE(pieces_of_a_datagram) {
  const int server = make_bound(SOCK_DGRAM);
  const int client = make_inet(SOCK_DGRAM);
  char buffer[16];
  EXPECT_OK(connect_port(client, port_of(server)));
  EXPECT_EQ(send(client, "ab", 2, MSG_MORE), 2);
  EXPECT_EQ(send(client, "cd", 2, MSG_MORE), 2);
  EXPECT_ERR(recv(server, buffer, sizeof(buffer), MSG_DONTWAIT), EAGAIN);
  EXPECT_EQ(send(client, "e", 1, 0), 1);
  EXPECT_EQ(recv(server, buffer, sizeof(buffer), 0), 5);
  EXPECT_BYTES(buffer, "abcde");
  EXPECT_OK(set_int_option(client, IPPROTO_UDP, UDP_CORK, 1));
  EXPECT_EQ(send(client, "fg", 2, 0), 2);
  EXPECT_EQ(send(client, "h", 1, 0), 1);
  EXPECT_OK(set_int_option(client, IPPROTO_UDP, UDP_CORK, 0));
  EXPECT_EQ(recv(server, buffer, sizeof(buffer), 0), 3);
  EXPECT_BYTES(buffer, "fgh");
}

CASE(shutdown_of_datagram_sockets) {
  const int server = make_bound(SOCK_DGRAM);
  const int fd = make_inet(SOCK_DGRAM);
  char byte;
  EXPECT_ERR(shutdown(fd, SHUT_RDWR), ENOTCONN);
  const int connected = make_inet(SOCK_DGRAM);
  EXPECT_OK(connect_port(connected, port_of(server)));
  EXPECT_OK(shutdown(connected, SHUT_RDWR));
  EXPECT_EQ(recv(connected, &byte, 1, 0), 0);
  EXPECT_ERR(send(connected, "x", 1, 0), EPIPE);
}

CASE(many_messages_within_a_time) {
  const int server = make_bound(SOCK_DGRAM);
  const int client = make_inet(SOCK_DGRAM);
  char buffers[3][4];
  struct iovec parts[3];
  struct mmsghdr messages[3];
  memset(messages, 0, sizeof(messages));
  for (int i = 0; i < 3; ++i) {
    parts[i] = (struct iovec){buffers[i], sizeof(buffers[i])};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  EXPECT_OK(connect_port(client, port_of(server)));
  EXPECT_EQ(send(client, "a", 1, 0), 1);
  EXPECT_EQ(send(client, "bc", 2, 0), 2);
  struct timespec timeout = {-1, 0};
  EXPECT_ERR(recvmmsg(server, messages, 3, 0, &timeout), EINVAL);
  timeout = (struct timespec){60, 0};
  EXPECT_EQ(recvmmsg(server, messages, 3, MSG_WAITFORONE, &timeout), 2);
  EXPECT_EQ(messages[0].msg_len, 1);
  EXPECT_EQ(messages[1].msg_len, 2);
  EXPECT_EQ(send(client, "d", 1, 0), 1);
  timeout = (struct timespec){0, 1}; /* over once the first one is there */
  EXPECT_EQ(recvmmsg(server, messages, 3, 0, &timeout), 1);
}

CASE(multicast_comes_to_its_members) {
  const int server = make_inet(SOCK_DGRAM);
  const int client = make_inet(SOCK_DGRAM);
  struct sockaddr_in any = loopback(0);
  any.sin_addr.s_addr = htonl(INADDR_ANY);
  EXPECT_OK(bind(server, (struct sockaddr*)&any, sizeof(any)));
  const struct ip_mreqn request = {.imr_multiaddr.s_addr = htonl(0xefff0102), .imr_ifindex = 1};
  EXPECT_OK(setsockopt(server, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)));
  EXPECT_ERR(setsockopt(server, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request)), EADDRINUSE);
  const struct ip_mreqn bad = {.imr_multiaddr.s_addr = htonl(INADDR_LOOPBACK), .imr_ifindex = 1};
  EXPECT_ERR(setsockopt(server, IPPROTO_IP, IP_ADD_MEMBERSHIP, &bad, sizeof(bad)), EINVAL);
  EXPECT_OK(setsockopt(client, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof(request)));
  EXPECT_OK(set_int_option(client, IPPROTO_IP, IP_MULTICAST_TTL, 3));
  EXPECT_EQ(int_option(client, IPPROTO_IP, IP_MULTICAST_TTL), 3);
  EXPECT_EQ(int_option(client, IPPROTO_IP, IP_MULTICAST_LOOP), 1);
  struct sockaddr_in to = loopback(port_of(server));
  to.sin_addr.s_addr = request.imr_multiaddr.s_addr;
  char buffer[8];
  EXPECT_EQ(sendto(client, "group", 5, 0, (struct sockaddr*)&to, sizeof(to)), 5);
  EXPECT_EQ(recv(server, buffer, sizeof(buffer), 0), 5);
  EXPECT_OK(setsockopt(server, IPPROTO_IP, IP_DROP_MEMBERSHIP, &request, sizeof(request)));
  EXPECT_ERR(setsockopt(server, IPPROTO_IP, IP_DROP_MEMBERSHIP, &request, sizeof(request)), EADDRNOTAVAIL);
}

/* ---- IPv6 ---- */

CASE(tcp_over_ipv6) {
  const int listener = make_inet6(SOCK_STREAM);
  EXPECT_OK(bind_any6(listener, 0));
  EXPECT_OK(listen(listener, 1));
  const int client = make_inet6(SOCK_STREAM);
  EXPECT_OK(connect_port6(client, port6_of(listener)));
  struct sockaddr_in6 from;
  socklen_t size = sizeof(from);
  const int server = accept(listener, (struct sockaddr*)&from, &size);
  EXPECT_OK(server);
  EXPECT_EQ(size, sizeof(from));
  EXPECT(IN6_IS_ADDR_LOOPBACK(&from.sin6_addr));
  EXPECT_EQ(ntohs(from.sin6_port), port6_of(client));
  put_byte(client);
  take_byte(server);
}

CASE(one_socket_for_both_families) {
  const int listener = make_inet6(SOCK_STREAM);
  EXPECT_EQ(int_option(listener, IPPROTO_IPV6, IPV6_V6ONLY), 0);
  EXPECT_OK(bind_any6(listener, 0));
  EXPECT_OK(listen(listener, 2));
  EXPECT_ERR(set_int_option(listener, IPPROTO_IPV6, IPV6_V6ONLY, 1), EINVAL); /* too late */
  const int client = make_inet(SOCK_STREAM);
  EXPECT_OK(connect_port(client, port6_of(listener)));
  struct sockaddr_in6 from;
  socklen_t size = sizeof(from);
  EXPECT_OK(accept(listener, (struct sockaddr*)&from, &size));
  EXPECT(IN6_IS_ADDR_V4MAPPED(&from.sin6_addr));
  EXPECT_EQ(from.sin6_addr.s6_addr[12], 127);
  EXPECT_EQ(ntohs(from.sin6_port), port_of(client));
  EXPECT_ERR(bind_port(make_inet(SOCK_STREAM), port6_of(listener)), EADDRINUSE);
  /* and a socket for IPv6 reaches IPv4 by a mapped address */
  struct sockaddr_in6 to = loopback6(port6_of(listener));
  EXPECT_EQ(inet_pton(AF_INET6, "::ffff:127.0.0.1", &to.sin6_addr), 1);
  EXPECT_OK(connect(make_inet6(SOCK_STREAM), (struct sockaddr*)&to, sizeof(to)));
}

CASE(two_sockets_for_two_families) {
  const int six = make_inet6(SOCK_STREAM);
  EXPECT_OK(set_int_option(six, IPPROTO_IPV6, IPV6_V6ONLY, 1));
  EXPECT_EQ(int_option(six, IPPROTO_IPV6, IPV6_V6ONLY), 1);
  EXPECT_OK(bind_any6(six, 0));
  const int four = make_inet(SOCK_STREAM);
  EXPECT_OK(bind_port(four, port6_of(six)));
  EXPECT_OK(listen(six, 1));
  EXPECT_ERR(connect_port(make_inet(SOCK_STREAM), port6_of(six)), ECONNREFUSED);
  EXPECT_OK(listen(four, 1));
  EXPECT_OK(connect_port(make_inet(SOCK_STREAM), port6_of(six)));
  struct sockaddr_in6 to = loopback6(port6_of(six));
  EXPECT_EQ(inet_pton(AF_INET6, "::ffff:127.0.0.1", &to.sin6_addr), 1);
  const int client = make_inet6(SOCK_STREAM);
  EXPECT_OK(set_int_option(client, IPPROTO_IPV6, IPV6_V6ONLY, 1));
  EXPECT_ERR(connect(client, (struct sockaddr*)&to, sizeof(to)), ENETUNREACH);
}

CASE(ipv6_packets_tell_where_they_were_sent) {
  const int server = make_inet6(SOCK_DGRAM);
  const int client = make_inet6(SOCK_DGRAM);
  char buffer[8], control[256] __attribute__((aligned(8)));
  struct iovec part = {buffer, sizeof(buffer)};
  struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
  EXPECT_OK(bind_any6(server, 0));
  EXPECT_OK(set_int_option(server, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
  EXPECT_OK(set_int_option(server, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1));
  EXPECT_OK(set_int_option(server, IPPROTO_IPV6, IPV6_RECVTCLASS, 1));
  EXPECT_OK(set_int_option(client, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 55));
  EXPECT_EQ(int_option(client, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 55);
  EXPECT_OK(set_int_option(client, IPPROTO_IPV6, IPV6_TCLASS, 0x20));
  EXPECT_ERR(set_int_option(client, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 256), EINVAL);
  EXPECT_OK(connect_port6(client, port6_of(server)));
  EXPECT_EQ(send(client, "x", 1, 0), 1);
  EXPECT_EQ(recvmsg(server, &header, 0), 1);
  EXPECT_EQ(int_control(&header, IPPROTO_IPV6, IPV6_HOPLIMIT), 55);
  EXPECT_EQ(int_control(&header, IPPROTO_IPV6, IPV6_TCLASS), 0x20);
  struct cmsghdr* const item = find_control(&header, IPPROTO_IPV6, IPV6_PKTINFO);
  EXPECT(item != NULL);
  struct in6_pktinfo info;
  memcpy(&info, CMSG_DATA(item), sizeof(info));
  EXPECT_EQ(info.ipi6_ifindex, 1);
  EXPECT(IN6_IS_ADDR_LOOPBACK(&info.ipi6_addr));
}

CASE(ipv6_addresses_and_their_errors) {
  const int fd = make_inet6(SOCK_STREAM);
  struct sockaddr_in6 address = loopback6(0);
  EXPECT_ERR(bind(fd, (struct sockaddr*)&address, 16), EINVAL);
  struct sockaddr_in four = loopback(0);
  EXPECT_ERR(bind(fd, (struct sockaddr*)&four, sizeof(four)), EINVAL); /* too short before anything else */
  address.sin6_family = AF_INET;
  EXPECT_ERR(bind(fd, (struct sockaddr*)&address, sizeof(address)), EAFNOSUPPORT);
  address = loopback6(0);
  EXPECT_EQ(inet_pton(AF_INET6, "fe80::1", &address.sin6_addr), 1);
  EXPECT_ERR(bind(fd, (struct sockaddr*)&address, sizeof(address)), EINVAL); /* of which device? */
  EXPECT_EQ(inet_pton(AF_INET6, "2001:db8::77", &address.sin6_addr), 1);
  EXPECT_ERR(bind(fd, (struct sockaddr*)&address, sizeof(address)), EADDRNOTAVAIL);
  address = loopback6(0);
  EXPECT_OK(bind(fd, (struct sockaddr*)&address, 24)); /* without the scope */
}

/* ---- ping ---- */

CASE(echo_requests_come_back) {
  const int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
  if (fd < 0) {
    EXPECT_EQ(errno, EACCES); /* net.ipv4.ping_group_range of this machine */
    return;
  }
  const struct sockaddr_in to = loopback(0);
  char packet[12] = {8, 0, 0, 0, 0, 0, 0, 7, 'p', 'i', 'n', 'g'};
  char answer[32];
  EXPECT_EQ(sendto(fd, packet, sizeof(packet), 0, (const struct sockaddr*)&to, sizeof(to)), sizeof(packet));
  EXPECT_EQ(recv(fd, answer, sizeof(answer), 0), sizeof(packet));
  EXPECT_EQ(answer[0], 0); /* echo reply */
  EXPECT_EQ(answer[7], 7);
  EXPECT_BYTES(answer + 8, "ping");
  packet[0] = 3;
  EXPECT_ERR(sendto(fd, packet, sizeof(packet), 0, (const struct sockaddr*)&to, sizeof(to)), EINVAL);
}
