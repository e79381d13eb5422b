/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes and FIFOs. */
#include "suite.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>

static char block[1 << 17];

static short poll_state(int fd, short events) {
  struct pollfd polled = {.fd = fd, .events = events};
  EXPECT(poll(&polled, 1, 0) >= 0);
  return polled.revents;
}

static int pending_bytes(int fd) {
  int count = -1;
  EXPECT_OK(ioctl(fd, FIONREAD, &count));
  return count;
}

/* Bytes that fit. */
static long fill(int fd) {
  long total = 0;
  set_nonblocking(fd);
  for (ssize_t written; (written = write(fd, block, 4096)) > 0;) {
    total += written;
  }
  EXPECT_EQ(errno, EAGAIN);
  return total;
}

CASE(bytes_come_in_order_and_reads_may_be_short) {
  int fds[2];
  char buffer[16] = "";
  make_pipe(fds);
  EXPECT_EQ(write(fds[1], "abc", 3), 3);
  EXPECT_EQ(write(fds[1], "defg", 4), 4);
  EXPECT_EQ(read(fds[0], buffer, 2), 2);
  EXPECT_BYTES(buffer, "ab");
  EXPECT_EQ(read(fds[0], buffer, sizeof(buffer)), 5);
  EXPECT_BYTES(buffer, "cdefg");
}

CASE(end_of_file_when_the_last_writer_closes) {
  int fds[2];
  char byte;
  make_pipe(fds);
  const int copy = dup(fds[1]);
  put_byte(fds[1]);
  close(fds[1]);
  set_nonblocking(fds[0]);
  EXPECT_EQ(read(fds[0], &byte, 1), 1);
  EXPECT_ERR(read(fds[0], &byte, 1), EAGAIN);
  close(copy);
  EXPECT_EQ(read(fds[0], &byte, 1), 0);
  EXPECT_EQ(read(fds[0], &byte, 1), 0);
}

CASE(pipe2_flags) {
  int fds[2];
  EXPECT_OK(pipe2(fds, O_NONBLOCK | O_CLOEXEC));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(fcntl(fds[i], F_GETFL) & (O_NONBLOCK | O_ACCMODE), O_NONBLOCK | (i == 0 ? O_RDONLY : O_WRONLY));
  }
  EXPECT_OK(pipe(fds));
  EXPECT_EQ(fcntl(fds[0], F_GETFD), 0);
  EXPECT_EQ(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
  EXPECT_ERR(pipe2(fds, O_APPEND), EINVAL);
}

CASE(nonblocking_read_of_an_empty_pipe_is_eagain) {
  int fds[2];
  char byte;
  EXPECT_OK(pipe2(fds, O_NONBLOCK));
  EXPECT_ERR(read(fds[0], &byte, 1), EAGAIN);
  EXPECT_EQ(read(fds[0], &byte, 0), 0);
}

CASE(wrong_end_is_ebadf) {
  int fds[2];
  char byte = 0;
  make_pipe(fds);
  EXPECT_ERR(write(fds[0], &byte, 1), EBADF);
  EXPECT_ERR(read(fds[1], &byte, 1), EBADF);
}

CASE(write_without_reader_is_epipe_with_sigpipe) {
  int fds[2];
  make_pipe(fds);
  close(fds[0]);
  install(SIGPIPE, count_signal, 0);
  EXPECT_ERR(write(fds[1], "x", 1), EPIPE);
  EXPECT_EQ(atomic_load(&handled), 1);
  signal(SIGPIPE, SIG_IGN);
  EXPECT_ERR(write(fds[1], "x", 1), EPIPE);
  EXPECT_EQ(write(fds[1], "x", 0), 0);
}

CASE(sigpipe_kills) {
  int fds[2];
  make_pipe(fds);
  close(fds[0]);
  const pid_t pid = child_start();
  if (pid == 0) {
    (void)!write(fds[1], "x", 1);
    _exit(0);
  }
  EXPECT_EQ(child_result(pid), -SIGPIPE);
}

