/* SPDX-License-Identifier: Apache-2.0 */
/* fork, vfork, clone and posix_spawn; what children have of their parent. execve: exec.c, waiting: waiting.c. */
#include "suite.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char** environ;
static int global = 5;

CASE(fork_copies_memory) {
  int local = 6;
  int* const shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int* const heap = malloc(sizeof(int));
  *heap = 7;
  const pid_t pid = child_start();
  if (pid == 0) {
    global = local = *heap = 0;
    *shared = 9;
    _exit(0);
  }
  EXPECT_EQ(child_result(pid), 0);
  EXPECT(global == 5 && local == 6 && *heap == 7);
  EXPECT_EQ(*shared, 9);
}

CASE(fork_gives_ids) {
  const pid_t own = getpid();
  const pid_t pid = child_start();
  if (pid == 0) {
    EXPECT_EQ(getppid(), own);
    EXPECT(getpid() != own && getpid() == thread_id());
    int fds[2];
    make_pipe(fds);
    _exit(0);
  }
  EXPECT(pid > 0 && pid != own);
  EXPECT_EQ(getpid(), own);
  EXPECT_EQ(child_result(pid), 0);
}

CASE(child_has_descriptors_and_offset_of_the_parent) {
  const int fd = scratch_file();
  int fds[2];
  make_pipe(fds);
  const pid_t pid = child_start();
  if (pid == 0) {
    EXPECT_EQ(write(fd, "abc", 3), 3);
    put_byte(fds[1]);
    close(fd); /* its own only */
    _exit(0);
  }
  EXPECT_EQ(child_result(pid), 0);
  EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 3);
  take_byte(fds[0]);
}

CASE(child_has_mask_and_handlers_but_no_pending_signals) {
  install(SIGUSR1, count_signal, 0);
  signal(SIGUSR2, SIG_IGN);
  block_signal(SIGUSR1);
  EXPECT_OK(raise(SIGUSR1));
  const pid_t pid = child_start();
  if (pid == 0) {
    sigset_t set;
    struct sigaction action;
    EXPECT_OK(sigpending(&set));
    EXPECT_EQ(sigismember(&set, SIGUSR1), 0);
    EXPECT_OK(sigprocmask(SIG_SETMASK, NULL, &set));
    EXPECT_EQ(sigismember(&set, SIGUSR1), 1);
    EXPECT_OK(sigaction(SIGUSR1, NULL, &action));
    EXPECT(action.sa_handler == count_signal);
    EXPECT_OK(sigaction(SIGUSR2, NULL, &action));
    EXPECT(action.sa_handler == SIG_IGN);
    _exit(0);
  }
  EXPECT_EQ(child_result(pid), 0);
}

static void* do_nothing(void* unused) { return unused; }

static void* fork_here(void* unused) {
  (void)unused;
  const pid_t pid = child_start();
  if (pid == 0) {
    EXPECT_EQ(thread_id(), getpid()); /* the only thread there is */
    thread_join(thread_start(do_nothing, NULL));
    _exit(4);
  }
  EXPECT_EQ(child_result(pid), 4);
  return NULL;
}

CASE(fork_in_a_thread) { thread_join(thread_start(fork_here, NULL)); }

CASE(fork_in_many_threads_at_once) {
  pthread_t threads[8];
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    threads[i] = thread_start(fork_here, NULL);
  }
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    thread_join(threads[i]);
  }
}

CASE(hundred_children_at_once) {
  pid_t pids[100];
  int fds[2];
  make_pipe(fds);
  for (int i = 0; i < 100; ++i) {
    pids[i] = child_start();
    if (pids[i] == 0) {
      char byte;
      close(fds[1]);
      _exit(read(fds[0], &byte, 1) == 0 ? i : 1); /* all wait for the end of file */
    }
  }
  close(fds[1]);
  for (int i = 0; i < 100; ++i) {
    int status; /* not child_result: one of these is kSuiteFailed */
    EXPECT_EQ(waitpid(pids[i], &status, 0), pids[i]);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == i);
  }
}

CASE(generations) {
  const pid_t pid = child_start();
  if (pid == 0) {
    int depth = 0;
    for (; depth < 20; ++depth) {
      const pid_t deeper = child_start();
      if (deeper != 0) {
        _exit(child_result(deeper) + 1);
      }
    }
    _exit(0);
  }
  EXPECT_EQ(child_result(pid), 20);
}

