/* SPDX-License-Identifier: Apache-2.0 */
/* UDP on 127.0.0.1. */
#include "inet.h"

#include <sys/ioctl.h>
#include <sys/uio.h>

static ssize_t send_to_port(int fd, const char* text, uint16_t port) {
  const struct sockaddr_in address = loopback(port);
  return sendto(fd, text, strlen(text), 0, (const struct sockaddr*)&address, sizeof(address));
}

CASE(datagrams_and_their_senders) {
  const int server = make_bound(SOCK_DGRAM);
  const int client = make_bound(SOCK_DGRAM);
  char buffer[16];
  struct sockaddr_in from;
  socklen_t size = sizeof(from);
  EXPECT_EQ(send_to_port(client, "ask", port_of(server)), 3);
  EXPECT_EQ(recvfrom(server, buffer, sizeof(buffer), 0, (struct sockaddr*)&from, &size), 3);
  EXPECT_EQ(size, sizeof(from));
  EXPECT_EQ(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  EXPECT_EQ(ntohs(from.sin_port), port_of(client));
  EXPECT_EQ(sendto(server, "answer", 6, 0, (struct sockaddr*)&from, size), 6);
  EXPECT_EQ(recv(client, buffer, sizeof(buffer), 0), 6);
}

CASE(bounds_truncation_and_empty_datagrams) {
  const int server = make_bound(SOCK_DGRAM);
  const int client = make_inet(SOCK_DGRAM);
  char buffer[16];
  EXPECT_OK(connect_port(client, port_of(server)));
  EXPECT_EQ(send(client, "abcdef", 6, 0), 6);
  EXPECT_EQ(send(client, "", 0, 0), 0);
  EXPECT_EQ(send(client, "ghi", 3, 0), 3);
  EXPECT_EQ(recv(server, buffer, 2, MSG_TRUNC | MSG_PEEK), 6);
  EXPECT_EQ(recv(server, buffer, 2, 0), 2);
  EXPECT_EQ(recv(server, buffer, 16, 0), 0);
  int size = -1;
  EXPECT_OK(ioctl(server, FIONREAD, &size));
  EXPECT_EQ(size, 3);
  EXPECT_EQ(recv(server, buffer, 16, 0), 3);
  EXPECT_ERR(recv(server, buffer, 16, MSG_DONTWAIT), EAGAIN);
}

CASE(connected_sockets_hear_only_their_peer) {
  const int server = make_bound(SOCK_DGRAM);
  const int client = make_bound(SOCK_DGRAM);
  const int stranger = make_inet(SOCK_DGRAM);
  char buffer[16];
  EXPECT_OK(connect_port(client, port_of(server)));
  EXPECT_EQ(peer_port_of(client), port_of(server));
  EXPECT_EQ(send_to_port(stranger, "strange", port_of(client)), 7);
  EXPECT_EQ(send_to_port(server, "known", port_of(client)), 5);
  EXPECT_EQ(recv(client, buffer, sizeof(buffer), 0), 5);
  EXPECT_ERR(recv(client, buffer, sizeof(buffer), MSG_DONTWAIT), EAGAIN);
}

CASE(connection_can_be_changed_and_dissolved) {
  const int first = make_bound(SOCK_DGRAM);
  const int second = make_bound(SOCK_DGRAM);
  const int client = make_inet(SOCK_DGRAM);
  char byte;
  EXPECT_OK(connect_port(client, port_of(first)));
  EXPECT_OK(connect_port(client, port_of(second)));
  EXPECT_EQ(send(client, "x", 1, 0), 1);
  EXPECT_EQ(recv(second, &byte, 1, 0), 1);
  const struct sockaddr unspecified = {.sa_family = AF_UNSPEC};
  EXPECT_OK(connect(client, &unspecified, sizeof(unspecified)));
  EXPECT_ERR(send(client, "x", 1, 0), EDESTADDRREQ);
}

CASE(nobody_there_is_told_to_connected_sockets) {
  const int gone = make_bound(SOCK_DGRAM);
  const uint16_t port = port_of(gone);
  const int client = make_inet(SOCK_DGRAM);
  char byte;
  EXPECT_OK(connect_port(client, port));
  close(gone);
  EXPECT_EQ(send(client, "x", 1, 0), 1);
  EXPECT_EQ(wait_for_events(client, POLLIN) & POLLERR, POLLERR);
  EXPECT_ERR(recv(client, &byte, 1, 0), ECONNREFUSED);
  EXPECT_ERR(recv(client, &byte, 1, MSG_DONTWAIT), EAGAIN);
}

CASE(udp_errors) {
  static char huge[70000];
  const int server = make_bound(SOCK_DGRAM);
  const int fd = make_inet(SOCK_DGRAM);
  EXPECT_ERR(send(fd, "x", 1, 0), EDESTADDRREQ);
  EXPECT_OK(connect_port(fd, port_of(server)));
  EXPECT_ERR(send(fd, huge, sizeof(huge), 0), EMSGSIZE);
  struct sockaddr_in address = loopback(0);
  EXPECT_ERR(sendto(fd, "x", 1, 0, (struct sockaddr*)&address, sizeof(address)), EINVAL); /* port 0 */
  EXPECT_ERR(sendto(fd, "x", 1, 0, (struct sockaddr*)&address, 4), EINVAL);
  EXPECT_ERR(accept(fd, NULL, NULL), EOPNOTSUPP);
}

CASE(bind_to_a_taken_port_is_eaddrinuse) {
  const int server = make_bound(SOCK_DGRAM);
  const int fd = make_inet(SOCK_DGRAM);
  EXPECT_ERR(bind_port(fd, port_of(server)), EADDRINUSE);
  EXPECT_OK(bind_port(fd, 0)); /* may be tried again */
  EXPECT(port_of(fd) != port_of(server));
}

CASE(receive_timeout) {
  const int fd = make_bound(SOCK_DGRAM);
  const struct timeval timeout = {0, 10000};
  char byte;
  EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
  EXPECT_ERR(recv(fd, &byte, 1, 0), EAGAIN);
}

CASE(messages_with_vectors_and_names) {
  const int server = make_bound(SOCK_DGRAM);
  const int client = make_bound(SOCK_DGRAM);
  struct sockaddr_in name = loopback(port_of(server));
  struct iovec out[] = {{(void*)"ab", 2}, {(void*)"cde", 3}};
  struct msghdr header = {.msg_name = &name, .msg_namelen = sizeof(name), .msg_iov = out, .msg_iovlen = 2};
  EXPECT_EQ(sendmsg(client, &header, 0), 5);
  char buffer[4];
  struct iovec in = {buffer, 4};
  memset(&name, 0, sizeof(name));
  header.msg_iov = &in;
  header.msg_iovlen = 1;
  EXPECT_EQ(recvmsg(server, &header, 0), 4);
  EXPECT_EQ(header.msg_flags & MSG_TRUNC, MSG_TRUNC);
  EXPECT_EQ(header.msg_namelen, sizeof(name));
  EXPECT_EQ(ntohs(name.sin_port), port_of(client));
}

CASE(many_datagrams_at_once) {
  const int server = make_bound(SOCK_DGRAM);
  const int client = make_inet(SOCK_DGRAM);
  char bytes[3] = {'a', 'b', 'c'};
  struct iovec vectors[3];
  struct mmsghdr headers[3];
  memset(headers, 0, sizeof(headers));
  EXPECT_OK(connect_port(client, port_of(server)));
  for (int i = 0; i < 3; ++i) {
    vectors[i].iov_base = &bytes[i];
    vectors[i].iov_len = 1;
    headers[i].msg_hdr.msg_iov = &vectors[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
  EXPECT_EQ(sendmmsg(client, headers, 3, 0), 3);
  memset(bytes, 0, sizeof(bytes));
  EXPECT_EQ(recvmmsg(server, headers, 3, MSG_WAITFORONE, NULL), 3);
  EXPECT_BYTES(bytes, "abc");
}

CASE(children_share_a_socket) {
  const int server = make_bound(SOCK_DGRAM);
  const pid_t pid = child_start();
  if (pid == 0) {
    char byte;
    EXPECT_EQ(recv(server, &byte, 1, 0), 1);
    EXPECT_EQ(byte, 'x');
    _exit(0);
  }
  EXPECT_EQ(send_to_port(make_inet(SOCK_DGRAM), "x", port_of(server)), 1);
  EXPECT_EQ(child_result(pid), 0);
}
