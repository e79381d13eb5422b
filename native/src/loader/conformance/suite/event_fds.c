/* SPDX-License-Identifier: Apache-2.0 */
/* eventfd, timerfd, signalfd and pidfd. */
#include "suite.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

static short poll_state(int fd) {
  struct pollfd polled = {.fd = fd, .events = POLLIN | POLLOUT};
  EXPECT(poll(&polled, 1, 0) >= 0);
  return polled.revents;
}

static uint64_t read_u64(int fd) {
  uint64_t value = 0;
  EXPECT_EQ(read(fd, &value, sizeof(value)), 8);
  return value;
}

CASE(eventfd_counts) {
  const int fd = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC);
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(poll_state(fd), POLLIN | POLLOUT);
  EXPECT_OK(eventfd_write(fd, 4));
  EXPECT_EQ(read_u64(fd), 7);
  EXPECT_EQ(poll_state(fd), POLLOUT);
  uint64_t value;
  EXPECT_ERR(read(fd, &value, 8), EAGAIN);
}

CASE(eventfd_semaphore) {
  const int fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
  EXPECT_EQ(read_u64(fd), 1);
  EXPECT_EQ(read_u64(fd), 1);
  uint64_t value;
  EXPECT_ERR(read(fd, &value, 8), EAGAIN);
}

CASE(eventfd_is_full_at_its_maximum) {
  const int fd = eventfd(0, EFD_NONBLOCK);
  const uint64_t all = UINT64_MAX - 1;
  const uint64_t one = 1;
  const uint64_t too_many = UINT64_MAX;
  EXPECT_EQ(write(fd, &all, 8), 8);
  EXPECT_EQ(poll_state(fd), POLLIN);
  EXPECT_ERR(write(fd, &one, 8), EAGAIN);
  EXPECT_ERR(write(fd, &too_many, 8), EINVAL);
  EXPECT_EQ(read_u64(fd), all);
}

CASE(eventfd_errors) {
  char bytes[8] = "";
  const int fd = eventfd(1, 0);
  EXPECT_ERR(read(fd, bytes, 7), EINVAL);
  EXPECT_ERR(write(fd, bytes, 7), EINVAL);
  EXPECT_EQ(write(fd, bytes, 8), 8); /* adds nothing */
  EXPECT_ERR(eventfd(0, 1 << 20), EINVAL);
}

static void* write_event(void* fd) {
  EXPECT_OK(eventfd_write(*(int*)fd, 5));
  return NULL;
}

CASE(eventfd_wakes_readers_and_writers) {
  int fd = eventfd(0, 0);
  pthread_t thread = thread_start(write_event, &fd);
  EXPECT_EQ(read_u64(fd), 5);
  thread_join(thread);
  const uint64_t all = UINT64_MAX - 1;
  EXPECT_EQ(write(fd, &all, 8), 8);
  thread = thread_start(write_event, &fd); /* waits for room */
  EXPECT_EQ(read_u64(fd), all);
  EXPECT_EQ(read_u64(fd), 5);
  thread_join(thread);
}

CASE(eventfd_across_fork) {
  const int fd = eventfd(0, 0);
  const pid_t pid = child_start();
  if (pid == 0) {
    _exit(eventfd_write(fd, 9));
  }
  EXPECT_EQ(read_u64(fd), 9);
  EXPECT_EQ(child_result(pid), 0);
}

static int make_timer(clockid_t clock, int flags) {
  const int fd = timerfd_create(clock, flags | TFD_CLOEXEC);
  EXPECT_OK(fd);
  return fd;
}

static void set_timer(int fd, int flags, long value_ns, long interval_ns) {
  const struct itimerspec when = {{0, interval_ns}, {0, value_ns}};
  EXPECT_OK(timerfd_settime(fd, flags, &when, NULL));
}