CASE(full_pipe_is_eagain_and_takes_64k_at_first) {
  int fds[2];
  make_pipe(fds);
  EXPECT_EQ(fcntl(fds[1], F_GETPIPE_SZ), 65536);
  EXPECT_EQ(fill(fds[1]), 65536);
  EXPECT_ERR(write(fds[1], "x", 1), EAGAIN);
  EXPECT_EQ(pending_bytes(fds[0]), 65536);
}

CASE(small_nonblocking_writes_are_all_or_nothing) {
  int fds[2];
  make_pipe(fds);
  fill(fds[1]);
  EXPECT_EQ(read(fds[0], block, PIPE_BUF - 1), PIPE_BUF - 1);
  EXPECT_ERR(write(fds[1], block, PIPE_BUF), EAGAIN);
  EXPECT_EQ(pending_bytes(fds[0]), 65536 - PIPE_BUF + 1);
}

CASE(large_nonblocking_writes_are_partial) {
  int fds[2];
  make_pipe(fds);
  set_nonblocking(fds[1]);
  EXPECT_EQ(write(fds[1], block, sizeof(block)), 65536);
  EXPECT_EQ(read(fds[0], block, 8192), 8192);
  EXPECT_EQ(write(fds[1], block, sizeof(block)), 8192);
}

static void* write_much(void* fd) {
  EXPECT_EQ(write(*(int*)fd, block, sizeof(block)), sizeof(block));
  return NULL;
}

CASE(blocking_write_waits_for_room) {
  int fds[2];
  make_pipe(fds);
  for (size_t i = 0; i < sizeof(block); ++i) {
    block[i] = (char)(i * 7 >> 3);
  }
  const pthread_t thread = thread_start(write_much, &fds[1]);
  static char got[sizeof(block)];
  for (size_t at = 0; at < sizeof(got);) {
    const ssize_t size = read(fds[0], got + at, 5000);
    EXPECT(size > 0);
    at += (size_t)size;
  }
  thread_join(thread);
  EXPECT(memcmp(got, block, sizeof(got)) == 0);
}

static void* write_records(void* argument) {
  const int fd = ((int*)argument)[1];
  char record[512];
  memset(record, ((int*)argument)[0], sizeof(record));
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(write(fd, record, sizeof(record)), sizeof(record));
  }
  return NULL;
}

CASE(writes_up_to_pipe_buf_do_not_mix) {
  int fds[2];
  make_pipe(fds);
  int arguments[3][2];
  pthread_t threads[3];
  for (int i = 0; i < 3; ++i) {
    arguments[i][0] = 'a' + i;
    arguments[i][1] = fds[1];
    threads[i] = thread_start(write_records, arguments[i]);
  }
  int counts[3] = {0};
  for (int i = 0; i < 600; ++i) {
    char record[512];
    for (size_t at = 0; at < sizeof(record);) {
      const ssize_t size = read(fds[0], record + at, sizeof(record) - at);
      EXPECT(size > 0);
      at += (size_t)size;
    }
    for (size_t at = 1; at < sizeof(record); ++at) {
      EXPECT_EQ(record[at], record[0]);
    }
    ++counts[record[0] - 'a'];
  }
  for (int i = 0; i < 3; ++i) {
    thread_join(threads[i]);
    EXPECT_EQ(counts[i], 200);
  }
}

CASE(pipe_size_can_be_changed) {
  int fds[2];
  make_pipe(fds);
  EXPECT_EQ(fcntl(fds[1], F_SETPIPE_SZ, 4096), 4096);
  EXPECT_EQ(fcntl(fds[0], F_GETPIPE_SZ), 4096);
  EXPECT_EQ(fill(fds[1]), 4096);
  EXPECT_EQ(fcntl(fds[1], F_SETPIPE_SZ, 100000), 131072);
  EXPECT_EQ(fill(fds[1]), 131072 - 4096);
}

