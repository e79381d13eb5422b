/* SPDX-License-Identifier: Apache-2.0 */
/* Dispositions, masks, queues, alternate stacks, and what handlers are told. What they may change: contexts.c. */
#include "suite.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <sys/wait.h>

static siginfo_t infos[16];
static void note_info(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  infos[atomic_fetch_add(&handled, 1) % 16] = *info;
}

CASE(disposition_errors) {
  struct sigaction action = {.sa_handler = SIG_IGN};
  EXPECT_ERR(sigaction(SIGKILL, &action, NULL), EINVAL);
  EXPECT_ERR(sigaction(SIGSTOP, &action, NULL), EINVAL);
  EXPECT_ERR(syscall(SYS_rt_sigaction, 0, &action, NULL, 8), EINVAL);
  EXPECT_ERR(syscall(SYS_rt_sigaction, 65, &action, NULL, 8), EINVAL);
  EXPECT_ERR(syscall(SYS_rt_sigaction, SIGUSR1, &action, NULL, 4), EINVAL);
  EXPECT_OK(sigaction(SIGKILL, NULL, &action)); /* asking is allowed */
  EXPECT(action.sa_handler == SIG_DFL);
}

CASE(disposition_is_told_as_it_was_set) {
  struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART | SA_NODEFER | SA_ONSTACK};
  struct sigaction old;
  sigemptyset(&action.sa_mask);
  sigaddset(&action.sa_mask, SIGHUP);
  EXPECT_OK(sigaction(SIGUSR1, &action, &old));
  const int restorer = 0x04000000; /* libc's own */
  EXPECT(old.sa_handler == SIG_DFL && (old.sa_flags & ~restorer) == 0);
  EXPECT_OK(sigaction(SIGUSR1, NULL, &old));
  EXPECT(old.sa_handler == count_signal);
  EXPECT_EQ(old.sa_flags & ~restorer, SA_RESTART | SA_NODEFER | SA_ONSTACK);
  EXPECT_EQ(sigismember(&old.sa_mask, SIGHUP), 1);
  EXPECT_EQ(sigismember(&old.sa_mask, SIGUSR1), 0);
}

CASE(kill_and_sigstop_cannot_be_blocked) {
  sigset_t set;
  sigfillset(&set);
  EXPECT_OK(sigprocmask(SIG_SETMASK, &set, NULL));
  EXPECT_OK(sigprocmask(SIG_SETMASK, NULL, &set));
  EXPECT_EQ(sigismember(&set, SIGKILL), 0);
  EXPECT_EQ(sigismember(&set, SIGSTOP), 0);
  EXPECT_EQ(sigismember(&set, SIGTERM), 1);
  EXPECT_EQ(sigismember(&set, SIGRTMAX), 1);
}

CASE(mask_operations) {
  sigset_t set = only_signal(SIGUSR1);
  sigset_t old;
  EXPECT_OK(sigprocmask(SIG_BLOCK, &set, &old));
  EXPECT_EQ(sigismember(&old, SIGUSR1), 0);
  set = only_signal(SIGUSR2);
  EXPECT_OK(sigprocmask(SIG_BLOCK, &set, &old));
  EXPECT_EQ(sigismember(&old, SIGUSR1), 1);
  EXPECT_OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
  EXPECT_OK(sigprocmask(SIG_SETMASK, NULL, &old));
  EXPECT(sigismember(&old, SIGUSR1) == 1 && sigismember(&old, SIGUSR2) == 0);
  EXPECT_ERR(sigprocmask(99, &set, NULL), EINVAL);
  EXPECT_OK(sigprocmask(99, NULL, &old)); /* how does not matter then */
  EXPECT_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4), EINVAL);
}

CASE(blocked_signals_stay_pending_until_unblocked) {
  sigset_t set;
  install(SIGUSR1, count_signal, 0);
  block_signal(SIGUSR1);
  EXPECT_OK(raise(SIGUSR1));
  EXPECT_OK(kill(getpid(), SIGUSR1));
  EXPECT_EQ(atomic_load(&handled), 0);
  EXPECT_OK(sigpending(&set));
  EXPECT_EQ(sigismember(&set, SIGUSR1), 1);
  unblock_signal(SIGUSR1);
  EXPECT_EQ(atomic_load(&handled), 2); /* one to the thread, one to the process */
  EXPECT_OK(sigpending(&set));
  EXPECT_EQ(sigismember(&set, SIGUSR1), 0);
}

CASE(standard_signals_are_not_queued) {
  install(SIGUSR1, count_signal, 0);
  block_signal(SIGUSR1);
  for (int i = 0; i < 5; ++i) {
    EXPECT_OK(kill(getpid(), SIGUSR1));
  }
  unblock_signal(SIGUSR1);
  EXPECT_EQ(atomic_load(&handled), 1);
}