CASE(vfork_shares_memory_until_exec) {
  static volatile int seen;
  const pid_t pid = vfork();
  if (pid == 0) {
    seen = 3;
    _exit(8);
  }
  EXPECT_EQ(seen, 3); /* the parent waited */
  EXPECT_EQ(child_result(pid), 8);
}

HELPER(exit_with) { return atoi(argv[0]); }

CASE(vfork_and_exec) {
  char* const argv[] = {suite_program, (char*)"--helper", (char*)"exit_with", (char*)"33", NULL};
  const pid_t pid = vfork();
  if (pid == 0) {
    execv(suite_program, argv);
    _exit(1);
  }
  EXPECT_EQ(child_result(pid), 33);
}

CASE(exec_that_fails_in_vfork_is_seen_by_the_parent) {
  static volatile int error;
  char* const argv[] = {(char*)"x", NULL};
  const pid_t pid = vfork();
  if (pid == 0) {
    execv("/does/not/exist", argv);
    error = errno;
    _exit(127);
  }
  EXPECT_EQ(error, ENOENT);
  EXPECT_EQ(child_result(pid), 127);
}

CASE(posix_spawn_with_actions) {
  int fds[2];
  make_pipe(fds);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  const sigset_t defaults = only_signal(SIGUSR1);
  signal(SIGUSR1, SIG_IGN);
  EXPECT_EQ(posix_spawn_file_actions_init(&actions), 0);
  EXPECT_EQ(posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO), 0);
  EXPECT_EQ(posix_spawnattr_init(&attributes), 0);
  EXPECT_EQ(posix_spawnattr_setsigdefault(&attributes, &defaults), 0);
  EXPECT_EQ(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP), 0);
  char* const argv[] = {suite_program, (char*)"--helper", (char*)"say_group", NULL};
  pid_t pid;
  EXPECT_EQ(posix_spawn(&pid, suite_program, &actions, &attributes, argv, environ), 0);
  close(fds[1]);
  char buffer[16] = "";
  EXPECT_EQ(read(fds[0], buffer, sizeof(buffer)), 6);
  EXPECT_BYTES(buffer, "leader");
  EXPECT_EQ(child_result(pid), 0);
}

HELPER(say_group) {
  struct sigaction action;
  EXPECT_OK(sigaction(SIGUSR1, NULL, &action));
  EXPECT(action.sa_handler == SIG_DFL);
  EXPECT_EQ(getpgrp(), getpid());
  return write(STDOUT_FILENO, "leader", 6) == 6 ? 0 : 1;
}

CASE(posix_spawn_reports_errors) {
  char* const argv[] = {(char*)"x", NULL};
  pid_t pid;
  EXPECT_EQ(posix_spawn(&pid, "/does/not/exist", NULL, NULL, argv, environ), ENOENT);
  EXPECT_ERR(waitpid(-1, NULL, 0), ECHILD);
}

static int clone_body(void* argument) {
  *(volatile int*)argument = 17;
  return 6;
}

CASE(clone_with_a_stack_of_its_own) {
  static char stack[65536] __attribute__((aligned(16)));
  volatile int value = 0;
  const pid_t pid = clone(clone_body, stack + sizeof(stack), CLONE_VM | SIGCHLD, (void*)&value);
  EXPECT_OK(pid);
  EXPECT_EQ(child_result(pid), 6);
  EXPECT_EQ(value, 17);
}

CASE(clone_without_a_signal_needs_wclone) {
  const pid_t pid = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
  if (pid == 0) {
    _exit(3);
  }
  EXPECT_OK(pid);
  EXPECT_ERR(waitpid(pid, NULL, 0), ECHILD);
  int status;
  EXPECT_EQ(waitpid(pid, &status, __WALL), pid);
  EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 3);
}

CASE(clone_writes_thread_ids) {
  static pid_t parent_word;
  pid_t* const child_word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, NULL, &parent_word,
                                   child_word, NULL);
  if (pid == 0) {
    EXPECT_EQ(*child_word, getpid());
    _exit(0);
  }
  EXPECT_EQ(parent_word, pid);
  EXPECT_EQ(child_result(pid), 0);
}

