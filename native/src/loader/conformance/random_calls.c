// SPDX-License-Identifier: Apache-2.0
// Random syscalls with random arguments, from a seed. Whatever they do, the kernel must go on: after each child the parent checks that
// pipes, forks, threads and time still work, and it ends with "survived". A child that blocks is killed; that is no fault.
// Usage: random_calls SEED CHILDREN CALLS
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t g_state;

// xorshift64*: the same sequence everywhere.
static uint64_t Random(void) {
  g_state ^= g_state >> 12;
  g_state ^= g_state << 25;
  g_state ^= g_state >> 27;
  return g_state * 0x2545f4914f6cdd1dULL;
}

static char* g_memory;  // 64 KiB that calls may write to
enum { kMemory_bytes = 65536 };

static uint64_t RandomArgument(void) {
  static const uint64_t kOdd[] = {0,
                                  1,
                                  2,
                                  ~0ULL,
                                  0x7fffffff,
                                  0x80000000,
                                  0xffffffff,
                                  4096,
                                  0x7fffffffffffffffULL,
                                  0x8000000000000000ULL,
                                  0x70000000,
                                  0x2f0000000000ULL,
                                  0x2f0000001000ULL,
                                  0xffffffffff600000ULL,
                                  65536,
                                  1u << 20};
  switch (Random() % 8) {
    case 0:
    case 1:
      return Random() % 24;  // descriptors, small numbers, flags
    case 2:
    case 3:
      return (uint64_t)g_memory + Random() % kMemory_bytes;
    case 4:
      return (uint64_t)g_memory + (Random() % 16) * 4096;
    case 5:
      return kOdd[Random() % (sizeof(kOdd) / sizeof(kOdd[0]))];
    case 6:
      return 1ULL << (Random() % 64);
    default:
      return Random();
  }
}

// Not what ends the child at once or reaches out of it: exits, signals to others, and memory calls on its own code and stack come by
// themselves through odd arguments.
static int IsLeftOut(long number) {
  switch (number) {
    case SYS_exit:
    case SYS_exit_group:
    case SYS_kill:
    case SYS_rt_sigreturn:
    case SYS_vfork:  // the parent of a vfork is this very stack
    case SYS_reboot:
      return 1;
    default:
      return 0;
  }
}

static void OpenThings(void) {
  int fds[2];
  struct epoll_event event = {.events = EPOLLIN};
  (void)!pipe(fds);
  (void)!socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
  (void)!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds);
  const int epoll = epoll_create1(0);
  epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event);
  eventfd(0, EFD_NONBLOCK);
  timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  socket(AF_INET, SOCK_STREAM, 0);
  socket(AF_INET, SOCK_DGRAM, 0);
}

static void RunChild(uint64_t seed, int calls) {
  g_state = seed;
  const int null = open("/dev/null", O_RDWR);
  dup2(null, 1);
  dup2(null, 2);
  OpenThings();
  for (int i = 0; i < kMemory_bytes; ++i) {
    g_memory[i] = (char)Random();
  }
  for (int i = 0; i < calls; ++i) {
    const long number = (long)(Random() % 456);
    const uint64_t a = RandomArgument(), b = RandomArgument(), c = RandomArgument(), d = RandomArgument(),
                   e = RandomArgument(), f = RandomArgument();
    if (!IsLeftOut(number)) {
      syscall(number, a, b, c, d, e, f);
    }
  }
  _exit(0);
}

static void* AddOne(void* value) {
  ++*(int*)value;
  return NULL;
}

static int IsKernelWell(void) {
  int fds[2];
  char byte = 'a';
  int value = 0;
  pthread_t thread;
  if (pipe(fds) != 0) {
    return 0;
  }
  const pid_t child = fork();
  if (child == 0) {
    _exit(write(fds[1], "b", 1) == 1 ? 3 : 1);
  }
  int status = 0;
  const int is_well = child > 0 && waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3 &&
                      read(fds[0], &byte, 1) == 1 && byte == 'b' &&
                      pthread_create(&thread, NULL, AddOne, &value) == 0 && pthread_join(thread, NULL) == 0 &&
                      value == 1;
  close(fds[0]);
  close(fds[1]);
  return is_well;
}

// Waits for the child for a quarter of a second at most, then kills its group.
static void Reap(pid_t child) {
  struct timespec nap = {0, 2000000};
  for (int i = 0; i < 125; ++i) {
    if (waitpid(child, NULL, WNOHANG) == child) {
      kill(-child, SIGKILL);
      return;
    }
    nanosleep(&nap, NULL);
  }
  kill(-child, SIGKILL);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: random_calls SEED CHILDREN CALLS\n");
    return 2;
  }
  // Nothing random shall happen to the machine.
  if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0)) {
    perror("random_calls");
    return 2;
  }
  const uint64_t seed = strtoull(argv[1], NULL, 10);
  g_memory = mmap(NULL, kMemory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  signal(SIGHUP, SIG_IGN);
  for (long i = 0; i < strtol(argv[2], NULL, 10); ++i) {
    const pid_t child = fork();
    if (child == 0) {
      setpgid(0, 0);
      RunChild((seed + (uint64_t)i) * 0x9e3779b97f4a7c15ULL + 1, (int)strtol(argv[3], NULL, 10));
    }
    setpgid(child, child);
    Reap(child);
    if (!IsKernelWell()) {
      printf("not well after child %ld of seed %s\n", i, argv[1]);
      return 1;
    }
  }
  printf("survived\n");
  return 0;
}
