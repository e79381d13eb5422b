/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptor numbers, copies, flags, limits; offsets of regular files. */
#include "suite.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

CASE(lowest_free_number) {
  const int first = dup(STDIN_FILENO);
  const int second = dup(STDIN_FILENO);
  const int third = dup(STDIN_FILENO);
  EXPECT(first >= 3 && second > first && third > second);
  EXPECT_OK(close(second));
  int fds[2];
  EXPECT_OK(pipe(fds));
  EXPECT_EQ(fds[0], second);
  EXPECT(fds[1] > third);
  EXPECT_OK(close(first));
  EXPECT_EQ(socket(AF_UNIX, SOCK_STREAM, 0), first);
}

CASE(dup2_replaces) {
  int one[2], two[2];
  char byte;
  make_pipe(one);
  make_pipe(two);
  put_byte(one[1]);
  EXPECT_EQ(dup2(one[0], two[0]), two[0]);
  EXPECT_EQ(read(two[0], &byte, 1), 1);
  signal(SIGPIPE, SIG_IGN);
  EXPECT_ERR(write(two[1], "x", 1), EPIPE); /* its reader has been closed by dup2 */
  EXPECT_EQ(fcntl(two[0], F_GETFD), 0);     /* not inherited from the source */
}

CASE(dup2_of_itself) {
  const int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
  EXPECT_EQ(dup2(fd, fd), fd);
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  EXPECT_ERR(dup3(fd, fd, 0), EINVAL);
  close(fd);
  EXPECT_ERR(dup2(fd, fd), EBADF);
}

CASE(dup3_flags) {
  const int target = dup(STDIN_FILENO);
  EXPECT_EQ(dup3(STDIN_FILENO, target, O_CLOEXEC), target);
  EXPECT_EQ(fcntl(target, F_GETFD), FD_CLOEXEC);
  EXPECT_ERR(dup3(STDIN_FILENO, target, O_NONBLOCK), EINVAL);
  EXPECT_ERR(dup3(9999, target, 0), EBADF);
}

CASE(dup_beyond_the_limit) {
  struct rlimit limit = {64, 64};
  EXPECT_OK(setrlimit(RLIMIT_NOFILE, &limit));
  EXPECT_ERR(dup2(STDIN_FILENO, 64), EBADF);
  EXPECT_ERR(dup2(STDIN_FILENO, -1), EBADF);
  EXPECT_ERR(fcntl(STDIN_FILENO, F_DUPFD, 64), EINVAL);
  EXPECT_ERR(fcntl(STDIN_FILENO, F_DUPFD, -1), EINVAL);
  EXPECT_EQ(dup2(STDIN_FILENO, 63), 63);
  EXPECT_ERR(fcntl(STDIN_FILENO, F_DUPFD, 63), EMFILE);
}

CASE(dupfd_takes_the_first_at_least) {
  EXPECT_EQ(fcntl(STDIN_FILENO, F_DUPFD, 50), 50);
  EXPECT_EQ(fcntl(STDIN_FILENO, F_DUPFD, 50), 51);
  EXPECT_EQ(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 50), 52);
  EXPECT_EQ(fcntl(52, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(fcntl(51, F_GETFD), 0);
}

CASE(emfile_of_everything_that_makes_descriptors) {
  struct rlimit limit = {40, 40};
  EXPECT_OK(setrlimit(RLIMIT_NOFILE, &limit));
  while (dup(STDIN_FILENO) >= 0) {
  }
  EXPECT_EQ(errno, EMFILE);
  int fds[2];
  EXPECT_ERR(pipe(fds), EMFILE);
  EXPECT_ERR(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), EMFILE);
  EXPECT_ERR(socket(AF_UNIX, SOCK_STREAM, 0), EMFILE);
  EXPECT_ERR(socket(AF_INET, SOCK_STREAM, 0), EMFILE);
  EXPECT_ERR(epoll_create1(0), EMFILE);
  EXPECT_ERR(open("/", O_RDONLY), EMFILE);
  EXPECT_ERR(syscall(SYS_eventfd2, 0, 0), EMFILE);
  EXPECT_ERR(syscall(SYS_timerfd_create, CLOCK_MONOTONIC, 0), EMFILE);
  EXPECT_OK(close(39)); /* one is not enough for two, and must not be lost */
  EXPECT_ERR(pipe(fds), EMFILE);
  EXPECT_EQ(dup(STDIN_FILENO), 39);
}

