/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions and process groups, stopping and continuing, kill to groups. */
#include "suite.h"

#include <sys/wait.h>

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

CASE(setsid_makes_a_leader) {
  const pid_t pid = child_start();
  if (pid == 0) {
    EXPECT_EQ(setsid(), getpid());
    EXPECT_EQ(getsid(0), getpid());
    EXPECT_EQ(getpgrp(), getpid());
    EXPECT_ERR(setsid(), EPERM);
    EXPECT_ERR(setpgid(0, 0), EPERM); /* a session leader stays */
    _exit(0);
  }
  EXPECT_EQ(child_result(pid), 0);
}

CASE(groups_and_sessions_are_inherited) {
  const pid_t group = getpgrp();
  const pid_t session = getsid(0);
  const pid_t pid = child_start();
  if (pid == 0) {
    EXPECT_EQ(getpgrp(), group);
    EXPECT_EQ(getsid(0), session);
    _exit(0);
  }
  EXPECT_EQ(getpgid(pid), group);
  EXPECT_EQ(getsid(pid), session);
  EXPECT_EQ(child_result(pid), 0);
}

CASE(setpgid_of_children_and_errors) {
  const pid_t first = child_that_waits();
  const pid_t second = child_that_waits();
  EXPECT_OK(setpgid(first, 0));
  EXPECT_EQ(getpgid(first), first);
  EXPECT_OK(setpgid(second, first));
  EXPECT_EQ(getpgid(second), first);
  EXPECT_ERR(setpgid(second, 0x3ffffff), EPERM); /* no such group */
  EXPECT_ERR(setpgid(0x3ffffff, 0), ESRCH);
  EXPECT_ERR(setpgid(second, -1), EINVAL);
  EXPECT_ERR(getpgid(0x3ffffff), ESRCH);
  EXPECT_ERR(getsid(0x3ffffff), ESRCH);
  EXPECT_OK(kill(-first, SIGTERM));
  EXPECT_EQ(child_result(first), -SIGTERM);
  EXPECT_EQ(child_result(second), -SIGTERM);
  EXPECT_ERR(kill(-first, 0), ESRCH);
}

CASE(setpgid_after_exec_is_eacces) {
  int fds[2];
  EXPECT_OK(pipe(fds));
  const pid_t pid = child_start();
  if (pid == 0) {
    dup2(fds[1], 200);
    helper_exec("say_and_wait", NULL);
  }
  take_byte(fds[0]);
  EXPECT_ERR(setpgid(pid, 0), EACCES);
  EXPECT_OK(kill(pid, SIGKILL));
  EXPECT_EQ(child_result(pid), -SIGKILL);
}

HELPER(say_and_wait) {
  put_byte(200);
  pause_forever();
  return 1;
}

CASE(kill_of_the_own_group) {
  const pid_t pid = child_start();
  if (pid == 0) {
    EXPECT_OK(setsid());
    const pid_t inner = child_that_waits();
    install(SIGTERM, count_signal, 0);
    EXPECT_OK(kill(0, SIGTERM));
    EXPECT_EQ(atomic_load(&handled), 1);
    EXPECT_EQ(child_result(inner), -SIGTERM);
    _exit(0);
  }
  EXPECT_EQ(child_result(pid), 0);
}

CASE(kill_errors) {
  EXPECT_ERR(kill(getpid(), 65), EINVAL);
  EXPECT_ERR(kill(getpid(), -1), EINVAL);
  EXPECT_ERR(kill(0x3ffffff, 0), ESRCH);
  EXPECT_ERR(kill(-0x3ffffff, SIGTERM), ESRCH);
  EXPECT_OK(kill(getpid(), 0));
}

CASE(kill_of_another_user_is_eperm) {
  if (getuid() == 0) {
    const pid_t parent = getpid();
    const pid_t pid = child_start();
    if (pid == 0) {
      if (setgid(65534) == 0 && setuid(65534) == 0) { /* may be refused where we only seem to be root */
        EXPECT_ERR(kill(parent, 0), EPERM);
        EXPECT_ERR(kill(parent, SIGTERM), EPERM);
        EXPECT_OK(kill(getpid(), 0));
      }
      _exit(0);
    }
    EXPECT_EQ(child_result(pid), 0);
  }
}