CASE(pipe_size_below_the_content_is_ebusy) {
  int fds[2];
  make_pipe(fds);
  fill(fds[1]);
  EXPECT_ERR(fcntl(fds[1], F_SETPIPE_SZ, 4096), EBUSY);
  EXPECT_EQ(fcntl(fds[1], F_GETPIPE_SZ), 65536);
  EXPECT_ERR(fcntl(STDIN_FILENO, F_GETPIPE_SZ), EBADF); /* not a pipe */
}

CASE(fionread_counts) {
  int fds[2];
  make_pipe(fds);
  EXPECT_EQ(pending_bytes(fds[0]), 0);
  EXPECT_EQ(write(fds[1], block, 1000), 1000);
  EXPECT_EQ(write(fds[1], block, 234), 234);
  EXPECT_EQ(pending_bytes(fds[0]), 1234);
  EXPECT_EQ(read(fds[0], block, 1100), 1100);
  EXPECT_EQ(pending_bytes(fds[0]), 134);
}

CASE(poll_states) {
  int fds[2];
  make_pipe(fds);
  const short all = POLLIN | POLLOUT;
  EXPECT_EQ(poll_state(fds[0], all), 0);
  EXPECT_EQ(poll_state(fds[1], all), POLLOUT);
  put_byte(fds[1]);
  EXPECT_EQ(poll_state(fds[0], all), POLLIN);
  close(fds[1]);
  EXPECT_EQ(poll_state(fds[0], all), POLLIN | POLLHUP);
  take_byte(fds[0]);
  EXPECT_EQ(poll_state(fds[0], all), POLLHUP);
  make_pipe(fds);
  close(fds[0]);
  EXPECT_EQ(poll_state(fds[1], all), POLLOUT | POLLERR);
  make_pipe(fds);
  fill(fds[1]);
  EXPECT_EQ(poll_state(fds[1], all), 0);
}

CASE(lseek_and_pread_are_espipe) {
  int fds[2];
  make_pipe(fds);
  EXPECT_ERR(lseek(fds[0], 0, SEEK_CUR), ESPIPE);
  EXPECT_ERR(pread(fds[0], block, 1, 0), ESPIPE);
  EXPECT_ERR(pwrite(fds[1], block, 1, 0), ESPIPE);
}

CASE(vectors) {
  int fds[2];
  make_pipe(fds);
  const struct iovec out[] = {{(void*)"ab", 2}, {NULL, 0}, {(void*)"cde", 3}};
  EXPECT_EQ(writev(fds[1], out, 3), 5);
  char first[2], second[10];
  const struct iovec in[] = {{first, 2}, {second, 10}};
  EXPECT_EQ(readv(fds[0], in, 2), 5);
  EXPECT_BYTES(first, "ab");
  EXPECT_BYTES(second, "cde");
  EXPECT_ERR(readv(fds[0], in, -1), EINVAL);
  EXPECT_ERR(writev(fds[1], out, 1025), EINVAL);
  EXPECT_EQ(writev(fds[1], out, 0), 0);
}

CASE(fstat_says_fifo) {
  int fds[2];
  struct stat stat;
  make_pipe(fds);
  EXPECT_OK(fstat(fds[0], &stat));
  EXPECT(S_ISFIFO(stat.st_mode));
}

