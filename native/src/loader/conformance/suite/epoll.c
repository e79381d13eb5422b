/* SPDX-License-Identifier: Apache-2.0 */
/* epoll over pipes, sockets and eventfds: level, edge, oneshot, exclusive, nested; what closing and copying descriptors does. */
#include "suite.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

static int make_epoll(void) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  EXPECT_OK(epoll);
  return epoll;
}

static int control(int epoll, int op, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data = {.u64 = (uint64_t)fd + 1000}};
  return epoll_ctl(epoll, op, fd, &event);
}

static void add(int epoll, int fd, uint32_t events) { EXPECT_OK(control(epoll, EPOLL_CTL_ADD, fd, events)); }

/* Events of the one descriptor that is ready, 0 if there is none. */
static uint32_t ready(int epoll, int fd) {
  struct epoll_event events[4];
  const int count = epoll_wait(epoll, events, 4, 0);
  EXPECT(count == 0 || count == 1);
  if (count == 0) {
    return 0;
  }
  EXPECT_EQ(events[0].data.u64, (uint64_t)fd + 1000);
  return events[0].events;
}

CASE(level_triggered_until_read) {
  int fds[2];
  const int epoll = make_epoll();
  make_pipe(fds);
  add(epoll, fds[0], EPOLLIN);
  EXPECT_EQ(ready(epoll, fds[0]), 0);
  put_byte(fds[1]);
  EXPECT_EQ(ready(epoll, fds[0]), EPOLLIN);
  EXPECT_EQ(ready(epoll, fds[0]), EPOLLIN);
  take_byte(fds[0]);
  EXPECT_EQ(ready(epoll, fds[0]), 0);
}

CASE(edge_triggered_once_per_write) {
  int fds[2];
  const int epoll = make_epoll();
  make_pipe(fds);
  add(epoll, fds[0], EPOLLIN | EPOLLET);
  put_byte(fds[1]);
  EXPECT_EQ(ready(epoll, fds[0]), EPOLLIN);
  EXPECT_EQ(ready(epoll, fds[0]), 0);
  put_byte(fds[1]); /* more while it was not empty: a new edge */
  EXPECT_EQ(ready(epoll, fds[0]), EPOLLIN);
  EXPECT_EQ(ready(epoll, fds[0]), 0);
}

CASE(edge_triggered_sees_what_was_there_when_added) {
  int fds[2];
  const int epoll = make_epoll();
  make_pipe(fds);
  put_byte(fds[1]);
  add(epoll, fds[0], EPOLLIN | EPOLLET);
  EXPECT_EQ(ready(epoll, fds[0]), EPOLLIN);
  EXPECT_EQ(ready(epoll, fds[0]), 0);
  EXPECT_OK(control(epoll, EPOLL_CTL_MOD, fds[0], EPOLLIN | EPOLLET));
  EXPECT_EQ(ready(epoll, fds[0]), EPOLLIN);
}

CASE(edge_triggered_output_after_a_full_buffer) {
  int fds[2];
  static char page[4096];
  const int epoll = make_epoll();
  EXPECT_OK(pipe2(fds, O_NONBLOCK));
  add(epoll, fds[1], EPOLLOUT | EPOLLET);
  EXPECT_EQ(ready(epoll, fds[1]), EPOLLOUT);
  while (write(fds[1], page, sizeof(page)) > 0) {
  }
  EXPECT_EQ(ready(epoll, fds[1]), 0);
  EXPECT_EQ(read(fds[0], page, sizeof(page)), sizeof(page));
  EXPECT_EQ(ready(epoll, fds[1]), EPOLLOUT);
  EXPECT_EQ(ready(epoll, fds[1]), 0);
}

CASE(oneshot_until_armed_again) {
  int fds[2];
  const int epoll = make_epoll();
  make_pipe(fds);
  add(epoll, fds[0], EPOLLIN | EPOLLONESHOT);
  put_byte(fds[1]);
  EXPECT_EQ(ready(epoll, fds[0]), EPOLLIN);
  put_byte(fds[1]);
  EXPECT_EQ(ready(epoll, fds[0]), 0);
  EXPECT_ERR(control(epoll, EPOLL_CTL_ADD, fds[0], EPOLLIN), EEXIST); /* still in there */
  EXPECT_OK(control(epoll, EPOLL_CTL_MOD, fds[0], EPOLLIN | EPOLLONESHOT));
  EXPECT_EQ(ready(epoll, fds[0]), EPOLLIN);
}

CASE(hang_up_comes_unasked) {
  int fds[2];
  const int epoll = make_epoll();
  make_pipe(fds);
  add(epoll, fds[0], 0);
  put_byte(fds[1]);
  EXPECT_EQ(ready(epoll, fds[0]), 0);
  close(fds[1]);
  EXPECT_EQ(ready(epoll, fds[0]), EPOLLHUP);
}

