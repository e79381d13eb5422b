/* SPDX-License-Identifier: Apache-2.0 */
/* Which blocking calls a handler ends with EINTR, and which go on with SA_RESTART (see signal(7)). The timer ticks until the handler has
 * made what the call waits for. */
#include "suite.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { kTick_us = 1000, kTicks = 4 };
static int written_fd = -1;
static char written[8] = {1};
static size_t written_size = 1;

/* Ends the wait at the fourth tick. */
static void write_at_last(int signal) {
  (void)signal;
  if (atomic_fetch_add(&handled, 1) == kTicks - 1) {
    (void)!write(written_fd, written, written_size);
  }
}

static void tick_until_written(int fd, size_t size) {
  written_fd = fd;
  written_size = size;
  install(SIGALRM, write_at_last, SA_RESTART);
  tick_every_us(kTick_us);
}

static void tick_and_interrupt(int flags) {
  install(SIGALRM, count_signal, flags);
  tick_every_us(kTick_us);
}

CASE(read_of_a_pipe_restarts) {
  int fds[2];
  char byte;
  make_pipe(fds);
  tick_until_written(fds[1], 1);
  EXPECT_EQ(read(fds[0], &byte, 1), 1);
  EXPECT_GE(atomic_load(&handled), kTicks);
}

CASE(read_of_a_pipe_is_interrupted) {
  int fds[2];
  char byte;
  make_pipe(fds);
  tick_and_interrupt(0);
  EXPECT_ERR(read(fds[0], &byte, 1), EINTR);
}

static int read_fd = -1;
static char block[65536];
static void read_at_last(int signal) {
  (void)signal;
  static char drained[65536];
  if (atomic_fetch_add(&handled, 1) == kTicks - 1) {
    (void)!read(read_fd, drained, sizeof(drained));
  }
}

CASE(write_to_a_full_pipe_restarts) {
  int fds[2];
  make_pipe(fds);
  EXPECT_EQ(write(fds[1], block, sizeof(block)), sizeof(block));
  read_fd = fds[0];
  install(SIGALRM, read_at_last, SA_RESTART);
  tick_every_us(kTick_us);
  EXPECT_EQ(write(fds[1], block, 100), 100);
  EXPECT_GE(atomic_load(&handled), kTicks);
}

CASE(write_to_a_full_pipe_is_interrupted) {
  int fds[2];
  make_pipe(fds);
  EXPECT_EQ(write(fds[1], block, sizeof(block)), sizeof(block));
  tick_and_interrupt(0);
  EXPECT_ERR(write(fds[1], block, 100), EINTR);
}

CASE(write_that_has_begun_returns_what_it_wrote) {
  int fds[2];
  static char twice[2 * sizeof(block)];
  make_pipe(fds);
  tick_and_interrupt(0);
  EXPECT_EQ(write(fds[1], twice, sizeof(twice)), sizeof(block));
}

CASE(receive_restarts) {
  int fds[2];
  char byte;
  EXPECT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  tick_until_written(fds[1], 1);
  EXPECT_EQ(recv(fds[0], &byte, 1, 0), 1);
  EXPECT_GE(atomic_load(&handled), kTicks);
}

CASE(receive_is_interrupted) {
  int fds[2];
  char byte;
  EXPECT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  tick_and_interrupt(0);
  EXPECT_ERR(recv(fds[0], &byte, 1, 0), EINTR);
}

CASE(receive_with_a_timeout_never_restarts) {
  int fds[2];
  char byte;
  const struct timeval timeout = {100, 0};
  EXPECT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  EXPECT_OK(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)));
  tick_and_interrupt(SA_RESTART);
  EXPECT_ERR(recv(fds[0], &byte, 1, 0), EINTR);
}

CASE(eventfd_restarts_and_is_interrupted) {
  uint64_t value;
  const int fd = eventfd(0, 0);
  tick_until_written(fd, 8);
  EXPECT_EQ(read(fd, &value, 8), 8);
  EXPECT_GE(atomic_load(&handled), kTicks);
  tick_and_interrupt(0);
  EXPECT_ERR(read(fd, &value, 8), EINTR);
}

static struct sockaddr_un name;
static void connect_at_last(int signal) {
  (void)signal;
  if (atomic_fetch_add(&handled, 1) == kTicks - 1) {
    connect(written_fd, (struct sockaddr*)&name, sizeof(name));
  }
}

CASE(accept_restarts_and_is_interrupted) {
  name.sun_family = AF_UNIX;
  snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "suite-restart-%d", (int)getpid());
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  EXPECT_OK(bind(listener, (struct sockaddr*)&name, sizeof(name)));
  EXPECT_OK(listen(listener, 5));
  written_fd = socket(AF_UNIX, SOCK_STREAM, 0);
  install(SIGALRM, connect_at_last, SA_RESTART);
  tick_every_us(kTick_us);
  EXPECT_OK(accept(listener, NULL, NULL));
  EXPECT_GE(atomic_load(&handled), kTicks);
  tick_and_interrupt(0);
  EXPECT_ERR(accept(listener, NULL, NULL), EINTR);
}

CASE(wait_restarts) {
  int fds[2];
  make_pipe(fds);
  const pid_t pid = child_start();
  if (pid == 0) {
    take_byte(fds[0]);
    _exit(3);
  }
  tick_until_written(fds[1], 1);
  int status;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_GE(atomic_load(&handled), kTicks);
}

CASE(waitid_is_interrupted) {
  siginfo_t info;
  const pid_t pid = child_start();
  if (pid == 0) {
    for (;;) {
      pause();
    }
  }
  tick_and_interrupt(0);
  EXPECT_ERR(waitid(P_PID, (id_t)pid, &info, WEXITED), EINTR);
  tick_every_us(0);
  EXPECT_OK(kill(pid, SIGKILL));
  EXPECT_EQ(child_result(pid), -SIGKILL);
}

