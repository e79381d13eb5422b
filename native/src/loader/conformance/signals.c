/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers, masks, alternate stacks, restarts, faults, and signals that come while calls are being answered. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static atomic_int handled;
static sigjmp_buf jump;

static void count(int signal) {
  (void)signal;
  atomic_fetch_add(&handled, 1);
}

static void install(int signal, void (*handler)(int), int flags) {
  struct sigaction action = {0};
  action.sa_handler = handler;
  action.sa_flags = flags;
  MUST(sigaction(signal, &action, NULL) == 0);
}

static void alarm_in_us(long us) {
  const struct itimerval timer = {.it_value = {.tv_usec = us}};
  MUST(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void* write_later(void* fd) {
  /* Only after the alarm has been handled, so that the read was interrupted for certain. */
  while (atomic_load(&handled) == 0) {
    sched_yield();
  }
  MUST(write(*(int*)fd, "x", 1) == 1);
  return NULL;
}

static void restart_and_eintr(void) {
  int pipe_fds[2];
  char byte = 0;
  pthread_t writer;
  MUST(pipe(pipe_fds) == 0);
  handled = 0;
  install(SIGALRM, count, SA_RESTART);
  MUST(pthread_create(&writer, NULL, write_later, &pipe_fds[1]) == 0);
  sigset_t alarm_only;
  sigemptyset(&alarm_only);
  sigaddset(&alarm_only, SIGALRM);
  alarm_in_us(20000);
  SHOW(read(pipe_fds[0], &byte, 1));
  pthread_join(writer, NULL);
  printf("restarted read: %c, handled %d\n", byte, atomic_load(&handled));

  install(SIGALRM, count, 0);
  alarm_in_us(20000);
  SHOW(read(pipe_fds[0], &byte, 1));
  alarm_in_us(20000);
  SHOW(poll(NULL, 0, -1));
  alarm_in_us(20000);
  const struct timespec second = {.tv_sec = 60};
  SHOW(nanosleep(&second, NULL));
  alarm_in_us(20000);
  SHOW(pause());
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

static void waiting_masks(void) {
  sigset_t alarm_only, none, all, old;
  sigemptyset(&none);
  sigfillset(&all);
  sigemptyset(&alarm_only);
  sigaddset(&alarm_only, SIGALRM);
  install(SIGALRM, count, 0);
  MUST(sigprocmask(SIG_BLOCK, &alarm_only, &old) == 0);
  const struct timespec hour = {.tv_sec = 3600};
  const int epoll = epoll_create1(0);
  struct epoll_event event;
  handled = 0;
  alarm_in_us(10000);
  SHOW(sigsuspend(&none));
  alarm_in_us(10000);
  SHOW(ppoll(NULL, 0, &hour, &none));
  alarm_in_us(10000);
  SHOW(pselect(0, NULL, NULL, NULL, &hour, &none));
  alarm_in_us(10000);
  SHOW(epoll_pwait(epoll, &event, 1, -1, &none));
  const struct timespec now = {0};
  SHOW(ppoll(NULL, 0, &now, &all));
  SHOW(pselect(0, NULL, NULL, NULL, &now, NULL));
  printf("handled while waiting: %d\n", atomic_load(&handled));
  alarm_in_us(10000);
  int got = 0;
  SHOW(sigwait(&alarm_only, &got));
  printf("waited for %d\n", got == SIGALRM);
  MUST(raise(SIGALRM) == 0);
  sigset_t pending;
  MUST(sigpending(&pending) == 0);
  printf("pending %d\n", sigismember(&pending, SIGALRM));
  handled = 0;
  MUST(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
  printf("handled when unblocked: %d\n", atomic_load(&handled));
  close(epoll);
}

static void masks(void) {
  sigset_t set, old;
  sigfillset(&set);
  MUST(sigprocmask(SIG_SETMASK, &set, NULL) == 0);
  MUST(syscall(SYS_getppid) >= 0); /* the net must hold with everything blocked */
  MUST(sigprocmask(SIG_SETMASK, NULL, &old) == 0);
  printf("blocked: int %d kill %d\n", sigismember(&old, SIGINT), sigismember(&old, SIGKILL));
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  MUST(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
  MUST(sigprocmask(SIG_BLOCK, NULL, &old) == 0);
  printf("blocked: int %d term %d\n", sigismember(&old, SIGINT), sigismember(&old, SIGTERM));
  sigemptyset(&set);
  MUST(sigprocmask(SIG_SETMASK, &set, NULL) == 0);
  SHOW(syscall(SYS_rt_sigprocmask, 77, &set, NULL, 8));
  SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4));
  SHOW(syscall(SYS_rt_sigprocmask, SIG_BLOCK, (void*)8, NULL, 8));
}

static void* on_stack_marker;
static void show_stack(int signal) {
  (void)signal;
  char here;
  const char* base = on_stack_marker;
  printf("on alternate stack: %d\n", &here >= base && &here < base + 65536);
}

static void alternate_stack(void) {
  stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536}, old;
  on_stack_marker = stack.ss_sp;
  MUST(sigaltstack(&stack, NULL) == 0);
  install(SIGUSR1, show_stack, SA_ONSTACK);
  raise(SIGUSR1);
  install(SIGUSR1, show_stack, 0);
  raise(SIGUSR1);
  MUST(sigaltstack(NULL, &old) == 0);
  printf("same stack: %d\n", old.ss_sp == stack.ss_sp && old.ss_size == stack.ss_size);
}

static volatile uintptr_t fault_address;
static void on_fault(int signal, siginfo_t* info, void* context) {
  (void)context;
  fault_address = (uintptr_t)info->si_addr;
  siglongjmp(jump, signal);
}

static void faults(void) {
  struct sigaction action = {0};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  MUST(sigaction(SIGSEGV, &action, NULL) == 0);
  MUST(sigaction(SIGBUS, &action, NULL) == 0);
  MUST(sigaction(SIGFPE, &action, NULL) == 0);
  for (int i = 0; i < 3; ++i) {
    const int signal = sigsetjmp(jump, 1);
    if (signal == 0) {
      *(volatile int*)(uintptr_t)0x18 = 1;
    }
    printf("fault %d at %#lx\n", signal == SIGSEGV, (unsigned long)fault_address);
  }
  struct sigaction old;
  MUST(sigaction(SIGSEGV, NULL, &old) == 0);
  printf("still ours: %d flags %#x\n", old.sa_sigaction == on_fault,
         old.sa_flags & (SA_SIGINFO | SA_ONSTACK | SA_RESETHAND));
  action.sa_flags |= SA_RESETHAND;
  MUST(sigaction(SIGSEGV, &action, NULL) == 0);
  if (sigsetjmp(jump, 1) == 0) {
    raise(SIGSEGV);
  }
  MUST(sigaction(SIGSEGV, NULL, &old) == 0);
  printf("reset: %d\n", old.sa_handler == SIG_DFL);
  volatile int zero = 0;
  if (sigsetjmp(jump, 1) == 0) {
    printf("%d\n", 1 / zero);
  } else {
    printf("division by zero\n");
  }
}

static void bad_pointers(void) {
  void* const bad = (void*)8;
  char* const pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  MUST(pages != MAP_FAILED && munmap(pages + 4096, 4096) == 0);
  memcpy(pages + 4096 - 4, "/pr", 4);
  SHOW(open(bad, O_RDONLY));
  SHOW(open(pages + 4096 - 4, O_RDONLY));
  pages[4095] = '/';
  SHOW(open(pages + 4095, O_RDONLY));
  SHOW(openat(AT_FDCWD, pages + 4095, O_RDONLY));
  SHOW(readlink(bad, pages, 10));
  SHOW(syscall(SYS_readlink, "/proc/self/exe", bad, 10));
  SHOW(syscall(SYS_rt_sigaction, SIGUSR1, bad, NULL, 8));
  SHOW(syscall(SYS_rt_sigaction, SIGUSR1, NULL, bad, 8));
  SHOW(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8));
  SHOW(syscall(SYS_rt_sigaction, SIGKILL, pages, NULL, 8));
  SHOW(syscall(SYS_execve, bad, NULL, NULL));
  SHOW(syscall(SYS_execve, "/bin/true", bad, NULL));
  SHOW(syscall(SYS_sched_getaffinity, 0, 8, bad));
  SHOW(syscall(SYS_sched_getaffinity, 0, 4, pages));
  SHOW(syscall(SYS_ppoll, NULL, 0, NULL, bad, 8));
  SHOW(syscall(SYS_rt_sigsuspend, bad, 8));
  SHOW(syscall(SYS_clock_gettime, 0, bad));
  SHOW(syscall(999));
  munmap(pages, 4096);
}

/* A storm of signals while calls of each kind are made: results and registers must stay right. */
static atomic_int storm_goes_on = 1;
static pthread_t storm_target;
static atomic_int rounds_done;
static void* storm(void* unused) {
  (void)unused;
  int seen = 0;
  /* Not faster than they are handled, or the handlers that may nest would use up the stack. */
  for (int sent = 0; atomic_load(&storm_goes_on);) {
    if (sent - atomic_load(&handled) < 8) {
      pthread_kill(storm_target, (++sent & 1) != 0 ? SIGUSR1 : SIGUSR2);
    } else if (atomic_load(&rounds_done) != seen) {
      seen = atomic_load(&rounds_done);
      sent = atomic_load(&handled); /* signals of one number that were pending together came as one */
    }
  }
  return NULL;
}

static void busy_handler(int signal) {
  /* Calls of all kinds, so that the interrupted call's own state would be lost if it depended on anything shared. */
  const int saved = errno;
  sigset_t set;
  syscall(SYS_getppid);
  sigprocmask(SIG_BLOCK, NULL, &set);
  const struct timespec now = {0};
  sigset_t none;
  sigemptyset(&none);
  ppoll(NULL, 0, &now, &none);
  atomic_fetch_add(&handled, signal == SIGUSR1 || signal == SIGUSR2);
  errno = saved;
}

static void under_fire(void) {
  install(SIGUSR1, busy_handler, SA_RESTART);
  install(SIGUSR2, busy_handler, SA_RESTART | SA_NODEFER);
  handled = 0;
  storm_target = pthread_self();
  pthread_t thread;
  MUST(pthread_create(&thread, NULL, storm, NULL) == 0);
  const pid_t parent = getppid();
  int pipe_fds[2];
  MUST(pipe(pipe_fds) == 0);
  int rounds = 0;
  while (rounds < 3000 || atomic_load(&handled) < 2000) {
    ++rounds;
    atomic_store(&rounds_done, rounds);
    MUST(syscall(SYS_getppid) == parent);
    char byte = 0;
    MUST(write(pipe_fds[1], "y", 1) == 1);
    MUST(read(pipe_fds[0], &byte, 1) == 1 && byte == 'y');
    sigset_t set;
    MUST(sigprocmask(SIG_BLOCK, NULL, &set) == 0);
    MUST(sigismember(&set, SIGUSR1) == 0);
    char link[64];
    MUST(readlink("/proc/self/fd/0", link, sizeof(link)) > 0);
    const int fd = openat(AT_FDCWD, "/proc/self/stat", O_RDONLY);
    MUST(fd >= 0 && close(fd) == 0);
    const struct timespec now = {0};
    sigset_t full;
    sigfillset(&full);
    MUST(ppoll(NULL, 0, &now, &full) == 0);
    register long r12 __asm__("r12") = 0x1234567890;
    long result;
    double in = 1.5 * rounds, out;
    __asm__ volatile(
        "movsd %[in], %%xmm7\n\t mov $14, %%eax\n\t mov $0, %%edi\n\t xor %%esi, %%esi\n\t xor %%edx, %%edx\n\t mov "
        "$8, %%r10d\n\t"
        "syscall\n\t movsd %%xmm7, %[out]"
        : "=a"(result), [out] "=m"(out), "+r"(r12)
        : [in] "m"(in)
        : "rcx", "r11", "rdi", "rsi", "rdx", "r10", "xmm7", "memory");
    MUST(result == 0 && out == in && r12 == 0x1234567890);
  }
  storm_goes_on = 0;
  pthread_join(thread, NULL);
  printf("under fire: %s\n", atomic_load(&handled) >= 2000 ? "all right" : "too few signals");
}

static void on_sys(int signal) { printf("handled SIGSYS %d\n", signal == SIGSYS); }

static void sigsys_is_a_signal_too(void) {
  install(SIGSYS, on_sys, 0);
  raise(SIGSYS);
  syscall(SYS_getppid);
  install(SIGSYS, SIG_IGN, 0);
  raise(SIGSYS);
  printf("SIGSYS ignored\n");
}

static void deaths(void) {
  static const int signals[] = {SIGSEGV, SIGBUS, SIGSYS, SIGTERM, SIGABRT};
  for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); ++i) {
    for (int by_fault = 0; by_fault < (signals[i] == SIGSEGV ? 2 : 1); ++by_fault) {
      const pid_t child = fork();
      MUST(child >= 0);
      if (child == 0) {
        signal(signals[i], SIG_DFL);
        if (by_fault) {
          *(volatile int*)(uintptr_t)0x18 = 1;
        }
        raise(signals[i]);
        _exit(0);
      }
      int status;
      MUST(waitpid(child, &status, 0) == child);
      printf("death by %d: %d\n", signals[i], WIFSIGNALED(status) ? WTERMSIG(status) : -1);
    }
  }
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  restart_and_eintr();
  waiting_masks();
  masks();
  alternate_stack();
  faults();
  bad_pointers();
  under_fire();
  sigsys_is_a_signal_too();
  deaths();
  return 0;
}
