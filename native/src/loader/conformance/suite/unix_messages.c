/* SPDX-License-Identifier: Apache-2.0 */
/* Unix sockets: flags of single calls, vectors, descriptors and credentials in messages. */
#include "suite.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

static void make_pair(int type, int fds[2]) { EXPECT_OK(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds)); }

struct message {
  char byte;
  struct iovec vector;
  struct msghdr header;
  union {
    char bytes[512];
    struct cmsghdr align;
  } control;
};

static void prepare(struct message* message, size_t control_size) {
  memset(message, 0, sizeof(*message));
  message->byte = 'm';
  message->vector.iov_base = &message->byte;
  message->vector.iov_len = 1;
  message->header.msg_iov = &message->vector;
  message->header.msg_iovlen = 1;
  message->header.msg_control = control_size == 0 ? NULL : message->control.bytes;
  message->header.msg_controllen = control_size;
}

static ssize_t send_fds(int socket, const int* fds, int count) {
  struct message message;
  const size_t size = sizeof(int) * (size_t)count;
  prepare(&message, CMSG_SPACE(size));
  struct cmsghdr* const control = CMSG_FIRSTHDR(&message.header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(size);
  memcpy(CMSG_DATA(control), fds, size);
  return sendmsg(socket, &message.header, MSG_NOSIGNAL);
}

/* Number of descriptors that came; flags of the message in *flags. */
static int receive_fds(int socket, int* fds, int room, int receive_flags, int* flags) {
  struct message message;
  prepare(&message, room == 0 ? 0 : CMSG_SPACE(sizeof(int) * (size_t)room));
  if (room == 1) {
    message.header.msg_controllen = CMSG_LEN(sizeof(int)); /* no room for a second one in the padding */
  }
  EXPECT_EQ(recvmsg(socket, &message.header, receive_flags), 1);
  EXPECT_EQ(message.byte, 'm');
  if (flags != NULL) {
    *flags = message.header.msg_flags;
  }
  const struct cmsghdr* const control = CMSG_FIRSTHDR(&message.header);
  if (control == NULL) {
    return 0;
  }
  EXPECT_EQ(control->cmsg_level, SOL_SOCKET);
  EXPECT_EQ(control->cmsg_type, SCM_RIGHTS);
  const size_t size = control->cmsg_len - CMSG_LEN(0);
  EXPECT(size <= sizeof(int) * (size_t)room);
  memcpy(fds, CMSG_DATA(control), size);
  return (int)(size / sizeof(int));
}

CASE(peek_leaves_the_bytes) {
  int fds[2];
  char buffer[8] = "";
  make_pair(SOCK_STREAM, fds);
  EXPECT_EQ(send(fds[0], "abc", 3, 0), 3);
  EXPECT_EQ(recv(fds[1], buffer, 2, MSG_PEEK), 2);
  EXPECT_EQ(recv(fds[1], buffer, 8, MSG_PEEK), 3);
  EXPECT_EQ(recv(fds[1], buffer, 8, 0), 3);
  EXPECT_BYTES(buffer, "abc");
  EXPECT_ERR(recv(fds[1], buffer, 8, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
}

CASE(peek_leaves_the_datagram) {
  int fds[2];
  char buffer[8] = "";
  make_pair(SOCK_DGRAM, fds);
  EXPECT_EQ(send(fds[0], "abc", 3, 0), 3);
  EXPECT_EQ(recv(fds[1], buffer, 1, MSG_PEEK), 1);
  EXPECT_EQ(recv(fds[1], buffer, 1, MSG_PEEK | MSG_TRUNC), 3);
  EXPECT_EQ(recv(fds[1], buffer, 8, 0), 3);
}

CASE(dontwait_is_for_one_call) {
  int fds[2];
  char byte;
  make_pair(SOCK_STREAM, fds);
  EXPECT_ERR(recv(fds[0], &byte, 1, MSG_DONTWAIT), EAGAIN);
  EXPECT_EQ(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
  static char block[65536];
  while (send(fds[0], block, sizeof(block), MSG_DONTWAIT) > 0) {
  }
  EXPECT_EQ(errno, EAGAIN);
}

CASE(truncated_datagrams_are_marked) {
  int fds[2];
  make_pair(SOCK_DGRAM, fds);
  struct message message;
  EXPECT_EQ(send(fds[0], "abc", 3, 0), 3);
  EXPECT_EQ(send(fds[0], "abc", 3, 0), 3);
  prepare(&message, 0);
  EXPECT_EQ(recvmsg(fds[1], &message.header, 0), 1);
  EXPECT_EQ(message.header.msg_flags & MSG_TRUNC, MSG_TRUNC);
  prepare(&message, 0);
  EXPECT_EQ(recvmsg(fds[1], &message.header, MSG_TRUNC), 3);
}

static void* send_in_parts(void* fd) {
  EXPECT_EQ(send(*(int*)fd, "abc", 3, 0), 3);
  EXPECT_EQ(send(*(int*)fd, "de", 2, 0), 2);
  return NULL;
}

CASE(waitall_waits_for_all) {
  int fds[2];
  char buffer[5];
  make_pair(SOCK_STREAM, fds);
  const pthread_t thread = thread_start(send_in_parts, &fds[0]);
  EXPECT_EQ(recv(fds[1], buffer, 5, MSG_WAITALL), 5);
  EXPECT_BYTES(buffer, "abcde");
  thread_join(thread);
  EXPECT_EQ(send(fds[0], "xy", 2, 0), 2);
  close(fds[0]);
  EXPECT_EQ(recv(fds[1], buffer, 5, MSG_WAITALL), 2); /* or for the end */
}

CASE(vectors_of_messages) {
  int fds[2];
  char first[2] = "", second[3] = "";
  make_pair(SOCK_STREAM, fds);
  struct iovec out[] = {{(void*)"abc", 3}, {NULL, 0}, {(void*)"de", 2}};
  struct msghdr header = {.msg_iov = out, .msg_iovlen = 3};
  EXPECT_EQ(sendmsg(fds[0], &header, 0), 5);
  struct iovec in[] = {{first, 2}, {second, 3}};
  header.msg_iov = in;
  header.msg_iovlen = 2;
  EXPECT_EQ(recvmsg(fds[1], &header, 0), 5);
  EXPECT_BYTES(first, "ab");
  EXPECT_BYTES(second, "cde");
  header.msg_iovlen = 2000;
  EXPECT_ERR(sendmsg(fds[0], &header, 0), EMSGSIZE);
}

CASE(rights_pass_a_pipe) {
  int fds[2], pipe_fds[2], got = -1;
  make_pair(SOCK_STREAM, fds);
  make_pipe(pipe_fds);
  EXPECT_EQ(send_fds(fds[0], &pipe_fds[1], 1), 1);
  close(pipe_fds[1]); /* the message holds it */
  EXPECT_EQ(receive_fds(fds[1], &got, 1, 0, NULL), 1);
  EXPECT_EQ(fcntl(got, F_GETFD), 0);
  put_byte(got);
  take_byte(pipe_fds[0]);
  close(got);
  char byte;
  EXPECT_EQ(read(pipe_fds[0], &byte, 1), 0);
}

CASE(rights_pass_many) {
  enum { kCount = 20 };
  int fds[2], out[kCount], in[kCount];
  make_pair(SOCK_DGRAM, fds);
  for (int i = 0; i < kCount; ++i) {
    out[i] = scratch_file();
    EXPECT_EQ(pwrite(out[i], &(char){(char)i}, 1, 0), 1);
  }
  EXPECT_EQ(send_fds(fds[0], out, kCount), 1);
  EXPECT_EQ(receive_fds(fds[1], in, kCount, MSG_CMSG_CLOEXEC, NULL), kCount);
  for (int i = 0; i < kCount; ++i) {
    char byte = -1;
    EXPECT_EQ(fcntl(in[i], F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(pread(in[i], &byte, 1, 0), 1);
    EXPECT_EQ(byte, i);
  }
}

CASE(rights_pass_a_socket_between_processes) {
  int fds[2], inner[2], got = -1;
  make_pair(SOCK_STREAM, fds);
  const pid_t pid = child_start();
  if (pid == 0) {
    make_pair(SOCK_SEQPACKET, inner);
    EXPECT_EQ(send_fds(fds[1], &inner[1], 1), 1);
    close(inner[1]);
    put_byte(inner[0]);
    take_byte(inner[0]);
    _exit(0);
  }
  EXPECT_EQ(receive_fds(fds[0], &got, 1, 0, NULL), 1);
  take_byte(got);
  put_byte(got);
  EXPECT_EQ(child_result(pid), 0);
}

CASE(rights_of_the_socket_itself) {
  int fds[2], got = -1;
  make_pair(SOCK_STREAM, fds);
  EXPECT_EQ(send_fds(fds[0], &fds[1], 1), 1); /* a socket in its own queue */
  EXPECT_EQ(receive_fds(fds[1], &got, 1, 0, NULL), 1);
  put_byte(fds[0]);
  take_byte(got);
}

CASE(rights_in_a_queue_nobody_reads) {
  int fds[2], pipe_fds[2];
  char byte;
  make_pair(SOCK_STREAM, fds);
  make_pipe(pipe_fds);
  EXPECT_EQ(send_fds(fds[0], &pipe_fds[1], 1), 1);
  close(pipe_fds[1]);
  close(fds[0]);
  close(fds[1]); /* closes what is in there */
  EXPECT_EQ(read(pipe_fds[0], &byte, 1), 0);
}

CASE(rights_without_room_are_dropped) {
  int fds[2], out[2], got[2], flags = 0;
  make_pair(SOCK_STREAM, fds);
  make_pipe(out);
  EXPECT_EQ(send_fds(fds[0], out, 2), 1);
  EXPECT_EQ(receive_fds(fds[1], got, 1, 0, &flags), 1);
  EXPECT_EQ(flags & MSG_CTRUNC, MSG_CTRUNC);
  EXPECT_EQ(send_fds(fds[0], out, 2), 1);
  EXPECT_EQ(receive_fds(fds[1], got, 0, 0, &flags), 0);
  EXPECT_EQ(flags & MSG_CTRUNC, MSG_CTRUNC);
}

CASE(rights_end_a_read) {
  int fds[2], got = -1;
  char buffer[8];
  make_pair(SOCK_STREAM, fds);
  EXPECT_EQ(send(fds[0], "ab", 2, 0), 2);
  EXPECT_EQ(send_fds(fds[0], &fds[0], 1), 1);
  EXPECT_EQ(send_fds(fds[0], &fds[0], 1), 1);
  EXPECT_EQ(recv(fds[1], buffer, 2, 0), 2);
  struct message message;
  prepare(&message, CMSG_SPACE(sizeof(int)));
  message.vector.iov_base = buffer;
  message.vector.iov_len = sizeof(buffer);
  EXPECT_EQ(recvmsg(fds[1], &message.header, 0), 1); /* not the next message's descriptors */
  EXPECT_EQ(receive_fds(fds[1], &got, 1, 0, NULL), 1);
}

CASE(rights_errors) {
  int fds[2];
  make_pair(SOCK_STREAM, fds);
  const int bad = 9999;
  EXPECT_ERR(send_fds(fds[0], &bad, 1), EBADF);
  struct message message;
  prepare(&message, CMSG_SPACE(sizeof(int)));
  struct cmsghdr* const control = CMSG_FIRSTHDR(&message.header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = 4; /* shorter than its own header */
  EXPECT_ERR(sendmsg(fds[0], &message.header, 0), EINVAL);
  control->cmsg_len = CMSG_LEN(sizeof(int));
  control->cmsg_type = 99;
  EXPECT_ERR(sendmsg(fds[0], &message.header, 0), EINVAL);
}

CASE(rights_at_the_descriptor_limit) {
  int fds[2], got[2], flags = 0;
  make_pair(SOCK_STREAM, fds);
  EXPECT_EQ(send_fds(fds[0], fds, 2), 1);
  const struct rlimit limit = {32, 32};
  EXPECT_OK(setrlimit(RLIMIT_NOFILE, &limit));
  while (dup(STDIN_FILENO) >= 0) {
  }
  close(31);
  EXPECT_EQ(receive_fds(fds[1], got, 2, 0, &flags), 1); /* one fits */
  EXPECT_EQ(got[0], 31);
  EXPECT_EQ(flags & MSG_CTRUNC, MSG_CTRUNC);
}

CASE(peercred_of_a_pair_and_of_a_client) {
  int fds[2];
  struct ucred credentials;
  socklen_t size = sizeof(credentials);
  make_pair(SOCK_STREAM, fds);
  EXPECT_OK(getsockopt(fds[0], SOL_SOCKET, SO_PEERCRED, &credentials, &size));
  EXPECT_EQ(credentials.pid, getpid());
  EXPECT_EQ(credentials.uid, geteuid());
  EXPECT_EQ(credentials.gid, getegid());
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "suite-cred-%d", (int)getpid());
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  EXPECT_OK(bind(listener, (struct sockaddr*)&name, sizeof(name)));
  EXPECT_OK(listen(listener, 5));
  const pid_t pid = child_start();
  if (pid == 0) {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_OK(connect(fd, (struct sockaddr*)&name, sizeof(name)));
    EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size));
    EXPECT_EQ(credentials.pid, getppid()); /* of who called listen */
    take_byte(fd);
    _exit(0);
  }
  const int server = accept(listener, NULL, NULL);
  EXPECT_OK(getsockopt(server, SOL_SOCKET, SO_PEERCRED, &credentials, &size));
  EXPECT_EQ(credentials.pid, pid);
  put_byte(server);
  EXPECT_EQ(child_result(pid), 0);
}

CASE(credentials_come_if_asked_for) {
  int fds[2];
  const int on = 1;
  make_pair(SOCK_DGRAM, fds);
  EXPECT_OK(setsockopt(fds[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
  put_byte(fds[0]);
  struct message message;
  prepare(&message, CMSG_SPACE(sizeof(struct ucred)));
  EXPECT_EQ(recvmsg(fds[1], &message.header, 0), 1);
  struct cmsghdr* const control = CMSG_FIRSTHDR(&message.header);
  EXPECT(control != NULL && control->cmsg_type == SCM_CREDENTIALS);
  struct ucred credentials;
  memcpy(&credentials, CMSG_DATA(control), sizeof(credentials));
  EXPECT_EQ(credentials.pid, getpid());
  EXPECT_EQ(credentials.uid, getuid());
  EXPECT_EQ(credentials.gid, getgid());
}

static ssize_t send_credentials(int fd, struct ucred credentials) {
  struct message message;
  prepare(&message, CMSG_SPACE(sizeof(struct ucred)));
  struct cmsghdr* const control = CMSG_FIRSTHDR(&message.header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_CREDENTIALS;
  control->cmsg_len = CMSG_LEN(sizeof(struct ucred));
  memcpy(CMSG_DATA(control), &credentials, sizeof(credentials));
  return sendmsg(fd, &message.header, 0);
}

CASE(credentials_can_be_given) {
  int fds[2];
  const int on = 1;
  make_pair(SOCK_STREAM, fds);
  EXPECT_OK(setsockopt(fds[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
  const struct ucred own = {getpid(), getuid(), getgid()};
  EXPECT_EQ(send_credentials(fds[0], own), 1);
  struct message message;
  prepare(&message, CMSG_SPACE(sizeof(struct ucred)));
  EXPECT_EQ(recvmsg(fds[1], &message.header, 0), 1);
  EXPECT(memcmp(CMSG_DATA(CMSG_FIRSTHDR(&message.header)), &own, sizeof(own)) == 0);
}

CASE(sendmmsg_and_recvmmsg) {
  int fds[2];
  struct message messages[3];
  struct mmsghdr headers[3];
  make_pair(SOCK_DGRAM, fds);
  for (int i = 0; i < 3; ++i) {
    prepare(&messages[i], 0);
    messages[i].byte = (char)('a' + i);
    headers[i].msg_hdr = messages[i].header;
  }
  EXPECT_EQ(sendmmsg(fds[0], headers, 3, 0), 3);
  EXPECT_EQ(headers[2].msg_len, 1);
  for (int i = 0; i < 3; ++i) {
    messages[i].byte = 0;
  }
  EXPECT_EQ(recvmmsg(fds[1], headers, 2, 0, NULL), 2);
  EXPECT_EQ(messages[1].byte, 'b');
  EXPECT_EQ(recvmmsg(fds[1], headers, 3, MSG_DONTWAIT, NULL), 1);
  EXPECT_EQ(messages[0].byte, 'c');
}