CASE(closed_descriptor_is_ebadf_everywhere) {
  const int fd = dup(STDIN_FILENO);
  close(fd);
  char byte = 0;
  struct stat stat;
  const struct iovec vector = {&byte, 1};
  struct sockaddr address = {.sa_family = AF_UNIX};
  socklen_t size = sizeof(address);
  int value = 0;
  EXPECT_ERR(close(fd), EBADF);
  EXPECT_ERR(read(fd, &byte, 1), EBADF);
  EXPECT_ERR(write(fd, &byte, 1), EBADF);
  EXPECT_ERR(readv(fd, &vector, 1), EBADF);
  EXPECT_ERR(pread(fd, &byte, 1, 0), EBADF);
  EXPECT_ERR(fstat(fd, &stat), EBADF);
  EXPECT_ERR(lseek(fd, 0, SEEK_SET), EBADF);
  EXPECT_ERR(dup(fd), EBADF);
  EXPECT_ERR(fcntl(fd, F_GETFD), EBADF);
  EXPECT_ERR(ioctl(fd, FIONREAD, &value), EBADF);
  EXPECT_ERR(ftruncate(fd, 0), EBADF);
  EXPECT_ERR(fsync(fd), EBADF);
  EXPECT_ERR(listen(fd, 1), EBADF);
  EXPECT_ERR(accept(fd, NULL, NULL), EBADF);
  EXPECT_ERR(bind(fd, &address, size), EBADF);
  EXPECT_ERR(connect(fd, &address, size), EBADF);
  EXPECT_ERR(getsockname(fd, &address, &size), EBADF);
  EXPECT_ERR(send(fd, &byte, 1, 0), EBADF);
  EXPECT_ERR(recv(fd, &byte, 1, 0), EBADF);
  EXPECT_ERR(shutdown(fd, SHUT_RD), EBADF);
  EXPECT(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED && errno == EBADF);
  EXPECT_ERR(openat(fd, "x", O_RDONLY), EBADF);
  EXPECT_ERR(fchdir(fd), EBADF);
  EXPECT_ERR(flock(fd, LOCK_SH), EBADF);
  EXPECT_ERR(read(-1, &byte, 1), EBADF);
}

CASE(socket_calls_on_other_files_are_enotsock) {
  int fds[2];
  int value = 0;
  socklen_t size = sizeof(value);
  make_pipe(fds);
  EXPECT_ERR(listen(fds[0], 1), ENOTSOCK);
  EXPECT_ERR(accept(fds[0], NULL, NULL), ENOTSOCK);
  EXPECT_ERR(recv(fds[0], &value, 1, 0), ENOTSOCK);
  EXPECT_ERR(send(fds[1], &value, 1, 0), ENOTSOCK);
  EXPECT_ERR(getsockopt(fds[0], SOL_SOCKET, SO_TYPE, &value, &size), ENOTSOCK);
  EXPECT_ERR(shutdown(fds[0], SHUT_RD), ENOTSOCK);
}

CASE(close_range_closes) {
  EXPECT_EQ(fcntl(STDIN_FILENO, F_DUPFD, 100), 100);
  EXPECT_EQ(fcntl(STDIN_FILENO, F_DUPFD, 102), 102);
  EXPECT_EQ(fcntl(STDIN_FILENO, F_DUPFD, 104), 104);
  EXPECT_OK(close_range(100, 103, 0));
  EXPECT_ERR(fcntl(100, F_GETFD), EBADF);
  EXPECT_ERR(fcntl(102, F_GETFD), EBADF);
  EXPECT_EQ(fcntl(104, F_GETFD), 0);
  EXPECT_OK(close_range(3, ~0U, 0));
  EXPECT_ERR(fcntl(104, F_GETFD), EBADF);
  EXPECT_EQ(fcntl(STDOUT_FILENO, F_GETFD) & ~FD_CLOEXEC, 0);
  EXPECT_EQ(dup(STDIN_FILENO), 3);
}

CASE(close_range_cloexec_and_errors) {
  EXPECT_EQ(fcntl(STDIN_FILENO, F_DUPFD, 100), 100);
  EXPECT_OK(close_range(100, 200, CLOSE_RANGE_CLOEXEC));
  EXPECT_EQ(fcntl(100, F_GETFD), FD_CLOEXEC);
  EXPECT_ERR(close_range(200, 100, 0), EINVAL);
  EXPECT_ERR(close_range(100, 200, 1 << 10), EINVAL);
}

