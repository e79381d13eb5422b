/* SPDX-License-Identifier: Apache-2.0 */
/* wait4 and waitid with their options, the ends of processes, orphans, PDEATHSIG. Sessions, groups and stops: job_control.c. */
#include "suite.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static pid_t child_that_exits(int code) {
  const pid_t pid = child_start();
  if (pid == 0) {
    _exit(code);
  }
  return pid;
}

static void pause_forever(void) {
  for (;;) {
    pause();
  }
}

static pid_t child_that_waits(void) {
  const pid_t pid = child_start();
  if (pid == 0) {
    pause_forever();
  }
  return pid;
}

static void end(pid_t pid) {
  EXPECT_OK(kill(pid, SIGKILL));
  EXPECT_EQ(child_result(pid), -SIGKILL);
}

CASE(exit_code_has_eight_bits) {
  int status;
  const int codes[] = {0, 1, 127, 255, 256, 259, -1};
  for (size_t i = 0; i < COUNT_OF(codes); ++i) {
    const pid_t pid = child_that_exits(codes[i]);
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), codes[i] & 255);
    EXPECT_EQ(status, (codes[i] & 255) << 8);
  }
}

CASE(fatal_signals_are_told) {
  static const int signals[] = {SIGTERM, SIGKILL, SIGINT, SIGUSR1, SIGHUP, SIGQUIT, SIGABRT, SIGSYS, SIGXCPU};
  for (size_t i = 0; i < COUNT_OF(signals); ++i) {
    const pid_t pid = child_that_waits();
    int status;
    EXPECT_OK(kill(pid, signals[i]));
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), signals[i]);
  }
  const pid_t pid = child_start();
  if (pid == 0) {
    abort();
  }
  EXPECT_EQ(child_result(pid), -SIGABRT);
}

CASE(realtime_signals_kill_by_default) {
  const pid_t pid = child_that_waits();
  EXPECT_OK(kill(pid, SIGRTMIN + 3));
  EXPECT_EQ(child_result(pid), -(SIGRTMIN + 3));
}

CASE(wait_without_children_is_echild) {
  EXPECT_ERR(waitpid(-1, NULL, 0), ECHILD);
  EXPECT_ERR(waitpid(-1, NULL, WNOHANG), ECHILD);
  EXPECT_ERR(waitpid(getppid(), NULL, 0), ECHILD);
  siginfo_t info;
  EXPECT_ERR(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
}

CASE(wait_reaps_once) {
  const pid_t pid = child_that_exits(3);
  EXPECT_EQ(child_result(pid), 3);
  EXPECT_ERR(waitpid(pid, NULL, 0), ECHILD);
  EXPECT_ERR(kill(pid, 0), ESRCH);
}

CASE(nohang) {
  const pid_t pid = child_that_waits();
  int status = 77;
  EXPECT_EQ(waitpid(pid, &status, WNOHANG), 0);
  EXPECT_EQ(status, 77);
  siginfo_t info = {.si_pid = 5};
  EXPECT_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG));
  EXPECT_EQ(info.si_pid, 0);
  EXPECT_EQ(info.si_signo, 0);
  end(pid);
}

CASE(wait_for_any_gets_all) {
  pid_t pids[5];
  for (int i = 0; i < 5; ++i) {
    pids[i] = child_that_exits(i);
  }
  unsigned seen = 0;
  for (int i = 0; i < 5; ++i) {
    int status;
    const pid_t pid = wait(&status);
    EXPECT(pid > 0 && WIFEXITED(status) && pids[WEXITSTATUS(status)] == pid);
    seen |= 1U << WEXITSTATUS(status);
  }
  EXPECT_EQ(seen, 31);
  EXPECT_ERR(wait(NULL), ECHILD);
}

CASE(wait_for_one_leaves_the_others) {
  const pid_t first = child_that_exits(1);
  const pid_t second = child_that_exits(2);
  EXPECT_EQ(child_result(second), 2);
  EXPECT_EQ(child_result(first), 1);
}

