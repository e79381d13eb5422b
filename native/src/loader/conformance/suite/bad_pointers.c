/* SPDX-License-Identifier: Apache-2.0 */
/* EFAULT, and nothing worse, from pointers to nothing, to the kernel's half of the address space, and to read-only memory. */
#include "suite.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

/* Nothing is there in any program: below the lowest address that can be mapped, not canonical, and the kernel's. */
static void* const bad[] = {(void*)8, (void*)0x800000000000, (void*)-4096};

/* A read-only page that is followed by a hole. */
static char* read_only_page(void) {
  char* const pages = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT(pages != MAP_FAILED);
  EXPECT_OK(munmap(pages + 4096, 4096));
  return pages;
}

/* A writable page that is followed by a hole. */
static char* last_page(void) {
  char* const page = read_only_page();
  EXPECT_OK(mprotect(page, 4096, PROT_READ | PROT_WRITE));
  return page;
}

#define EACH_BAD(pointer)                                   \
  for (size_t bad_at = 0; bad_at < COUNT_OF(bad); ++bad_at) \
    for (void* pointer = bad[bad_at]; pointer != NULL; pointer = NULL)

CASE(efault_read_and_write_of_pipes) {
  int fds[2];
  make_pipe(fds);
  EXPECT_EQ(write(fds[1], "abc", 3), 3);
  EACH_BAD(pointer) {
    EXPECT_ERR(syscall(SYS_read, fds[0], pointer, 3), EFAULT);
    EXPECT_ERR(syscall(SYS_write, fds[1], pointer, 3), EFAULT);
  }
  EXPECT_ERR(syscall(SYS_read, fds[0], read_only_page(), 3), EFAULT);
  int left = 0;
  EXPECT_OK(ioctl(fds[0], FIONREAD, &left));
  EXPECT_EQ(left, 3); /* nothing was consumed */
}

CASE(efault_read_and_write_of_files) {
  const int fd = scratch_file();
  EXPECT_EQ(write(fd, "abc", 3), 3);
  EACH_BAD(pointer) {
    EXPECT_ERR(syscall(SYS_pread64, fd, pointer, 3, 0), EFAULT);
    EXPECT_ERR(syscall(SYS_pwrite64, fd, pointer, 3, 0), EFAULT);
  }
  EXPECT_ERR(syscall(SYS_pread64, fd, read_only_page(), 3, 0), EFAULT);
}

CASE(partly_bad_buffer_of_a_pipe_write) {
  int fds[2];
  make_pipe(fds);
  char* const page = last_page();
  const long written = syscall(SYS_write, fds[1], page + 4086, 20);
  EXPECT(written == 10 || (written == -1 && errno == EFAULT));
  EXPECT_EQ(write(fds[1], page, 10), 10); /* works as before */
}

CASE(efault_vectors) {
  int fds[2];
  make_pipe(fds);
  put_byte(fds[1]);
  EACH_BAD(pointer) {
    const struct iovec vector = {pointer, 5};
    EXPECT_ERR(syscall(SYS_readv, fds[0], pointer, 1), EFAULT);
    EXPECT_ERR(syscall(SYS_writev, fds[1], pointer, 1), EFAULT);
    EXPECT_ERR(syscall(SYS_readv, fds[0], &vector, 1), EFAULT);
    EXPECT_ERR(syscall(SYS_writev, fds[1], &vector, 1), EFAULT);
  }
}

CASE(efault_pipe2_keeps_no_descriptors) {
  const int before = dup(STDIN_FILENO);
  close(before);
  EACH_BAD(pointer) {
    EXPECT_ERR(syscall(SYS_pipe2, pointer, 0), EFAULT);
    EXPECT_ERR(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, pointer), EFAULT);
  }
  EXPECT_ERR(syscall(SYS_pipe2, read_only_page(), 0), EFAULT);
  EXPECT_EQ(dup(STDIN_FILENO), before);
}