CASE(timerfd_fires_once) {
  const int fd = make_timer(CLOCK_MONOTONIC, 0);
  const int64_t start = now_ns(CLOCK_MONOTONIC);
  set_timer(fd, 0, 5000000, 0);
  EXPECT_EQ(read_u64(fd), 1);
  EXPECT_GE(now_ns(CLOCK_MONOTONIC) - start, 5000000);
  EXPECT_EQ(poll_state(fd), 0);
  struct itimerspec now;
  EXPECT_OK(timerfd_gettime(fd, &now));
  EXPECT(now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
}

CASE(timerfd_repeats_and_counts) {
  const int fd = make_timer(CLOCK_MONOTONIC, 0);
  const int64_t start = now_ns(CLOCK_MONOTONIC);
  set_timer(fd, 0, 1000000, 1000000);
  uint64_t count = 0;
  while (count < 10) {
    count += read_u64(fd);
  }
  EXPECT_GE(now_ns(CLOCK_MONOTONIC) - start, 10000000);
}

CASE(timerfd_counts_what_nobody_read) {
  const int fd = make_timer(CLOCK_MONOTONIC, 0);
  set_timer(fd, 0, 1000000, 1000000);
  const struct timespec pause = {0, 5000000};
  EXPECT_OK(nanosleep(&pause, NULL));
  EXPECT_GE(read_u64(fd), 5);
}

CASE(timerfd_absolute_time) {
  const int fd = make_timer(CLOCK_REALTIME, 0);
  struct itimerspec when = {{0, 0}, after_ms(CLOCK_REALTIME, 5)};
  EXPECT_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL));
  EXPECT_EQ(read_u64(fd), 1);
  EXPECT_GE(now_ns(CLOCK_REALTIME), when.it_value.tv_sec * 1000000000LL + when.it_value.tv_nsec);
  EXPECT_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL)); /* already past */
  EXPECT_EQ(read_u64(fd), 1);
}

CASE(timerfd_disarmed_and_set_again) {
  const int fd = make_timer(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct itimerspec old;
  const struct itimerspec hour = {{7, 0}, {3600, 0}};
  const struct itimerspec off = {{0, 0}, {0, 0}};
  uint64_t value;
  EXPECT_OK(timerfd_settime(fd, 0, &hour, NULL));
  EXPECT_ERR(read(fd, &value, 8), EAGAIN);
  EXPECT_OK(timerfd_settime(fd, 0, &off, &old));
  EXPECT_EQ(old.it_interval.tv_sec, 7);
  EXPECT(old.it_value.tv_sec > 3000 && old.it_value.tv_sec <= 3600);
  EXPECT_OK(timerfd_gettime(fd, &old));
  EXPECT_EQ(old.it_value.tv_sec, 0);
}

CASE(timerfd_set_again_forgets_expirations) {
  const int fd = make_timer(CLOCK_MONOTONIC, TFD_NONBLOCK);
  set_timer(fd, 0, 1, 0);
  while (poll_state(fd) == 0) {
    sched_yield();
  }
  const struct itimerspec hour = {{0, 0}, {3600, 0}};
  EXPECT_OK(timerfd_settime(fd, 0, &hour, NULL));
  EXPECT_EQ(poll_state(fd), 0);
}

CASE(timerfd_errors) {
  const int fd = make_timer(CLOCK_MONOTONIC, TFD_NONBLOCK);
  const struct itimerspec bad = {{0, 0}, {0, 1000000000}};
  const struct itimerspec negative = {{0, 0}, {-1, 0}};
  char bytes[8];
  EXPECT_ERR(timerfd_settime(fd, 0, &bad, NULL), EINVAL);
  EXPECT_ERR(timerfd_settime(fd, 0, &negative, NULL), EINVAL);
  EXPECT_ERR(timerfd_settime(fd, 99, &(struct itimerspec){{0, 0}, {1, 0}}, NULL), EINVAL);
  EXPECT_ERR(timerfd_settime(STDIN_FILENO, 0, &(struct itimerspec){{0, 0}, {1, 0}}, NULL), EINVAL);
  EXPECT_ERR(timerfd_create(99, 0), EINVAL);
  EXPECT_ERR(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
  EXPECT_ERR(read(fd, bytes, 7), EINVAL);
  EXPECT_ERR(write(fd, bytes, 8), EINVAL);
}

CASE(timerfd_in_epoll) {
  const int fd = make_timer(CLOCK_MONOTONIC, TFD_NONBLOCK);
  const int epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  EXPECT_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
  set_timer(fd, 0, 1000000, 1000000);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(epoll_wait(epoll, &event, 1, -1), 1);
    EXPECT_GE(read_u64(fd), 1);
  }
}

static int make_signalfd(int signal, int flags) {
  const sigset_t set = only_signal(signal);
  block_signal(signal);
  const int fd = signalfd(-1, &set, flags);
  EXPECT_OK(fd);
  return fd;
}

CASE(signalfd_reads_signals) {
  struct signalfd_siginfo info[2];
  const int fd = make_signalfd(SIGUSR1, SFD_NONBLOCK | SFD_CLOEXEC);
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  EXPECT_ERR(read(fd, info, sizeof(info)), EAGAIN);
  EXPECT_OK(kill(getpid(), SIGUSR1));
  EXPECT_EQ(poll_state(fd), POLLIN);
  EXPECT_EQ(read(fd, info, sizeof(info)), sizeof(info[0]));
  EXPECT_EQ(info[0].ssi_signo, SIGUSR1);
  EXPECT_EQ(info[0].ssi_pid, getpid());
  EXPECT_EQ(info[0].ssi_uid, getuid());
  EXPECT_EQ(info[0].ssi_code, SI_USER);
  EXPECT_EQ(poll_state(fd), 0);
}

CASE(signalfd_reads_queued_values_in_order) {
  struct signalfd_siginfo info[4];
  const int fd = make_signalfd(SIGRTMIN + 1, SFD_NONBLOCK);
  for (int i = 0; i < 3; ++i) {
    EXPECT_OK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 10 + i}));
  }
  EXPECT_EQ(read(fd, info, sizeof(info)), 3 * sizeof(info[0]));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(info[i].ssi_int, 10 + i);
    EXPECT_EQ(info[i].ssi_code, SI_QUEUE);
  }
}