CASE(rdhup_on_half_closed_socket) {
  int fds[2];
  const int epoll = make_epoll();
  EXPECT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  add(epoll, fds[0], EPOLLIN | EPOLLRDHUP);
  EXPECT_EQ(ready(epoll, fds[0]), 0);
  EXPECT_OK(shutdown(fds[1], SHUT_WR));
  EXPECT_EQ(ready(epoll, fds[0]), EPOLLIN | EPOLLRDHUP);
  close(fds[1]);
  EXPECT_EQ(ready(epoll, fds[0]), EPOLLIN | EPOLLRDHUP | EPOLLHUP);
}

CASE(control_errors) {
  int fds[2];
  const int epoll = make_epoll();
  make_pipe(fds);
  EXPECT_ERR(control(epoll, EPOLL_CTL_MOD, fds[0], EPOLLIN), ENOENT);
  EXPECT_ERR(control(epoll, EPOLL_CTL_DEL, fds[0], 0), ENOENT);
  add(epoll, fds[0], EPOLLIN);
  EXPECT_ERR(control(epoll, EPOLL_CTL_ADD, fds[0], EPOLLIN), EEXIST);
  EXPECT_ERR(control(epoll, 17, fds[0], EPOLLIN), EINVAL);
  EXPECT_ERR(control(epoll, EPOLL_CTL_ADD, epoll, EPOLLIN), EINVAL);
  EXPECT_ERR(control(fds[0], EPOLL_CTL_ADD, fds[1], EPOLLIN), EINVAL);
  EXPECT_ERR(control(epoll, EPOLL_CTL_ADD, 9999, EPOLLIN), EBADF);
  EXPECT_ERR(control(9999, EPOLL_CTL_ADD, fds[1], EPOLLIN), EBADF);
  EXPECT_ERR(control(epoll, EPOLL_CTL_ADD, scratch_file(), EPOLLIN), EPERM);
  EXPECT_OK(epoll_ctl(epoll, EPOLL_CTL_DEL, fds[0], NULL));
}

CASE(wait_errors) {
  struct epoll_event event;
  int fds[2];
  const int epoll = make_epoll();
  make_pipe(fds);
  EXPECT_ERR(epoll_wait(epoll, &event, 0, 0), EINVAL);
  EXPECT_ERR(epoll_wait(epoll, &event, -1, 0), EINVAL);
  EXPECT_ERR(epoll_wait(fds[0], &event, 1, 0), EINVAL);
  EXPECT_ERR(epoll_wait(9999, &event, 1, 0), EBADF);
}

CASE(create_errors_and_flags) {
  EXPECT_ERR(epoll_create(0), EINVAL);
  EXPECT_ERR(epoll_create1(1), EINVAL);
  const int plain = epoll_create(1);
  EXPECT_OK(plain);
  EXPECT_EQ(fcntl(plain, F_GETFD), 0);
  EXPECT_EQ(fcntl(make_epoll(), F_GETFD), FD_CLOEXEC);
}

CASE(wait_times_out) {
  struct epoll_event event;
  const int epoll = make_epoll();
  const int64_t start = now_ns(CLOCK_MONOTONIC);
  EXPECT_EQ(epoll_wait(epoll, &event, 1, 5), 0);
  EXPECT_GE(now_ns(CLOCK_MONOTONIC) - start, 5000000);
}

static int shared_epoll;
static void* wait_for_one(void* fd) {
  struct epoll_event event;
  EXPECT_EQ(epoll_wait(shared_epoll, &event, 1, -1), 1);
  EXPECT_EQ(event.data.u64, (uint64_t)(*(int*)fd) + 1000);
  return NULL;
}

CASE(waiter_is_woken_by_write) {
  int fds[2];
  shared_epoll = make_epoll();
  make_pipe(fds);
  add(shared_epoll, fds[0], EPOLLIN);
  const pthread_t thread = thread_start(wait_for_one, &fds[0]);
  put_byte(fds[1]);
  thread_join(thread);
}

CASE(waiter_is_woken_by_add_and_mod) {
  int fds[2];
  shared_epoll = make_epoll();
  make_pipe(fds);
  put_byte(fds[1]);
  pthread_t thread = thread_start(wait_for_one, &fds[0]);
  add(shared_epoll, fds[0], EPOLLIN);
  thread_join(thread);
  EXPECT_OK(control(shared_epoll, EPOLL_CTL_MOD, fds[0], 0));
  thread = thread_start(wait_for_one, &fds[0]);
  EXPECT_OK(control(shared_epoll, EPOLL_CTL_MOD, fds[0], EPOLLIN));
  thread_join(thread);
}

