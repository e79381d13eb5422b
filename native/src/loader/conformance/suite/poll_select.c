/* SPDX-License-Identifier: Apache-2.0 */
/* poll, ppoll, select and pselect. */
#include "suite.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>

CASE(poll_counts_ready_entries) {
  int fds[2];
  make_pipe(fds);
  put_byte(fds[1]);
  struct pollfd polled[] = {{fds[0], POLLIN, 7}, {fds[1], POLLOUT, 7}, {fds[1], POLLIN, 7}};
  EXPECT_EQ(poll(polled, 3, -1), 2);
  EXPECT_EQ(polled[0].revents, POLLIN);
  EXPECT_EQ(polled[1].revents, POLLOUT);
  EXPECT_EQ(polled[2].revents, 0);
}

CASE(poll_ignores_negative_and_marks_closed) {
  struct pollfd polled[] = {{-1, POLLIN, 7}, {9999, POLLIN, 7}};
  EXPECT_EQ(poll(polled, 2, -1), 1);
  EXPECT_EQ(polled[0].revents, 0);
  EXPECT_EQ(polled[1].revents, POLLNVAL);
}

CASE(poll_times_out) {
  const int64_t start = now_ns(CLOCK_MONOTONIC);
  EXPECT_EQ(poll(NULL, 0, 5), 0);
  EXPECT_GE(now_ns(CLOCK_MONOTONIC) - start, 5000000);
  EXPECT_EQ(poll(NULL, 0, 0), 0);
}

CASE(poll_is_woken) {
  int fds[2];
  make_pipe(fds);
  const pid_t pid = child_start();
  if (pid == 0) {
    put_byte(fds[1]);
    _exit(0);
  }
  struct pollfd polled = {fds[0], POLLIN, 0};
  EXPECT_EQ(poll(&polled, 1, -1), 1);
  EXPECT_EQ(child_result(pid), 0);
}

CASE(poll_more_entries_than_allowed_files_is_einval) {
  static struct pollfd polled[64];
  const struct rlimit few = {32, 32};
  EXPECT_OK(setrlimit(RLIMIT_NOFILE, &few));
  EXPECT_ERR(poll(polled, 33, 0), EINVAL);
}

CASE(poll_of_a_regular_file_is_always_ready) {
  struct pollfd polled = {scratch_file(), POLLIN | POLLOUT | POLLPRI, 0};
  EXPECT_EQ(poll(&polled, 1, -1), 1);
  EXPECT_EQ(polled.revents, POLLIN | POLLOUT);
}

CASE(poll_is_never_restarted) {
  install(SIGALRM, count_signal, SA_RESTART);
  tick_every_us(2000);
  EXPECT_ERR(poll(NULL, 0, -1), EINTR);
}

CASE(ppoll_mask_and_remaining_time) {
  sigset_t none;
  sigemptyset(&none);
  install(SIGUSR1, count_signal, SA_RESTART);
  block_signal(SIGUSR1);
  EXPECT_OK(raise(SIGUSR1));
  const struct timespec zero = {0, 0};
  const struct timespec hour = {3600, 0};
  EXPECT_EQ(ppoll(NULL, 0, &zero, NULL), 0);
  EXPECT_ERR(ppoll(NULL, 0, &hour, &none), EINTR);
  EXPECT_EQ(atomic_load(&handled), 1);
  struct timespec left = hour; /* the call itself, unlike libc's, says what is left */
  EXPECT_OK(raise(SIGUSR1));
  EXPECT_ERR(syscall(SYS_ppoll, NULL, 0, &left, &none, 8), EINTR);
  EXPECT(left.tv_sec > 3000 && left.tv_sec <= 3600);
}

CASE(ppoll_errors) {
  const struct timespec bad = {0, -1};
  const struct timespec zero = {0, 0};
  sigset_t none;
  sigemptyset(&none);
  EXPECT_ERR(syscall(SYS_ppoll, NULL, 0, &bad, NULL, 8), EINVAL);
  EXPECT_ERR(syscall(SYS_ppoll, NULL, 0, &zero, &none, 4), EINVAL);
}

CASE(select_sets) {
  int fds[2];
  make_pipe(fds);
  put_byte(fds[1]);
  fd_set in, out, except;
  FD_ZERO(&in);
  FD_ZERO(&out);
  FD_ZERO(&except);
  FD_SET(fds[0], &in);
  FD_SET(fds[1], &in);
  FD_SET(fds[0], &out);
  FD_SET(fds[1], &out);
  FD_SET(fds[0], &except);
  EXPECT_EQ(select(fds[1] + fds[0] + 1, &in, &out, &except, NULL), 2);
  EXPECT(FD_ISSET(fds[0], &in) && !FD_ISSET(fds[1], &in));
  EXPECT(FD_ISSET(fds[1], &out) && !FD_ISSET(fds[0], &out));
  EXPECT(!FD_ISSET(fds[0], &except));
}

CASE(select_clears_sets_on_timeout) {
  int fds[2];
  fd_set in;
  make_pipe(fds);
  FD_ZERO(&in);
  FD_SET(fds[0], &in);
  struct timeval timeout = {0, 3000};
  EXPECT_EQ(select(fds[0] + 1, &in, NULL, NULL, &timeout), 0);
  EXPECT(!FD_ISSET(fds[0], &in));
  EXPECT(timeout.tv_sec == 0 && timeout.tv_usec == 0); /* Linux writes what is left */
}

CASE(select_errors) {
  fd_set in;
  FD_ZERO(&in);
  struct timeval negative = {-1, 0};
  EXPECT_ERR(select(-1, &in, NULL, NULL, NULL), EINVAL);
  EXPECT_ERR(select(0, NULL, NULL, NULL, &negative), EINVAL);
  const int fd = dup(STDIN_FILENO);
  close(fd);
  FD_SET(fd, &in);
  EXPECT_ERR(select(fd + 1, &in, NULL, NULL, NULL), EBADF);
}

CASE(select_counts_a_descriptor_per_set) {
  int fds[2];
  EXPECT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  put_byte(fds[1]);
  fd_set in, out;
  FD_ZERO(&in);
  FD_SET(fds[0], &in);
  out = in;
  EXPECT_EQ(select(fds[0] + 1, &in, &out, NULL, NULL), 2);
}

CASE(pselect_mask) {
  sigset_t none;
  sigemptyset(&none);
  install(SIGUSR1, count_signal, SA_RESTART);
  block_signal(SIGUSR1);
  EXPECT_OK(raise(SIGUSR1));
  const struct timespec hour = {3600, 0};
  EXPECT_ERR(pselect(0, NULL, NULL, NULL, &hour, &none), EINTR);
  EXPECT_EQ(atomic_load(&handled), 1);
}

CASE(select_high_descriptor) {
  const int fd = fcntl(STDIN_FILENO, F_DUPFD, 700);
  EXPECT_EQ(fd, 700);
  fd_set in;
  FD_ZERO(&in);
  FD_SET(fd, &in);
  EXPECT_EQ(select(fd + 1, &in, NULL, NULL, NULL), 1);
  EXPECT(FD_ISSET(fd, &in));
}