CASE(efault_epoll) {
  int fds[2];
  make_pipe(fds);
  put_byte(fds[1]);
  const int epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  EACH_BAD(pointer) { EXPECT_ERR(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, fds[0], pointer), EFAULT); }
  EXPECT_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event));
  EACH_BAD(pointer) { EXPECT_ERR(syscall(SYS_epoll_wait, epoll, pointer, 1, 0), EFAULT); }
  EXPECT_ERR(syscall(SYS_epoll_wait, epoll, read_only_page(), 1, 0), EFAULT);
  EXPECT_EQ(epoll_wait(epoll, &event, 1, 0), 1); /* the event is not lost */
}

CASE(efault_poll_and_select) {
  const struct timespec zero = {0, 0};
  EACH_BAD(pointer) {
    EXPECT_ERR(syscall(SYS_poll, pointer, 1, 0), EFAULT);
    EXPECT_ERR(syscall(SYS_ppoll, NULL, 0, pointer, NULL, 8), EFAULT);
    EXPECT_ERR(syscall(SYS_ppoll, NULL, 0, &zero, pointer, 8), EFAULT);
    EXPECT_ERR(syscall(SYS_select, 5, pointer, NULL, NULL, NULL), EFAULT);
    EXPECT_ERR(syscall(SYS_select, 0, NULL, NULL, NULL, pointer), EFAULT);
  }
}

CASE(efault_sleep) {
  const struct timespec zero = {0, 0};
  EACH_BAD(pointer) {
    EXPECT_ERR(syscall(SYS_nanosleep, pointer, NULL), EFAULT);
    EXPECT_ERR(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, pointer, NULL), EFAULT);
  }
  EXPECT_OK(syscall(SYS_nanosleep, &zero, (void*)8)); /* only written when interrupted */
}

CASE(efault_signals) {
  EACH_BAD(pointer) {
    EXPECT_ERR(syscall(SYS_rt_sigaction, SIGUSR1, pointer, NULL, 8), EFAULT);
    EXPECT_ERR(syscall(SYS_rt_sigaction, SIGUSR1, NULL, pointer, 8), EFAULT);
    EXPECT_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, pointer, NULL, 8), EFAULT);
    EXPECT_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, pointer, 8), EFAULT);
    EXPECT_ERR(syscall(SYS_rt_sigpending, pointer, 8), EFAULT);
    EXPECT_ERR(syscall(SYS_rt_sigsuspend, pointer, 8), EFAULT);
    EXPECT_ERR(syscall(SYS_rt_sigtimedwait, pointer, NULL, NULL, 8), EFAULT);
    EXPECT_ERR(syscall(SYS_sigaltstack, pointer, NULL), EFAULT);
    EXPECT_ERR(syscall(SYS_sigaltstack, NULL, pointer), EFAULT);
  }
}

CASE(efault_wait) {
  /* The children are gone afterwards: the status is written last. */
  EACH_BAD(pointer) {
    const pid_t pid = child_start();
    if (pid == 0) {
      _exit(0);
    }
    EXPECT_ERR(syscall(SYS_wait4, pid, pointer, 0, NULL), EFAULT);
    EXPECT_ERR(waitpid(pid, NULL, 0), ECHILD);
  }
}

CASE(efault_sockets) {
  int fds[2];
  EXPECT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  put_byte(fds[1]);
  const int unbound = socket(AF_UNIX, SOCK_STREAM, 0);
  socklen_t size = sizeof(struct sockaddr_un);
  struct sockaddr_un name;
  EACH_BAD(pointer) {
    EXPECT_ERR(syscall(SYS_recvfrom, fds[0], pointer, 1, 0, NULL, NULL), EFAULT);
    EXPECT_ERR(syscall(SYS_sendto, fds[0], pointer, 1, 0, NULL, 0), EFAULT);
    EXPECT_ERR(syscall(SYS_recvmsg, fds[0], pointer, 0), EFAULT);
    EXPECT_ERR(syscall(SYS_sendmsg, fds[0], pointer, 0), EFAULT);
    EXPECT_ERR(syscall(SYS_bind, unbound, pointer, size), EFAULT);
    EXPECT_ERR(syscall(SYS_connect, unbound, pointer, size), EFAULT);
    EXPECT_ERR(syscall(SYS_getsockname, fds[0], pointer, &size), EFAULT);
    EXPECT_ERR(syscall(SYS_getsockname, fds[0], &name, pointer), EFAULT);
    EXPECT_ERR(syscall(SYS_setsockopt, fds[0], SOL_SOCKET, SO_PASSCRED, pointer, 4), EFAULT);
    EXPECT_ERR(syscall(SYS_getsockopt, fds[0], SOL_SOCKET, SO_TYPE, pointer, &size), EFAULT);
    EXPECT_ERR(syscall(SYS_getsockopt, fds[0], SOL_SOCKET, SO_TYPE, &name, pointer), EFAULT);
  }
}