CASE(closing_takes_a_descriptor_out) {
  int fds[2];
  const int epoll = make_epoll();
  make_pipe(fds);
  put_byte(fds[1]);
  add(epoll, fds[0], EPOLLIN);
  close(fds[0]);
  EXPECT_EQ(ready(epoll, fds[0]), 0);
  EXPECT_ERR(control(epoll, EPOLL_CTL_DEL, fds[0], 0), EBADF);
}

CASE(a_copy_keeps_the_registration) {
  int fds[2];
  const int epoll = make_epoll();
  make_pipe(fds);
  add(epoll, fds[0], EPOLLIN);
  const int copy = dup(fds[0]);
  put_byte(fds[1]);
  const int closed = fds[0];
  close(closed);
  EXPECT_EQ(ready(epoll, closed), EPOLLIN); /* the open file is still there */
  EXPECT_ERR(control(epoll, EPOLL_CTL_DEL, copy, 0), ENOENT);
  close(copy);
  EXPECT_EQ(ready(epoll, closed), 0);
}

CASE(copies_are_registered_separately) {
  int fds[2];
  struct epoll_event events[4];
  const int epoll = make_epoll();
  make_pipe(fds);
  const int copy = dup(fds[0]);
  add(epoll, fds[0], EPOLLIN);
  add(epoll, copy, EPOLLIN);
  put_byte(fds[1]);
  EXPECT_EQ(epoll_wait(epoll, events, 4, 0), 2);
  EXPECT_OK(control(epoll, EPOLL_CTL_DEL, copy, 0));
  EXPECT_EQ(ready(epoll, fds[0]), EPOLLIN);
}

CASE(nested_epolls) {
  int fds[2];
  const int inner = make_epoll();
  const int outer = make_epoll();
  make_pipe(fds);
  add(inner, fds[0], EPOLLIN);
  add(outer, inner, EPOLLIN);
  EXPECT_EQ(ready(outer, inner), 0);
  put_byte(fds[1]);
  EXPECT_EQ(ready(outer, inner), EPOLLIN);
  struct pollfd polled = {.fd = outer, .events = POLLIN};
  EXPECT_EQ(poll(&polled, 1, -1), 1);
  take_byte(fds[0]);
  EXPECT_EQ(ready(outer, inner), 0);
  EXPECT_ERR(control(inner, EPOLL_CTL_ADD, outer, EPOLLIN), ELOOP);
}

CASE(nesting_has_a_limit) {
  int chain[8];
  int fds[2];
  make_pipe(fds);
  chain[0] = make_epoll();
  add(chain[0], fds[0], EPOLLIN);
  int result = 0;
  for (int i = 1; i < 8 && result == 0; ++i) {
    chain[i] = make_epoll();
    result = control(chain[i], EPOLL_CTL_ADD, chain[i - 1], EPOLLIN);
  }
  const int error = errno;
  EXPECT_EQ(result, -1);
  EXPECT(error == ELOOP || error == EINVAL); /* as Linux has it or as its manual has it */
}

CASE(exclusive_flags) {
  int fds[2];
  const int epoll = make_epoll();
  make_pipe(fds);
  add(epoll, fds[0], EPOLLIN | EPOLLEXCLUSIVE);
  EXPECT_ERR(control(epoll, EPOLL_CTL_MOD, fds[0], EPOLLIN), EINVAL);
  EXPECT_ERR(control(epoll, EPOLL_CTL_ADD, fds[1], EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT), EINVAL);
  EXPECT_ERR(control(epoll, EPOLL_CTL_ADD, make_epoll(), EPOLLIN | EPOLLEXCLUSIVE), EINVAL);
  put_byte(fds[1]);
  EXPECT_EQ(ready(epoll, fds[0]), EPOLLIN);
}

static void* wait_exclusively(void* fd) {
  const int epoll = make_epoll();
  add(epoll, *(int*)fd, EPOLLIN | EPOLLEXCLUSIVE);
  struct epoll_event event;
  EXPECT_EQ(epoll_wait(epoll, &event, 1, -1), 1);
  char byte;
  EXPECT_EQ(read(*(int*)fd, &byte, 1), 1);
  return NULL;
}

CASE(exclusive_waiters_are_all_served) {
  int fds[2];
  pthread_t threads[4];
  make_pipe(fds);
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    threads[i] = thread_start(wait_exclusively, &fds[0]);
  }
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    put_byte(fds[1]);
  }
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    thread_join(threads[i]);
  }
}