CASE(nonblock_belongs_to_the_open_file) {
  int fds[2];
  char byte;
  make_pipe(fds);
  const int copy = dup(fds[0]);
  int on = 1;
  EXPECT_OK(ioctl(copy, FIONBIO, &on));
  EXPECT_ERR(read(fds[0], &byte, 1), EAGAIN);
  EXPECT_EQ(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
}

CASE(reader_is_woken_by_close_in_another_process) {
  int fds[2];
  int ready[2];
  make_pipe(fds);
  make_pipe(ready);
  const pid_t pid = child_start();
  if (pid == 0) {
    char byte;
    close(fds[1]);
    put_byte(ready[1]);
    _exit(read(fds[0], &byte, 1) == 0 ? 0 : 1);
  }
  take_byte(ready[0]);
  close(fds[1]);
  EXPECT_EQ(child_result(pid), 0);
}

CASE(writer_is_woken_by_the_end_of_the_reader) {
  int fds[2];
  make_pipe(fds);
  signal(SIGPIPE, SIG_IGN);
  const pid_t pid = child_start();
  if (pid == 0) {
    close(fds[0]);
    set_nonblocking(fds[1]);
    while (write(fds[1], block, 4096) > 0) {
    }
    EXPECT_OK(fcntl(fds[1], F_SETFL, 0));
    EXPECT_ERR(write(fds[1], block, 4096), EPIPE);
    _exit(0);
  }
  while (pending_bytes(fds[0]) < 65536) {
    sched_yield();
  }
  close(fds[0]);
  EXPECT_EQ(child_result(pid), 0);
}

CASE(ping_pong_between_processes) {
  int there[2];
  int back[2];
  make_pipe(there);
  make_pipe(back);
  const pid_t pid = child_start();
  if (pid == 0) {
    for (int i = 0; i < 2000; ++i) {
      take_byte(there[0]);
      put_byte(back[1]);
    }
    _exit(0);
  }
  for (int i = 0; i < 2000; ++i) {
    put_byte(there[1]);
    take_byte(back[0]);
  }
  EXPECT_EQ(child_result(pid), 0);
}

CASE(many_readers_get_each_byte_once) {
  int fds[2];
  int sums[2];
  make_pipe(fds);
  make_pipe(sums);
  pid_t pids[4];
  for (size_t i = 0; i < COUNT_OF(pids); ++i) {
    pids[i] = child_start();
    if (pids[i] == 0) {
      close(fds[1]);
      int sum = 0;
      for (unsigned char byte; read(fds[0], &byte, 1) == 1;) {
        sum += byte;
      }
      EXPECT_EQ(write(sums[1], &sum, sizeof(sum)), sizeof(sum));
      _exit(0);
    }
  }
  int expected = 0;
  for (int i = 0; i < 1000; ++i) {
    const unsigned char byte = (unsigned char)i;
    expected += byte;
    EXPECT_EQ(write(fds[1], &byte, 1), 1);
  }
  close(fds[1]);
  for (size_t i = 0; i < COUNT_OF(pids); ++i) {
    int sum = 0;
    EXPECT_EQ(read(sums[0], &sum, sizeof(sum)), sizeof(sum));
    expected -= sum;
    EXPECT_EQ(child_result(pids[i]), 0);
  }
  EXPECT_EQ(expected, 0);
}

CASE(fifo_open_waits_for_the_other_end) {
  const char* const path = scratch("fifo");
  EXPECT_OK(mkfifo(path, 0600));
  EXPECT_ERR(open(path, O_WRONLY | O_NONBLOCK), ENXIO);
  const pid_t pid = child_start();
  if (pid == 0) {
    const int fd = open(path, O_WRONLY);
    EXPECT_OK(fd);
    put_byte(fd);
    _exit(0);
  }
  const int fd = open(path, O_RDONLY);
  EXPECT_OK(fd);
  take_byte(fd);
  EXPECT_EQ(child_result(pid), 0);
  char byte;
  EXPECT_EQ(read(fd, &byte, 1), 0);
  EXPECT_OK(unlink(path));
}

CASE(splice_and_tee_if_there) {
  int first[2], second[2];
  char buffer[8];
  make_pipe(first);
  make_pipe(second);
  EXPECT_EQ(write(first[1], "abc", 3), 3);
  const ssize_t copied = tee(first[0], second[1], 2, 0);
  EXPECT(copied == 2 || errno == ENOSYS || errno == EINVAL); /* programs fall back to read and write */
  if (copied == 2) {
    EXPECT_EQ(read(second[0], buffer, 8), 2);
    EXPECT_EQ(splice(first[0], NULL, second[1], NULL, 8, 0), 3);
    EXPECT_EQ(read(second[0], buffer, 8), 3);
    EXPECT_BYTES(buffer, "abc");
  }
}