CASE(efault_accept_keeps_no_descriptor) {
  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0suite-efault-accept"};
  const socklen_t size = sizeof(name);
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "suite-efault-%d", getpid());
  EXPECT_OK(bind(listener, (struct sockaddr*)&name, size));
  EXPECT_OK(listen(listener, 3));
  const int client = socket(AF_UNIX, SOCK_STREAM, 0);
  EXPECT_OK(connect(client, (struct sockaddr*)&name, size));
  EXPECT_ERR(syscall(SYS_accept, listener, &name, (void*)8), EFAULT);
  EXPECT_EQ(dup(STDIN_FILENO), client + 1);
}

CASE(efault_ioctl) {
  int fds[2];
  make_pipe(fds);
  EACH_BAD(pointer) {
    EXPECT_ERR(syscall(SYS_ioctl, fds[0], FIONREAD, pointer), EFAULT);
    EXPECT_ERR(syscall(SYS_ioctl, fds[0], FIONBIO, pointer), EFAULT);
  }
}

CASE(efault_clocks) {
  EACH_BAD(pointer) {
    EXPECT_ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, pointer), EFAULT);
    EXPECT_ERR(syscall(SYS_clock_getres, CLOCK_MONOTONIC, pointer), EFAULT);
    EXPECT_ERR(syscall(SYS_gettimeofday, pointer, NULL), EFAULT);
    EXPECT_ERR(syscall(SYS_times, pointer), EFAULT);
    EXPECT_ERR(syscall(SYS_getitimer, 0, pointer), EFAULT);
    EXPECT_ERR(syscall(SYS_setitimer, 0, pointer, NULL), EFAULT);
  }
}

CASE(efault_paths) {
  char unused[4096];
  EACH_BAD(pointer) {
    EXPECT_ERR(syscall(SYS_open, pointer, O_RDONLY), EFAULT);
    EXPECT_ERR(syscall(SYS_openat, AT_FDCWD, pointer, O_RDONLY), EFAULT);
    EXPECT_ERR(syscall(SYS_stat, pointer, unused), EFAULT);
    EXPECT_ERR(syscall(SYS_stat, "/", pointer), EFAULT);
    EXPECT_ERR(syscall(SYS_fstat, 0, pointer), EFAULT);
    EXPECT_ERR(syscall(SYS_access, pointer, 0), EFAULT);
    EXPECT_ERR(syscall(SYS_unlink, pointer), EFAULT);
    EXPECT_ERR(syscall(SYS_chdir, pointer), EFAULT);
    EXPECT_ERR(syscall(SYS_readlink, pointer, unused, 10), EFAULT);
    EXPECT_ERR(syscall(SYS_getcwd, pointer, 4096), EFAULT);
  }
}

CASE(efault_path_without_an_end) {
  char* const page = last_page();
  memset(page, 'a', 4096);
  EXPECT_ERR(syscall(SYS_open, page + 4000, O_RDONLY), EFAULT);
  memcpy(page + 4090, "/tmp", 5);
  const int fd = (int)syscall(SYS_open, page + 4090, O_RDONLY | O_DIRECTORY);
  EXPECT_OK(fd); /* up to the last byte is fine */
}

CASE(efault_execve) {
  char* const argv[] = {(char*)"x", NULL};
  EACH_BAD(pointer) {
    char* const argv_with_bad[] = {(char*)"x", pointer, NULL};
    EXPECT_ERR(syscall(SYS_execve, pointer, argv, argv), EFAULT);
    EXPECT_ERR(syscall(SYS_execve, suite_program, pointer, argv), EFAULT);
    EXPECT_ERR(syscall(SYS_execve, suite_program, argv, pointer), EFAULT);
    EXPECT_ERR(syscall(SYS_execve, suite_program, argv_with_bad, argv), EFAULT);
  }
}