CASE(realtime_signals_are_queued_in_order_with_values) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  sigaddset(&set, SIGRTMIN + 1);
  EXPECT_OK(sigprocmask(SIG_BLOCK, &set, NULL));
  for (int i = 0; i < 3; ++i) {
    EXPECT_OK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 100 + i}));
    EXPECT_OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i}));
  }
  siginfo_t info;
  for (int i = 0; i < 6; ++i) { /* lower numbers first, then in the order of sending */
    EXPECT_EQ(sigwaitinfo(&set, &info), i < 3 ? SIGRTMIN : SIGRTMIN + 1);
    EXPECT_EQ(info.si_value.sival_int, i < 3 ? i : 100 + i - 3);
    EXPECT_EQ(info.si_code, SI_QUEUE);
    EXPECT_EQ(info.si_pid, getpid());
    EXPECT_EQ(info.si_uid, getuid());
  }
}

CASE(realtime_handlers_get_all_values) {
  install_info(SIGRTMIN + 2, note_info, 0);
  block_signal(SIGRTMIN + 2);
  for (int i = 0; i < 10; ++i) {
    EXPECT_OK(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = i}));
  }
  unblock_signal(SIGRTMIN + 2);
  EXPECT_EQ(atomic_load(&handled), 10);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(infos[i].si_value.sival_int, i);
  }
}

CASE(ignored_signals_are_dropped_even_if_blocked_before) {
  install(SIGUSR1, count_signal, 0);
  block_signal(SIGUSR1);
  EXPECT_OK(raise(SIGUSR1));
  signal(SIGUSR1, SIG_IGN); /* throws away what is pending */
  install(SIGUSR1, count_signal, 0);
  unblock_signal(SIGUSR1);
  EXPECT_EQ(atomic_load(&handled), 0);
  /* One whose default is to do nothing likewise. */
  EXPECT_OK(raise(SIGCHLD));
  EXPECT_OK(raise(SIGURG));
  EXPECT_OK(raise(SIGWINCH));
}

CASE(siginfo_of_kill_and_tgkill) {
  install_info(SIGUSR1, note_info, 0);
  EXPECT_OK(kill(getpid(), SIGUSR1));
  EXPECT_OK(syscall(SYS_tgkill, getpid(), thread_id(), SIGUSR1));
  EXPECT_EQ(atomic_load(&handled), 2);
  EXPECT_EQ(infos[0].si_signo, SIGUSR1);
  EXPECT_EQ(infos[0].si_code, SI_USER);
  EXPECT_EQ(infos[1].si_code, SI_TKILL);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(infos[i].si_pid, getpid());
    EXPECT_EQ(infos[i].si_uid, getuid());
  }
}

CASE(siginfo_names_the_sender) {
  install_info(SIGUSR1, note_info, SA_RESTART);
  const pid_t parent = getpid();
  const pid_t pid = child_start();
  if (pid == 0) {
    EXPECT_OK(sigqueue(parent, SIGUSR1, (union sigval){.sival_ptr = (void*)0x123456789}));
    _exit(0);
  }
  await_at_least(&handled, 1);
  EXPECT_EQ(infos[0].si_pid, pid);
  EXPECT_EQ(infos[0].si_code, SI_QUEUE);
  EXPECT(infos[0].si_value.sival_ptr == (void*)0x123456789);
  EXPECT_EQ(child_result(pid), 0);
}

CASE(sigqueue_errors) {
  siginfo_t info = {.si_code = SI_USER};
  EXPECT_ERR(sigqueue(getpid(), 65, (union sigval){.sival_int = 0}), EINVAL);
  EXPECT_ERR(sigqueue(0x3ffffff, SIGUSR1, (union sigval){.sival_int = 0}), ESRCH);
  const pid_t pid = child_start();
  if (pid == 0) {
    pause();
  }
  EXPECT_ERR(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &info), EPERM); /* nobody may pretend to be kill */
  EXPECT_OK(kill(pid, SIGKILL));
  EXPECT_EQ(child_result(pid), -SIGKILL);
}

static int depth;
static int deepest;
static void raise_again(int signal) {
  ++depth;
  deepest = depth > deepest ? depth : deepest;
  if (atomic_fetch_add(&handled, 1) < 3) {
    raise(signal);
  }
  --depth;
}

CASE(handler_blocks_its_own_signal) {
  install(SIGUSR1, raise_again, 0);
  EXPECT_OK(raise(SIGUSR1));
  EXPECT_EQ(atomic_load(&handled), 4);
  EXPECT_EQ(deepest, 1);
}

CASE(nodefer_nests) {
  install(SIGUSR1, raise_again, SA_NODEFER);
  EXPECT_OK(raise(SIGUSR1));
  EXPECT_EQ(atomic_load(&handled), 4);
  EXPECT_EQ(deepest, 4);
}