CASE(signalfd_mask_can_be_changed) {
  struct signalfd_siginfo info;
  const int fd = make_signalfd(SIGUSR1, SFD_NONBLOCK);
  block_signal(SIGUSR2);
  EXPECT_OK(kill(getpid(), SIGUSR2));
  EXPECT_EQ(poll_state(fd), 0);
  const sigset_t set = only_signal(SIGUSR2);
  EXPECT_EQ(signalfd(fd, &set, 0), fd);
  EXPECT_EQ(read(fd, &info, sizeof(info)), sizeof(info));
  EXPECT_EQ(info.ssi_signo, SIGUSR2);
}

CASE(signalfd_blocks_until_a_child_ends) {
  struct signalfd_siginfo info;
  const int fd = make_signalfd(SIGCHLD, 0);
  const pid_t pid = child_start();
  if (pid == 0) {
    _exit(5);
  }
  EXPECT_EQ(read(fd, &info, sizeof(info)), sizeof(info));
  EXPECT_EQ(info.ssi_signo, SIGCHLD);
  EXPECT_EQ(info.ssi_pid, pid);
  EXPECT_EQ(info.ssi_status, 5);
  EXPECT_EQ(info.ssi_code, CLD_EXITED);
  EXPECT_EQ(child_result(pid), 5);
}

CASE(signalfd_errors) {
  const sigset_t set = only_signal(SIGUSR1);
  char small[16];
  EXPECT_ERR(signalfd(-1, &set, 1), EINVAL);
  EXPECT_ERR(signalfd(9999, &set, 0), EBADF);
  EXPECT_ERR(signalfd(eventfd(0, 0), &set, 0), EINVAL);
  EXPECT_ERR(read(make_signalfd(SIGUSR1, SFD_NONBLOCK), small, sizeof(small)), EINVAL);
  EXPECT_ERR(syscall(SYS_signalfd4, -1, &set, 4, 0), EINVAL);
}