CASE(polling_never_restarts) {
  int fds[2];
  fd_set set;
  struct epoll_event event;
  make_pipe(fds);
  struct pollfd polled = {fds[0], POLLIN, 0};
  const int epoll = epoll_create1(0);
  tick_and_interrupt(SA_RESTART);
  FD_ZERO(&set);
  FD_SET(fds[0], &set);
  EXPECT_ERR(poll(&polled, 1, -1), EINTR);
  EXPECT_ERR(poll(&polled, 1, 100000), EINTR);
  EXPECT_ERR(ppoll(&polled, 1, NULL, NULL), EINTR);
  EXPECT_ERR(select(fds[0] + 1, &set, NULL, NULL, NULL), EINTR);
  EXPECT_ERR(pselect(fds[0] + 1, &set, NULL, NULL, NULL, NULL), EINTR);
  EXPECT_ERR(epoll_wait(epoll, &event, 1, -1), EINTR);
  EXPECT_ERR(epoll_pwait(epoll, &event, 1, -1, NULL), EINTR);
}

CASE(sleeping_never_restarts) {
  const struct timespec pause = {100, 0};
  tick_and_interrupt(SA_RESTART);
  EXPECT_ERR(nanosleep(&pause, NULL), EINTR);
  EXPECT_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL), EINTR);
}

CASE(lock_of_a_file_restarts_and_is_interrupted) {
  const char* const path = scratch("lock");
  const int first = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const int second = open(path, O_RDWR | O_CLOEXEC);
  EXPECT_OK(unlink(path));
  EXPECT_OK(flock(first, LOCK_EX));
  EXPECT_ERR(flock(second, LOCK_EX | LOCK_NB), EAGAIN);
  tick_and_interrupt(0);
  EXPECT_ERR(flock(second, LOCK_EX), EINTR);
}

static sem_t semaphore;
static void post_at_last(int signal) {
  (void)signal;
  if (atomic_fetch_add(&handled, 1) == kTicks - 1) {
    sem_post(&semaphore);
  }
}

CASE(semaphore_restarts_and_is_interrupted) {
  EXPECT_OK(sem_init(&semaphore, 0, 0));
  install(SIGALRM, post_at_last, SA_RESTART);
  tick_every_us(kTick_us);
  EXPECT_OK(sem_wait(&semaphore));
  EXPECT_GE(atomic_load(&handled), kTicks);
  tick_and_interrupt(0);
  EXPECT_ERR(sem_wait(&semaphore), EINTR);
}

static void jump_over(int signal) {
  (void)signal;
  atomic_fetch_add(&handled, 1);
}

CASE(ignored_signals_interrupt_nothing) {
  int fds[2];
  char byte;
  make_pipe(fds);
  signal(SIGUSR1, SIG_IGN);
  const pid_t parent = getpid();
  const pid_t pid = child_start();
  if (pid == 0) {
    for (int i = 0; i < 50; ++i) {
      EXPECT_OK(kill(parent, SIGUSR1));
      EXPECT_OK(kill(parent, SIGCHLD)); /* ignored by default */
    }
    put_byte(fds[1]);
    _exit(0);
  }
  EXPECT_EQ(read(fds[0], &byte, 1), 1);
  EXPECT_EQ(child_result(pid), 0);
}

CASE(blocked_signals_interrupt_nothing) {
  int fds[2];
  char byte;
  make_pipe(fds);
  install(SIGUSR1, jump_over, 0);
  block_signal(SIGUSR1);
  const pid_t parent = getpid();
  const pid_t pid = child_start();
  if (pid == 0) {
    for (int i = 0; i < 50; ++i) {
      EXPECT_OK(kill(parent, SIGUSR1));
    }
    put_byte(fds[1]);
    _exit(0);
  }
  EXPECT_EQ(read(fds[0], &byte, 1), 1);
  EXPECT_EQ(atomic_load(&handled), 0);
  EXPECT_EQ(child_result(pid), 0);
}

CASE(stop_and_continue_restart_reads) {
  int fds[2];
  int ready[2];
  make_pipe(fds);
  make_pipe(ready);
  const pid_t pid = child_start();
  if (pid == 0) {
    char byte;
    put_byte(ready[1]);
    EXPECT_EQ(read(fds[0], &byte, 1), 1);
    _exit(0);
  }
  take_byte(ready[0]);
  int status;
  for (int i = 0; i < 5; ++i) {
    EXPECT_OK(kill(pid, SIGSTOP));
    EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
    EXPECT_OK(kill(pid, SIGCONT));
    EXPECT_EQ(waitpid(pid, &status, WCONTINUED), pid);
  }
  put_byte(fds[1]);
  EXPECT_EQ(child_result(pid), 0);
}

static int exec_pipe[2];
static void* read_in_thread(void* unused) {
  (void)unused;
  char byte;
  EXPECT_EQ(read(exec_pipe[0], &byte, 1), 1);
  return NULL;
}

CASE(a_signal_to_one_thread_leaves_the_others_waiting) {
  make_pipe(exec_pipe);
  install(SIGUSR1, count_signal, 0);
  block_signal(SIGUSR1);
  const pthread_t thread = thread_start(read_in_thread, NULL); /* has it blocked too */
  unblock_signal(SIGUSR1);
  for (int i = 0; i < 50; ++i) {
    EXPECT_OK(kill(getpid(), SIGUSR1));
  }
  EXPECT_EQ(atomic_load(&handled), 50);
  put_byte(exec_pipe[1]);
  thread_join(thread);
}