CASE(offset_is_shared_by_copies_and_children) {
  const int fd = scratch_file();
  EXPECT_EQ(write(fd, "0123456789", 10), 10);
  const int copy = dup(fd);
  EXPECT_EQ(lseek(copy, 3, SEEK_SET), 3);
  EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 3);
  const pid_t pid = child_start();
  if (pid == 0) {
    take_byte(fd);
    _exit(0);
  }
  EXPECT_EQ(child_result(pid), 0);
  char byte = 0;
  EXPECT_EQ(read(copy, &byte, 1), 1);
  EXPECT_EQ(byte, '4');
}

CASE(append_writes_at_the_end) {
  const int fd = scratch_file();
  char buffer[8] = "";
  EXPECT_EQ(write(fd, "abc", 3), 3);
  EXPECT_OK(fcntl(fd, F_SETFL, O_APPEND));
  EXPECT_EQ(lseek(fd, 0, SEEK_SET), 0);
  EXPECT_EQ(write(fd, "d", 1), 1);
  EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 4);
  EXPECT_EQ(pread(fd, buffer, 8, 0), 4);
  EXPECT_BYTES(buffer, "abcd");
}

CASE(lseek_whence_and_errors) {
  const int fd = scratch_file();
  EXPECT_EQ(write(fd, "abc", 3), 3);
  EXPECT_EQ(lseek(fd, -1, SEEK_END), 2);
  EXPECT_EQ(lseek(fd, 10, SEEK_CUR), 12);
  EXPECT_EQ(write(fd, "d", 1), 1);
  char buffer[16] = "";
  EXPECT_EQ(pread(fd, buffer, sizeof(buffer), 0), 13);
  EXPECT_EQ(buffer[5], 0);
  EXPECT_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
  EXPECT_ERR(lseek(fd, 0, 99), EINVAL);
  EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 13);
}

CASE(access_mode_is_checked) {
  const char* const path = scratch("mode");
  const int writer = open(path, O_WRONLY | O_CREAT, 0600);
  const int reader = open(path, O_RDONLY);
  char byte = 0;
  EXPECT_ERR(read(writer, &byte, 1), EBADF);
  EXPECT_ERR(write(reader, &byte, 1), EBADF);
  EXPECT_ERR(ftruncate(reader, 0), EINVAL);
  EXPECT_OK(unlink(path));
}

CASE(getfl_shows_the_open_flags) {
  const char* const path = scratch("flags");
  const int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_TRUNC, 0600);
  EXPECT_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_CREAT | O_TRUNC),
            O_RDWR | O_APPEND | O_NONBLOCK);
  EXPECT_OK(fcntl(fd, F_SETFL, O_WRONLY)); /* the access mode cannot be changed and is ignored */
  EXPECT_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK), O_RDWR);
  EXPECT_ERR(fcntl(fd, 9999), EINVAL);
  EXPECT_OK(unlink(path));
}

CASE(fioclex_and_fionclex) {
  const int fd = dup(STDIN_FILENO);
  EXPECT_OK(ioctl(fd, FIOCLEX));
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  EXPECT_OK(ioctl(fd, FIONCLEX));
  EXPECT_EQ(fcntl(fd, F_GETFD), 0);
}

CASE(terminal_calls_are_enotty) {
  int fds[2];
  char unused[128];
  make_pipe(fds);
  EXPECT_EQ(isatty(fds[0]), 0);
  EXPECT_ERR(ioctl(fds[0], TIOCGWINSZ, unused), ENOTTY);
  EXPECT_ERR(ioctl(scratch_file(), TIOCGWINSZ, unused), ENOTTY);
}

static void* close_and_open(void* unused) {
  (void)unused;
  for (int i = 0; i < 500; ++i) {
    const int fd = dup(STDIN_FILENO);
    EXPECT(fd >= 3);
    EXPECT_OK(close(fd));
  }
  return NULL;
}

CASE(threads_share_one_table) {
  pthread_t threads[4];
  const int before = dup(STDIN_FILENO);
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    threads[i] = thread_start(close_and_open, NULL);
  }
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    thread_join(threads[i]);
  }
  EXPECT_EQ(dup(STDIN_FILENO), before + 1);
}

CASE(thousands_of_descriptors) {
  struct rlimit limit;
  EXPECT_OK(getrlimit(RLIMIT_NOFILE, &limit));
  limit.rlim_cur = limit.rlim_max < 4000 ? limit.rlim_max : 4000;
  EXPECT_OK(setrlimit(RLIMIT_NOFILE, &limit));
  int last = -1;
  for (int fd; (fd = dup(STDIN_FILENO)) >= 0;) {
    last = fd;
  }
  EXPECT_EQ(errno, EMFILE);
  EXPECT_EQ(last, (int)limit.rlim_cur - 1);
}