static siginfo_t child_info;
static void note_child(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  child_info = *info;
  atomic_fetch_add(&handled, 1);
}

CASE(stop_and_continue_seen_by_waitpid) {
  const pid_t pid = child_that_waits();
  int status;
  EXPECT_OK(kill(pid, SIGSTOP));
  EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
  EXPECT(WIFSTOPPED(status) && !WIFEXITED(status) && !WIFSIGNALED(status));
  EXPECT_EQ(WSTOPSIG(status), SIGSTOP);
  EXPECT_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0); /* told once */
  EXPECT_OK(kill(pid, SIGCONT));
  EXPECT_EQ(waitpid(pid, &status, WCONTINUED), pid);
  EXPECT(WIFCONTINUED(status));
  EXPECT_EQ(waitpid(pid, &status, WCONTINUED | WUNTRACED | WNOHANG), 0);
  EXPECT_OK(kill(pid, SIGKILL));
  EXPECT_EQ(child_result(pid), -SIGKILL);
}

CASE(stop_and_continue_seen_by_waitid) {
  const pid_t pid = child_that_waits();
  siginfo_t info;
  EXPECT_OK(kill(pid, SIGSTOP));
  EXPECT_OK(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT));
  EXPECT_OK(waitid(P_PID, (id_t)pid, &info, WSTOPPED));
  EXPECT_EQ(info.si_code, CLD_STOPPED);
  EXPECT_EQ(info.si_status, SIGSTOP);
  EXPECT_OK(kill(pid, SIGCONT));
  EXPECT_OK(waitid(P_PID, (id_t)pid, &info, WCONTINUED));
  EXPECT_EQ(info.si_code, CLD_CONTINUED);
  EXPECT_EQ(info.si_status, SIGCONT);
  EXPECT_OK(kill(pid, SIGKILL));
  EXPECT_EQ(child_result(pid), -SIGKILL);
}

CASE(stop_is_told_by_sigchld) {
  install_info(SIGCHLD, note_child, SA_RESTART);
  const pid_t pid = child_that_waits();
  EXPECT_OK(kill(pid, SIGSTOP));
  await_at_least(&handled, 1);
  EXPECT_EQ(child_info.si_code, CLD_STOPPED);
  EXPECT_EQ(child_info.si_status, SIGSTOP);
  EXPECT_OK(kill(pid, SIGCONT));
  await_at_least(&handled, 2);
  EXPECT_EQ(child_info.si_code, CLD_CONTINUED);
  EXPECT_OK(kill(pid, SIGKILL));
  EXPECT_EQ(child_result(pid), -SIGKILL);
}

CASE(nocldstop_keeps_quiet) {
  install_info(SIGCHLD, note_child, SA_RESTART | SA_NOCLDSTOP);
  const pid_t pid = child_that_waits();
  int status;
  EXPECT_OK(kill(pid, SIGSTOP));
  EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
  EXPECT_OK(kill(pid, SIGCONT));
  EXPECT_EQ(waitpid(pid, &status, WCONTINUED), pid);
  EXPECT_EQ(atomic_load(&handled), 0);
  EXPECT_OK(kill(pid, SIGKILL));
  EXPECT_EQ(child_result(pid), -SIGKILL);
  EXPECT_EQ(atomic_load(&handled), 1);
}