CASE(waitid_tells_how) {
  siginfo_t info;
  const pid_t pid = child_that_exits(9);
  EXPECT_OK(waitid(P_PID, (id_t)pid, &info, WEXITED));
  EXPECT_EQ(info.si_signo, SIGCHLD);
  EXPECT_EQ(info.si_code, CLD_EXITED);
  EXPECT_EQ(info.si_status, 9);
  EXPECT_EQ(info.si_pid, pid);
  EXPECT_EQ(info.si_uid, getuid());
  const pid_t killed = child_that_waits();
  EXPECT_OK(kill(killed, SIGTERM));
  EXPECT_OK(waitid(P_ALL, 0, &info, WEXITED));
  EXPECT_EQ(info.si_code, CLD_KILLED);
  EXPECT_EQ(info.si_status, SIGTERM);
}

CASE(wnowait_leaves_the_zombie) {
  siginfo_t info;
  const pid_t pid = child_that_exits(4);
  for (int i = 0; i < 3; ++i) {
    EXPECT_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    EXPECT_EQ(info.si_status, 4);
  }
  EXPECT_OK(kill(pid, 0)); /* a zombie is still there */
  EXPECT_OK(kill(pid, SIGKILL));
  EXPECT_EQ(child_result(pid), 4);
}

CASE(waitid_errors) {
  siginfo_t info;
  EXPECT_ERR(waitid(P_ALL, 0, &info, 0), EINVAL);
  EXPECT_ERR(waitid(P_ALL, 0, &info, WEXITED | 0x100), EINVAL);
  EXPECT_ERR(waitid((idtype_t)99, 0, &info, WEXITED), EINVAL);
  EXPECT_ERR(waitid(P_PID, 0, &info, WEXITED), EINVAL);
  EXPECT_ERR(waitpid(-1, NULL, 0x100), EINVAL);
}

CASE(wclone_waits_only_for_clone_children) {
  const pid_t pid = child_that_exits(4);
  EXPECT_ERR(waitpid(pid, NULL, __WCLONE), ECHILD);
  int status;
  EXPECT_EQ(waitpid(pid, &status, __WALL), pid);
  EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 4);
}

CASE(wait_by_group) {
  const pid_t leader = child_start();
  if (leader == 0) {
    setpgid(0, 0);
    pause_forever();
  }
  setpgid(leader, leader); /* whoever comes first */
  EXPECT_EQ(getpgid(leader), leader);
  const pid_t other = child_that_exits(5);
  siginfo_t info;
  EXPECT_EQ(waitpid(-leader, NULL, WNOHANG), 0);
  EXPECT_EQ(waitpid(0, NULL, 0), other); /* our own group only */
  EXPECT_ERR(waitpid(0, NULL, 0), ECHILD);
  EXPECT_OK(kill(leader, SIGKILL));
  EXPECT_OK(waitid(P_PGID, (id_t)leader, &info, WEXITED));
  EXPECT_EQ(info.si_pid, leader);
}

CASE(rusage_of_children) {
  struct rusage usage;
  const pid_t pid = child_start();
  if (pid == 0) {
    while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < 12000000) {
    }
    _exit(0);
  }
  EXPECT_EQ(wait4(pid, NULL, 0, &usage), pid);
  EXPECT_GE(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec + usage.ru_utime.tv_sec * 1000000, 5000);
  EXPECT_OK(getrusage(RUSAGE_CHILDREN, &usage));
  EXPECT_GE(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec + usage.ru_utime.tv_sec * 1000000, 5000);
}

static siginfo_t child_info;
static void note_child(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  child_info = *info;
  atomic_fetch_add(&handled, 1);
}