CASE(efault_information) {
  EACH_BAD(pointer) {
    EXPECT_ERR(syscall(SYS_uname, pointer), EFAULT);
    EXPECT_ERR(syscall(SYS_sysinfo, pointer), EFAULT);
    EXPECT_ERR(syscall(SYS_getrlimit, RLIMIT_NOFILE, pointer), EFAULT);
    EXPECT_ERR(syscall(SYS_setrlimit, RLIMIT_NOFILE, pointer), EFAULT);
    EXPECT_ERR(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, pointer), EFAULT);
    EXPECT_ERR(syscall(SYS_getrusage, RUSAGE_SELF, pointer), EFAULT);
    EXPECT_ERR(syscall(SYS_getcpu, pointer, NULL, NULL), EFAULT);
    EXPECT_ERR(syscall(SYS_sched_getaffinity, 0, 128, pointer), EFAULT);
    EXPECT_ERR(syscall(SYS_getrandom, pointer, 16, 0), EFAULT);
    EXPECT_ERR(syscall(SYS_getresuid, pointer, pointer, pointer), EFAULT);
  }
}

CASE(efault_event_descriptors) {
  const int event = (int)syscall(SYS_eventfd2, 1, 0);
  const int timer = (int)syscall(SYS_timerfd_create, CLOCK_MONOTONIC, 0);
  EACH_BAD(pointer) {
    EXPECT_ERR(syscall(SYS_write, event, pointer, 8), EFAULT);
    EXPECT_ERR(syscall(SYS_timerfd_settime, timer, 0, pointer, NULL), EFAULT);
    EXPECT_ERR(syscall(SYS_timerfd_gettime, timer, pointer), EFAULT);
    EXPECT_ERR(syscall(SYS_signalfd4, -1, pointer, 8, 0), EFAULT);
    EXPECT_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, pointer), EFAULT);
    EXPECT_ERR(syscall(SYS_read, event, pointer, 8), EFAULT);
  }
}

CASE(efault_memory) {
  char* const page = last_page();
  EACH_BAD(pointer) { EXPECT_ERR(syscall(SYS_memfd_create, pointer, 0), EFAULT); }
  EXPECT_ERR(syscall(SYS_mincore, page, 4096, read_only_page()), EFAULT);
}

static void* fault_often(void* unused) {
  (void)unused;
  int fds[2];
  make_pipe(fds);
  put_byte(fds[1]);
  for (int i = 0; i < 2000; ++i) {
    EXPECT_ERR(syscall(SYS_read, fds[0], bad[i % 3], 1), EFAULT);
  }
  return NULL;
}

CASE(faults_in_several_threads_at_once) {
  pthread_t threads[4];
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    threads[i] = thread_start(fault_often, NULL);
  }
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    thread_join(threads[i]);
  }
}

CASE(a_fault_in_a_call_is_no_signal) {
  install(SIGSEGV, count_signal, 0);
  int fds[2];
  make_pipe(fds);
  EXPECT_ERR(syscall(SYS_write, fds[1], (void*)8, 1), EFAULT);
  EXPECT_ERR(syscall(SYS_uname, (void*)8), EFAULT);
  EXPECT_EQ(atomic_load(&handled), 0);
}

/* Not mapped on Linux; the Junction kernel has its objects there, and no call may overwrite them. */
CASE(calls_do_not_write_where_the_junction_kernel_is) {
  char* const place = (char*)0x2f0000001000;
  int fds[2];
  make_pipe(fds);
  int sockets[2];
  EXPECT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
  put_byte(fds[1]);
  put_byte(sockets[1]);
  struct iovec vector = {place, 1};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  EXPECT_ERR(syscall(SYS_read, fds[0], place, 1), EFAULT);
  EXPECT_ERR(syscall(SYS_readv, fds[0], &vector, 1), EFAULT);
  EXPECT_ERR(syscall(SYS_recvfrom, sockets[0], place, 1, 0, NULL, NULL), EFAULT);
  EXPECT_ERR(syscall(SYS_recvmsg, sockets[0], &message, 0), EFAULT);
  const int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
  EXPECT_ERR(syscall(SYS_read, fd, place, 1), EFAULT);
  EXPECT_ERR(syscall(SYS_readv, fd, &vector, 1), EFAULT);
}