CASE(resethand_is_for_once) {
  install(SIGUSR1, count_signal, SA_RESETHAND);
  EXPECT_OK(raise(SIGUSR1));
  EXPECT_EQ(atomic_load(&handled), 1);
  struct sigaction action;
  EXPECT_OK(sigaction(SIGUSR1, NULL, &action));
  EXPECT(action.sa_handler == SIG_DFL);
  const pid_t pid = child_start();
  if (pid == 0) {
    raise(SIGUSR1);
    _exit(0);
  }
  EXPECT_EQ(child_result(pid), -SIGUSR1);
}

static void look_at_mask(int signal) {
  sigset_t set;
  (void)signal;
  EXPECT_OK(sigprocmask(SIG_SETMASK, NULL, &set));
  EXPECT_EQ(sigismember(&set, SIGUSR1), 1);
  EXPECT_EQ(sigismember(&set, SIGUSR2), 1);
  EXPECT_EQ(sigismember(&set, SIGHUP), 0);
  atomic_fetch_add(&handled, 1);
}

CASE(sa_mask_holds_during_the_handler) {
  struct sigaction action = {.sa_handler = look_at_mask};
  sigset_t set;
  action.sa_mask = only_signal(SIGUSR2);
  EXPECT_OK(sigaction(SIGUSR1, &action, NULL));
  EXPECT_OK(raise(SIGUSR1));
  EXPECT_EQ(atomic_load(&handled), 1);
  EXPECT_OK(sigprocmask(SIG_SETMASK, NULL, &set));
  EXPECT(sigismember(&set, SIGUSR1) == 0 && sigismember(&set, SIGUSR2) == 0);
}

static void change_returned_mask(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)info;
  sigaddset(&((ucontext_t*)context)->uc_sigmask, SIGUSR2);
}

CASE(handler_may_change_the_mask_it_returns_to) {
  sigset_t set;
  install_info(SIGUSR1, change_returned_mask, 0);
  EXPECT_OK(raise(SIGUSR1));
  EXPECT_OK(sigprocmask(SIG_SETMASK, NULL, &set));
  EXPECT_EQ(sigismember(&set, SIGUSR2), 1);
}

/* ---- alternate stacks ---- */

static char alternate[65536] __attribute__((aligned(16)));
static volatile uintptr_t handler_stack;
static volatile int flags_inside;
static void note_stack(int signal) {
  stack_t now;
  (void)signal;
  handler_stack = (uintptr_t)__builtin_frame_address(0);
  EXPECT_OK(sigaltstack(NULL, &now));
  flags_inside = now.ss_flags;
  if (now.ss_flags == SS_ONSTACK) {
    EXPECT_ERR(sigaltstack(&now, NULL), EPERM); /* not while it is used */
  }
}

static int is_on_alternate(void) {
  return handler_stack >= (uintptr_t)alternate && handler_stack < (uintptr_t)alternate + sizeof(alternate);
}

CASE(alternate_stack) {
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
  stack_t old;
  EXPECT_OK(sigaltstack(&stack, &old));
  EXPECT_EQ(old.ss_flags, SS_DISABLE);
  install(SIGUSR1, note_stack, SA_ONSTACK);
  EXPECT_OK(raise(SIGUSR1));
  EXPECT(is_on_alternate());
  EXPECT_EQ(flags_inside, SS_ONSTACK);
  EXPECT_OK(sigaltstack(NULL, &old));
  EXPECT(old.ss_flags == 0 && old.ss_sp == alternate && old.ss_size == sizeof(alternate));
  install(SIGUSR1, note_stack, 0); /* did not ask for it */
  EXPECT_OK(raise(SIGUSR1));
  EXPECT(!is_on_alternate());
  stack.ss_flags = SS_DISABLE;
  EXPECT_OK(sigaltstack(&stack, NULL));
  install(SIGUSR1, note_stack, SA_ONSTACK);
  EXPECT_OK(raise(SIGUSR1));
  EXPECT(!is_on_alternate());
}

CASE(alternate_stack_errors) {
  stack_t stack = {.ss_sp = alternate, .ss_size = 1000};
  EXPECT_ERR(sigaltstack(&stack, NULL), ENOMEM);
  stack.ss_size = sizeof(alternate);
  stack.ss_flags = 99;
  EXPECT_ERR(sigaltstack(&stack, NULL), EINVAL);
}

static volatile int goes_deeper = 1;
static void overflow(volatile char* above) {
  volatile char frame[4096];
  frame[0] = above == NULL ? 1 : above[0];
  if (goes_deeper) {
    overflow(frame);
  }
  frame[1] = 1;
}