CASE(sigchld_tells_who_and_how) {
  install_info(SIGCHLD, note_child, SA_RESTART);
  const pid_t pid = child_that_exits(6);
  await_at_least(&handled, 1);
  EXPECT_EQ(child_info.si_pid, pid);
  EXPECT_EQ(child_info.si_status, 6);
  EXPECT_EQ(child_info.si_code, CLD_EXITED);
  EXPECT_EQ(child_result(pid), 6);
}

CASE(ignored_sigchld_leaves_no_zombies) {
  signal(SIGCHLD, SIG_IGN);
  int fds[2];
  char byte;
  make_pipe(fds);
  const pid_t pid = child_start();
  if (pid == 0) {
    _exit(0);
  }
  close(fds[1]);
  EXPECT_EQ(read(fds[0], &byte, 1), 0);
  EXPECT_ERR(waitpid(pid, NULL, 0), ECHILD); /* waits for the end, then finds nothing */
  EXPECT_ERR(kill(pid, 0), ESRCH);
}

CASE(nocldwait_leaves_no_zombies_but_signals) {
  install(SIGCHLD, count_signal, SA_NOCLDWAIT);
  const pid_t pid = child_that_exits(0);
  await_at_least(&handled, 1);
  EXPECT_ERR(waitpid(pid, NULL, 0), ECHILD);
}

CASE(default_sigchld_keeps_zombies) {
  const pid_t pid = child_that_exits(0);
  siginfo_t info;
  EXPECT_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
  signal(SIGCHLD, SIG_IGN); /* too late for this one */
  EXPECT_EQ(child_result(pid), 0);
}

CASE(orphans_get_another_parent) {
  int fds[2];
  int parent_is_gone[2];
  make_pipe(fds);
  make_pipe(parent_is_gone);
  const pid_t pid = child_start();
  if (pid == 0) {
    const pid_t parent = getpid();
    if (child_start() == 0) {
      char byte;
      close(parent_is_gone[1]);
      EXPECT_EQ(read(parent_is_gone[0], &byte, 1), 0);
      while (getppid() == parent) { /* descriptors are closed before the children are given away */
        sched_yield();
      }
      put_byte(fds[1]);
      _exit(0);
    }
    _exit(0);
  }
  close(parent_is_gone[1]);
  EXPECT_EQ(child_result(pid), 0);
  take_byte(fds[0]);
}

CASE(a_subreaper_gets_the_orphans) {
  EXPECT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
  int is = 0;
  EXPECT_OK(prctl(PR_GET_CHILD_SUBREAPER, &is));
  EXPECT_EQ(is, 1);
  const pid_t own = getpid();
  const pid_t pid = child_start();
  if (pid == 0) {
    if (child_start() == 0) {
      while (getppid() != own) {
        sched_yield();
      }
      _exit(44);
    }
    _exit(0);
  }
  EXPECT_EQ(child_result(pid), 0);
  int status;
  EXPECT(wait(&status) > 0);
  EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 44);
}

CASE(pdeathsig_when_the_parent_ends) {
  int fds[2];
  int ready[2];
  make_pipe(fds);
  make_pipe(ready);
  const pid_t pid = child_start();
  if (pid == 0) {
    if (child_start() == 0) {
      close(ready[0]);
      block_signal(SIGUSR2);
      EXPECT_OK(prctl(PR_SET_PDEATHSIG, SIGUSR2));
      int signal = 0;
      EXPECT_OK(prctl(PR_GET_PDEATHSIG, &signal));
      EXPECT_EQ(signal, SIGUSR2);
      put_byte(ready[1]);
      const sigset_t set = only_signal(SIGUSR2);
      EXPECT_EQ(sigwaitinfo(&set, NULL), SIGUSR2);
      put_byte(fds[1]);
      _exit(0);
    }
    take_byte(ready[0]);
    _exit(0);
  }
  EXPECT_EQ(child_result(pid), 0);
  take_byte(fds[0]);
  EXPECT_ERR(prctl(PR_SET_PDEATHSIG, 999), EINVAL);
}