CASE(signals_wait_while_stopped_but_for_sigkill) {
  int fds[2];
  char byte;
  make_pipe(fds);
  const pid_t pid = child_start();
  if (pid == 0) {
    block_signal(SIGUSR1);
    put_byte(fds[1]);
    const sigset_t set = only_signal(SIGUSR1);
    while (sigwaitinfo(&set, NULL) != SIGUSR1) {
      EXPECT(errno == EINTR); /* by the stop, see signal(7) */
    }
    put_byte(fds[1]);
    pause_forever();
  }
  take_byte(fds[0]);
  int status;
  EXPECT_OK(kill(pid, SIGSTOP));
  EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
  EXPECT_OK(kill(pid, SIGUSR1));
  set_nonblocking(fds[0]);
  EXPECT_ERR(read(fds[0], &byte, 1), EAGAIN);
  EXPECT_OK(kill(pid, SIGCONT));
  while (read(fds[0], &byte, 1) < 0) {
    EXPECT(errno == EAGAIN);
    sched_yield();
  }
  EXPECT_OK(kill(pid, SIGSTOP));
  EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
  EXPECT_OK(kill(pid, SIGKILL));
  EXPECT_EQ(child_result(pid), -SIGKILL);
}

CASE(terminal_stops_can_be_caught_and_ignored) {
  /* SIGTSTP does nothing by default in an orphaned group; a group of the child's own is not one, since we are in its session. */
  const pid_t pid = child_that_waits();
  int status;
  EXPECT_OK(setpgid(pid, pid));
  EXPECT_OK(kill(pid, SIGTSTP));
  EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
  EXPECT(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
  EXPECT_OK(kill(pid, SIGKILL));
  EXPECT_EQ(child_result(pid), -SIGKILL);
  install(SIGTSTP, count_signal, 0);
  EXPECT_OK(raise(SIGTSTP));
  EXPECT_EQ(atomic_load(&handled), 1);
  signal(SIGTTOU, SIG_IGN);
  EXPECT_OK(raise(SIGTTOU));
}

CASE(terminal_stops_do_nothing_in_an_orphaned_group) {
  const pid_t pid = child_start();
  if (pid == 0) {
    EXPECT_OK(setsid()); /* nobody in this session is the parent of its group */
    EXPECT_OK(raise(SIGTSTP));
    EXPECT_OK(raise(SIGTTIN));
    _exit(0);
  }
  EXPECT_EQ(child_result(pid), 0);
}

CASE(sigcont_runs_its_handler_too) {
  int fds[2];
  make_pipe(fds);
  const pid_t pid = child_start();
  if (pid == 0) {
    install(SIGCONT, count_signal, 0);
    put_byte(fds[1]);
    await_at_least(&handled, 1);
    _exit(0);
  }
  take_byte(fds[0]);
  int status;
  EXPECT_OK(kill(pid, SIGSTOP));
  EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
  EXPECT_OK(kill(pid, SIGCONT));
  EXPECT_EQ(child_result(pid), 0);
}

CASE(orphaned_stopped_group_gets_hangup_and_continue) {
  int fds[2];
  int ready[2];
  make_pipe(fds);
  make_pipe(ready);
  const pid_t pid = child_start();
  if (pid == 0) {
    EXPECT_OK(setsid()); /* so that whoever adopts the group is outside of its session */
    const pid_t stopped = child_start();
    if (stopped == 0) {
      EXPECT_OK(setpgid(0, 0));
      install(SIGHUP, count_signal, 0);
      EXPECT_OK(raise(SIGSTOP));
      await_at_least(&handled, 1);
      put_byte(fds[1]);
      _exit(0);
    }
    int status;
    EXPECT_EQ(waitpid(stopped, &status, WUNTRACED), stopped);
    _exit(0); /* makes the group an orphaned one */
  }
  EXPECT_EQ(child_result(pid), 0);
  take_byte(fds[0]);
}

static void* spin(void* unused) {
  (void)unused;
  for (;;) {
    sched_yield();
  }
  return NULL;
}

CASE(stop_stops_all_threads) {
  const pid_t pid = child_start();
  if (pid == 0) {
    thread_start(spin, NULL);
    thread_start(spin, NULL);
    pause_forever();
  }
  int status;
  for (int i = 0; i < 3; ++i) {
    EXPECT_OK(kill(pid, SIGSTOP));
    EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
    EXPECT_OK(kill(pid, SIGCONT));
    EXPECT_EQ(waitpid(pid, &status, WCONTINUED), pid);
  }
  EXPECT_OK(kill(pid, SIGKILL));
  EXPECT_EQ(child_result(pid), -SIGKILL);
}