static sigjmp_buf jump;
static void jump_back(int signal) { siglongjmp(jump, signal); }

CASE(stack_overflow_is_caught_on_the_alternate_stack) {
  const stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
  EXPECT_OK(sigaltstack(&stack, NULL));
  install(SIGSEGV, jump_back, SA_ONSTACK);
  const int signal = sigsetjmp(jump, 1);
  if (signal == 0) {
    overflow(NULL);
  }
  EXPECT_EQ(signal, SIGSEGV);
  stack_t now;
  EXPECT_OK(sigaltstack(NULL, &now));
  EXPECT_EQ(now.ss_flags, 0); /* no longer on it */
}

CASE(stack_overflow_kills_without_one) {
  const pid_t pid = child_start();
  if (pid == 0) {
    install(SIGSEGV, jump_back, 0); /* has no stack to run on */
    overflow(NULL);
  }
  EXPECT_EQ(child_result(pid), -SIGSEGV);
}

/* ---- waiting for signals ---- */

CASE(sigsuspend_lets_a_pending_signal_through) {
  sigset_t none, now;
  sigemptyset(&none);
  install(SIGUSR1, count_signal, SA_RESTART);
  block_signal(SIGUSR1);
  EXPECT_OK(raise(SIGUSR1));
  EXPECT_ERR(sigsuspend(&none), EINTR);
  EXPECT_EQ(atomic_load(&handled), 1);
  EXPECT_OK(sigprocmask(SIG_SETMASK, NULL, &now));
  EXPECT_EQ(sigismember(&now, SIGUSR1), 1); /* the old mask is back */
}

CASE(pause_returns_after_a_handler) {
  install(SIGALRM, count_signal, SA_RESTART);
  tick_every_us(2000);
  EXPECT_ERR(pause(), EINTR);
  EXPECT_GE(atomic_load(&handled), 1);
}

CASE(sigtimedwait_times_out_and_takes) {
  const sigset_t set = only_signal(SIGUSR1);
  const struct timespec timeout = {0, 3000000};
  const struct timespec zero = {0, 0};
  const struct timespec bad = {0, 1000000000};
  block_signal(SIGUSR1);
  const int64_t start = now_ns(CLOCK_MONOTONIC);
  EXPECT_ERR(sigtimedwait(&set, NULL, &timeout), EAGAIN);
  EXPECT_GE(now_ns(CLOCK_MONOTONIC) - start, 3000000);
  EXPECT_ERR(sigtimedwait(&set, NULL, &bad), EINVAL);
  EXPECT_OK(raise(SIGUSR1));
  EXPECT_EQ(sigtimedwait(&set, NULL, &zero), SIGUSR1);
  EXPECT_ERR(sigtimedwait(&set, NULL, &zero), EAGAIN);
}

CASE(sigtimedwait_is_interrupted_by_other_handlers) {
  const sigset_t set = only_signal(SIGUSR1);
  block_signal(SIGUSR1);
  install(SIGALRM, count_signal, SA_RESTART);
  tick_every_us(2000);
  EXPECT_ERR(sigwaitinfo(&set, NULL), EINTR);
}

CASE(sigwaitinfo_from_another_process) {
  const sigset_t set = only_signal(SIGUSR1);
  siginfo_t info;
  block_signal(SIGUSR1);
  const pid_t parent = getpid();
  const pid_t pid = child_start();
  if (pid == 0) {
    EXPECT_OK(kill(parent, SIGUSR1));
    _exit(0);
  }
  EXPECT_EQ(sigwaitinfo(&set, &info), SIGUSR1);
  EXPECT_EQ(info.si_pid, pid);
  EXPECT_EQ(child_result(pid), 0);
}

CASE(handlers_in_handlers_of_other_signals) {
  install(SIGUSR1, raise_again, SA_NODEFER);
  install(SIGUSR2, raise_again, SA_NODEFER);
  for (int i = 0; i < 100; ++i) {
    atomic_store(&handled, 0);
    EXPECT_OK(raise(i % 2 == 0 ? SIGUSR1 : SIGUSR2));
    EXPECT_EQ(atomic_load(&handled), 4);
  }
}

CASE(signals_in_a_storm_are_all_counted) {
  install(SIGRTMIN, count_signal, SA_RESTART);
  const pid_t parent = getpid();
  const pid_t pid = child_start();
  if (pid == 0) {
    for (int i = 0; i < 500; ++i) {
      while (sigqueue(parent, SIGRTMIN, (union sigval){.sival_int = i}) != 0) {
        EXPECT(errno == EAGAIN); /* the queue has a limit */
        sched_yield();
      }
    }
    _exit(0);
  }
  EXPECT_EQ(child_result(pid), 0);
  EXPECT_EQ(atomic_load(&handled), 500);
}