CASE(pidfd_is_readable_when_the_process_ends) {
  int fds[2];
  make_pipe(fds);
  const pid_t pid = child_start();
  if (pid == 0) {
    take_byte(fds[0]);
    _exit(3);
  }
  const int fd = pidfd_open(pid, 0);
  EXPECT_OK(fd);
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(poll_state(fd) & POLLIN, 0);
  put_byte(fds[1]);
  struct pollfd polled = {.fd = fd, .events = POLLIN};
  EXPECT_EQ(poll(&polled, 1, -1), 1);
  siginfo_t info;
  EXPECT_OK(waitid(P_PIDFD, (id_t)fd, &info, WEXITED));
  EXPECT_EQ(info.si_pid, pid);
  EXPECT_EQ(info.si_status, 3);
}

CASE(pidfd_sends_signals) {
  const pid_t pid = child_start();
  if (pid == 0) {
    for (;;) {
      pause();
    }
  }
  const int fd = pidfd_open(pid, 0);
  EXPECT_OK(pidfd_send_signal(fd, 0, NULL, 0));
  EXPECT_ERR(pidfd_send_signal(fd, 999, NULL, 0), EINVAL);
  EXPECT_ERR(pidfd_send_signal(fd, SIGTERM, NULL, 99), EINVAL);
  EXPECT_OK(pidfd_send_signal(fd, SIGTERM, NULL, 0));
  EXPECT_EQ(child_result(pid), -SIGTERM);
  EXPECT_ERR(pidfd_send_signal(fd, 0, NULL, 0), ESRCH);
}

CASE(pidfd_errors) {
  const pid_t pid = child_start();
  if (pid == 0) {
    _exit(0);
  }
  EXPECT_EQ(child_result(pid), 0);
  EXPECT_ERR(pidfd_open(pid, 0), ESRCH);
  EXPECT_ERR(pidfd_open(-1, 0), EINVAL);
  EXPECT_ERR(pidfd_open(getpid(), 1), EINVAL);
  siginfo_t info;
  EXPECT_ERR(waitid(P_PIDFD, 9999, &info, WEXITED), EBADF);
}

CASE(pidfd_of_itself_and_nonblocking_wait) {
  const int self = pidfd_open(getpid(), 0);
  EXPECT_OK(self);
  install(SIGUSR1, count_signal, 0);
  EXPECT_OK(pidfd_send_signal(self, SIGUSR1, NULL, 0));
  EXPECT_EQ(atomic_load(&handled), 1);
  siginfo_t info;
  EXPECT_ERR(waitid(P_PIDFD, (id_t)self, &info, WEXITED), ECHILD);
}

CASE(one_epoll_over_all_kinds) {
  const pid_t pid = child_start();
  if (pid == 0) {
    for (;;) {
      pause();
    }
  }
  const int fds[] = {eventfd(0, 0), make_timer(CLOCK_MONOTONIC, 0), make_signalfd(SIGUSR1, 0), pidfd_open(pid, 0)};
  const int epoll = epoll_create1(0);
  struct epoll_event events[8];
  for (uint32_t i = 0; i < COUNT_OF(fds); ++i) {
    struct epoll_event event = {.events = EPOLLIN, .data = {.u32 = i}};
    EXPECT_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event));
  }
  EXPECT_EQ(epoll_wait(epoll, events, 8, 0), 0);
  EXPECT_OK(eventfd_write(fds[0], 1));
  set_timer(fds[1], 0, 1000000, 0);
  EXPECT_OK(kill(getpid(), SIGUSR1));
  EXPECT_OK(kill(pid, SIGKILL));
  unsigned seen = 0;
  while (seen != 15) {
    const int count = epoll_wait(epoll, events, 8, -1);
    EXPECT(count > 0);
    for (int i = 0; i < count; ++i) {
      seen |= 1U << events[i].data.u32;
    }
  }
  EXPECT_EQ(child_result(pid), -SIGKILL);
}