CASE(clone_flags_are_checked) {
  EXPECT_ERR(syscall(SYS_clone, CLONE_THREAD | SIGCHLD, NULL, NULL, NULL, NULL), EINVAL);
  EXPECT_ERR(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, NULL, NULL, NULL, NULL), EINVAL);
}

CASE(clone_of_a_namespace_with_a_shared_folder_is_einval) {
  EXPECT_ERR(syscall(SYS_clone, CLONE_FS | CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL, NULL), EINVAL);
}

CASE(clone_with_shared_descriptors) {
  int fds[2];
  make_pipe(fds);
  const pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
  if (pid == 0) {
    close(fds[0]);
    _exit(0);
  }
  EXPECT_EQ(child_result(pid), 0);
  EXPECT_ERR(fcntl(fds[0], F_GETFD), EBADF);
}

CASE(clone3_if_there) {
  int pidfd = -1;
  struct clone_args arguments;
  memset(&arguments, 0, sizeof(arguments));
  arguments.flags = CLONE_PIDFD;
  arguments.pidfd = (uint64_t)(uintptr_t)&pidfd;
  arguments.exit_signal = SIGCHLD;
  const pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
  if (pid == 0) {
    _exit(7);
  }
  if (pid < 0) {
    EXPECT_EQ(errno, ENOSYS); /* libraries fall back to clone */
    return;
  }
  siginfo_t info;
  EXPECT_OK(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED));
  EXPECT(info.si_pid == pid && info.si_status == 7);
  EXPECT_ERR(syscall(SYS_clone3, &arguments, 8), EINVAL);
}

CASE(pipeline_of_ten) {
  int in[2], out[2];
  make_pipe(in);
  pid_t pids[10];
  const int first = in[1];
  for (size_t i = 0; i < COUNT_OF(pids); ++i) {
    make_pipe(out);
    pids[i] = child_start();
    if (pids[i] == 0) {
      close(first);
      close(out[0]);
      for (unsigned char byte; read(in[0], &byte, 1) == 1;) {
        ++byte;
        EXPECT_EQ(write(out[1], &byte, 1), 1);
      }
      _exit(0);
    }
    close(in[0]);
    close(out[1]);
    in[0] = out[0];
  }
  for (int i = 0; i < 100; ++i) {
    const unsigned char byte = (unsigned char)i;
    EXPECT_EQ(write(first, &byte, 1), 1);
  }
  close(first);
  for (int i = 0; i < 100; ++i) {
    unsigned char byte = 0;
    EXPECT_EQ(read(in[0], &byte, 1), 1);
    EXPECT_EQ(byte, i + 10);
  }
  char byte;
  EXPECT_EQ(read(in[0], &byte, 1), 0);
  for (size_t i = 0; i < COUNT_OF(pids); ++i) {
    EXPECT_EQ(child_result(pids[i]), 0);
  }
}

CASE(fork_again_and_again) {
  for (int i = 0; i < 300; ++i) {
    const pid_t pid = child_start();
    if (pid == 0) {
      _exit(i % 90);
    }
    EXPECT_EQ(child_result(pid), i % 90);
  }
}

static void* hold_and_fork(void* mutex) {
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(pthread_mutex_lock(mutex), 0);
    free(malloc(100));
    EXPECT_EQ(pthread_mutex_unlock(mutex), 0);
  }
  return NULL;
}

CASE(fork_while_other_threads_allocate) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_t threads[3];
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    threads[i] = thread_start(hold_and_fork, &mutex);
  }
  for (int i = 0; i < 20; ++i) {
    const pid_t pid = child_start();
    if (pid == 0) {
      free(malloc(100000)); /* libc's locks are in order in the child */
      _exit(0);
    }
    EXPECT_EQ(child_result(pid), 0);
  }
  for (size_t i = 0; i < COUNT_OF(threads); ++i) {
    thread_join(threads[i]);
  }
}

CASE(child_tid_at_a_bad_address_is_forgotten) {
  void* const bad[] = {(void*)8, (void*)0x100000000000000};
  for (size_t i = 0; i < COUNT_OF(bad); ++i) {
    const pid_t pid = (pid_t)syscall(SYS_clone, CLONE_CHILD_SETTID | SIGCHLD, NULL, NULL, bad[i], NULL);
    if (pid == 0) {
      _exit(7);
    }
    EXPECT_EQ(child_result(pid), 7);
  }
}