CASE(ready_list_is_fair) {
  int fds[3][2];
  const int epoll = make_epoll();
  unsigned seen = 0;
  for (int i = 0; i < 3; ++i) {
    make_pipe(fds[i]);
    put_byte(fds[i][1]);
    struct epoll_event event = {.events = EPOLLIN, .data = {.u32 = (uint32_t)i}};
    EXPECT_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i][0], &event));
  }
  for (int i = 0; i < 3; ++i) { /* one at a time: each gets its turn */
    struct epoll_event event;
    EXPECT_EQ(epoll_wait(epoll, &event, 1, 0), 1);
    seen |= 1U << event.data.u32;
  }
  EXPECT_EQ(seen, 7);
}

CASE(hundreds_of_descriptors) {
  enum { kCount = 300 };
  static int fds[kCount];
  static struct epoll_event events[kCount];
  const int epoll = make_epoll();
  for (int i = 0; i < kCount; ++i) {
    fds[i] = eventfd(i % 3 == 0, EFD_NONBLOCK);
    EXPECT_OK(fds[i]);
    add(epoll, fds[i], EPOLLIN);
  }
  EXPECT_EQ(epoll_wait(epoll, events, kCount, 0), kCount / 3);
  for (int i = 0; i < kCount; ++i) {
    EXPECT_OK(control(epoll, EPOLL_CTL_MOD, fds[i], EPOLLOUT));
  }
  EXPECT_EQ(epoll_wait(epoll, events, kCount, 0), kCount);
}

CASE(shared_with_a_forked_child) {
  int fds[2];
  const int epoll = make_epoll();
  make_pipe(fds);
  add(epoll, fds[0], EPOLLIN);
  const pid_t pid = child_start();
  if (pid == 0) {
    struct epoll_event event;
    EXPECT_EQ(epoll_wait(epoll, &event, 1, -1), 1);
    EXPECT_EQ(event.events, EPOLLIN);
    _exit(0);
  }
  put_byte(fds[1]);
  EXPECT_EQ(child_result(pid), 0);
}

CASE(pwait_takes_a_mask) {
  struct epoll_event event;
  sigset_t none;
  const int epoll = make_epoll();
  sigemptyset(&none);
  install(SIGUSR1, count_signal, SA_RESTART);
  block_signal(SIGUSR1);
  EXPECT_OK(raise(SIGUSR1));
  EXPECT_EQ(epoll_wait(epoll, &event, 1, 0), 0);
  EXPECT_ERR(epoll_pwait(epoll, &event, 1, -1, &none), EINTR);
  EXPECT_EQ(atomic_load(&handled), 1);
  sigset_t now;
  EXPECT_OK(sigprocmask(SIG_SETMASK, NULL, &now));
  EXPECT_EQ(sigismember(&now, SIGUSR1), 1);
}

CASE(pwait2_has_nanoseconds) {
  struct epoll_event event;
  const int epoll = make_epoll();
  const struct timespec timeout = {0, 2500000};
  const struct timespec bad = {0, 1000000000};
  const int64_t start = now_ns(CLOCK_MONOTONIC);
  EXPECT_EQ(epoll_pwait2(epoll, &event, 1, &timeout, NULL), 0);
  EXPECT_GE(now_ns(CLOCK_MONOTONIC) - start, 2500000);
  EXPECT_ERR(epoll_pwait2(epoll, &event, 1, &bad, NULL), EINVAL);
}

CASE(edge_triggered_eventfd_on_each_write) {
  const int epoll = make_epoll();
  const int fd = eventfd(0, 0);
  add(epoll, fd, EPOLLIN | EPOLLET);
  EXPECT_OK(eventfd_write(fd, 1));
  EXPECT_EQ(ready(epoll, fd), EPOLLIN);
  EXPECT_EQ(ready(epoll, fd), 0);
  EXPECT_OK(eventfd_write(fd, 1));
  EXPECT_EQ(ready(epoll, fd), EPOLLIN);
}

static void* add_and_remove(void* fd) {
  for (int i = 0; i < 500; ++i) {
    add(shared_epoll, *(int*)fd, EPOLLIN);
    EXPECT_OK(control(shared_epoll, EPOLL_CTL_DEL, *(int*)fd, 0));
  }
  return NULL;
}

CASE(changes_while_others_wait) {
  int fds[3][2];
  pthread_t threads[3];
  shared_epoll = make_epoll();
  for (int i = 0; i < 3; ++i) {
    make_pipe(fds[i]);
    put_byte(fds[i][1]);
  }
  for (int i = 0; i < 3; ++i) {
    threads[i] = thread_start(add_and_remove, &fds[i][0]);
  }
  for (int i = 0; i < 500; ++i) {
    struct epoll_event events[4];
    const int count = epoll_wait(shared_epoll, events, 4, 0);
    EXPECT(count >= 0 && count <= 3);
    sched_yield();
  }
  for (int i = 0; i < 3; ++i) {
    thread_join(threads[i]);
  }
  struct epoll_event event;
  EXPECT_EQ(epoll_wait(shared_epoll, &event, 1, 0), 0);
}