CASE(pdeathsig_is_not_inherited) {
  EXPECT_OK(prctl(PR_SET_PDEATHSIG, SIGUSR2));
  const pid_t pid = child_start();
  if (pid == 0) {
    int signal = 99;
    EXPECT_OK(prctl(PR_GET_PDEATHSIG, &signal));
    EXPECT_EQ(signal, 0);
    _exit(0);
  }
  EXPECT_EQ(child_result(pid), 0);
  EXPECT_OK(prctl(PR_SET_PDEATHSIG, 0));
}

static void* wait_for_child(void* pid) {
  EXPECT_EQ(child_result((pid_t)(intptr_t)pid), 3);
  return NULL;
}

CASE(any_thread_may_wait_for_a_child) {
  int fds[2];
  make_pipe(fds);
  const pid_t pid = child_start();
  if (pid == 0) {
    take_byte(fds[0]);
    _exit(3);
  }
  const pthread_t thread = thread_start(wait_for_child, (void*)(intptr_t)pid);
  put_byte(fds[1]);
  thread_join(thread);
}

static void* start_child(void* result) {
  *(pid_t*)result = child_that_exits(5);
  return NULL;
}

CASE(children_of_a_thread_that_ended_and_wnothread) {
  pid_t pid = 0;
  thread_join(thread_start(start_child, &pid));
  EXPECT_EQ(child_result(pid), 5);
  thread_join(thread_start(start_child, &pid));
  /* It now belongs to another thread of the group: this one, the only one. */
  EXPECT_EQ(waitpid(pid, NULL, __WNOTHREAD), pid);
}

CASE(exit_runs_handlers_and_quick_exit_does_not) {
  int fds[2];
  make_pipe(fds);
  const pid_t pid = child_start();
  if (pid == 0) {
    FILE* const file = fdopen(fds[1], "w");
    fputs("flushed", file);
    exit(0);
  }
  char buffer[16];
  EXPECT_EQ(child_result(pid), 0);
  EXPECT_EQ(read(fds[0], buffer, sizeof(buffer)), 7);
  const pid_t other = child_start();
  if (other == 0) {
    FILE* const file = fdopen(fds[1], "w");
    fputs("lost", file);
    _exit(0);
  }
  EXPECT_EQ(child_result(other), 0);
  set_nonblocking(fds[0]);
  EXPECT_ERR(read(fds[0], buffer, sizeof(buffer)), EAGAIN);
}

CASE(wait_is_interrupted_by_a_signal) {
  install(SIGALRM, count_signal, 0);
  const pid_t pid = child_that_waits();
  tick_every_us(2000);
  EXPECT_ERR(waitpid(pid, NULL, 0), EINTR);
  tick_every_us(0);
  end(pid);
}

/* The host ends this one without asking its Junction kernel. */
static void outlive_cpu_limit(void) {
  const struct rlimit one_second = {1, 1};
  EXPECT_OK(setrlimit(RLIMIT_CPU, &one_second));
  for (;;) {
  }
}

CASE(cpu_limit_kills) {
  const pid_t pid = child_start();
  if (pid == 0) {
    outlive_cpu_limit();
  }
  EXPECT_EQ(child_result(pid), -SIGKILL);
}

CASE(zombie_of_a_process_that_the_cpu_limit_kills_goes_to_who_ignores_it) {
  EXPECT_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
  install(SIGCHLD, SIG_IGN, 0);
  const pid_t pid = child_start();
  if (pid == 0) {
    install(SIGCHLD, SIG_DFL, 0);
    const pid_t zombie = child_that_exits(3);
    siginfo_t info;
    EXPECT_OK(waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT));
    outlive_cpu_limit();
  }
  EXPECT_ERR(waitpid(-1, NULL, 0), ECHILD); /* waits until all have ended */
  EXPECT_ERR(kill(pid, 0), ESRCH);
}
